"""Preparation of a run: every photo is decoded once, and every row is assigned to a split."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.literature.published_counts import compare
from tagsight.data.photos.check import Check, check_photos, without_problems
from tagsight.data.photos.known import FILE, KnownPhotos, Limits
from tagsight.data.photos.reading import MAX_PIXELS
from tagsight.data.rules.problems import label_problems, problem_lines
from tagsight.data.splits.grouping import ENCODER_TWINS, leaks, split_groups
from tagsight.data.splits.near_twins import near_twins
from tagsight.data.splits.split import complete_splits, split_record, write_split
from tagsight.errors import DataError
from tagsight.metrics.measured_labels import (
    left_out_labels,
    left_out_sentences,
    rare_labels,
    rare_sentence,
)
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import write_atomically
from tagsight.systems.settings import known_recipe
from tagsight.training.examination import Examiner

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.check import Problem
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog

RULES_FILE = "labels.toml"
"""File of the rules on labels in a run folder."""

DATA_FILE = "data.toml"
"""File in a run folder that says how the labels were read."""

NONE_UNJUDGED = Check((), {}, {})

CHECKED_SHARE = 20
"""Part of the cache's space that the list of checked photos may take: one in so many."""

MOST_TOLD = 10
"""Unusable photos, and suspicions of a kind about labels, that are named one by one."""


logger = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """Checked annotations, ready for training.

    Attributes:
        annotations: Rows with splits; every photo can be decoded.
        problems: The photos left out, with reasons.
        hashes: Content hash of every photo, those without known labels included.
        facts: For the model folder: format, protocol, labels left out, photos per split, and the
            hashes of rows and splits.
        unjudged: Photos of which no label is known, to be trained on; empty unless asked for.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import tagsight as ts
        >>> with TemporaryDirectory() as folder:
        ...     Prepared(ts.read_annotations("labels.csv"), (), {}, {}).write(Path(folder))
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['data.toml', 'split.csv']
    """

    annotations: Annotations
    problems: tuple[Problem, ...]
    hashes: Mapping[Path, bytes]
    facts: dict[str, object]
    unjudged: tuple[Path, ...] = ()

    def write(self, out: Path) -> None:
        """Write to a run folder how the data were read and divided.

        Args:
            out: The run folder.
        """
        rows = self.annotations
        write_split(out / "split.csv", rows)
        if rows.rules is not None:
            write_atomically(out / RULES_FILE, rows.rules.toml())
        if rows.origin is not None:
            write_atomically(out / DATA_FILE, rows.origin.toml())


