"""MIRFLICKR-25K: a file of photo numbers for each topic of ``mirflickr25k_annotations_v080``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.source import require_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import ReadOptions

POTENTIAL = (
    *("animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor"),
    *("lake", "male", "night", "people", "plant_life", "portrait", "river", "sea", "sky"),
    *("structures", "sunset", "transport", "tree", "water"),
)
"""Topics that appear anywhere in a photo."""

RELEVANT = (
    *("baby_r1", "bird_r1", "car_r1", "clouds_r1", "dog_r1", "female_r1", "flower_r1", "male_r1"),
    *("night_r1", "people_r1", "portrait_r1", "river_r1", "sea_r1", "tree_r1"),
)
"""Topics that are the subject of a photo."""

FOLDER = "mirflickr25k_annotations_v080"
PHOTOS = 25_000
LARGEST_FILE = 2**20
"""Bytes of one topic's list."""

_NAMES_OF = {
    "potential": POTENTIAL,
    "relevant": RELEVANT,
    "all": tuple(sorted(POTENTIAL + RELEVANT)),
}


def recognises(source: Path) -> bool:
    """Return whether a folder, or its usual subfolder, has lists of most of the 38 topics.

    Example:
        >>> from pathlib import Path
        >>> for topic in POTENTIAL:
        ...     Path(f"{topic}.txt").touch()
        >>> recognises(Path())
        True
    """
    topics = _NAMES_OF["all"]
    folder = _annotation_folder(source)
    return 2 * sum((folder / f"{topic}.txt").is_file() for topic in topics) > len(topics)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read a topic as present in the photos that its list contains, and as absent in all others.

    The labels are sorted alphabetically; other files in the folder, such as the README, are
    ignored. There are always 25,000 rows, ``im1.jpg`` and so on, and no split, as there is no
    official one.

    Args:
        source: ``mirflickr25k_annotations_v080``, or a folder that holds it.
        options: The photos' folder, by default ``mirflickr`` beside the folder of the lists; the
            24 ``potential`` topics, as by default, the 14 ``relevant`` ones, or ``all`` 38.

    Raises:
        DataError: If a list is missing, or a line is no photo's number.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import ReadOptions
        >>> for topic in RELEVANT:
        ...     _ = Path(f"{topic}.txt").write_text("7\n" if topic == "sea_r1" else "8\n")
        >>> (found,) = read(Path(), ReadOptions(topics="relevant"))
        >>> found.photos[6], [found.names[place] for place in found.targets[6].nonzero()]
        ('im7.jpg', ['sea_r1'])
    """
    lists, names = _annotation_folder(source), _NAMES_OF[options.topics or "potential"]
    if not any((lists / f"{name}.txt").is_file() for name in names):
        msg = f"expected the lists of topics, such as {names[0]}.txt, in {lists}, got none of them"
        raise DataError(msg)
    targets = target_table(PHOTOS, len(names), value=0, source=lists)
    for column, name in enumerate(names):
        numbers = _numbers(lists / f"{name}.txt")
        targets[torch.tensor(numbers, dtype=torch.long) - 1, column] = 1
    usual = (lists.parent / name for name in ("mirflickr", "mirflickr25k", "images", ""))
    return [
        Labelled(
            source=lists,
            names=names,
            photos=tuple(f"im{number}.jpg" for number in range(1, PHOTOS + 1)),
            targets=targets,
            folders=(options.images,) if options.images else tuple(usual),
            lists_present=True,
        )
    ]


def _annotation_folder(source: Path) -> Path:
    return source / FOLDER if (source / FOLDER).is_dir() else source


def _numbers(file: Path) -> list[int]:
    content = require_file(file, largest=LARGEST_FILE).read_bytes()
    numbers = []
    for line, text in enumerate(content.splitlines(), 1):
        digits = text.strip()
        if not digits:
            continue
        if not digits.isdigit() or len(digits) > 9 or not 1 <= int(digits) <= PHOTOS:
            msg = f"{file}:{line}: expected a photo's number, 1 to {PHOTOS:,}, got {text[:40]!r}"
            raise DataError(msg)
        numbers.append(int(digits))
    return numbers


FORMAT = Format(
    "mirflickr",
    "a folder of MIRFLICKR-25K's topics, mirflickr25k_annotations_v080/<topic>.txt",
    "mirflickr25k_annotations_v080/sky.txt   7\nmirflickr/im7.jpg",
    recognises,
    read,
    ("mirflickr25k_annotations_v080",),
)
