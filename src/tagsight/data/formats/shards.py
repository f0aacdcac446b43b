"""WebDataset shards: tar files of photos and labels, read like folders."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.formats.shard_labels import statement_of, targets_of
from tagsight.data.formats.tables import read_table
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.photos.tar_members import COMPRESSED, SUFFIX, is_tar, members, read_span
from tagsight.data.source import first_of, is_file, is_folder
from tagsight.data.tables.csv_table import CsvTable
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.data.tables.transposed import with_photo_rows
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tagsight.data.format import ReadOptions
    from tagsight.data.formats.shard_labels import Statement

LARGEST_LABELS = 2**20
"""Bytes of the label file of one sample."""

LABEL_ENDINGS = ("json", "cls", "txt")
"""Endings of members with labels, the most telling first."""

PHOTO_PARTS = frozenset({"", "input", "inputs", "image", "img", "photo", "picture", "rgb", "x"})
LABEL_PARTS = frozenset(
    {"", "label", "labels", "target", "targets", "output", "tag", "tags", "class", "classes", "y"}
)
"""What may be between the name and the ending of a photo, and of its labels: ``1.input.png``."""

MOST_LOOKED_AT = 100
"""Files of a folder that are looked at to find the format."""

SPLIT = re.compile(r"[a-z]+")


class _Sample(NamedTuple):
    """A photo in a shard, and the members that may have its labels, the most telling first."""

    shard: Path
    photo: str
    labels: tuple[str, ...]


def recognises(source: Path) -> bool:
    """Return whether a path is a tar, or a folder with tars, compressed ones included.

    Example:
        >>> import tarfile
        >>> from pathlib import Path
        >>> with tarfile.open("train-000.tar", "w"):
        ...     pass
        >>> recognises(Path()), recognises(Path("train-000.tar"))
        (True, True)
    """
    return bool(_shards(source) or _compressed(source))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the labels of the photos in shards; nothing is extracted.

    Members with the same name up to the first dot are one sample. A photo may be called
    ``1.input.png``, and a file of labels ``1.target.cls``, if no other is. Its labels are in a
    ``.json`` file, as ``labels``, ``tags`` or the like: a list, where labels that are not listed
    are absent, or a table of 1, 0 and null, where labels that are not named are unknown; or in a
    ``.cls`` or ``.txt`` file, separated as in the cells of a table. Text beside JSON with labels,
    and text that JSON calls a caption, has none. Numbers are named by a file such as
    ``classes.txt`` beside the shards. If no sample has labels of its own, they are in a CSV file
    beside the shards. The labels are sorted alphabetically. The first word of a shard's name, or
    its folder, is its split.

    Args:
        source: A tar, or a folder with tars.
        options: Without a folder of photos, as they are in the shards.

    Raises:
        DataError: If a shard or a sample cannot be understood.

    Example:
        >>> import io
        >>> import tarfile
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> contents = {"1.jpg": b"...", "1.json": b'{"labels": ["dog", "sky"]}'}
        >>> with tarfile.open("train-000.tar", "w") as shard:
        ...     for name, content in contents.items():
        ...         member = tarfile.TarInfo(name)
        ...         member.size = len(content)
        ...         shard.addfile(member, io.BytesIO(content))
        >>> (found,) = read(Path(), DEFAULTS)
        >>> [str(photo) for photo in found.photos], found.names, found.splits
        (['train-000.tar/1.jpg'], ('dog', 'sky'), ('train',))
    """
    shards = _shards(source)
    if not shards:
        raise DataError(_no_shards(source))
    if options.images is not None:
        msg = (
            f"expected no `images` for {source}, as photos are in the shards, got {options.images}"
        )
        raise DataError(msg)
    if source.is_dir():
        _require_followed(source)
    samples = [sample for shard in shards for sample in _samples(shard)]
    if not samples:
        raise DataError(_no_photos(source, shards))
    folder = source if source.is_dir() else source.parent
    if not any(sample.labels for sample in samples):
        return [_with_table(samples, folder, options)]
    _require_no_columns(source, options)
    shown = [one for shard, group in groupby(samples, _shard) for one in _statements(shard, group)]
    said = targets_of(shown, source, folder, options.columns.separator)
    names = sorted(set().union(*(one.marks for one in said)))
    targets = target_table(len(samples), len(names), value=0, source=source)
    targets += torch.tensor([one.others for one in said], dtype=torch.int8)[:, None]
    column = {name: index for index, name in enumerate(names)}
    marks = [
        (row, column[name], mark)
        for row, one in enumerate(said)
        for name, mark in one.marks.items()
    ]
    rows, columns, values = zip(*marks, strict=True)
    targets[list(rows), list(columns)] = torch.tensor(values, dtype=torch.int8)
    return [
        Labelled(
            source=source,
            names=tuple(names),
            photos=tuple(sample.shard / sample.photo for sample in samples),
            targets=targets,
            splits=_splits(samples, folder),
            root=folder,
            lists_present=not any(one.others for one in said),
        )
    ]


