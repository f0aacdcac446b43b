"""The order in which authors number the labels of a data set, recovered by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tagsight.data.format import ONLY_LABELS
from tagsight.data.readers import read_annotations
from tagsight.data.source import clean_name
from tagsight.errors import DataError
from tagsight.labels.names import LABEL_ORDERS, named_labels

_COCO_BY_NUMBER = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""

BY_NUMBER = {
    "coco": tuple(" ".join(name.split()) for name in _COCO_BY_NUMBER.split(",")),
    "voc": LABEL_ORDERS["voc"],
}
"""By the numbers of COCO's categories; VOC has none, and all sort its labels by name."""

BY_NAME = {"coco": LABEL_ORDERS["coco"], "voc": LABEL_ORDERS["voc"]}

ORDERS = {
    "ml-gcn": BY_NAME,  # coco.py sorts the names of the categories, voc.py lists those of VOC
    "csra": BY_NUMBER,  # utils/prepare/prepare_coco.py and prepare_voc.py
    "query2label": BY_NUMBER,  # lib/dataset/cocodataset.py
    "ml-decoder": BY_NUMBER,  # src_files/helper_functions/helper_functions.py
}
"""Orders of the labels in the released code of each origin, by data set."""

TABLES = {".csv", ".json", ".tar"}
"""Endings of label files with photos; other files list names."""


def label_order(
    labels: str | Path | Sequence[str] | None,
    origin: str,
    count: int,
    listed: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Find the labels of a checkpoint, in the order of its outputs.

    The labels of COCO and VOC may be given in any order, as the order of the authors is known.
    Others are taken as they are.

    Args:
        labels: ``coco`` or ``voc``; the names in the order of the authors, as a list, with commas
            between, or as a file with one per line; or labels of photos in a known format, if they
            are those of COCO or VOC. None if the checkpoint lists them.
        origin: A key of `ORDERS`.
        count: Their number in the checkpoint.
        listed: Those that the checkpoint lists.

    Raises:
        DataError: If they are not known, differ in number, or differ from those of the checkpoint.

    Example:
        >>> label_order("coco", "ml-gcn", 80)[:3], label_order("coco", "csra", 80)[:3]
        (('airplane', 'apple', 'backpack'), ('person', 'bicycle', 'car'))
    """
    names = _wanted(labels, origin) if labels is not None else _listed(listed)
    if listed is not None and set(names) == set(listed):
        names = tuple(listed)
    elif listed is not None:
        msg = (
            f"expected the labels that the checkpoint lists, such as {list(listed[:3])!r}, as "
            f"`labels`, got others, such as {list(names[:3])!r}"
        )
        raise DataError(msg)
    if len(names) != count:
        msg = (
            f"expected the {count} labels of the checkpoint as `labels`, got {len(names)}: "
            f"{', '.join(names[:3])} ..."
        )
        raise DataError(msg)
    return names


def _listed(listed: Sequence[str] | None) -> tuple[str, ...]:
    if listed is None:
        msg = (
            "expected the labels of the checkpoint as `labels`, which it does not list, got none: "
            "give coco, voc, or a file with the names in the order of the authors, one per line"
        )
        raise DataError(msg)
    return tuple(clean_name(name) for name in listed)


def _wanted(labels: str | Path | Sequence[str], origin: str) -> tuple[str, ...]:
    orders, ordered = ORDERS[origin], True
    if not isinstance(labels, str | Path):
        names = tuple(clean_name(name) for name in labels)
    elif Path(labels).is_dir() or Path(labels).suffix.lower() in TABLES:
        names, ordered = (
            read_annotations(labels, labels_only=True, options=ONLY_LABELS).names,
            False,
        )
    else:
        names, ordered = named_labels(str(labels)), str(labels) not in LABEL_ORDERS
    for known in orders.values():
        if set(known) == set(names):
            return known
    if not ordered:
        msg = (
            f"expected the labels of {' or '.join(orders)}, whose order in the checkpoints of "
            f"{origin} is known, as `labels`, got {str(labels)!r}: give a file with the names in "
            "the order of the authors, one per line"
        )
        raise DataError(msg)
    return names
