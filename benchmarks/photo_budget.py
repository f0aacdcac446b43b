"""Peak memory of decoding photos of every format and mode, against what their headers tell.

Run as ``python benchmarks/photo_budget.py [SIDE]``; SIDE is in pixels, 2000 by default. The photos
are drawn, and each is decoded in a process of its own, which tells its memory and processor time.
Then come photos that somebody made to be expensive, of 13,000 pixels across and down, with the
budget that holds if nobody says otherwise: decoded within it, or refused at once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from table import HEADER, row

from tagsight.data.photos.reading import open_photo, photo_cost
from tagsight.errors import TooLargeError
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))
from photo_kinds import EXPENSIVE, IN_PYTHON, KINDS, REFUSED

SIDE, SIDE_IN_PYTHON, SIDE_OF_EXPENSIVE = 2000, 500, 13_000
LESS = {"JPEG2000, flat": 6000}
"""Sides of photos that nobody can draw as large."""

LARGEST_RATIO = 1.5


def main(arguments: list[str]) -> int:
    """Measure them all; the exit code is 1 if one takes more than 1.5 times the prediction."""
    side = next((int(word) for word in arguments if word.isdecimal()), SIDE)
    sides = {
        **dict.fromkeys(KINDS, side),
        **dict.fromkeys(IN_PYTHON, SIDE_IN_PYTHON),
        **dict.fromkeys(EXPENSIVE, SIDE_OF_EXPENSIVE),
        **LESS,
    }
    print(HEADER)
    ratios = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "photo"
        for name, draw in (KINDS | IN_PYTHON | EXPENSIVE).items():
            file.write_bytes(draw(sides[name]))
            ratios.append(measured(name, file))
        for name, draw_refused in REFUSED.items():
            file.write_bytes(draw_refused())
            ratios.append(measured(name, file))
    return int(max(ratios) > LARGEST_RATIO)


def measured(name: str, file: Path) -> float:
    """Decode a photo in a process of its own, and say what it took; give the ratio."""
    command = [sys.executable, __file__, "--one", name, str(file)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    outcome, memory, seconds, predicted = done.stdout.split()
    taken = f"{int(memory) / 2**20:.0f} MiB, {float(seconds):.2f} s"
    what = f"{name}, {file.stat().st_size / 1000:,.0f} kB: {outcome}"
    ratio = int(memory) / int(predicted)
    row(what, taken, f"{int(predicted) / 2**20:.0f} MiB", ratio, LARGEST_RATIO, wanted="most")
    return ratio


def one(name: str, file: Path) -> None:
    """Say whether a photo was decoded, what it took, in bytes and seconds of a processor, and the
    bytes predicted.

    What is refused is held to the whole budget.
    """
    draw = (KINDS | IN_PYTHON | EXPENSIVE).get(name, KINDS["PNG RGB"])
    open_photo(draw(8))  # for the libraries, which stay
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before, started = memory("VmRSS"), time.process_time()
    try:
        open_photo(file)
        outcome, predicted = "decoded", photo_cost(file).memory
    except TooLargeError:
        outcome, predicted = "refused", MAX_PHOTO_MEMORY
    print(outcome, memory("VmHWM") - before, time.process_time() - started, predicted)


def memory(which: str) -> int:
    """A size that the system tells of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(which))
    return int(line.split()[1]) * 2**10


if __name__ == "__main__":
    if "--one" in sys.argv:
        one(sys.argv[-2], Path(sys.argv[-1]))
    else:
        sys.exit(main(sys.argv[1:]))
