"""``tagsight serve``: a model behind HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import RecognitionHardware
from tagsight.commands.output import print_info
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TOKEN, SHORTEST_TOKEN = 4096, 16


def serve(
    model: Path,
    /,
    *,
    index: Path | None = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    allowed_host: list[str] | None = None,
    token_file: Path | None = None,
    bridge: list[Literal["label-studio", "photoprism"]] | None = None,
    hardware: RecognitionHardware = RecognitionHardware(),
) -> int:
    """Serve a model over HTTP, with a web page.

    Only this machine can connect unless there is a token. After Ctrl-C or SIGTERM the server
    answers the requests it has accepted and ends.

    Args:
        model: The model folder, or a file that 'tagsight export' wrote.
        index: Folder of an index that clients can search.
        host: Address to listen at; another than this machine's needs --token-file.
        port: Port to listen at.
        allowed_host: Further host name by which clients reach this server; can be repeated.
            Requests for other hosts and from other web pages are refused.
        token_file: File with the token that clients must send, of at least 16 characters.
        bridge: Also follow the interface of this program; can be repeated.
    """
    with _extra():
        from tagsight.server.access import Hosts, is_loopback
    token = _token(token_file)
    if token is None and not is_loopback(host):
        msg = (
            f"expected --token-file to listen at {host}, which other machines can reach, got none: "
            "give one, or leave out --host to admit this machine only"
        )
        raise DataError(msg)
    hosts = Hosts.listening_at(host, allowed_host or ())
    print_info(f"loading {model}")

    with _extra():
        import uvicorn

        from tagsight.server.app import create_app
        from tagsight.server.connections import server_config
        from tagsight.server.service import Service

    from tagsight.inference.recognizer import Recognizer
    from tagsight.search.index import SearchIndex
    from tagsight.server.limits import Limits

    limits = Limits(memory=hardware.photo_bytes)
    recognizer = Recognizer(
        hardware.fastest(model, measure=True), max_pixels=limits.pixels, max_memory=limits.memory
    )
    opened = SearchIndex.open(index) if index is not None else None
    if opened is not None and opened.facts.model != recognizer.info.model:
        msg = f"expected an index of this model in {index}, got one of another model"
        raise DataError(msg)
    service = Service(
        recognizer, opened, token, limits, tuple(bridge or ()), hosts, hardware.workers
    )
    place = f"[{host}]" if ":" in host else host
    print_info(f"listening at http://{place}:{port}; the interface is described at /openapi.json")
    uvicorn.Server(server_config(create_app(service), limits, host=host, port=port)).run()
    return 0


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        msg = "expected the extra 'serve' for HTTP, got none: pip install 'tagsight[serve]'"
        raise DataError(msg) from error


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    with file.open("rb") as opened:
        token = opened.read(LONGEST_TOKEN + 1).strip()
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not token.isascii():
        msg = (
            f"expected a token of {SHORTEST_TOKEN} to {LONGEST_TOKEN} ASCII characters in {file}, "
            f"got {len(token)}"
        )
        raise DataError(msg)
    return token.decode("ascii")
