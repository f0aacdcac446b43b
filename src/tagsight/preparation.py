"""Before training: every photo is opened, every row gets its split, both are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.check import check_photos, without_problems
from tagsight.data.split import complete_splits, write_split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.check import Problem
    from tagsight.runtime import Runtime


class Prepared(NamedTuple):
    """Rows that a run can be trusted to.

    Attributes:
        annotations: With splits; every photo opens.
        problems: The photos that were left out, and why.
        hashes: Content hash of every photo.
        facts: Format, protocol if any, photos per split, and the hashes of rows and split, for
            the model folder.
    """

    annotations: Annotations
    problems: tuple[Problem, ...]
    hashes: Mapping[Path, bytes]
    facts: dict[str, object]


def prepare(
    annotations: Annotations,
    out: Path,
    runtime: Runtime,
    *,
    seed: int,
    max_bad: float = 0.01,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Check the photos, complete the splits and write ``out / "split.csv"``.

    Args:
        annotations: As read.
        out: The run folder.
        runtime: Whose threads open the photos.
        seed: Of the split, where one has to be drawn.
        max_bad: Largest fraction of photos that may be left out.
        progress: Called with the photos done so far and their number.

    Raises:
        DataError: If more photos are bad.
    """
    check = check_photos(annotations.paths, workers=runtime.workers, progress=progress)
    sound = without_problems(annotations, check, max_bad=max_bad)
    divided = complete_splits(sound, check.hashes, seed)
    split_file_hash = write_split(out / "split.csv", divided)
    facts: dict[str, object] = {
        "data": {
            "format": divided.format,
            **({"protocol": divided.protocol} if divided.protocol else {}),
            "photos": divided.split_sizes,
            "hash": divided.hash(),
            "split_file_hash": split_file_hash,
        }
    }
    return Prepared(divided, check.problems, check.hashes, facts)
