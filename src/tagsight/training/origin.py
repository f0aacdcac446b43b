"""What a run was begun with, to tell whether it may go on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations

Origin = dict[str, Any]
"""Plain values that JSON knows."""

_DATA = {
    "labels": "the labels",
    "photos": "the photos",
    "splits": "the splits",
    "targets": "the targets",
    "content": "the content of the photos",
    "vectors": "the word vectors (--vectors)",
    "init": "the model it started from (--init)",
}


def origin_of(
    recipe: Recipe,
    annotations: Annotations,
    *,
    hashes: Mapping[Path, bytes] | None = None,
    vectors: Path | None = None,
    init: str | None = None,
) -> Origin:
    """Describe what a run is begun with.

    Args:
        recipe: System and settings.
        annotations: The rows with their splits; those of the test have no part in a run.
        hashes: Content hash of every photo of training and validation, if known.
        vectors: Word vectors file, if any.
        init: Digest of the weights that it starts from, if any.
    """
    used = [i for i, split in enumerate(annotations.splits or ()) if split != "test"]
    annotations = annotations.select(used)
    contents = [hashes[path].hex() for path in annotations.paths] if hashes else None
    return {
        "system": recipe.system,
        "settings": {
            "system": recipe.settings.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
        },
        "labels": _digest(annotations.names),
        "photos": _digest(annotations.relative_names),
        "splits": _digest(annotations.splits),
        "targets": hashlib.sha256(annotations.targets.contiguous().numpy().tobytes()).hexdigest(),
        "content": _digest(contents),
        "vectors": None if vectors is None else _file_digest(vectors),
        "init": init,
    }


def changes(then: Origin, now: Origin) -> list[str]:
    """Name what differs between two origins, in words for a user."""
    if then["system"] != now["system"]:
        return [f"the system is {now['system']}, was {then['system']}"]
    before, after = dict(_flat(then["settings"])), dict(_flat(now["settings"]))
    settings = [
        f"{name} is {after.get(name)!r}, was {before.get(name)!r}"
        for name in before | after
        if before.get(name) != after.get(name)
    ]
    return settings + [f"{words} changed" for key, words in _DATA.items() if then[key] != now[key]]


def _flat(values: Mapping[str, Any], prefix: str = "--") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _file_digest(file: Path) -> str:
    with file.open("rb") as handle:  # word vectors take gigabytes
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
