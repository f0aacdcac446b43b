"""Splits: stratified, recorded in a file, and without the same photo in two of them."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tagsight.data.annotations import SPLITS
from tagsight.data.source import require_file
from tagsight.errors import DataError
from tagsight.runtime.escaping import csv_cell, csv_content
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.annotations import Annotations

Array: TypeAlias = "np.ndarray[Any, Any]"

LARGEST_FILE = 2**28
FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}
WITHOUT_VAL = {"train": 0.85, "test": 0.15}
VAL_OF_TRAIN = {"train": 0.85, "val": 0.15}

ROWS = 4096
"""Rows that are counted at a time."""

logger = logging.getLogger(__name__)


def stratified_split(
    targets: Tensor,
    *,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> tuple[str, ...]:
    """Divide rows so that every split has its share of every label.

    Iterative stratification, Sechidis, Tsoumakas and Vlahavas 2011: the rarest label is divided
    first. Each of its rows goes to the split that lacks most rows of the label, among equals to
    the one that lacks most rows, and among equals again to the first one. The order of the rows is
    random. Where most rows have a label of their own, all of these would go to the largest split:
    if a split of two rows or more gets less than a quarter of them, none gets more than its share.

    Args:
        targets: ``(N, L)`` int in {1, 0, -1}; only present labels are balanced.
        fractions: Share of the rows for each split; they add up to 1.
        seed: Seed of the order of the rows.
        groups: Rows with equal values get the same split; by default each row is alone.

    Returns:
        The split of each of the ``N`` rows.

    Raises:
        ValueError: If the fractions do not add up to 1.

    Example:
        >>> import torch
        >>> targets = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> splits = stratified_split(targets, fractions={"train": 0.5, "test": 0.5}, seed=0)
        >>> sorted(splits[:2]), sorted(splits[2:])
        (['test', 'train'], ['test', 'train'])
    """
    if min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        msg = f"expected fractions that add up to 1, got {dict(fractions)!r}"
        raise ValueError(msg)
    rows = range(len(targets)) if groups is None else groups
    number = {group: index for index, group in enumerate(dict.fromkeys(rows))}
    group = torch.tensor([number[key] for key in rows], dtype=torch.long)
    sizes = group.bincount().numpy()
    # A byte for each unit and label, as long as no count can be larger.
    narrow = torch.int8 if sizes.max(initial=0) <= torch.iinfo(torch.int8).max else torch.int32
    counts = torch.zeros(len(number), targets.shape[1], dtype=narrow)
    for start in range(0, len(targets), ROWS):
        part = slice(start, start + ROWS)
        counts.index_add_(0, group[part], (targets[part] == 1).to(narrow))
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[
        np.argsort(-sizes[order], kind="stable")
    ]  # large groups first, while there is room
    shares = np.array(list(fractions.values()))
    places = _places(counts.numpy(), sizes, order, shares)
    got = np.bincount(places, weights=sizes, minlength=len(shares))
    fair = shares * sizes.sum()
    if ((fair >= 2) & (got < fair / 4)).any():
        places = _places(counts.numpy(), sizes, order, shares, bounded=True)
    names = list(fractions)
    return tuple(names[place] for place in places[group.numpy()].tolist())


def random_halves(names: Sequence[str], seed: int) -> tuple[str, ...]:
    """Divide photos into ``train`` and ``test``, half each, by their names and a seed alone.

    The photos are ordered by the SHA-256 of ``seed/name``, which is the same on every machine, with
    every version of every library, and for every order of the rows.

    Args:
        names: The name of each photo, without repetitions.
        seed: Seed of the order.

    Returns:
        The split of each photo; of an odd number ``train`` has one more.

    Example:
        >>> random_halves(["a.jpg", "b.jpg", "c.jpg"], seed=0)
        ('test', 'train', 'train')
    """
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    train = frozenset(order[: (len(order) + 1) // 2])
    return tuple("train" if name in train else "test" for name in names)


def complete_splits(
    annotations: Annotations,
    hashes: Mapping[Path, bytes],
    seed: int,
    *,
    groups: Mapping[Path, Hashable] | None = None,
    hold_out: bool = True,
) -> Annotations:
    """Keep the splits of the source, and add those that training needs.

    Without splits, or with ``train`` alone, the rows are divided 70/15/15. With ``train`` and
    ``test``, or with ``train`` alone under a protocol, ``val`` is 15 % of ``train``. All other
    splits are kept; ``test`` may be missing, or the only one. Rows that `leaked` finds are dropped
    and logged.

    Without ``hold_out``, ``train`` is kept whole, and rows without splits are divided 85/15 into
    ``train`` and ``test``.

    Args:
        annotations: The rows.
        hashes: Content hash of each photo; the same photo is never in two splits.
        seed: Seed of the random choice.
        groups: Group of each photo; those of one group stay together where rows are divided. By
            default photos of equal content do.
        hold_out: Whether to take photos for validation out of ``train`` if there are none.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = tuple(Path(f"{i}.jpg") for i in range(20))
        >>> rows = Annotations(("dog",), paths, torch.ones(20, 1), None, "any")
        >>> complete_splits(rows, {}, seed=0).split_sizes
        {'train': 14, 'val': 3, 'test': 3}
    """
    found, groups = set(annotations.split_sizes), hashes if groups is None else groups
    if not found and not hold_out:
        return annotations.with_splits(_stratified(annotations, groups, WITHOUT_VAL, seed))
    if found <= {"train"} and annotations.protocol is None and hold_out:
        return annotations.with_splits(_stratified(annotations, groups, FRACTIONS, seed))
    if leaks := leaked(annotations, hashes):
        logger.warning(
            "%d photos are also in a later split and dropped from the earlier, the first is %s",
            len(leaks),
            annotations.paths[leaks[0]],
        )
        dropped = set(leaks)
        annotations = annotations.select([i for i in range(len(annotations)) if i not in dropped])
    if hold_out and found in ({"train"}, {"train", "test"}):
        train = [i for i, split in enumerate(annotations.splits or ()) if split == "train"]
        drawn = _stratified(annotations.select(train), groups, VAL_OF_TRAIN, seed)
        splits = list(annotations.splits or ())
        for row, split in zip(train, drawn, strict=True):
            splits[row] = split
        return annotations.with_splits(splits)
    return annotations


def leaked(annotations: Annotations, hashes: Mapping[Path, bytes]) -> list[int]:
    """Return rows whose photo, by content, is also in a later split (train < val < test).

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("1.jpg"), Path("copy of 1.jpg"))
        >>> rows = Annotations(("dog",), paths, torch.ones(2, 1), ("train", "test"), "any")
        >>> leaked(rows, dict.fromkeys(paths, b"the same content"))
        [0]
    """
    rank = {split: index for index, split in enumerate(SPLITS)}
    splits = annotations.splits or ()
    last: dict[Hashable, int] = {}
    for path, split in zip(annotations.paths, splits, strict=bool(splits)):
        key = hashes.get(path, path)
        last[key] = max(last.get(key, 0), rank[split])
    return [
        row
        for row, (path, split) in enumerate(zip(annotations.paths, splits, strict=bool(splits)))
        if rank[split] < last[hashes.get(path, path)]
    ]


def write_split(path: Path, annotations: Annotations) -> str:
    """Write the record of the splits that `read_split` reads.

    Returns:
        Hexadecimal SHA-256 of the file: runs with equal hashes used the same split.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.data.annotations import Annotations
        >>> rows = Annotations(("dog",), (Path("1.jpg"),), torch.ones(1, 1), ("train",), "any")
        >>> with TemporaryDirectory() as folder:
        ...     digest = write_split(Path(folder) / "split.csv", rows)
        ...     read_split(Path(folder) / "split.csv", rows).split_sizes, len(digest)
        ({'train': 1}, 64)
    """
    content = split_record(annotations)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def split_record(annotations: Annotations) -> bytes:
    r"""Format the splits as lines ``photo,split``, with photos named relative to the root.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("1.jpg"), Path("2.jpg"))
        >>> rows = Annotations(("dog",), paths, torch.ones(2, 1), ("train", "test"), "any")
        >>> split_record(rows)
        b'1.jpg,train\n2.jpg,test\n'
    """
    text = io.StringIO()
    photos = map(csv_cell, annotations.relative_names)
    lines = zip(photos, annotations.splits or (), strict=True)
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def read_split(path: Path, annotations: Annotations) -> Annotations:
    r"""Divide rows as recorded; rows that are not in the record are dropped.

    Photos may have gone since: those that are left keep their split, so that no photo of the
    training is taken for one that the model has not seen.

    Raises:
        DataError: If the record is malformed, or half of its photos or more are not among the rows.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("1.jpg"), Path("2.jpg"))
        >>> rows = Annotations(("dog",), paths, torch.ones(2, 1), None, "any")
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "split.csv").write_text("2.jpg,test\n")
        ...     read_split(Path(folder) / "split.csv", rows).split_sizes
        {'test': 1}
    """
    recorded = recorded_splits(path)
    names = annotations.relative_names
    missing = recorded.keys() - set(names)
    if missing and 2 * len(missing) >= len(recorded):
        msg = (
            f"{path}: expected the photos of this collection, got {len(missing):,} others, "
            f"such as {min(missing)!r}"
        )
        raise DataError(msg)
    rows = [row for row, name in enumerate(names) if name in recorded]
    return annotations.select(rows).with_splits([recorded[names[row]] for row in rows])


def recorded_splits(path: Path) -> dict[str, str]:
    r"""Read the split of each photo, by its name below the root of the collection.

    Raises:
        DataError: If the record is malformed.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "split.csv"
        ...     _ = file.write_text("a.jpg,train\n2024/b.jpg,test\n")
        ...     recorded_splits(file)
        {'a.jpg': 'train', '2024/b.jpg': 'test'}
    """
    require_file(path, largest=LARGEST_FILE)
    recorded: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        try:
            for cells in reader:
                photo = csv_content(cells[0]) if cells else ""
                if len(cells) != 2 or cells[1] not in SPLITS or photo in recorded:
                    msg = f"{path}:{reader.line_num}: expected 'photo,split', got {cells[:3]!r}"
                    raise DataError(msg)
                recorded[photo] = cells[1]
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f"{path}: expected lines 'photo,split', got: {error}"
            raise DataError(msg) from error
    return recorded


def _stratified(
    annotations: Annotations,
    groups: Mapping[Path, Hashable],
    fractions: Mapping[str, float],
    seed: int,
) -> tuple[str, ...]:
    keys = [groups.get(path, path) for path in annotations.paths]
    return stratified_split(annotations.targets, fractions=fractions, seed=seed, groups=keys)


def _places(
    counts: Array, sizes: Array, order: Array, shares: Array, *, bounded: bool = False
) -> Array:
    left = counts.sum(0)
    wanted = np.outer(shares, left)  # (splits, labels): rows of each label still to come
    room = shares * sizes.sum()
    ranks = range(0, -len(shares), -1)
    places = np.full(len(sizes), -1)
    while (places < 0).any():
        units = order[places[order] < 0]
        need = np.zeros(len(shares))  # rows without labels, which come last
        if left.any():
            label = int(np.where(left > 0, left, left.max() + 1).argmin())
            units = units[counts[units, label] > 0]
            need = wanted[:, label]  # a view, which follows the updates of wanted
        for unit in units.tolist():
            is_open = (room > 0) | (not bounded or (room <= 0).all())
            place = -max(zip(is_open, need, room, ranks, strict=True))[3]
            places[unit] = place
            wanted[place] -= counts[unit]
            room[place] -= sizes[unit]
        left = left - counts[units].sum(0)
    return places
