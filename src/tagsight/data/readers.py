"""The formats of labels, and how labels of any of them become annotations."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import torch

from tagsight.data.annotations import Annotations
from tagsight.data.data_file import ENDING, DataFile, combined, read_data_file
from tagsight.data.format import DEFAULTS, ReadOptions
from tagsight.data.formats import (
    camtrap_dp,
    clarifai,
    coco,
    createml,
    csv_columns,
    csv_list,
    csv_long,
    cvat,
    darwin_core,
    dataframe,
    datumaro,
    deepfashion,
    fiftyone,
    hasty,
    imaterialist,
    json_records,
    label_folders,
    label_lists,
    label_project,
    label_studio,
    labelbox,
    megadetector,
    mirflickr,
    mmpretrain,
    mturk,
    nus_wide,
    osxphotos,
    parquet,
    photo_json,
    photo_tags,
    photoprism,
    prodigy,
    sagemaker,
    saved_dataset,
    shards,
    split_folders,
    text_tags,
    vertex,
    via,
    voc,
    voc_xml,
    yolo,
    zooniverse,
)
from tagsight.data.locating import locate
from tagsight.data.recognition import format_of
from tagsight.data.remote.copies import copy_of, fetch_photos, moved, urls_in_errors
from tagsight.data.remote.places import is_remote, place, require_known
from tagsight.data.rules.application import apply_rules, check_rules
from tagsight.data.rules.rules import LabelRules
from tagsight.data.source import is_folder
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pandas import DataFrame

    from tagsight.data.format import Format, Labelled
    from tagsight.data.splits.grouping import Grouping

logger = logging.getLogger(__name__)

Labels: TypeAlias = "str | Path | DataFrame | Annotations"
"""Labels as a Python user gives them (`read_annotations`)."""

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (
        *(csv_columns, csv_list, csv_long, json_records, parquet),
        *(label_folders, split_folders, label_lists, label_project),
        *(label_studio, cvat, coco, voc, voc_xml, yolo, fiftyone, createml, datumaro),
        *(photo_json, via, labelbox, hasty, prodigy, vertex, sagemaker),
        *(clarifai, mturk, zooniverse, imaterialist),
        *(mmpretrain, saved_dataset, mirflickr, nus_wide, deepfashion, shards),
        *(photo_tags, text_tags, photoprism, osxphotos),
        *(camtrap_dp, darwin_core, megadetector),
    )
}
"""All formats of files and folders, in the order in which errors and help list them."""


@urls_in_errors()
def read_annotations(
    labels: Labels,
    *,
    images: str | Path | None = None,
    format: str | None = None,  # noqa: A002 - the option of the command is called so
    labels_only: bool = False,
    options: ReadOptions = DEFAULTS,
) -> Annotations:
    """Read the labels of a collection.

    Args:
        labels: A file or folder of any format in `FORMATS`, a URL of one, or the ``data.toml``
            of a run, which says how one was read; or a pandas `DataFrame` with a column for the
            photo's path, perhaps a column ``split``, and either one column of labels (lists, or
            text with separators) or a column of 1, 0, -1 or missing values for each label; or
            `Annotations`, which are returned as they are.
        images: Folder of the photos, or the URL of one; by default the usual one of the format, and
            the current folder for a `DataFrame`. It takes the place of ``options.images``.
        format: A key of `FORMATS`; by default the content decides.
        labels_only: Accept that none of the photos exists.
        options: Choices that the source leaves open.

    Raises:
        DataError: If no format fits, the labels are not valid, or a rule does not fit them.

    Example:
        >>> from pandas import DataFrame
        >>> table = DataFrame({"image": ["a.jpg", "b.jpg"], "labels": [["dog", "sky"], ["sky"]]})
        >>> rows = read_annotations(table, labels_only=True)
        >>> rows.names, rows.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 1]])
    """
    options = _completed(options, images)
    if isinstance(labels, Annotations):
        if options.images is not None or format is not None:
            msg = "expected neither `images` nor `format` with Annotations, which have their paths"
            raise DataError(msg)
        annotations = labels
    elif dataframe.is_frame(labels):
        tables = dataframe.read(cast("DataFrame", labels), options, format)
        annotations = _joined(_found(tables, "dataframe", labels_only=labels_only))
    elif isinstance(labels, str | Path):
        # Absolute, so that the photos are found even if the current folder changes.
        source = require_known(place(labels)).absolute()
        if source.suffix.lower() == ENDING and (is_remote(source) or source.is_file()):
            file = read_data_file(source)
            source, format, options = file.source, format or file.format, combined(file, options)  # noqa: A001 - as above
        chosen, parts = _read(source, format, options)
        options = replace(options, rules=_rules(options, parts))
        annotations = _joined(_found(parts, chosen.name, labels_only=labels_only))
        annotations = _split_by_folders(annotations)
        columns = parts[0].columns
        columns = replace(columns, encoding=columns.encoding or options.columns.encoding)
        used = replace(options, rules=None, columns=columns)
        annotations = replace(annotations, origin=DataFile(source, chosen.name, used))
    else:
        msg = (
            "expected labels as a path, a pandas DataFrame or Annotations, "
            f"got a {type(labels).__name__}"
        )
        raise DataError(msg)
    if options.rules is not None:
        annotations = _ruled(annotations, options.rules)
    if options.grouping is not None:
        annotations = _grouped(annotations, options.grouping)
    return annotations.labelled() if options.unlabelled == "drop" else annotations


def _read(
    source: Path,
    format: str | None,  # noqa: A002 - as above
    options: ReadOptions,
) -> tuple[Format, list[Labelled]]:
    copy = copy_of(source)
    chosen = format_of(copy, format, options, FORMATS)
    _require_columns(chosen, options, source)
    if chosen.opens_photos:
        fetch_photos(copy, source)
    return chosen, [moved(part, copy, source) for part in chosen.read(copy, options)]


def _completed(options: ReadOptions, images: str | Path | None) -> ReadOptions:
    if images is not None:
        options = replace(options, images=place(images))
    if options.images is not None:
        options = replace(options, images=_existing_folder(options.images, "images"))
    if (files := options.label_studio_files) is not None:
        files = _existing_folder(files, "label_studio_files")
        options = replace(options, label_studio_files=files)
    if options.grouping is not None:
        columns = replace(options.columns, group_column=options.grouping.column)
        options = replace(options, columns=columns)
    return options


def _require_columns(format_: Format, options: ReadOptions, source: Path) -> None:
    """Refuse names of columns for a format that has none; `_grouped` does so for a group."""
    if options.columns.encoding is not None and not format_.is_text:
        msg = (
            f"expected a table, or other text, for `encoding`, got the format {format_.name!r} at "
            f"{source}, whose encoding is known"
        )
        raise DataError(msg)
    named = [name for name in options.columns.options if name not in {"group", "encoding"}]
    if named and not format_.has_columns:
        msg = (
            f"expected a table, or records, for `{named[0]}`, got the format {format_.name!r} at "
            f"{source}, which has no columns"
        )
        raise DataError(msg)


def _grouped(annotations: Annotations, grouping: Grouping) -> Annotations:
    if grouping.column and annotations.groups is None:
        msg = (
            f"expected a table with a column {grouping.column!r} for `group`, or folder, "
            "session, near-twins or encoder-twins, got the format "
            f"{annotations.format!r} without it"
        )
        raise DataError(msg)
    return replace(annotations, grouping=grouping)


def _rules(options: ReadOptions, parts: Iterable[Labelled]) -> LabelRules | None:
    """Return the rules that were chosen, with the format's own number of photos of a label."""
    least = max((part.min_photos for part in parts), default=0)
    rules = options.rules
    if options.every_label or not least or (rules and "min_photos" in rules.model_fields_set):
        return rules
    return (rules or LabelRules()).model_copy(update={"min_photos": least})


