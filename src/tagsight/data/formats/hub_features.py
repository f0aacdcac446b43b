"""Names of labels that are numbers in a data set of Hugging Face, from the files that say them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tagsight.data.annotations import target_table
from tagsight.data.json_files import read_json
from tagsight.data.source import clean_name, is_file, require_file
from tagsight.data.yaml_files import parse_yaml
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled

logger = logging.getLogger(__name__)

CARD = "README.md"
FILES = ("dataset_infos.json", "dataset_info.json")
LARGEST_FILE = 2**22


def with_class_names(part: Labelled, folder: Path) -> Labelled:
    r"""Give labels that are numbers the names that the files of a data set have for them.

    Other labels, and those of a data set that names no classes, stay as they are.

    Args:
        part: The labels.
        folder: Folder of the data set, with ``README.md`` or ``dataset_infos.json``.

    Example:
        >>> import json, torch
        >>> from pathlib import Path
        >>> from tagsight.data.format import Columns, Labelled
        >>> features = {"label": {"names": ["sky", "dog"], "_type": "ClassLabel"}}
        >>> _ = Path("dataset_info.json").write_text(json.dumps({"features": features}))
        >>> columns = Columns(labels_column="label")
        >>> part = Labelled("a", ("0",), ("a.jpg",), torch.ones(1, 1), columns=columns)
        >>> named = with_class_names(part, Path())
        >>> named.names, named.targets.tolist()
        (('dog', 'sky'), [[-1, 1]])
    """
    key = part.columns.labels_column
    if key is None or not all(name.isdecimal() and len(name) < 7 for name in part.names):
        return part
    for name in (CARD, *FILES):
        file = folder / name
        classes = _classes(file, key) if is_file(file) else []
        if len(classes) > max(map(int, part.names)) and len(set(classes)) == len(classes):
            logger.info("%s: names of the labels from %s", part.source, file)
            return _named(part, classes)
    return part


def _classes(file: Path, key: str) -> list[str]:
    """Return the names of the classes of a key, or none."""
    try:
        if file.name == CARD:
            text = require_file(file, largest=LARGEST_FILE).read_text("utf-8", errors="replace")
            before, _, rest = text.partition("---")
            content = (
                parse_yaml(rest.partition("\n---")[0], str(file)) if not before.strip() else {}
            )
        else:
            content = read_json(require_file(file, largest=LARGEST_FILE), dict, "features")
    except DataError as error:
        logger.warning("%s; not looked at for names of labels", error)
        return []
    names = _names(_feature(content, key))
    return [clean_name(name, str(file)) for name in names]


def _feature(node: Any, key: str) -> Any:  # noqa: ANN401 - plain-data border
    """Return what is said of a feature, at whatever depth."""
    if isinstance(node, dict):
        if isinstance(node.get(key), dict):
            return node[key]
        if node.get("name") == key:
            return {name: value for name, value in node.items() if name != "name"}
        node = list(node.values())
    nodes = node if isinstance(node, list) else []
    return next((found for one in nodes if (found := _feature(one, key)) is not None), None)


def _names(node: Any) -> list[str]:  # noqa: ANN401 - plain-data border
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return []
    names = node.get("names")
    if isinstance(names, dict) and all(str(number).isdecimal() for number in names):
        names = [names[number] for number in sorted(names, key=int)]
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return next(filter(None, map(_names, node.values())), [])


def _named(part: Labelled, classes: Sequence[str]) -> Labelled:
    names = sorted(classes)
    value = 0 if part.lists_present else -1
    targets = target_table(len(part.photos), len(names), value=value, source=part.source)
    targets[:, [names.index(classes[int(name)]) for name in part.names]] = part.targets.to(
        targets.dtype
    )
    return replace(part, names=tuple(names), targets=targets)
