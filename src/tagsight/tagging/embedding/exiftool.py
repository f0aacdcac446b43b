"""A process of exiftool that is kept open, as starting it takes longer than most of its work.

It sees nothing but files of ours: it runs in a folder of its own, in which files have fixed names,
so that no name of a user's becomes an argument. Arguments are lines on its standard input. What it
prints ends with a number that no photo can know.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic
from typing import IO, TYPE_CHECKING

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.runtime.escaping import printable

if TYPE_CHECKING:
    from typing import Self

PATIENCE = 60.0
"""Seconds that exiftool may take for a photo."""

MOST_OUTPUT = LARGEST + 2**20
"""Bytes that exiftool may print for a photo: a packet of XMP, and warnings."""

_LONGEST_END = 100
_CHUNK, _MOST_CHUNKS = 2**16, 64

# Exiftool waits for ever when its input ends, as it does when this process is killed. SA_RESTART
# keeps the alarm from interrupting its reading.
_CONFIGURATION = """\
if ($^O ne 'MSWin32') {
    require POSIX;
    my $parent = getppid();
    my $look = sub { exit 1 if getppid() != $parent; alarm 2 };
    my $action = POSIX::SigAction->new($look, POSIX::SigSet->new(), POSIX::SA_RESTART());
    POSIX::sigaction(POSIX::SIGALRM(), $action);
    alarm 2;
}
1;
"""


class ExifTool:
    r"""Runs commands of exiftool in a temporary folder, where they find files by name.

    The process starts with the first command.

    Args:
        patience: Seconds for a command.

    Example:
        >>> from PIL import Image
        >>> with ExifTool() as exiftool:
        ...     Image.new("RGB", (8, 6)).save(exiftool.folder / "photo.png")
        ...     exiftool.run("-s3", "-ImageSize", "photo.png")
        b'8x6\n'
    """

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Queue[bytes] = Queue()
        self._reader: Thread | None = None
        self._temporary: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and remove the folder."""
        self._stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    @property
    def folder(self) -> Path:
        """The folder, created when it is first needed."""
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="tagsight-", ignore_cleanup_errors=True)
        return Path(self._temporary.name)

    def run(self, *arguments: str) -> bytes:
        """Run a command, and return what it prints.

        Args:
            arguments: Arguments of exiftool, without line ends.

        Raises:
            DataError: If exiftool is missing, fails, takes too long, or prints too much.
        """
        assert not any("\n" in argument or "\r" in argument for argument in arguments)
        process = self._process or self._started()
        self._process = process
        number = secrets.randbits(63)
        lines = [*arguments, "-echo3", f"{{status{number} ${{status}}}}", f"-execute{number}", ""]
        end = rb"\{status%d (\d+)\}\r?\n\{ready%d\}\r?\n" % (number, number)
        assert process.stdin is not None
        try:
            process.stdin.write("\n".join(lines).encode())
            process.stdin.flush()
            printed, status = self._read(re.compile(end))
        except BaseException as error:  # what it prints later is no answer to the next command
            self._stop()
            if isinstance(error, OSError):
                raise DataError(_ENDED) from error
            raise
        if status:
            raise DataError(f"exiftool: {_said(printed)}")
        return printed

    def _started(self) -> subprocess.Popen[bytes]:
        program = require_exiftool()
        configuration = self.folder / "configuration"
        configuration.write_text(_CONFIGURATION)
        process = subprocess.Popen(
            [program, "-config", configuration.name, "-stay_open", "True", "-@", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C ends our work, after which this process is ended
        )
        assert process.stdout is not None
        self._output = Queue(_MOST_CHUNKS)
        arguments = (process.stdout, self._output)
        self._reader = Thread(target=_forward, args=arguments, daemon=True)
        self._reader.start()
        return process

    def _read(self, end: re.Pattern[bytes]) -> tuple[bytes, int]:
        """Read until the end of a command; return what it printed, and its exit status."""
        printed, until = bytearray(), monotonic() + self._patience
        while True:
            try:
                chunk = self._output.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                msg = f"expected exiftool to end within {self._patience:g} s, got no answer"
                raise DataError(msg) from None
            if not chunk:
                raise DataError(_ENDED)
            start = max(0, len(printed) - _LONGEST_END)
            printed += chunk
            if found := end.search(printed, start):
                return bytes(printed[: found.start()]), int(found[1])
            if len(printed) > MOST_OUTPUT:
                msg = f"expected exiftool to print at most {MOST_OUTPUT:,} bytes, got more"
                raise DataError(msg)

    def _stop(self) -> None:
        if self._process is None or self._reader is None:
            return
        if os.name == "posix":  # a script may have started other processes
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        while self._reader.is_alive():  # it may wait for room
            with suppress(Empty):
                self._output.get(timeout=0.1)
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process = self._reader = None


_ENDED = "expected an answer of exiftool, got none, as its process has ended"


def require_exiftool() -> str:
    """Return the path of exiftool.

    Raises:
        DataError: If it is not installed.

    Example:
        >>> Path(require_exiftool()).stem
        'exiftool'
    """
    program = shutil.which("exiftool")
    if program is None:
        msg = (
            "expected the program exiftool to write into photos, got none: install it "
            "(`apt install libimage-exiftool-perl`, `brew install exiftool`, or exiftool.org)"
        )
        raise DataError(msg)
    return program


def _forward(source: IO[bytes], target: Queue[bytes]) -> None:
    """Put what a process prints into a queue, and nothing at its end."""
    with source:
        while chunk := source.read1(_CHUNK):  # type: ignore[attr-defined]  # buffered
            target.put(chunk)
    target.put(b"")


def _said(printed: bytes) -> str:
    """Return the first error, or else the first warning, that exiftool has printed."""
    lines = printed.decode("utf-8", "replace").splitlines()
    kinds = ("Error: ", "Warning: ")
    found = [line for kind in kinds for line in lines if line.startswith(kind)]
    text = (found or lines or ["it failed without a word"])[0]
    return printable(text.partition(": ")[2] or text)[:200]
