"""Downloads of the collections that papers evaluate on, from their publishers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tagsight.data.literature.archives import unpack
from tagsight.data.literature.download import Remote, fetch
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

Following: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int | None], None]]]


class Part(NamedTuple):
    """A folder that a download completes or does not create at all.

    Attributes:
        folder: Its path below the user's folder.
        counted: Pattern of the files to count in it.
        files: Number of such files in the complete folder.
    """

    folder: str
    counted: str
    files: int


class Archive(NamedTuple):
    """An archive of a collection.

    Attributes:
        remote: Its address.
        into: Folder below the user's folder to unpack it into.
        gives: Folders of the parts that it contains.
    """

    remote: Remote
    into: str
    gives: tuple[str, ...]


class Download(NamedTuple):
    """A collection that can be downloaded.

    Attributes:
        description: Its size and terms of use, in one sentence.
        archives: The files to fetch.
        parts: The folders they are unpacked to.
        source: Labels to train on, below the user's folder.
    """

    description: str
    archives: tuple[Archive, ...]
    parts: tuple[Part, ...]
    source: str


_VOC = "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007/"
# The certificate of the collection's own host names another; this is the same store.
_COCO = "https://s3.amazonaws.com/images.cocodataset.org/"
_MIRFLICKR = "https://press.liacs.nl/mirflickr/mirflickr25k.v3b/"

DOWNLOADS: dict[str, Download] = {
    "voc2007": Download(
        "PASCAL VOC 2007: 9,963 photos, 20 labels; photos under Flickr's terms of use",
        (
            Archive(
                Remote(
                    f"{_VOC}VOCtrainval_06-Nov-2007.tar",
                    460_032_000,
                    "c52e279531787c972589f7e41ab4ae64",
                ),
                "",
                ("VOCdevkit/VOC2007",),
            ),
            Archive(
                Remote(
                    f"{_VOC}VOCtest_06-Nov-2007.tar",
                    451_020_800,
                    "b6e924de25625d8de591ea690078ad9f",
                ),
                "",
                ("VOCdevkit/VOC2007",),
            ),
        ),
        (Part("VOCdevkit/VOC2007", "JPEGImages/*.jpg", 9_963),),
        "VOCdevkit/VOC2007",
    ),
    "coco2014": Download(
        "COCO 2014: 123,287 photos, 80 labels; photos under Flickr's terms of use",
        (
            Archive(
                Remote(f"{_COCO}annotations/annotations_trainval2014.zip", 252_872_794),
                "coco2014",
                ("coco2014/annotations",),
            ),
            Archive(
                Remote(f"{_COCO}zips/train2014.zip", 13_510_573_713),
                "coco2014",
                ("coco2014/train2014",),
            ),
            Archive(
                Remote(f"{_COCO}zips/val2014.zip", 6_645_013_297),
                "coco2014",
                ("coco2014/val2014",),
            ),
        ),
        (
            Part("coco2014/annotations", "instances_*2014.json", 2),
            Part("coco2014/train2014", "*.jpg", 82_783),
            Part("coco2014/val2014", "*.jpg", 40_504),
        ),
        "coco2014",
    ),
    "mirflickr25k": Download(
        "MIRFLICKR-25K: 25,000 photos under Creative Commons licences, 24 labels",
        (
            Archive(
                Remote(
                    f"{_MIRFLICKR}mirflickr25k.zip",
                    3_069_184_257,
                    "a23d0a8564ee84cda5622a6c2f947785",
                ),
                "mirflickr25k",
                ("mirflickr25k/mirflickr",),
            ),
            Archive(
                Remote(f"{_MIRFLICKR}mirflickr25k_annotations_v080.zip", None),
                "mirflickr25k/mirflickr25k_annotations_v080",
                ("mirflickr25k/mirflickr25k_annotations_v080",),
            ),
        ),
        (
            Part("mirflickr25k/mirflickr", "im*.jpg", 25_000),
            Part("mirflickr25k/mirflickr25k_annotations_v080", "*.txt", 38),
        ),
        "mirflickr25k",
    ),
}

NOT_DISTRIBUTED: dict[str, tuple[str, ...]] = {
    "nus-wide": (
        "The photos of NUS-WIDE belong to those who put them on Flickr and cannot be distributed.",
        "Its lists (Groundtruth, ImageList, Concepts81.txt and the addresses of the photos) are at",
        "  https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
        "Ask its authors there for the photos, or fetch those that are still public by the list of",
        "addresses; many of the 269,648 are gone, so say with every figure how many you have.",
    )
}


def download(name: str, out: Path, following: Following) -> list[str]:
    """Fetch the missing parts of a collection, verify and unpack them.

    The archives are kept, so that nothing is fetched twice; archives that the user has put into
    the folder are used.

    Args:
        name: A key of `DOWNLOADS`.
        out: The user's folder; archives are written into it, and the parts below it.
        following: Makes a context manager that shows the progress of one step.

    Returns:
        Sentences that say what was verified and where it is.

    Raises:
        UnreachableError: If a host cannot be reached.
        DataError: If an archive is damaged, a part exists but is incomplete, or the disk is full.

    Example:
        >>> from contextlib import contextmanager
        >>> from pathlib import Path
        >>> @contextmanager
        ... def silent(description: str):
        ...     yield lambda done, total=None: None
        >>> download("voc2007", Path("data"), silent)  # doctest: +SKIP
        ['data/VOCtrainval_06-Nov-2007.tar: verified, MD5 ...', 'complete: data/VOCdevkit/VOC2007']
    """
    wanted = DOWNLOADS[name]
    missing = [part for part in wanted.parts if not is_complete(part, out)]
    for part in missing:
        if (out / part.folder).exists():
            msg = (
                f"expected {amount(part.files, 'file')} {part.counted} in {out / part.folder} "
                "or no such folder, got a part of them; move it away and try again"
            )
            raise DataError(msg)
    folders = {part.folder for part in missing}
    archives = [archive for archive in wanted.archives if folders & set(archive.gives)]
    _require_room(archives, out)
    said = []
    for archive in archives:
        with following(f"fetching {archive.remote.name}, bytes") as advance:
            fetch(archive.remote, out, progress=advance)
        said.append(f"{out / archive.remote.name}: {_verified(archive.remote)}")
    if missing:
        _fill(missing, archives, out, following)
    return [*said, f"complete: {out / wanted.source}"]


def is_complete(part: Part, out: Path) -> bool:
    """Return whether a part has all its files.

    Example:
        >>> from pathlib import Path
        >>> is_complete(DOWNLOADS["voc2007"].parts[0], Path("nowhere"))
        False
    """
    found = sum(1 for _ in (out / part.folder).glob(part.counted))
    return found >= part.files


def by_hand(name: str, out: Path) -> list[str]:
    """List the files to fetch by other means, and where to put them.

    Example:
        >>> from pathlib import Path
        >>> by_hand("voc2007", Path("data"))[-1].strip()
        'data/VOCdevkit/VOC2007'
    """
    wanted = DOWNLOADS[name]
    return [
        f"To do it by hand, put these files into {out} and start the download again:",
        *(f"  {archive.remote.url} ({_facts(archive.remote)})" for archive in wanted.archives),
        "or unpack them so that these folders are there:",
        *(f"  {out / part.folder}" for part in wanted.parts),
    ]


def _facts(remote: Remote) -> str:
    size = "size not stated" if remote.size is None else f"{remote.size:,} bytes"
    return f"{size}, MD5 {remote.md5}" if remote.md5 else f"{size}, no checksum is published"


def _verified(remote: Remote) -> str:
    if remote.md5:
        return f"verified, MD5 {remote.md5}"
    return f"{_facts(remote)}; the archive's own check sums are verified in unpacking"


def _require_room(archives: Sequence[Archive], out: Path) -> None:
    """Require free space for archives and their content, which is about as large."""
    sizes = {archive.remote.name: archive.remote.size or 0 for archive in archives}
    to_come = sum(size for file, size in sizes.items() if not (out / file).exists())
    needed = to_come + sum(sizes.values())
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if (free := shutil.disk_usage(existing).free) < needed:
        msg = f"expected {needed:,} free bytes for archives and photos at {out}, got {free:,}"
        raise DataError(msg)


def _fill(
    missing: Sequence[Part], archives: Sequence[Archive], out: Path, following: Following
) -> None:
    """Unpack into a temporary folder, and move complete parts to their place."""
    with tempfile.TemporaryDirectory(prefix=".unpacking.", dir=out) as name:
        beside = Path(name)
        for archive in archives:
            with following(f"unpacking {archive.remote.name}") as advance:
                unpack(out / archive.remote.name, beside / archive.into, progress=advance)
        for part in missing:
            _without_folder_of_same_name(beside / part.folder)
            if not is_complete(part, beside):
                msg = (
                    f"expected {amount(part.files, 'file')} {part.counted} in {part.folder} of the "
                    f"archives of {out}, got fewer"
                )
                raise DataError(msg)
        for part in missing:
            target = out / part.folder
            target.parent.mkdir(parents=True, exist_ok=True)
            (beside / part.folder).rename(target)


def _without_folder_of_same_name(folder: Path) -> None:
    """Remove the folder around loose files that some archives have."""
    inner = folder / folder.name
    if inner.is_dir():
        for entry in list(inner.iterdir()):
            entry.rename(folder / entry.name)
        inner.rmdir()