def _shards(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if is_tar(source) else []
    places = (_tars(folder) for folder in (source, *_split_folders(source)))
    if own := next(places):
        return own
    return [tar for tars in places for tar in tars]


def _tars(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if is_tar(path))


def _split_folders(source: Path) -> list[Path]:
    """Return the folders called as splits are, in which tars are no copies of what is beside."""
    named = (path for path in source.iterdir() if path.name.lower() in SPLIT_NAMES)
    return [folder for folder in sorted(named) if is_folder(folder) and not _has_photos(folder)]


def _has_photos(folder: Path) -> bool:
    entries = first_of(folder.iterdir(), MOST_LOOKED_AT)
    return any(path.is_dir() or path.suffix.lower() in PHOTO_SUFFIXES for path in entries)


def _require_followed(folder: Path) -> None:
    """Refuse broken links, whose photos would be missing unnoticed."""
    places = (folder, *_split_folders(folder))
    for tar in (tar for place in places for tar in place.glob(f"*{SUFFIX}")):
        if tar.is_symlink() and not (is_file(tar) or is_folder(tar)):
            msg = f"expected a tar at {tar}, got a link that cannot be followed: remove it"
            raise DataError(msg)


def _require_no_columns(source: Path, options: ReadOptions) -> None:
    if given := [option for option in options.columns.options if option != "separator"]:
        msg = (
            f"expected no `{given[0]}` for {source}, as labels are in the shards, which have no "
            "columns"
        )
        raise DataError(msg)


def _compressed(source: Path) -> list[Path]:
    files = list(source.iterdir()) if source.is_dir() else [source]
    return sorted(f for f in files if f.name.lower().endswith(COMPRESSED) and is_file(f))


def _no_shards(source: Path) -> str:
    if compressed := _compressed(source):
        return (
            f"expected tars that are not compressed, got {compressed[0]}, which can only be read "
            "from its beginning; uncompress it, which hardly makes photos larger"
        )
    return f"expected a tar or a folder with some, got {source}"


def _no_photos(source: Path, shards: list[Path]) -> str:
    names = next((name for shard in shards for name in members(shard)), None)
    got = f"members such as {names!r}" if names else "none"
    return (
        f"expected photos in the shards of {source}, called as 0001.jpg or 0001.input.png, whose "
        f"labels are in 0001.json or the like, up to the first dot of the name, got {got}"
    )


def _samples(shard: Path) -> Iterator[_Sample]:
    """Yield the samples of a shard that have a photo, in the order of the photos."""
    photos: dict[str, dict[str, str]] = {}
    labels: dict[str, dict[str, dict[str, str]]] = {}
    for name in members(shard):
        folder, slash, file = name.rpartition("/")
        stem, _, endings = file.partition(".")
        part, _, kind = endings.lower().rpartition(".")
        if not stem:  # hidden
            continue
        key = f"{folder}{slash}{stem}"
        if f".{kind}" in PHOTO_SUFFIXES and part in PHOTO_PARTS:
            what, first = "photo", photos.setdefault(key, {}).setdefault(part, name)
        elif kind in LABEL_ENDINGS and part in LABEL_PARTS:
            of_kind = labels.setdefault(key, {}).setdefault(kind, {})
            what, first = f".{kind}", of_kind.setdefault(part, name)
        else:
            continue
        if first != name:
            msg = f"{shard}: expected one {what} a sample, got {first!r} and {name!r}"
            raise DataError(msg)
    for key, found in photos.items():
        files = labels.get(key, {})
        stated = (_one(shard, kind, files[kind]) for kind in LABEL_ENDINGS if kind in files)
        yield _Sample(shard, _one(shard, "photo", found), tuple(stated))


def _one(shard: Path, what: str, found: dict[str, str]) -> str:
    """Return the one member of a kind: that without a part, such as ``input``, if there is one."""
    if "" in found:
        return found[""]
    if len(found) > 1:
        first, second, *_ = found.values()
        msg = f"{shard}: expected one {what} a sample, got {first!r} and {second!r}"
        raise DataError(msg)
    return next(iter(found.values()))


def _shard(sample: _Sample) -> Path:
    return sample.shard


def _statements(shard: Path, samples: Iterable[_Sample]) -> Iterator[Statement]:
    spans = members(shard)
    with shard.open("rb") as file:
        for sample in samples:
            if not sample.labels:
                msg = (
                    f"{shard}: expected labels of {sample.photo!r} as other samples have, in a "
                    f"member ending in {', '.join(LABEL_ENDINGS)}, got none"
                )
                raise DataError(msg)
            files = []
            for name in sample.labels:
                where, span = f"{shard}/{name}", spans[name]
                if span.size > LARGEST_LABELS:
                    msg = f"{where}: expected at most {LARGEST_LABELS:,} bytes, got {span.size:,}"
                    raise DataError(msg)
                files.append((where, read_span(file, span)))
            yield statement_of(files)


def _splits(samples: list[_Sample], folder: Path) -> tuple[str, ...] | None:
    shards = {sample.shard for sample in samples}
    are_inside = folder not in {shard.parent for shard in shards}
    split = {shard: _split_of(shard.parent if are_inside else shard) for shard in shards}
    if not any(split.values()):
        return None
    if without := sorted(shard.name for shard in shards if not split[shard]):
        msg = (
            f"expected the names of all shards to begin with a split, train, val or test, or of "
            f"none, got {without[0]!r} among others that do"
        )
        raise DataError(msg)
    return tuple(split[sample.shard] or "" for sample in samples)


def _split_of(shard: Path) -> str | None:
    word = SPLIT.match(shard.name.lower())
    return SPLIT_NAMES.get(word.group()) if word else None


def _with_table(samples: list[_Sample], folder: Path, options: ReadOptions) -> Labelled:
    """Read the labels from the CSV file beside the shards; photos without a row are dropped."""
    table = _table(folder, options)
    shards = [samples[row] for row in _places(samples, table)]
    photos = tuple(sample.shard / sample.photo for sample in shards)
    return replace(
        table, photos=photos, splits=table.splits or _splits(shards, folder), root=folder
    )


def _table(folder: Path, options: ReadOptions) -> Labelled:
    files = sorted(folder.glob("*.csv"))
    if len(files) != 1:
        msg = (
            f"expected labels in the shards of {folder}, or in one CSV beside them, got no labels "
            f"and {len(files)} CSV files"
        )
        raise DataError(msg)
    (file,) = files
    return read_table(with_photo_rows(CsvTable(file, options.columns)), options)


def _places(samples: list[_Sample], table: Labelled) -> list[int]:
    """Find the sample of each row, which names its member, or its shard and member."""
    place: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        within = f"{sample.shard.name}/{sample.photo}"
        for name in (sample.photo, within, f"{sample.shard.parent.name}/{within}"):
            place.setdefault(name, []).append(row)
    names = [str(photo) for photo in table.photos]
    for photo in names:
        found = place.get(photo, [])
        if len(found) != 1:
            msg = (
                f"{table.source}: expected {photo!r} to be one photo in the shards, got "
                f"{len(found)}; name it as shard.tar/photo.jpg"
            )
            raise DataError(msg)
    return [place[photo][0] for photo in names]


FORMAT = Format(
    "shards",
    "WebDataset's tars, or a folder with some: photos beside .json, .txt or .cls with labels",
    'train-000.tar/a.jpg\ntrain-000.tar/a.json   {"labels": ["dog", "sky"]}',
    recognises,
    read,
    (".tar",),
    has_columns=True,
)
