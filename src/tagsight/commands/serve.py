"""``tagsight serve``: a model behind HTTP."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.label_studio_options import LabelStudioOptions
from tagsight.commands.options import RecognitionHardware
from tagsight.commands.output import print_info
from tagsight.errors import DataError, needs_extra

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tagsight.inference.recognizer import Recognizer
    from tagsight.search.index import SearchIndex
    from tagsight.server.access import Hosts
    from tagsight.server.limits import Limits

LONGEST_TOKEN, SHORTEST_TOKEN = 4096, 16


@Parameter(name="*")
@dataclass(frozen=True)
class ServerAddress:
    """Address of the server, and the host names by which clients reach it."""

    host: str = "127.0.0.1"
    """Address to listen at; another than this machine's needs --token-file."""

    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000
    """Port to listen at; 0 takes a free one."""

    allowed_host: list[str] | None = None
    """Further host name by which clients reach this server; can be repeated. Requests for other
    hosts and from other web pages are refused."""


def serve(
    model: Path,
    /,
    *,
    index: Path | None = None,
    address: ServerAddress = ServerAddress(),
    token_file: Path | None = None,
    bridge: list[Literal["immich", "label-studio", "photoprism"]] | None = None,
    label_studio: LabelStudioOptions = LabelStudioOptions(),
    hardware: RecognitionHardware = RecognitionHardware(),
) -> int:
    """Serve a model over HTTP, with a web page.

    ```console
    tagsight serve runs/first/model --index photos-index
    tagsight serve runs/first/model --host 0.0.0.0 --token-file token
    ```

    Only this machine can connect unless there is a token. After Ctrl-C or SIGTERM the server
    answers the requests it has accepted and ends.

    Args:
        model: The model folder, or a file that 'tagsight export' wrote.
        index: Folder of an index that clients can search.
        token_file: File with the token that clients must send, of at least 16 characters.
        bridge: Also follow the interface of this program; can be repeated.
    """
    token, hosts = _admitted(token_file, address)
    bridges = _together(bridge or ())
    print_info(f"loading {model}")

    with needs_extra("serve", "for HTTP"):
        import uvicorn

        from tagsight.server.app import create_app
        from tagsight.server.connections import listener, server_config
        from tagsight.server.limits import Limits
        from tagsight.server.service import Service

    limits = Limits(memory=hardware.photo_bytes)
    with ExitStack() as held:
        studio = label_studio.studio()
        socket, place = held.enter_context(listener(address.host, address.port))
        recognizer, opened = _opened(model, index, hardware, limits)
        judgements = label_studio.project()
        if judgements is not None:
            held.enter_context(judgements)
        service = Service(
            recognizer,
            opened,
            token,
            limits,
            bridges,
            hosts,
            hardware.workers,
            studio,
            judgements,
        )
        app = create_app(service)
        print_info(f"listening at http://{place}; the interface is described at /openapi.json")
        label_studio.connect(studio, f"http://{place}", token)
        uvicorn.Server(server_config(app, limits)).run(sockets=[socket])
    return 0


def _admitted(token_file: Path | None, address: ServerAddress) -> tuple[str | None, Hosts]:
    """Return the token, which a server for other machines must have, and the host names."""
    with needs_extra("serve", "for HTTP"):
        from tagsight.server.access import Hosts, is_loopback
    token, host = _token(token_file), address.host
    if token is None and not is_loopback(host):
        msg = (
            f"expected --token-file to listen at {host}, which other machines can reach, got none: "
            "give one, or leave out --host to admit this machine only"
        )
        raise DataError(msg)
    return token, Hosts.listening_at(host, address.allowed_host or ())


def _together(bridges: Iterable[str]) -> tuple[str, ...]:
    """Return the bridges, which must not ask the same address."""
    chosen = tuple(dict.fromkeys(bridges))
    if {"immich", "label-studio"} <= set(chosen):
        msg = (
            "expected --bridge immich or --bridge label-studio, got both, which ask the same "
            "address: start a server for each, at different ports"
        )
        raise DataError(msg)
    return chosen


def _opened(
    model: Path, index: Path | None, hardware: RecognitionHardware, limits: Limits
) -> tuple[Recognizer, SearchIndex | None]:
    """Open a model, and an index of it."""
    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.runtimes import is_quick_to_compare
    from tagsight.search.index import SearchIndex

    quick = is_quick_to_compare(model)
    network = hardware.fastest(model, measure=quick)
    if not quick and hardware.model_runtime == "auto" and network.runs_on == "torch":
        print_info(
            "a server compares no runtimes for thousands of labels, which takes minutes; "
            "--runtime openvino or onnx exports the model once, before the server listens"
        )
    recognizer = Recognizer(network, max_pixels=limits.pixels, max_memory=limits.memory)
    opened = SearchIndex.open(index) if index is not None else None
    if opened is not None and opened.facts.model != recognizer.info.model:
        msg = f"expected an index of this model in {index}, got one of another model"
        raise DataError(msg)
    return recognizer, opened


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
