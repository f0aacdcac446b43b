"""A process that decodes one photo, over which another may have died.

`tagsight.data.photos.deaths` starts it, with a photo and the arguments of `open_photo` as JSON in
standard input. It ends with 0 whether or not the photo can be read; if it does not, the photo is to
blame.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tagsight.data.photos.reading import open_photo


def _main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):  # which are meant for the other process
        signal.signal(ignored, signal.SIG_IGN)
    _leave_no_core()
    request = json.loads(sys.stdin.buffer.read())
    with suppress(Exception):
        open_photo(Path(request.pop("path")), **request)


def _leave_no_core() -> None:
    try:
        import resource
    except ImportError:  # on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


if __name__ == "__main__":
    _main()
