"""Description of an index on disk, and errors of damaged indexes."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagsight.data.source import check_labels
from tagsight.errors import FULL, DataError
from tagsight.runtime.files import quoted_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
FACTS = "index.json"
LARGEST = 2**26
"""Most bytes of the file."""

LONGEST = 2**16
"""Largest dimension of an embedding."""

_PLACE = re.compile(r",? /\S+\.rs:\d+.*", re.DOTALL)
"""Position in the source of LanceDB, which it appends to its errors."""


@dataclass(frozen=True)
class Facts:
    """Model that an index was made with.

    Args:
        folder: Folder of the model.
        model: Digest of the weights and settings.
        names: The ``L`` labels.
        thresholds: Threshold of each label.
        length: Dimension ``D`` of embeddings.
    """

    folder: str
    model: str
    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    length: int


class _Versioned(BaseModel):
    version: int


class _Content(_Versioned):
    """Content of the file in the current version."""

    model_config = ConfigDict(strict=True)

    folder: str
    model: str
    names: list[str] = Field(min_length=1)
    thresholds: list[float]
    length: int = Field(ge=1, le=LONGEST)


def read_facts(folder: Path) -> Facts:
    """Read the description of an index.

    Raises:
        DataError: If there is no index, or it is damaged or of another version.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> made = ts.index("runs/first/model", "photos", out="runs/facts", progress=False)
        >>> read_facts(Path("runs/facts")).names
        ('dog', 'sky')
    """
    file = folder / FACTS
    if not file.is_file():
        msg = f"expected the folder of an index, got {folder}: `tagsight.index()` makes one"
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
        msg = f"{file}: expected the description of an index, got something else"
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
def lancedb_errors(folder: Path) -> Iterator[None]:
    """Turn any error that LanceDB raises within the block into a `DataError`.

    Raises:
        DataError: If the block raises an error.
        OSError: If the disk is full.

    Example:
        >>> from pathlib import Path
        >>> try:
        ...     with lancedb_errors(Path("index")):
        ...         raise RuntimeError("no such table")
        ... except DataError as error:
        ...     print(str(error).partition(";")[0])
        index: expected an index that can be read and written, got: no such table
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except BaseException as error:
        # A panic in Rust is not an Exception, and its type cannot be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if (disk := quoted_os_error(str(error))) is not None and disk.errno in FULL:
            raise OSError(disk.errno, disk.strerror, str(folder)) from error
        reason = _PLACE.sub("", str(error)).strip().partition("\n")[0]
        msg = (
            f"{folder}: expected an index that can be read and written, got: "
            f"{reason or type(error).__name__:.300}; if it is damaged, delete it and make it again"
        )
        raise DataError(msg) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what a panic in LanceDB writes to the terminal.

    This redirects standard error of the whole process, so no other thread should be running.

    Example:
        >>> with quiet():
        ...     _ = os.write(2, b"a panic")
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
