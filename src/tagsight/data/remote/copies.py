"""Labels at URLs: files that say labels are copied to this machine, and photos stay there.

A copy lies below a folder that stands for the root of all URLs, so that what is read in it can be
moved back. A photo has an empty file in its place, as most formats only look at names.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from tagsight.data.photos.suffixes import ALL_SUFFIXES
from tagsight.data.remote.fetching import (
    budget,
    is_folder_at,
    local_file,
    names_in,
    read_ahead,
    sizes_below,
)
from tagsight.data.remote.places import (
    LISTED,
    is_remote,
    scheme_of,
    shown,
    stand_for_root,
    with_urls,
)
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tagsight.data.format import Labelled

logger = logging.getLogger(__name__)

LABEL_SUFFIXES = frozenset(
    {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".caption", ".xml", ".xmp", ".cls"}
    | {".yaml", ".yml", ".data", ".names", ".parquet", ".arrow", ".tar", ".db", ".toml"}
)
"""Endings of the files of a folder that are copied."""

SEVERAL = frozenset({".yaml", ".yml", ".data"})
"""Endings of files that name other files, so that their whole folder is read."""

PARTS = frozenset(
    {"classes.txt"}  # YOLO
    | {"datapackage.json", "media.csv", "observations.csv", "deployments.csv"}  # Camtrap DP
    | {"meta.xml", "occurrence.txt", "multimedia.txt"}  # Darwin Core
    | {f"list_{what}_{of}.txt" for what in ("attr", "category") for of in ("img", "cloth")}
)
"""Names of files that say nothing without those around, so that their whole folder is read."""

PARTITION = PurePath("Eval", "list_eval_partition.txt")
"""DeepFashion's splits, apart from its lists."""

TABLES = frozenset({".csv", ".tsv", ".txt"})
BESIDE = re.compile(r"(?:class|label|name).*\.(?:txt|csv)", re.IGNORECASE)
"""Files beside a table that may give the names of its labels."""

MOST_BESIDE = 16
MIB = 2**20
COMMANDS = {
    "s3": "aws s3 sync {} FOLDER",
    "gs": "gcloud storage cp -r {} FOLDER",
    "hf": "git clone https://huggingface.co/datasets/NAME",
    "https": "wget -r -np {}",
    "http": "wget -r -np {}",
}
"""How a folder is copied to this machine."""


def copy_of(source: Path) -> Path:
    r"""Return a path, or where the labels of its URL were copied to.

    Of a folder, all files that may say labels are copied, and likewise the folder around a file
    that names others, such as ``data.yaml``; beside a table, those that may name its labels, and
    lists of splits.

    Args:
        source: An absolute path, which may stand for a URL.

    Raises:
        DataError: If it cannot be fetched, is larger than the budget of the cache, or takes several
            files of a place whose files cannot be listed.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/table.csv", b"image,tags\na.jpg,dog\n")
        >>> copy_of(place("memory://bucket/table.csv")).read_text()
        'image,tags\na.jpg,dog\n'
        >>> str(copy_of(Path("table.csv")))
        'table.csv'
    """
    if not is_remote(source):
        return source
    root = Path(mkdtemp(dir=_copies().name))
    stand_for_root(root)
    names_others = source.suffix.lower() in SEVERAL or source.name in PARTS
    if scheme_of(source) not in LISTED:
        if names_others:
            raise _several_files(source)
        _add([source], root)
    elif names_others:
        _mirror(source.parent, root)
        _add(_apart(source.parent), root)
    elif is_folder_at(source):
        _mirror(source, root)
        _add(_apart(source), root)
    else:
        _add([source, *_beside(source)], root)
    return _below(root, source)


def _several_files(source: Path) -> DataError:
    scheme = scheme_of(source)
    command = COMMANDS[scheme].format(shown(source.parent))
    return DataError(
        f"expected labels in one file at {shown(source)}, got {source.name!r}, which names others, "
        f"and {scheme} has no list of files: copy the folder to this machine ('{command}')"
    )


def _beside(table: Path) -> list[Path]:
    if table.suffix.lower() not in TABLES:
        return []
    names = sorted(names_in(table.parent) or ())
    lists = {name for name in names if PurePath(name).suffix == ".txt"}
    lists = {name for name in lists if PurePath(name).stem.lower() in SPLIT_NAMES}
    names = [name for name in names if BESIDE.search(name) or name in lists]
    found = [name for name in names if name != table.name]
    return [table.with_name(name) for name in found[:MOST_BESIDE]]


def _apart(folder: Path) -> list[Path]:
    """Return the file of splits that lies beside a folder of DeepFashion's lists."""
    place = folder.parent / PARTITION.parent
    is_there = folder.name.startswith("Anno") and PARTITION.name in (names_in(place) or ())
    return [place / PARTITION.name] if is_there else []


