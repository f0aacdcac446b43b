"""What an index says of itself, and what is said of one that is not sound."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagsight.data.source import check_labels
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
FACTS = "index.json"
LARGEST = 2**26
"""Bytes of the file."""

LONGEST = 2**16
"""Numbers of an embedding."""

_PLACE = re.compile(r",? /\S+\.rs:\d+.*", re.DOTALL)
"""Where in LanceDB's own source an error was raised."""


@dataclass(frozen=True)
class Facts:
    """By what an index was made.

    Args:
        folder: Of the model.
        model: Digest of its weights and settings.
        names: Its ``L`` labels.
        thresholds: Of each.
        length: ``D`` of an embedding.
    """

    folder: str
    model: str
    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    length: int


class _Versioned(BaseModel):
    version: int


class _Content(_Versioned):
    """The file, whose version is known."""

    model_config = ConfigDict(strict=True)

    folder: str
    model: str
    names: list[str] = Field(min_length=1)
    thresholds: list[float]
    length: int = Field(ge=1, le=LONGEST)


def read_facts(folder: Path) -> Facts:
    """Read what an index says of itself.

    Raises:
        DataError: If there is no index, or it is damaged or of another version.
    """
    file = folder / FACTS
    if not file.is_file():
        msg = f"expected the folder of an index, got {folder}: 'tagsight index' makes one"
        raise DataError(msg)
    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1)
    try:
        if len(text) > LARGEST:
            msg = f"expected at most {LARGEST:,} bytes, got more"
            raise DataError(msg)
        version = _Versioned.model_validate_json(text).version
        if version == VERSION:
            return _facts(_Content.model_validate_json(text))
    except (ValidationError, DataError) as error:
        msg = f"{file}: expected what 'tagsight index' writes, got something else"
        raise DataError(msg) from error
    msg = f"{file}: expected an index of version {VERSION}, got {version}: make it again"
    raise DataError(msg)


def _facts(content: _Content) -> Facts:
    if len(content.names) != len(content.thresholds):
        msg = f"expected a threshold for each label, got {len(content.thresholds)}"
        raise DataError(msg)
    return Facts(
        content.folder,
        content.model,
        tuple(check_labels(content.names)),
        tuple(content.thresholds),
        content.length,
    )


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Say in a sentence what LanceDB raises of an index, which may be any kind of error.

    Raises:
        DataError: If the block raises anything but that.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except BaseException as error:
        # Rust's panics are no Exception, and of a type that cannot be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = _PLACE.sub("", str(error)).strip().partition("\n")[0]
        msg = (
            f"{folder}: expected an index that can be read and written, got: "
            f"{reason or type(error).__name__:.300}; if it is damaged, delete it and make it again"
        )
        raise DataError(msg) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what a panic of LanceDB prints by itself from the terminal; `told` says it in words.

    It holds for the whole process, so that nothing else should be at work.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
