from pathlib import Path

import pytest
from photo_kinds import EXPENSIVE, IN_PYTHON, KINDS, LYING, encoded, saved
from PIL import Image
from programs import python

from tagsight.data.photos.cost import OVERHEAD
from tagsight.data.photos.reading import open_photo, photo_cost, photo_defect
from tagsight.errors import TooLargeError
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

MIB = 2**20
DIFFERENT = (
    *("JPEG RGB", "JPEG progressive 4:4:4", "PNG RGBA", "PNG I;16", "WEBP lossless", "GIF P"),
    *("TIFF F turned", "TIFF RGB of 16 bits, one strip", "AVIF RGBA", "JPEG2000 lossy", "HEIF RGB"),
    *("JPEG turned", "PNG P transparent", "P5 of 9 values", "BMP run lengths"),
)
"""One of each kind that takes memory in its own way; benchmarks/photo_budget.py has them all."""


def decoded_in_a_process(folder: Path) -> dict[str, int]:
    script = """
import ctypes, sys
from pathlib import Path

from photo_kinds import IN_PYTHON, KINDS
from tagsight.data.photos.reading import open_photo
for name, draw in (KINDS | IN_PYTHON).items():
    if name in sys.argv[2:]:
        open_photo(draw(8))

def memory(which):
    status = Path("/proc/self/status").read_text()
    return int(next(l for l in status.splitlines() if l.startswith(which)).split()[1]) * 1024

for file in sorted(Path(sys.argv[1]).iterdir()):
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    open_photo(file)
    print(memory("VmHWM") - before, file.name)
"""
    done = python("-c", script, folder, *DIFFERENT)
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: int(taken) for taken, name in lines}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the memory")
def test_decoding_takes_at_most_half_more_memory_than_the_header_tells(tmp_path):
    predicted = {}
    for name in {*DIFFERENT} & {*KINDS, *IN_PYTHON}:  # those of extras may not be there
        file = tmp_path / name
        file.write_bytes((KINDS | IN_PYTHON)[name](300 if name in IN_PYTHON else 800))
        predicted[name] = photo_cost(file).memory
    taken = decoded_in_a_process(tmp_path)
    assert taken.keys() == predicted.keys()
    # Stricter than the promise: what every photo takes is not counted on.
    over = {
        name: (memory / MIB, predicted[name] / MIB)
        for name, memory in taken.items()
        if memory > 1.5 * (predicted[name] - OVERHEAD) + 4 * MIB
    }
    assert not over
    assert max(taken.values()) > 10 * MIB


@pytest.mark.parametrize("name", ["JPEG RGB", "PNG RGBA", "PPM L"])
def test_the_header_is_enough_to_tell_the_cost(name):
    content = KINDS[name](200)
    start = content[: len(content) // 2]
    cost = photo_cost(start)
    assert cost.memory == photo_cost(content).memory - len(content) + len(start)
    assert cost.work == 200 * 200


@pytest.mark.parametrize("name", EXPENSIVE)
def test_a_photo_of_few_bytes_is_decoded_within_its_budget_or_not_at_all(name):
    content = EXPENSIVE[name](1500)
    assert len(content) < 100_000
    cost = photo_cost(content)
    with pytest.raises(TooLargeError, match=r"^photo: expected a photo that takes at most [\d,]+"):
        open_photo(content, max_memory=cost.memory - 1)
    assert photo_defect(content, max_memory=cost.memory // 4)
    assert open_photo(content, max_memory=cost.memory).size == (1500, 1500)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_turning_a_photo_costs_a_copy(kind):
    lying, upright = saved(kind, "RGB", 64, exif=LYING), saved(kind, "RGB", 64)
    more = photo_cost(lying).memory - photo_cost(upright).memory - len(lying) + len(upright)
    assert more == 4 * 64 * 64


def test_an_orientation_behind_the_pixels_of_a_png_is_paid_for_as_well():
    content = saved("PNG", "RGB", 64, exif=LYING)
    at = content.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(content[at : at + 4], "big")
    moved = content[:at] + content[end:-12] + content[at:end] + content[-12:]
    least = photo_cost(moved).memory
    with pytest.raises(TooLargeError):
        open_photo(moved, max_memory=least)
    assert open_photo(moved, max_memory=least + 4 * 64 * 64).size == (64, 64)


def test_a_reduced_jpeg_costs_its_reduced_pixels_and_a_progressive_one_its_coefficients():
    for progressive, more, passes in ((False, 0, 1), (True, 3 * 1024**2, 10)):
        content = saved("JPEG", "RGB", 1024, progressive=progressive)
        cost = photo_cost(content, least_side=128)
        assert cost.memory == OVERHEAD + len(content) + 4 * 128**2 + more
        assert cost.work == passes * 1024**2


def test_usual_photos_are_within_the_budget_and_huge_files_are_not_read(tmp_path):
    photo = Image.new("RGB", (10_000, 8_000))
    for source in (photo, encoded(photo, "JPEG", exif=LYING)):
        assert photo_cost(source).memory < MAX_PHOTO_MEMORY
    with (tmp_path / "huge.png").open("wb") as opened:
        opened.truncate(2**31)
    with pytest.raises(TooLargeError, match=r"huge.png: .* \(`max_photo_memory`\), got a file of"):
        open_photo(tmp_path / "huge.png")