def _mirror(folder: Path, root: Path) -> None:
    sizes = sizes_below(folder)
    labels = [path for path in sizes if path.suffix.lower() in LABEL_SUFFIXES]
    total = sum(sizes[path] for path in labels)
    if total > budget():
        command = COMMANDS.get(scheme_of(folder), "").format(shown(folder))
        msg = (
            f"expected at most {budget():,} bytes of labels at {shown(folder)}, got {total:,}: "
            f"copy the folder to this machine ('{command}')"
        )
        raise DataError(msg)
    logger.info(
        "%s: %s of labels copied, %s MiB; %s stay there",
        shown(folder),
        amount(len(labels), "file"),
        f"{total / MIB:,.1f}",
        amount(sum(is_photo(path) for path in sizes), "photo"),
    )
    for path in sizes:
        if is_photo(path):
            here = _below(root, path)
            here.parent.mkdir(parents=True, exist_ok=True)
            here.touch()
    _below(root, folder).mkdir(parents=True, exist_ok=True)
    _add(labels, root)


def is_photo(path: PurePath) -> bool:
    """Return whether a file's name ends as that of a photo.

    Example:
        >>> is_photo(PurePath("a/b.JPG")), is_photo(PurePath("a/b.txt"))
        (True, False)
    """
    return path.suffix.lower() in ALL_SUFFIXES


def fetch_photos(copy: Path, source: Path) -> None:
    """Put the photos of a copied folder in their places, for a format that opens them.

    Raises:
        DataError: If one cannot be fetched.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> photos = {"/labels/cat/a.jpg": b"one", "/labels/dog/b.jpg": b"two"}
        >>> fsspec.filesystem("memory").pipe(photos)
        >>> source = place("memory://labels")
        >>> copy = copy_of(source)
        >>> before = (copy / "cat" / "a.jpg").read_bytes()
        >>> fetch_photos(copy, source)
        >>> before, (copy / "cat" / "a.jpg").read_bytes()
        (b'', b'one')
    """
    if copy != source and copy.is_dir():
        root = _root(copy, source)
        found = [path for path in copy.rglob("*") if is_photo(path)]
        _add((Path("/") / path.relative_to(root) for path in sorted(found)), root)


def _add(paths: Iterable[Path], root: Path) -> None:
    for path in read_ahead(paths):
        here = _below(root, path)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.unlink(missing_ok=True)
        file = local_file(path)
        try:
            os.link(file, here)
        except OSError:  # another disk
            shutil.copyfile(file, here)


def _below(root: Path, path: Path) -> Path:
    return root.joinpath(*path.parts[1:])


def _root(copy: Path, source: Path) -> Path:
    return copy.parents[len(source.parts) - 2]


@functools.cache
def _copies() -> TemporaryDirectory[str]:
    """Create a folder that goes when this process ends."""
    return TemporaryDirectory(prefix="tagsight-", ignore_cleanup_errors=True)


def moved(part: Labelled, copy: Path, source: Path) -> Labelled:
    r"""Return what was read from a copy, as if it had been read at its URL.

    Photos inside a copied file, such as a tar, stay where they are.

    Example:
        >>> import fsspec
        >>> import torch
        >>> from tagsight.data.format import Labelled
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/table.csv", b"image,tags\na.jpg,dog\n")
        >>> source = place("memory://bucket/table.csv")
        >>> copy = copy_of(source)
        >>> part = Labelled(copy, ("dog",), ("a.jpg",), torch.ones(1, 1), folders=(copy.parent,))
        >>> [folder.as_posix() for folder in moved(part, copy, source).folders]
        ['/memory:/bucket']
    """
    if copy == source:
        return part
    root = _root(copy, source)

    def there(path: Path) -> Path:
        return Path("/") / path.relative_to(root) if path.is_relative_to(root) else path

    photos = part.photos
    if photos and isinstance(photos[0], Path):
        photos = tuple(there(path) if path.is_file() else path for path in map(Path, photos))
        inside = photos[0].is_relative_to(root)
    else:
        inside = False
    return replace(
        part,
        source=source,
        photos=photos,
        folders=tuple(map(there, part.folders)),
        root=part.root if part.root is None or inside else there(part.root),
    )


@contextmanager
def urls_in_errors() -> Iterator[None]:
    """Name URLs, and not the copies of their files, in errors of the block.

    Example:
        >>> try:
        ...     with urls_in_errors():
        ...         raise DataError("/s3:/bucket/table.csv:2: expected a label, got none")
        ... except DataError as error:
        ...     print(error)
        s3://bucket/table.csv:2: expected a label, got none
    """
    try:
        yield
    except DataError as error:
        error.args = (with_urls(str(error)), *error.args[1:])
        raise
