"""Readers: from what lies on a user's disk to `Annotations`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from tagsight.data.annotations import Annotations
from tagsight.data.formats import coco, csv_columns, csv_list, mirflickr, nus_wide, shards, voc
from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.data.formats.mirflickr import Topics
    from tagsight.data.formats.voc import Difficult

Unlabelled: TypeAlias = Literal["keep", "drop"]


class Meaning(TypedDict, total=False):
    """What the labels of a source mean where its format leaves it open."""

    difficult: Difficult
    topics: Topics
    unlabelled: Unlabelled


class Reader(NamedTuple):
    """A format.

    Attributes:
        description: What the format looks like, in one sentence.
        recognises: Tells by a cheap look whether a path is of this format.
        read: Takes a path, ``images`` and the options.
        options: Names of the reader's own options; ``labels_only`` if it looks for photos.
    """

    description: str
    recognises: Callable[[Path], bool]
    read: Callable[..., Annotations]
    options: frozenset[str] = frozenset()


READERS: dict[str, Reader] = {
    "csv-columns": Reader(
        "a CSV with one column per label, 'image[,split],label...', of 1, 0 and -1 or nothing",
        csv_columns.recognises,
        csv_columns.read,
        frozenset({"labels_only"}),
    ),
    "csv-list": Reader(
        "a CSV with one column of labels, 'image,labels[,split]', separated by ; , or |",
        csv_list.recognises,
        csv_list.read,
        frozenset({"labels_only"}),
    ),
    "coco": Reader(
        "a COCO instances JSON, or a folder with annotations/instances_*.json",
        coco.recognises,
        coco.read,
        frozenset({"labels_only"}),
    ),
    "voc": Reader(
        "a PASCAL VOC folder with ImageSets/Main/<label>_<split>.txt",
        voc.recognises,
        voc.read,
        frozenset({"difficult", "labels_only"}),
    ),
    "mirflickr": Reader(
        "a folder of MIRFLICKR-25K's topics, mirflickr25k_annotations_v080/<topic>.txt",
        mirflickr.recognises,
        mirflickr.read,
        frozenset({"topics", "labels_only"}),
    ),
    "nus-wide": Reader(
        "a NUS-WIDE folder with ConceptsList, ImageList and Groundtruth/TrainTestLabels",
        nus_wide.recognises,
        nus_wide.read,
        frozenset({"labels_only"}),
    ),
    "shards": Reader(
        "WebDataset's tars, or a folder with some: photos beside .json, .txt or .cls with labels",
        shards.recognises,
        shards.read,
    ),
}


def read_annotations(
    source: Path,
    *,
    images: Path | None = None,
    format: str | None = None,  # noqa: A002 - the option of the command is called so
    labels_only: bool = False,
    difficult: Difficult = "unknown",
    topics: Topics = "potential",
    unlabelled: Unlabelled = "keep",
) -> Annotations:
    """Read the labels of a collection, whatever the format.

    Args:
        source: A file or folder that `READERS` understand.
        images: The photos' folder, where it is not the usual one of the format.
        format: A key of `READERS`; by default the content decides.
        labels_only: Whether it is no error that none of the photos exists.
        difficult: What an object that is hard to see counts as, where a format marks such.
        topics: Which topics of MIRFLICKR-25K are labels: ``potential``, ``relevant`` or ``all``.
        unlabelled: Whether to keep or drop photos in which no label is known to be present.

    Raises:
        DataError: If no format fits, or the one that fits finds something wrong.
    """
    if not source.exists():
        msg = f"expected labels at {source}, which does not exist"
        raise DataError(msg)
    if images is not None and not images.is_dir():
        msg = f"expected a folder of photos, got {images}, which is none"
        raise DataError(msg)
    if unlabelled not in get_args(Unlabelled):
        msg = f"expected unlabelled to be one of {get_args(Unlabelled)}, got {unlabelled!r}"
        raise DataError(msg)
    # Absolute, so that the photos are found hours later, wherever the process stands then.
    source, images = source.absolute(), images and images.absolute()
    reader = READERS[_format_of(source) if format is None else _known(format)]
    options = {"difficult": difficult, "topics": topics, "labels_only": labels_only}
    chosen = {name: value for name, value in options.items() if name in reader.options}
    annotations = reader.read(source, images=images, **chosen)
    return annotations.labelled() if unlabelled == "drop" else annotations


def _known(format: str) -> str:  # noqa: A002 - as above
    if format not in READERS:
        msg = f"expected a format among {list(READERS)}, got {format!r}"
        raise DataError(msg)
    return format


def _format_of(source: Path) -> str:
    fitting = [name for name, reader in READERS.items() if reader.recognises(source)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        msg = f"expected one format to fit {source}, got {fitting}; choose one with --format"
        raise DataError(msg)
    reasons = "; ".join(f"{name}: {_reason(reader, source)}" for name, reader in READERS.items())
    msg = f"{source} is of no known format; it {_look(source)}; {reasons}"
    raise DataError(msg)


def _reason(reader: Reader, source: Path) -> str:
    try:
        reader.read(source)
    except DataError as error:
        return str(error)
    return "fits only if it is asked for with --format"


def _look(source: Path) -> str:
    if source.is_dir():
        entries = sorted(entry.name for entry in source.iterdir())
        return f"is a folder with {', '.join(entries[:5]) or 'nothing'}"
    with source.open("rb") as handle:
        start = handle.read(60)
    return f"begins with {start!r}" if start else "is an empty file"
