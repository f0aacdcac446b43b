"""Columns of 1 and 0 that say what people did with a row, and nothing of its photo."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from tagsight.data.tables.names import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

_BEFORE = re.compile(r"^(?:is|was|has|hasbeen|ishuman|human|manually)(?=\w{4})")
"""Words in front of a flag, as in ``is_verified``."""

_PREDICTED = re.compile(
    r"(?:predicted|prediction|pred)(.+)|(.+?)(?:predicted|prediction|pred|prob|probability|score)"
)
"""Name of a column, as `key_of` gives it, of what a model says of a label."""

FLAGS = frozenset(
    {"reviewed", "verified", "checked", "approved", "confirmed", "validated", "annotated"}
    | {"labeled", "labelled", "unlabeled", "unlabelled", "skipped", "skip", "excluded", "exclude"}
    | {"ignored", "ignore", "deleted", "archived", "published", "exported", "uploaded", "synced"}
    | {"needsreview", "toreview", "reviewneeded", "reviewstatus", "corrected", "exif", "gps"}
    | {"geprüft", "überprüft", "bestätigt", "vérifié", "validé", "relu", "revisado", "verificado"}
    | {"validado", "revisto", "verificato", "проверено", "已审核", "已检查", "確認済み"}
)
"""Names of columns, as `key_of` gives them, that are flags of rows if others hold targets."""

MAYBE_FLAGS = frozenset(
    {"done", "finished", "completed", "complete", "processed", "ok", "okay", "good", "bad"}
    | {"pass", "passed", "keep", "use", "used", "usable", "gold", "selected", "duplicate"}
    | {"duplicated", "flag", "flagged", "qc", "qa", "starred", "favorite", "favourite", "public"}
    | {"private", "hidden", "sex", "gender", "consent", "badquality", "goodquality"}
)
"""Names of columns that may be flags of rows, or labels."""


def row_flags(names: Iterable[str]) -> set[str]:
    """Return which columns of targets are flags of rows; none if there are no others.

    Args:
        names: Names of all columns of targets.

    Example:
        >>> row_flags(["dog", "is_verified", "sky"]), row_flags(["approved"])
        ({'is_verified'}, set())
    """
    columns = list(names)
    flags = {name for name in columns if is_row_flag(name)}
    return flags if len(flags) < len(columns) else set()


def predictions(names: Iterable[str]) -> set[str]:
    """Return which columns of targets are what a model says, as ``dog_pred`` beside ``dog``.

    Args:
        names: Names of all columns of targets.

    Example:
        >>> sorted(predictions(["dog", "dog_pred", "Predicted sky", "sky", "cat_pred"]))
        ['Predicted sky', 'dog_pred']
    """
    columns = {name: key_of(name) for name in names}
    keys = set(columns.values())
    found = {name: _PREDICTED.fullmatch(key) for name, key in columns.items()}
    return {name for name, match in found.items() if match and (match[1] or match[2]) in keys}


def is_row_flag(name: str) -> bool:
    """Return whether a column's name is that of a flag of rows.

    Example:
        >>> [name for name in ("Reviewed", "is_verified", "is_dog", "ok") if is_row_flag(name)]
        ['Reviewed', 'is_verified']
    """
    key = key_of(name)
    return key in FLAGS or _BEFORE.sub("", key) in FLAGS


def log_row_flags(source: object, flags: Iterable[str], labels: Iterable[str]) -> None:
    """Log which columns are no labels as flags of rows, and which labels may be such flags.

    Args:
        source: What messages call the table.
        flags: The columns that are not used.
        labels: The labels.

    Example:
        >>> log_row_flags("table.csv", ["reviewed"], ["dog", "ok"])
    """
    for name in flags:
        logger.warning(
            "%s: %r is taken for a flag of rows, as of a review, and no label; all rows are read, "
            "whatever it says",
            *(source, name),
        )
    columns = list(labels)
    for name in columns if len(columns) > 1 else []:
        key = key_of(name)
        if key in MAYBE_FLAGS or _BEFORE.sub("", key) in MAYBE_FLAGS:
            logger.warning(
                "%s: %r is read as a label; if it says something of the row and nothing that is to "
                "be seen in the photo, leave it out with `ignore`",
                *(source, name),
            )
