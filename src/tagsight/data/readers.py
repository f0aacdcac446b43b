"""Readers of label files, folders and tables: the formats, and how one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypedDict, cast, get_args

from tagsight.data.annotations import Annotations
from tagsight.data.formats import (
    coco,
    csv_columns,
    csv_list,
    dataframe,
    mirflickr,
    nus_wide,
    shards,
    voc,
)
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame

    from tagsight.data.formats.mirflickr import Topics
    from tagsight.data.formats.voc import Difficult

Unlabelled: TypeAlias = Literal["keep", "drop"]
Labels: TypeAlias = "str | Path | DataFrame | Annotations"
"""Labels as a Python user gives them (`read_annotations`)."""


class Meaning(TypedDict, total=False):
    """Choices that a format leaves open, as arguments of `read_annotations`."""

    difficult: Difficult
    topics: Topics
    unlabelled: Unlabelled


class Reader(NamedTuple):
    """Functions that recognise and read a format.

    Attributes:
        description: What the format looks like, in one sentence.
        recognises: Returns, after a cheap look, whether a path is of this format.
        read: Reads a path, given ``images`` and the options.
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
    labels: Labels,
    *,
    images: str | Path | None = None,
    format: str | None = None,  # noqa: A002 - the option of the command is called so
    labels_only: bool = False,
    difficult: Difficult = "unknown",
    topics: Topics = "potential",
    unlabelled: Unlabelled = "keep",
) -> Annotations:
    """Read the labels of a collection.

    Args:
        labels: A file or folder of any format in `READERS`; or a pandas `DataFrame` with a column
            for the photo's path, perhaps a column ``split``, and either one column of labels
            (lists, or text with separators) or a column of 1, 0, -1 or missing values for each
            label; or `Annotations`, which are returned as they are.
        images: Folder of the photos; by default the usual one of the format, and the current
            folder for a `DataFrame`.
        format: A key of `READERS`; by default the content decides.
        labels_only: Accept that none of the photos exists.
        difficult: Target of an object that is marked as hard to see: ``present``, ``absent`` or
            ``unknown``.
        topics: Topics of MIRFLICKR-25K to use: ``potential``, ``relevant`` or ``all``.
        unlabelled: Whether to ``keep`` or ``drop`` photos in which no label is known to be present.

    Raises:
        DataError: If no format fits, or the labels are not valid.

    Example:
        >>> from pandas import DataFrame
        >>> table = DataFrame({"image": ["a.jpg", "b.jpg"], "labels": [["dog", "sky"], ["sky"]]})
        >>> rows = read_annotations(table, labels_only=True)
        >>> rows.names, rows.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 1]])
    """
    if unlabelled not in get_args(Unlabelled):
        msg = f"expected `unlabelled` to be one of {get_args(Unlabelled)}, got {unlabelled!r}"
        raise DataError(msg)
    folder = None if images is None else _existing_folder(Path(images))
    if isinstance(labels, Annotations):
        if folder is not None or format is not None:
            msg = "expected neither `images` nor `format` with Annotations, which have their paths"
            raise DataError(msg)
        annotations = labels
    elif dataframe.is_frame(labels):
        frame = cast("DataFrame", labels)
        annotations = dataframe.read(frame, images=folder, format=format, labels_only=labels_only)
    elif isinstance(labels, str | Path):
        # Absolute, so that the photos are found even if the current folder changes.
        source = Path(labels).absolute()
        options = {"difficult": difficult, "topics": topics, "labels_only": labels_only}
        annotations = _read(source, folder, format, options)
    else:
        msg = (
            "expected labels as a path, a pandas DataFrame or Annotations, "
            f"got a {type(labels).__name__}"
        )
        raise DataError(msg)
    return annotations.labelled() if unlabelled == "drop" else annotations


def _existing_folder(images: Path) -> Path:
    if not images.is_dir():
        msg = f"expected a folder of photos as `images`, got {images}, which is none"
        raise DataError(msg)
    return images.absolute()


def _read(
    source: Path,
    images: Path | None,
    format: str | None,  # noqa: A002 - as above
    options: Mapping[str, object],
) -> Annotations:
    if not source.exists():
        msg = f"expected labels at {source}, which does not exist"
        raise DataError(msg)
    if format is not None and format not in READERS:
        msg = f"expected a format among {list(READERS)}, got {format!r}"
        raise DataError(msg)
    reader = READERS[format or _format_of(source)]
    chosen = {name: value for name, value in options.items() if name in reader.options}
    return reader.read(source, images=images, **chosen)


def _format_of(source: Path) -> str:
    fitting = [name for name, reader in READERS.items() if reader.recognises(source)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        msg = f"expected one format to fit {source}, got {fitting}; choose one with `format`"
        raise DataError(msg)
    reasons = "; ".join(f"{name}: {_reason(reader, source)}" for name, reader in READERS.items())
    msg = f"{source} is of no known format; it {_look(source)}; {reasons}"
    raise DataError(msg)


def _reason(reader: Reader, source: Path) -> str:
    try:
        reader.read(source)
    except DataError as error:
        return str(error)
    return "is only read if it is chosen with `format`"


def _look(source: Path) -> str:
    if source.is_dir():
        entries = sorted(entry.name for entry in source.iterdir())
        return f"is a folder with {', '.join(entries[:5]) or 'nothing'}"
    with source.open("rb") as handle:
        start = handle.read(60)
    return f"begins with {start!r}" if start else "is an empty file"
