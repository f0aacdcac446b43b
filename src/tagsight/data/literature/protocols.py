"""Protocols: how the literature reads a data set, and the counts it publishes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import DEFAULTS, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.splits.split import random_halves
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tagsight.data.annotations import Annotations


class Published(NamedTuple):
    """Published counts of a split.

    Attributes:
        photos: Number of photos.
        labels_per_photo: Mean number of labels present, to two decimals, or None.
    """

    photos: int
    labels_per_photo: float | None = None


class Protocol(NamedTuple):
    """A way to read a data set that makes results comparable.

    Attributes:
        description: The data and splits it uses, in one sentence.
        format: Name of the reader.
        options: Choices that it makes; None is the user's.
        splits: Maps each split of the source to ``train`` or ``test``; None draws random halves.
            Photos for validation are taken out of ``train``, so that no test photo selects an
            epoch.
        labels: Number of labels.
        counts: Published counts of each split, or of ``all``.
        source: Origin of the counts.
        recalled: Whether they are from memory, neither looked up again nor counted in the files.
    """

    description: str
    format: str
    options: ReadOptions
    splits: Mapping[str, str] | None
    labels: int
    counts: Mapping[str, Published]
    source: str
    recalled: bool = False


OFFICIAL = {"train": "train", "test": "test"}
VAL_IS_TEST = {"train": "train", "val": "test"}
TRAINVAL = {"train": "train", "val": "train", "test": "test"}

PROTOCOLS: dict[str, Protocol] = {
    "voc2007": Protocol(
        "VOC 2007: trainval for training, test for the test",
        "voc",
        ReadOptions(unlabelled="keep"),
        TRAINVAL,
        20,
        {"train": Published(5_011, 1.46), "test": Published(4_952)},
        "the challenge's own statistics, objects that are difficult not counted",
    ),
    "coco2014": Protocol(
        "COCO 2014: train2014 for training, val2014 for the test, photos without objects dropped",
        "coco",
        ReadOptions(unlabelled="drop"),
        VAL_IS_TEST,
        80,
        {"train": Published(82_081, 2.94), "test": Published(40_137)},
        "counts of ML-GCN and its followers",
        recalled=True,
    ),
    "coco2014-all": Protocol(
        "COCO 2014: train2014 for training, val2014 for the test, every photo",
        "coco",
        ReadOptions(unlabelled="keep"),
        VAL_IS_TEST,
        80,
        {"train": Published(82_783), "test": Published(40_504)},
        "the data set's own statistics; SRN and VAC keep every photo",
    ),
    "nus-wide": Protocol(
        "NUS-WIDE: the official lists, every photo",
        "nus-wide",
        ReadOptions(unlabelled="keep"),
        OFFICIAL,
        81,
        {"train": Published(161_789), "test": Published(107_859)},
        "the official lists, as G-CAM states them",
    ),
    "nus-wide-labelled": Protocol(
        "NUS-WIDE: the official lists, photos without a label dropped",
        "nus-wide",
        ReadOptions(unlabelled="drop"),
        OFFICIAL,
        81,
        {"all": Published(209_347), "train": Published(125_449), "test": Published(83_898)},
        "what is usually stated of the photos with a label",
        recalled=True,
    ),
    "nus-wide-asl": Protocol(
        "NUS-WIDE: the table of ASL, 70:30, which most figures since 2021 are of",
        "csv-list",
        ReadOptions(unlabelled="drop"),
        VAL_IS_TEST,
        81,
        {"all": Published(169_823, 2.43), "train": Published(119_103), "test": Published(50_720)},
        "what is usually stated of the table",
        recalled=True,
    ),
    "mirflickr25k": Protocol(
        "MIRFLICKR-25K: 24 potential topics, photos without one dropped, halves drawn",
        "mirflickr",
        ReadOptions(topics="potential", unlabelled="drop"),
        None,
        24,
        {"all": Published(24_581, 3.78), "train": Published(12_291), "test": Published(12_290)},
        "counted in the annotations; G-CAM states 24 labels, and 4.7 per photo, which 38 have",
    ),
    "mirflickr25k-all": Protocol(
        "MIRFLICKR-25K: 24 potential topics, every photo, halves drawn",
        "mirflickr",
        ReadOptions(topics="potential", unlabelled="keep"),
        None,
        24,
        {"all": Published(25_000, 3.72), "train": Published(12_500), "test": Published(12_500)},
        "counted in the annotations",
    ),
    "mirflickr25k-38": Protocol(
        "MIRFLICKR-25K: all 38 topics, photos without one dropped, halves drawn",
        "mirflickr",
        ReadOptions(topics="all", unlabelled="drop"),
        None,
        38,
        {"all": Published(24_581, 4.80), "train": Published(12_291), "test": Published(12_290)},
        "counted in the annotations",
    ),
}


def read_protocol(
    source: str | Path,
    name: str,
    *,
    images: str | Path | None = None,
    labels_only: bool = False,
    split_seed: int = 0,
    options: ReadOptions = DEFAULTS,
) -> Annotations:
    r"""Read a data set as the literature does.

    Args:
        source: A file or folder of the protocol's format.
        name: A key of `PROTOCOLS`.
        images: As for `read_annotations`.
        labels_only: As for `read_annotations`.
        split_seed: Seed of the random halves, if the protocol has no official split. It is
            separate from the seed of training, so that all runs share one test split.
        options: Choices that the protocol leaves open.

    Raises:
        DataError: If there is no such protocol, an option contradicts it, or the source is of
            another format.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     table = Path(folder) / "nus_wid_data.csv"
        ...     lines = ["filepath,label,split_name", "a.jpg,sky,train", "b.jpg,sea,val"]
        ...     _ = table.write_text("\n".join(lines))
        ...     rows = ts.read_protocol(table, "nus-wide-asl", labels_only=True)
        >>> rows.split_sizes, rows.protocol
        ({'train': 1, 'test': 1}, 'nus-wide-asl')
    """
    if name not in PROTOCOLS:
        msg = f"expected a protocol among {list(PROTOCOLS)}, got {name!r}"
        raise DataError(msg)
    protocol = PROTOCOLS[name]
    decided = {
        key: value
        for key, value in vars(protocol.options).items()
        if value != getattr(DEFAULTS, key)
    }
    for key, value in decided.items():
        if getattr(options, key) not in {None, value}:
            msg = (
                f"expected `{key}={value}`, which the protocol {name!r} decides, "
                f"got {getattr(options, key)!r}; leave out one of the two"
            )
            raise DataError(msg)
    annotations = read_annotations(
        source,
        images=images,
        format=protocol.format,
        labels_only=labels_only,
        options=replace(options, **decided),
    )
    return replace(divided(annotations, name, split_seed=split_seed), protocol=name)


def divided(annotations: Annotations, name: str, *, split_seed: int = 0) -> Annotations:
    r"""Assign the splits of a protocol.

    Args:
        annotations: Rows with the splits of their source.
        name: A key of `PROTOCOLS`.
        split_seed: As for `read_protocol`.

    Raises:
        DataError: If the source has no splits, or splits that the protocol does not use.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     table = Path(folder) / "labels.csv"
        ...     _ = table.write_text("image,labels,split\na.jpg,sky,train\nb.jpg,sea,val\n")
        ...     rows = read_annotations(table, labels_only=True)
        >>> divided(rows, "coco2014").split_sizes
        {'train': 1, 'test': 1}
    """
    meant = PROTOCOLS[name].splits
    if meant is None:
        return annotations.with_splits(random_halves(annotations.relative_names, split_seed))
    splits = annotations.splits or ()
    if not splits or not meant.keys() >= set(splits):
        came = ", ".join(annotations.split_sizes) or "none"
        msg = f"expected the splits {', '.join(meant)}, as the protocol {name!r} has, got {came}"
        raise DataError(msg)
    return annotations.with_splits([meant[split] for split in splits])
