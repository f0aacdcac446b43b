"""Description of an index on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagsight.data.source import check_labels
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
FACTS = "index.json"
LARGEST = 2**26
"""Most bytes of the file."""

LONGEST = 2**16
"""Largest dimension of an embedding."""


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