def checked(
    paths: Sequence[Path],
    runtime: Runtime,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Decode every photo once, to find damaged ones and hash the others.

    Sound photos are remembered in the folder of caches by size, time and content, so that a second
    run decodes those that are new or changed. Of several processes each decodes its share, and all
    get the results for every photo.

    Args:
        paths: The photos.
        runtime: Threads and processes.
        progress: Called with the number of photos done and the total, of this process's share.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.runtime.device import Runtime
        >>> paths = ts.read_annotations("labels.csv").paths
        >>> found = checked(paths, Runtime.choose("cpu", "float32"))
        >>> len(found.hashes), found.problems
        (24, ())
    """
    share = [paths[place] for place in runtime.processes.share(len(paths))]
    with _known_photos(runtime) as known:
        found = check_photos(
            share,
            workers=runtime.workers,
            progress=progress,
            max_memory=runtime.max_photo_memory,
            known=known,
        )
    if runtime.processes.count == 1:
        return found
    checks = runtime.processes.collect(found)
    return Check(
        problems=tuple(problem for check in checks for problem in check.problems),
        hashes={path: digest for check in checks for path, digest in check.hashes.items()},
        traits={path: traits for check in checks for path, traits in check.traits.items()},
    )


def _known_photos(runtime: Runtime) -> AbstractContextManager[KnownPhotos | None]:
    if runtime.cache is None:
        return nullcontext()
    limits = Limits(MAX_PIXELS, runtime.max_photo_memory)
    try:
        return KnownPhotos(runtime.cache / FILE, limits, runtime.cache_space // CHECKED_SHARE)
    except (OSError, sqlite3.Error) as error:
        logger.warning("photos are checked again by the next run: %s", error)
        return nullcontext()


def prepare(
    annotations: Annotations,
    runtime: Runtime,
    *,
    seed: int,
    max_bad: float | None = None,
    hold_out: bool = True,
    unjudged: bool = False,
    log: WorkLog,
) -> Prepared:
    """Check the photos and complete the splits; nothing is written.

    Of several processes each checks its share.

    Args:
        annotations: The rows as read.
        runtime: Threads and processes.
        seed: Seed of the split, if one has to be drawn.
        max_bad: Largest fraction of photos that may be left out, as for `without_problems`.
        hold_out: Whether to take validation photos out of ``train`` if the data have none.
        unjudged: Whether to keep photos of which no label is known, to train on; those of other
            splits than ``train``, and copies of other photos, are left out in any case.
        log: Receives progress, the photos left out, and the labels that have few photos or none.

    Raises:
        DataError: If too many photos are unusable (``max_bad``), or there is nothing to learn.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), Runtime.choose("cpu", "float32")
        >>> prepare(rows, runtime, seed=0, log=SILENT).annotations.split_sizes
        {'train': 16, 'val': 4, 'test': 4}
    """
    for comparison in compare(annotations) if annotations.protocol is not None else ():
        for line in comparison.lines():
            log.note(line)
    _check_learnable(annotations, hold_out=hold_out)
    note_label_problems(annotations, log)
    judged = annotations.judged()
    with log.work("checking photos", len(judged)) as advance:
        check = checked(judged.paths, runtime, progress=advance)
    sound = without_problems(judged, check, max_bad=max_bad)
    rest = _checked_unjudged(annotations, check, runtime, log) if unjudged else NONE_UNJUDGED
    if unknown := len(annotations) - len(judged) - len(rest.hashes):
        log.note(f"{amount(unknown, 'photo')} left out, of which no label is known")
    twins = _twins(sound, check, runtime, log)
    groups = split_groups(sound, check, twins)
    divided = complete_splits(sound, check.hashes, seed, groups=groups, hold_out=hold_out)
    _require_training_photos(divided.split_sizes)
    note_leaks(divided, groups, twins, log)
    facts: dict[str, object] = {
        "data": {
            "format": divided.format,
            **({"protocol": divided.protocol} if divided.protocol else {}),
            **({"labels_left_out": ", ".join(divided.left_out)} if divided.left_out else {}),
            "photos": divided.split_sizes,
            **({"unjudged": len(rest.hashes)} if rest.hashes else {}),
            "hash": divided.hash(),
            "split_file_hash": sha256(split_record(divided)).hexdigest(),
        }
    }
    problems = (*check.problems, *rest.problems)
    note_problems(problems, log)
    note_labels(divided, log)
    return Prepared(divided, problems, {**check.hashes, **rest.hashes}, facts, tuple(rest.hashes))


def _twins(
    annotations: Annotations, check: Check, runtime: Runtime, log: WorkLog
) -> tuple[tuple[Path, ...], ...]:
    if ENCODER_TWINS not in annotations.grouping.by:
        return near_twins(check)
    return Examiner.of(known_recipe("quick"), runtime).twins(annotations.paths, check, log)


def _checked_unjudged(
    annotations: Annotations, judged: Check, runtime: Runtime, log: WorkLog
) -> Check:
    """Check the photos of ``train`` of which no label is known, and drop copies of the others."""
    rows = annotations.unjudged()
    if rows.splits is not None:
        rows = rows.select([i for i, split in enumerate(rows.splits) if split == "train"])
    with log.work("checking photos without known labels", len(rows)) as advance:
        found = checked(rows.paths, runtime, progress=advance)
    known = {*judged.hashes.values()}
    kept: dict[Path, bytes] = {}
    for path, digest in found.hashes.items():
        if digest not in known:
            known.add(digest)
            kept[path] = digest
    log.note(
        f"{amount(len(kept), 'photo')} of which no label is known: as many of them in a step as of "
        "the others, for the consistency loss only"
    )
    return replace(found, hashes=kept)


def _check_learnable(annotations: Annotations, *, hold_out: bool) -> None:
    """Check, before any photo is opened, that there are labels and photos enough for the splits."""
    sizes = annotations.split_sizes
    _require_training_photos(sizes)
    is_labelled = annotations.targets.amax(1) == 1
    if "train" in sizes:
        is_labelled &= annotations.are_in("train")
    if not bool(is_labelled.any()):
        photos = sizes.get("train", len(annotations))
        msg = (
            f"expected labels to learn, got {amount(photos, 'training photo')} without any; "
            "'tagsight data' prints what was read"
        )
        raise DataError(msg)
    parts = ["train", "val", "test"] if hold_out else ["train", "test"]
    if not sizes and len(annotations) < len(parts):
        msg = (
            f"expected at least {amount(len(parts), 'photo')} to divide into "
            f"{', '.join(parts)}, got {len(annotations)}"
        )
        raise DataError(msg)


def _require_training_photos(sizes: Mapping[str, int]) -> None:
    if sizes and "train" not in sizes:
        found = ", ".join(f"{size} {name}" for name, size in sizes.items())
        msg = (
            f"expected photos of the split 'train' that no other split has as well, got {found}; "
            "mark some as train, or leave the column or file of splits out, and they are divided"
        )
        raise DataError(msg)


def note_problems(problems: Sequence[Problem], log: WorkLog) -> None:
    """Name the photos that are left out.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> from tagsight.data.photos.check import Problem
        >>> gone, said = Problem(Path("a.jpg"), "does not exist"), []
        >>> note_problems([gone], SimpleNamespace(note=said.append))
        >>> said
        ['left out: a.jpg: does not exist']
    """
    for path, reason in problems[:MOST_TOLD]:
        log.note(f"left out: {path}: {reason}")
    if len(problems) > MOST_TOLD:
        log.note(f"left out: {len(problems) - MOST_TOLD:,} more; 'tagsight data --json' lists them")


def note_label_problems(annotations: Annotations, log: WorkLog) -> None:
    """Name labels that may not mean what they say; `note_labels` names those without photos.

    Example:
        >>> from types import SimpleNamespace
        >>> import tagsight as ts
        >>> rows, said = ts.read_annotations("labels.csv"), []
        >>> note_label_problems(rows, SimpleNamespace(note=said.append))
        >>> said
        []
    """
    problems = [one for one in label_problems(annotations) if one.kind != "untrained"]
    for line in problem_lines(problems, MOST_TOLD, "'tagsight data --json' lists them all"):
        log.note(line)


def note_leaks(
    annotations: Annotations,
    groups: Mapping[Path, Hashable],
    twins: Sequence[Sequence[Path]],
    log: WorkLog,
) -> None:
    """Report how many photos of ``val`` and ``test`` resemble or belong to photos of ``train``.

    Example:
        >>> from types import SimpleNamespace
        >>> import tagsight as ts
        >>> rows, said = ts.read_annotations("labels.csv"), []
        >>> twins, groups = [(rows.paths[0], rows.paths[-1])], {path: 0 for path in rows.paths}
        >>> note_leaks(rows, groups, twins, SimpleNamespace(note=said.append))
        >>> said[1]
        '1 group in several splits, as the data divide them'
    """
    for leak in leaks(annotations, twins):
        log.note(f"{leak.sentence()}; 'tagsight data' lists them")
    splits: dict[Hashable, set[str]] = defaultdict(set)
    for path, split in zip(annotations.paths, annotations.splits or (), strict=True):
        splits[groups[path]].add(split)
    if divided := sum(len(sides) > 1 for sides in splits.values()):
        log.note(f"{amount(divided, 'group')} in several splits, as the data divide them")


def note_labels(annotations: Annotations, log: WorkLog) -> None:
    """Name the labels of which a run will know little: those without training photos, and rare.

    Example:
        >>> from types import SimpleNamespace
        >>> import tagsight as ts
        >>> said = []
        >>> note_labels(ts.read_annotations("labels.csv"), SimpleNamespace(note=said.append))
        >>> said[-1]
        'fewer than 20 photos of test have these labels, which is little to go by: dog 2, sky 2'
    """
    names, sizes = annotations.names, annotations.split_sizes
    if "train" not in sizes:
        return
    trained = annotations.targets[annotations.are_in("train")].amax(0) == 1
    for split in sizes:
        targets = annotations.targets[annotations.are_in(split)]
        left_out = left_out_labels(names, targets, trained) if split != "train" else {}
        for sentence in left_out_sentences(left_out):
            log.note(f"{split}: {sentence}")
        if rare := rare_labels(names, targets):
            log.note(rare_sentence(rare, split))
