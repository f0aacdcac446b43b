"""Saved states of a run, and the check that a run may be resumed from one.

While a run is unfinished, its folder has a folder ``resume`` with two saved states: the newest and
the one before it. A resumed run ends with the weights of an uninterrupted one, bit for bit, because

- a state holds everything that the next step depends on (`Training.state_dict`): weights, moments
  of the optimiser, schedule, loss scale, moving average, generator states and the number of steps;
- the photos of a step depend on nothing else: their order and augmentation are drawn from the
  seed, the epoch and the row, so that steps taken after the state are simply taken again;
- the run continues only with the inputs it began with, whose description is in the state
  (`origin_of`);
- the state and the kept model are written to a temporary file that then replaces the old one, and
  a state's name contains the digest of its content. Whenever the process is killed, at least one
  whole state is found, and a truncated one is recognised.

Loading a state runs no code (``weights_only``).
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from tagsight.errors import DataError
from tagsight.runtime.files import replacing, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations

FOLDER = "resume"
SUFFIX = ".state"
KEPT = 2
"""Saved states to keep."""

Origin = dict[str, Any]
"""What a run begins with: settings, and digests of its data, as JSON values."""

_DATA = {
    "labels": "the labels",
    "photos": "the photos",
    "splits": "the splits",
    "targets": "the targets",
    "content": "the content of the photos",
    "vectors": "the word vectors (`vectors`)",
    "init": "the initial model (`init`)",
}


class SavedState(NamedTuple):
    """A state to resume from.

    Attributes:
        state: Tensors and plain values, as saved.
        damaged: Newer files that are truncated or changed.
    """

    state: dict[str, Any]
    damaged: list[Path]


def is_unfinished(run: Path) -> bool:
    """Return whether the folder has a run that did not finish.

    Args:
        run: The run folder.

    Example:
        >>> from pathlib import Path
        >>> is_unfinished(Path("runs/first"))
        False
    """
    return (run / FOLDER).is_dir()


def save_state(run: Path, number: int, state: Mapping[str, Any]) -> None:
    """Write the state of a run and delete all but the two newest.

    Args:
        run: The run folder.
        number: Steps done.
        state: Tensors and plain values in dictionaries and lists.

    Raises:
        OSError: If it cannot be written; the earlier states are left.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for number in (1, 2, 3):
        ...         save_state(Path(folder), number, {"number": number})
        ...     load_state(Path(folder))
        SavedState(state={'number': 3}, damaged=[])
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getbuffer()
    with replacing(run / FOLDER / f"{number:010}-{_blake2(content)}{SUFFIX}") as temporary:
        temporary.write_bytes(content)
    for old in _newest_first(run)[KEPT:]:
        old.unlink(missing_ok=True)


def load_state(run: Path) -> SavedState | None:
    """Read the newest whole state of a run, or None if there is no state at all.

    Args:
        run: The run folder.

    Raises:
        DataError: If all states are damaged.

    Example:
        >>> from pathlib import Path
        >>> load_state(Path("runs/first")) is None  # of a finished run nothing is left
        True
    """
    damaged: list[Path] = []
    for file in _newest_first(run):
        content = file.read_bytes()
        if file.stem.rpartition("-")[2] == _blake2(content):
            return SavedState(_unpacked(file, content), damaged)
        damaged.append(file)
    if not damaged:
        return None
    msg = (
        f"expected an undamaged state to resume from in {run / FOLDER}, got damaged ones only, "
        f"such as {damaged[0].name}; delete that folder to start again"
    )
    raise DataError(msg)


def remove_states(run: Path) -> None:
    """Delete the states of a run that is finished or will start again.

    Args:
        run: The run folder.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_state(Path(folder), 1, {"number": 1})
        ...     remove_states(Path(folder))
        ...     load_state(Path(folder)) is None
        True
    """
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def origin_of(
    recipe: Recipe,
    annotations: Annotations,
    *,
    hashes: Mapping[Path, bytes] | None = None,
    vectors: Path | None = None,
    init: str | None = None,
    unjudged: Sequence[Path] = (),
) -> Origin:
    """Describe what a run begins with.

    Args:
        recipe: System and settings.
        annotations: Rows with splits; test rows are ignored, as a run does not read them.
        hashes: Content hash of every training and validation photo, if known.
        vectors: File of word vectors, if any.
        init: Digest of the initial weights, if any.
        unjudged: Photos that are trained on without labels; their content counts if it is known.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.systems.catalogue import RECIPES
        >>> rows = ts.read_annotations("labels.csv")
        >>> origin_of(RECIPES["gcam-cpu"], rows)["system"]
        'gcam'
    """
    used = [i for i, split in enumerate(annotations.splits or ()) if split != "test"]
    annotations = annotations.select(used)
    paths = (*annotations.paths, *unjudged)
    contents = [hashes[path].hex() for path in paths] if hashes else None
    return {
        "system": recipe.system,
        "settings": {
            "system": recipe.settings.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
        },
        "labels": _sha256(annotations.names),
        "photos": _sha256(annotations.relative_names),
        "splits": _sha256(annotations.splits),
        "targets": hashlib.sha256(annotations.targets.contiguous().numpy().tobytes()).hexdigest(),
        "content": _sha256(contents),
        "vectors": None if vectors is None else sha256_of(vectors).hex(),
        "init": init,
    }


def origin_changes(before: Origin, after: Origin) -> list[str]:
    """List the differences between two origins, each as words for a message.

    Args:
        before: What the run began with.
        after: What it is to continue with.

    Example:
        >>> one = {"system": "gcam", "settings": {"training": {"lr": 0.1}}, **dict.fromkeys(_DATA)}
        >>> origin_changes(one, one | {"settings": {"training": {"lr": 0.2}}, "photos": "ab"})
        ['`training.lr` is 0.2, was 0.1', 'the photos changed']
    """
    if before["system"] != after["system"]:
        return [f"the system is {after['system']}, was {before['system']}"]
    old, new = dict(_flattened(before["settings"])), dict(_flattened(after["settings"]))
    settings = [
        f"`{name}` is {new.get(name)!r}, was {old.get(name)!r}"
        for name in old | new
        if old.get(name) != new.get(name)
    ]
    data = [f"{words} changed" for key, words in _DATA.items() if before[key] != after[key]]
    return settings + data


def _unpacked(file: Path, content: bytes) -> dict[str, Any]:
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        msg = f"{file}: expected a state that tagsight wrote; delete it to resume from another"
        raise DataError(msg) from error
    return dict(state)


def _newest_first(run: Path) -> list[Path]:
    return sorted((run / FOLDER).glob(f"[0-9]*{SUFFIX}"), reverse=True)


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _blake2(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
