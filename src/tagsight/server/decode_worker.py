"""A process that decodes photos one by one and can be killed at any moment.

`tagsight.server.decoding` starts it. It reads requests from standard input until that is closed.
Every message, in both directions, is a line of JSON followed by the number of bytes given in it.
The process has limited memory and cannot write files.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from tagsight.data.photos.reading import open_photo, photo_defect, whole_size
from tagsight.errors import DataError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STRIP = 2**20
"""Bytes of pixels that are converted at a time."""


def _main(memory: int) -> None:
    """Decode photos until standard input ends.

    Args:
        memory: Bytes that decoding a photo may take, beyond the present size of the process.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the server ends it after the last response
        signal.signal(ignored, signal.SIG_IGN)
    requests, responses = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    photo_defect(b"")  # load the decoders before memory is limited
    _limit(memory)
    _silence()
    _respond(responses, {})
    for line in requests:
        request = json.loads(line)
        content = requests.read(request.pop("size"))
        try:
            photo = _opened(content, **request)
        except DataError as error:
            _respond(responses, {"error": type(error).__name__, "message": str(error)})
            continue
        width, height = photo.size
        facts = {"width": width, "height": height, "whole": whole_size(photo)}
        _respond(responses, facts, width * height * 3, _strips(photo))


def _opened(content: bytes, path: str | None, fit: int | None, **limits: int) -> Image.Image:
    try:
        photo = open_photo(content if path is None else Path(path), **limits)
        if fit is not None:
            photo.thumbnail((fit, fit), Image.Resampling.LANCZOS)
    except MemoryError as error:
        msg = "photo: expected one that is decoded within its memory limit, got a larger one"
        raise TooLargeError(msg) from error
    return photo


def _strips(photo: Image.Image) -> Iterator[bytes]:
    """Yield the pixels as bytes in strips, to avoid a second copy of the photo."""
    width, height = photo.size
    rows = max(1, STRIP // (3 * width))
    for top in range(0, height, rows):
        yield photo.crop((0, top, width, min(top + rows, height))).tobytes()


def _respond(
    responses: BinaryIO, facts: dict[str, Any], size: int = 0, parts: Iterable[bytes] = ()
) -> None:
    responses.write(json.dumps({**facts, "size": size}).encode() + b"\n")
    for part in parts:
        responses.write(part)
    responses.flush()


def _limit(memory: int) -> None:
    """Limit memory and file size, where the system supports it."""
    try:
        import resource
    except ImportError:  # on Windows
        return
    bounds = {
        resource.RLIMIT_AS: _in_use() + memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS defines some of them without supporting them
            resource.setrlimit(kind, (within, within))


def _in_use() -> int:
    """Return the size of the address space in bytes."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 2**30


def _silence() -> None:
    """Discard what decoders print, to keep it out of the messages and the server's log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
