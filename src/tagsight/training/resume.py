"""The state of a run on disk, so that it can go on after whatever ended it.

A run folder has ``resume`` for as long as the run is unfinished, and in it two states, the newest
and the one before. A state's name holds the digest of its content: one that is truncated or changed
is recognised, and the other is used. Nothing in it can run code (``weights_only``).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from tagsight.errors import DataError
from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = "resume"
SUFFIX = ".state"
KEPT = 2


class Found(NamedTuple):
    """A state to go on from.

    Attributes:
        state: As it was saved.
        damaged: Newer files that are truncated or changed.
    """

    state: dict[str, Any]
    damaged: list[Path]


def is_unfinished(run: Path) -> bool:
    """Whether a run was begun in a folder and did not come to its end."""
    return (run / FOLDER).is_dir()


def save_state(run: Path, number: int, state: Mapping[str, Any]) -> None:
    """Write the state of a run after so many steps.

    Args:
        run: The run folder.
        number: Steps done.
        state: Tensors and plain values in dictionaries and lists.

    Raises:
        OSError: If it cannot be written; the states before are left.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getbuffer()
    with replacing(run / FOLDER / f"{number:010}-{_digest(content)}{SUFFIX}") as temporary:
        temporary.write_bytes(content)
    for old in _states(run)[KEPT:]:
        old.unlink()


def load_state(run: Path) -> Found | None:
    """Read the newest state of a run that is whole, or None if there is no state at all.

    Raises:
        DataError: If all are damaged.
    """
    damaged: list[Path] = []
    for file in _states(run):
        content = file.read_bytes()
        if file.stem.rpartition("-")[2] == _digest(content):
            return Found(_loaded(file, content), damaged)
        damaged.append(file)
    if not damaged:
        return None
    msg = (
        f"expected a whole state to go on from in {run / FOLDER}, got damaged ones only, such as "
        f"{damaged[0].name}; delete the folder to begin anew"
    )
    raise DataError(msg)


def remove_states(run: Path) -> None:
    """Remove what a finished run needs no more, or what another run left."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _loaded(file: Path, content: bytes) -> dict[str, Any]:
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        msg = f"{file}: expected a state that tagsight wrote; delete it to go on from another"
        raise DataError(msg) from error
    return dict(state)


def _states(run: Path) -> list[Path]:
    """The newest first."""
    return sorted((run / FOLDER).glob(f"[0-9]*{SUFFIX}"), reverse=True)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