def _ruled(annotations: Annotations, rules: LabelRules) -> Annotations:
    if annotations.rules not in (None, rules):
        msg = "expected Annotations without rules to apply others, got some with rules"
        raise DataError(msg)
    if annotations.rules is None:
        check_rules(annotations, rules)
    return apply_rules(annotations, rules)


def _found(
    parts: Iterable[Labelled],
    format: str,  # noqa: A002 - as above
    *,
    labels_only: bool,
) -> list[Annotations]:
    found = []
    for part in parts:
        paths, root, none_there = locate(part, labels_only=labels_only)
        found.append(
            Annotations(
                part.names,
                paths,
                part.targets,
                part.splits,
                format,
                root,
                lists_present=part.lists_present,
                rejected=frozenset((paths[row], name) for row, name in part.rejected),
                unused=part.unused,
                groups=part.groups,
                without_photos=none_there,
            )
        )
    return found


def _joined(parts: Sequence[Annotations]) -> Annotations:
    """Join the parts of a source; a label that a part lacks is unknown in it."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = sorted(set().union(*(part.names for part in parts)))
    paths = [path for part in parts for path in part.paths]
    if len(set(paths)) < len(paths):
        repeated = next(path for path, count in Counter(paths).items() if count > 1)
        msg = f"expected each photo in one part of the labels, got {repeated} in several"
        raise DataError(msg)
    splits = [split for part in parts for split in part.splits or ()]
    groups = [group for part in parts for group in part.groups or ()]
    return Annotations(
        names=tuple(names),
        paths=tuple(paths),
        targets=torch.cat([part.matched_to(names).targets for part in parts]),
        splits=tuple(splits) if splits else None,
        format=first.format,
        lists_present=all(part.lists_present for part in parts),
        rejected=frozenset[tuple[Path, str]]().union(*(part.rejected for part in parts)),
        groups=tuple(groups) if len(groups) == len(paths) else None,
        without_photos=any(part.without_photos for part in parts),
    )


def _split_by_folders(annotations: Annotations) -> Annotations:
    """Take folders such as ``train`` and ``test`` for the splits, if nothing else says them.

    All photos must be in such folders, next to each other.
    """
    if annotations.splits is not None:
        return annotations
    folders = annotations.relative_folders
    parts = {folder: tuple(map(str.lower, names)) for folder, names in folders.items()}
    for depth in range(min(map(len, parts.values()), default=0)):
        above = {part[:depth] for part in parts.values()}
        split_of = {key: SPLIT_NAMES.get(part[depth], "") for key, part in parts.items()}
        if len(above) > 1:
            break
        if all(split_of.values()) and len(set(split_of.values())) > 1:
            words = ", ".join(sorted({part[depth] for part in parts.values()}))
            logger.info("the splits are those of the folders %s", words)
            return annotations.with_splits([split_of[path.parent] for path in annotations.paths])
    return annotations


def _existing_folder(given: Path, option: str) -> Path:
    folder = require_known(place(given))
    if not is_folder(folder):
        msg = f"expected a folder of photos as `{option}`, got {folder}, which is none"
        raise DataError(msg)
    return folder.absolute()
