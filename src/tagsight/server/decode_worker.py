"""A process that decodes photos, one after another, and may be ended at any moment.

It is started by `tagsight.server.decoding` and reads requests from standard input until that is
closed. Every message, either way, is a line of JSON and as many bytes as it says. The process has
bounded memory and cannot write a file.
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

from tagsight.data.photos import open_photo, photo_defect, whole_size
from tagsight.errors import DataError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STRIP = 2**20
"""Bytes of pixels that are packed at a time."""


def main(memory: int) -> None:
    """Decode until there is nothing more to decode.

    Args:
        memory: Bytes that a photo's decoding may take, beside what the process has already.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM):  # it ends when the server has answered all
        signal.signal(ignored, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    photo_defect(b"")  # the decoders are loaded before memory is bounded
    _bound(memory)
    _silence()
    _answer(answers, {})
    for line in requests:
        asked = json.loads(line)
        content = requests.read(asked.pop("size"))
        try:
            photo = _opened(content, **asked)
        except DataError as error:
            _answer(answers, {"error": type(error).__name__, "message": str(error)})
            continue
        width, height = photo.size
        facts = {"width": width, "height": height, "whole": whole_size(photo)}
        _answer(answers, facts, width * height * 3, _strips(photo))


def _opened(content: bytes, path: str | None, fit: int | None, **limits: int) -> Image.Image:
    try:
        photo = open_photo(content if path is None else Path(path), **limits)
        if fit is not None:
            photo.thumbnail((fit, fit), Image.Resampling.LANCZOS)
    except MemoryError as error:
        msg = "photo: expected one that is decoded within the memory for it, got a larger one"
        raise TooLargeError(msg) from error
    return photo


def _strips(photo: Image.Image) -> Iterator[bytes]:
    """The pixels as bytes, of which there is never a second copy."""
    width, height = photo.size
    rows = max(1, STRIP // (3 * width))
    for top in range(0, height, rows):
        yield photo.crop((0, top, width, min(top + rows, height))).tobytes()


def _answer(
    answers: BinaryIO, facts: dict[str, Any], size: int = 0, parts: Iterable[bytes] = ()
) -> None:
    answers.write(json.dumps({**facts, "size": size}).encode() + b"\n")
    for part in parts:
        answers.write(part)
    answers.flush()


def _bound(memory: int) -> None:
    """Bound memory and files, on systems that can."""
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
        with suppress(ValueError, OSError):  # macOS has some by name only
            resource.setrlimit(kind, (within, within))


def _in_use() -> int:
    """Bytes of address space that the process has."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 2**30


def _silence() -> None:
    """Keep what decoders print from the answers and from the server's log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if __name__ == "__main__":
    main(int(sys.argv[1]))
