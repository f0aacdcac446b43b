"""Places of the paper's collections below one folder, and how to obtain them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.boxes import read_boxes
from tagsight.data.literature.protocols import read_protocol
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes


class DataPlace(NamedTuple):
    """Paths of a collection below the user's folder.

    Attributes:
        source: File or folder of the labels.
        obtain: How to obtain it; ``{root}`` stands for the user's folder.
        protocol: A key of `PROTOCOLS`, or None for the collection's own splits.
        images: Folder of the photos, if it is not the default of the format.
        boxes: File of boxes, if there is one.
    """

    source: str
    obtain: str
    protocol: str | None = None
    images: str | None = None
    boxes: str | None = None


_DOWNLOAD = "'tagsight download {name} --out {{root}}' gets it"

DATA_PLACES: dict[str, DataPlace] = {
    "mirflickr25k": DataPlace(
        "mirflickr25k", _DOWNLOAD.format(name="mirflickr25k"), "mirflickr25k"
    ),
    "coco2014": DataPlace(
        "coco2014",
        _DOWNLOAD.format(name="coco2014"),
        "coco2014",
        boxes="coco2014/annotations/instances_val2014.json",
    ),
    "nus-wide-labelled": DataPlace(
        "nus-wide",
        "its photos cannot be distributed: 'tagsight download nus-wide --out {root}' says where "
        "the lists are and what to place where",
        "nus-wide-labelled",
    ),
    "voc2007": DataPlace("VOCdevkit/VOC2007", _DOWNLOAD.format(name="voc2007"), "voc2007"),
    "voc-animals": DataPlace(
        "voc-animals/labels-12.csv",
        "it is the photos of VOC 2012 with an animal in them, with a table of image, split and a "
        "column for each label; any labels of your own can be given as `dataset=FILE`",
        images="voc-animals/VOCdevkit/VOC2012/JPEGImages",
        boxes="voc-animals/boxes.json",
    ),
    "movie-posters": DataPlace(
        "movie-posters/labels.csv",
        "it is posters of films with a table of image, split and a column for each genre; any "
        "labels of your own can be given as `dataset=FILE`",
        images="movie-posters/images",
    ),
}


class Collection(NamedTuple):
    """A collection that was read.

    Attributes:
        name: A key of `DATA_PLACES`, or the stem of the user's file.
        annotations: Its rows.
        boxes: Boxes of its objects, if it has any.
        arguments: Command-line arguments with which other commands read it.
    """

    name: str
    annotations: Annotations
    boxes: Boxes | None
    arguments: tuple[str, ...]


def read_collection(name: str, root: Path) -> Collection:
    """Read a collection of `DATA_PLACES` below a folder, or the user's own labels.

    Args:
        name: A key of `DATA_PLACES`, or a file or folder of a known format.
        root: The folder.

    Raises:
        DataError: If it is unknown or missing; the message says how to obtain it.

    Example:
        >>> found = read_collection("labels.csv", Path("data"))
        >>> found.name, found.annotations.names, found.boxes
        ('labels', ('dog', 'sky'), None)
    """
    if name not in DATA_PLACES:
        return _own(Path(name))
    place = DATA_PLACES[name]
    source = root / place.source
    if not source.exists():
        msg = f"expected {name} at {source}, which does not exist; {place.obtain.format(root=root)}"
        raise DataError(msg)
    images = None if place.images is None else root / place.images
    arguments = [str(source)] + ([] if images is None else ["--images", str(images)])
    if place.protocol is None:
        annotations = read_annotations(source, images=images)
    else:
        annotations = read_protocol(source, place.protocol, images=images)
        arguments += ["--protocol", place.protocol]
    boxes = None
    if place.boxes is not None and (root / place.boxes).is_file():
        boxes = read_boxes(root / place.boxes)
    return Collection(name, annotations, boxes, tuple(arguments))


def _own(source: Path) -> Collection:
    if not source.exists():
        msg = (
            f"expected a file or folder of labels, or one of the data sets "
            f"{', '.join(DATA_PLACES)}, got {str(source)!r}"
        )
        raise DataError(msg)
    return Collection(source.stem, read_annotations(source), None, (str(source),))
