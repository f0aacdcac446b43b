"""Preparation of a run: every photo is decoded once, and every row is assigned to a split."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.check import Check, check_photos, without_problems
from tagsight.data.split import complete_splits, split_record
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.check import Problem
    from tagsight.runtime.device import Runtime


class Prepared(NamedTuple):
    """Checked annotations, ready for training.

    Attributes:
        annotations: Rows with splits; every photo can be decoded.
        problems: The photos left out, with reasons.
        hashes: Content hash of every photo.
        facts: For the model folder: format, protocol, labels left out, photos per split, and the
            hashes of rows and splits.
    """

    annotations: Annotations
    problems: tuple[Problem, ...]
    hashes: Mapping[Path, bytes]
    facts: dict[str, object]


def checked(
    paths: Sequence[Path],
    runtime: Runtime,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Decode every photo once, to find damaged ones and hash the others.

    Of several processes each decodes its share, and all get the results for every photo.

    Args:
        paths: The photos.
        runtime: Threads and processes.
        progress: Called with the number of photos done and the total, of this process's share.
    """
    share = [paths[place] for place in runtime.processes.share(len(paths))]
    found = check_photos(
        share,
        workers=runtime.workers,
        progress=progress,
        max_memory=runtime.max_photo_memory,
    )
    checks = runtime.processes.collect(found)
    return Check(
        problems=tuple(problem for check in checks for problem in check.problems),
        hashes={path: digest for check in checks for path, digest in check.hashes.items()},
    )


def prepare(
    annotations: Annotations,
    out: Path,
    runtime: Runtime,
    *,
    seed: int,
    max_bad: float | None = None,
    hold_out: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Check the photos, complete the splits and write ``out / "split.csv"``.

    Of several processes each checks its share, and the first one writes.

    Args:
        annotations: The rows as read.
        out: The run folder.
        runtime: Threads and processes.
        seed: Seed of the split, if one has to be drawn.
        max_bad: Largest fraction of photos that may be left out, as for `without_problems`.
        hold_out: Whether to take validation photos out of ``train`` if the data have none.
        progress: Called with the number of photos done and the total.

    Raises:
        DataError: If more photos are unusable than ``max_bad`` allows.
    """
    check = checked(annotations.paths, runtime, progress=progress)
    sound = without_problems(annotations, check, max_bad=max_bad)
    divided = complete_splits(sound, check.hashes, seed, hold_out=hold_out)
    record = split_record(divided)
    if runtime.processes.is_first:
        write_atomically(out / "split.csv", record)
    facts: dict[str, object] = {
        "data": {
            "format": divided.format,
            **({"protocol": divided.protocol} if divided.protocol else {}),
            **({"without_labels": ", ".join(divided.left_out)} if divided.left_out else {}),
            "photos": divided.split_sizes,
            "hash": divided.hash(),
            "split_file_hash": sha256(record).hexdigest(),
        }
    }
    return Prepared(divided, check.problems, check.hashes, facts)
