"""Connect a project of Label Studio to this server, by Label Studio's own interface."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.errors import DataError
from tagsight.server.bridges.label_studio.client import LabelStudioError
from tagsight.server.bridges.label_studio.recording import RECORDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.server.bridges.label_studio.client import LabelStudio

logger = logging.getLogger(__name__)

OK = 200
LONGEST_QUOTE = 400
TITLE = "tagsight"
USER = "tagsight"
"""Name of the model, and of the user with whose password Label Studio asks."""

_ADVICE = (
    (
        "reserved network address",
        "it asks no address of this machine or its network unless it is started with "
        "USE_DEFAULT_BANNED_SUBNETS=false, or with ML_BLOCK_LOCAL_IP=false and "
        "SSRF_PROTECTION_ENABLED=false",
    ),
    ("resolve hostname", "it does not know this name: give one that it knows as `own_url`"),
    ("health check failed", "it cannot reach this server: give the address as `own_url`"),
    ("authentication parameters", "a proxy between them drops the token"),
)
"""What a response of Label Studio contains, and what to do."""


class Connection(NamedTuple):
    """This server as Label Studio is to reach it.

    Attributes:
        project: Id of its project.
        address: URL at which Label Studio reaches this server.
        token: The server's token, or None.
        records: Whether annotations are to be sent, too.
    """

    project: int
    address: str
    token: str | None
    records: bool


async def connect(studio: LabelStudio, wanted: Connection) -> None:
    """Make this server a model of a project, and the receiver of its annotations.

    A model and a webhook with this address are changed, not made again.

    Raises:
        LabelStudioError: If Label Studio refuses; the message names the setting that does.

    Example:
        >>> import httpx
        >>> from tagsight.server.bridges.label_studio.client import LabelStudio
        >>> def answer(request):
        ...     print(request.method, request.url.path)
        ...     return httpx.Response(200, json=[])
        >>> transport = httpx.MockTransport(answer)  # in place of a Label Studio
        >>> studio = LabelStudio("http://localhost:8080", "0123456789", transport=transport)
        >>> wanted = Connection(1, "http://localhost:8000", token=None, records=True)
        >>> asyncio.run(connect(studio, wanted))
        GET /api/ml/
        POST /api/ml/
        GET /api/webhooks/
        POST /api/webhooks/
    """
    body: dict[str, Any] = {
        "url": wanted.address,
        "project": wanted.project,
        "title": TITLE,
        "is_interactive": False,
        "auth_method": "NONE",
    }
    if wanted.token is not None:
        secret = {"basic_auth_user": USER, "basic_auth_pass": wanted.token}
        body |= {"auth_method": "BASIC_AUTH", **secret}
    await _put(studio, "/api/ml/", "/api/ml/{}", wanted, body)
    if wanted.records:
        headers = {"Authorization": f"Bearer {wanted.token}"} if wanted.token else {}
        hook = {
            "url": f"{wanted.address}/webhook",
            "project": wanted.project,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": sorted(RECORDED),
            "headers": headers,
            "is_active": True,
        }
        await _put(studio, "/api/webhooks/", "/api/webhooks/{}/", wanted, hook)


def connect_in_background(studio: LabelStudio, wanted: Connection) -> threading.Thread:
    """Connect as `connect` does while the server runs, and log the outcome.

    Label Studio asks the server back before it answers, so that the server must be running.

    Returns:
        The thread that connects.

    Example:
        >>> import httpx
        >>> from tagsight.server.bridges.label_studio.client import LabelStudio
        >>> asked = []
        >>> def answer(request):
        ...     asked.append(request.url.path)
        ...     return httpx.Response(200, json=[])
        >>> transport = httpx.MockTransport(answer)  # in place of a Label Studio
        >>> studio = LabelStudio("http://localhost:8080", "0123456789", transport=transport)
        >>> wanted = Connection(1, "http://localhost:8000", token=None, records=False)
        >>> connect_in_background(studio, wanted).join()
        >>> asked
        ['/api/ml/', '/api/ml/']
    """

    def connecting() -> None:
        try:
            asyncio.run(connect(studio, wanted))
        except DataError as error:
            logger.warning("label studio: %s", error)
        else:
            more = ", which sends its annotations" if wanted.records else ""
            logger.info("label studio: connected to project %d%s", wanted.project, more)

    thread = threading.Thread(target=connecting, name="tagsight-connect", daemon=True)
    thread.start()
    return thread


async def _put(
    studio: LabelStudio, path: str, one: str, wanted: Connection, body: Mapping[str, Any]
) -> None:
    """Make what a body describes, or change what has its address already."""
    status, there = await studio.call("GET", f"{path}?project={wanted.project}")
    known = there if status == OK and isinstance(there, list) else []
    mine = (made for made in known if isinstance(made, dict) and made.get("url") == body["url"])
    ids = [made.get("id") for made in mine]
    if ids and isinstance(ids[0], int):
        status, answer = await studio.call("PATCH", one.format(ids[0]), body)
    else:
        status, answer = await studio.call("POST", path, body)
    if not OK <= status < 300:
        raise LabelStudioError(_why_refused(status, answer, wanted))


def _why_refused(status: int, answer: object, wanted: Connection) -> str:
    """Explain why Label Studio refuses to connect, with the setting that decides."""
    said = json.dumps(answer)[:LONGEST_QUOTE]
    message = f"expected Label Studio to connect to {wanted.address}, it refuses ({status}): {said}"
    for sign, advice in _ADVICE:
        if sign in said:
            return f"{message}; {advice}"
    return message
