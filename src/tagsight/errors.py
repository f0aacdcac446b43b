"""The errors that commands and the server must tell apart from a defect."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError

MOST_TOLD = 5
"""Mistakes of a file that are told; it may have a million."""

Place = tuple[str, ...]
"""Where a setting is: ``("system", "graph", "epsilon")``."""


class DataError(ValueError):
    """Something a user gave cannot be used; the message says what, where, and what to do.

    Example:
        >>> import tagsight as ts
        >>> try:
        ...     ts.load("nowhere")
        ... except ts.DataError as error:
        ...     print(error)
        expected a model folder at nowhere, which does not exist
    """


class TooLargeError(DataError):
    """Something is larger than it may be.

    Example:
        >>> issubclass(TooLargeError, DataError)
        True
    """


class UnknownFormatError(DataError):
    """Something is not of the kind that was expected."""


class RankError(DataError):
    """One of several processes met what the others did not, and must say so itself."""


def missing_extra(extra: str, purpose: str) -> DataError:
    """Return the error that says which extra to install.

    Args:
        extra: The extra of this package.
        purpose: What it is needed for, such as "for an index".

    Example:
        >>> print(missing_extra("search", "for an index"))
        expected the extra 'search' for an index: pip install 'tagsight[search]'
    """
    return DataError(f"expected the extra {extra!r} {purpose}: pip install 'tagsight[{extra}]'")


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Name the extra to install if an import in the block fails.

    Args:
        extra: The extra that brings what is imported.
        purpose: What it is needed for, such as "for an index".

    Raises:
        DataError: If an import fails.

    Example:
        >>> with needs_extra("search", "for an index"):
        ...     import a_package_that_is_missing
        Traceback (most recent call last):
            ...
        tagsight.errors.DataError: expected the extra 'search' for an index: pip install \
'tagsight[search]'
    """
    try:
        yield
    except ImportError as error:
        raise missing_extra(extra, purpose) from error


TORCH = frozenset({"torch", "torchvision", "timm", "safetensors"})
"""What the extra ``torch`` brings: all but the use of exported files needs it."""


LONGEST_MESSAGE = 4_000
"""Characters."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk, or a user's share of it, that is full."""


def user_message(error: Exception) -> str | None:
    """One line for an error that a user can mend; None for a defect of ours.

    Example:
        >>> user_message(DataError("expected a photo, got a film"))
        'expected a photo, got a film'
        >>> user_message(FileNotFoundError(2, "No such file", "photo.jpg"))
        'photo.jpg: No such file'
        >>> user_message(KeyError("a defect")) is None
        True
    """
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        remedy = "; make room, or write to another disk" if error.errno in FULL else ""
        return f"{place}{error.strerror or error}{remedy}"
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        return f"expected a path without links in a circle, got one: {error}"
    if isinstance(error, DataError | FloatingPointError):
        said = str(error)  # which may quote a file
        return said if len(said) <= LONGEST_MESSAGE else f"{said[: LONGEST_MESSAGE - 3]}..."
    if isinstance(error, ModuleNotFoundError) and error.name in TORCH:
        return (
            f"expected the extra 'torch' for this, got no {error.name}: "
            "pip install 'tagsight[torch]', or give a file that 'tagsight export' wrote"
        )
    if _lacks_memory(error):
        return (
            "the memory is full; end other programs, or in training try a lower "
            "`training.batch_size` or `training.image_size`"
        )
    from pydantic import ValidationError

    return settings_sentence(error) if isinstance(error, ValidationError) else None


def _lacks_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that it followed, is of memory that is full.

    Libraries have their own errors for it, which must not be imported to be told from others.
    """
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if "allocate memory" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def settings_sentence(
    error: ValidationError,
    spelled: Mapping[Place, str] | None = None,
    table: Place = (),
) -> str:
    """Describe in one sentence what pydantic found.

    Args:
        error: What pydantic raised.
        spelled: Settings as the user wrote them, by their path.
        table: Place of what was validated.

    Example:
        >>> from pydantic import ValidationError
        >>> from tagsight.config import TrainConfig
        >>> try:
        ...     TrainConfig(epochs="many")
        ... except ValidationError as error:
        ...     print(settings_sentence(error, table=("training",)))
        training.epochs: expected a valid integer, unable to parse string as an integer, got 'many'
    """
    found = error.errors(include_url=False, include_context=False)
    parts: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for one in found[:MOST_TOLD]:
        if one["type"] == "value_error":  # our own, which names the setting
            parts.append(str(one["msg"]).removeprefix("Value error, "))
            continue
        wanted, where = _wanted(one["msg"]), (_name(one["loc"], spelled or {}, table), _came(one))
        if where in seen:  # a value that is of neither of two kinds
            parts[seen[where]] += f" or {wanted.removeprefix('expected ')}"
        else:
            seen[where] = len(parts)
            parts.append(f"{where[0]}: {wanted}")
    for (_, came), place in seen.items():
        parts[place] += f", got {came}"
    more = [f"and {len(found) - MOST_TOLD:,} more"] if len(found) > MOST_TOLD else []
    return "; ".join(parts + more)


def _name(loc: tuple[int | str, ...], spelled: Mapping[Place, str], table: Place) -> str:
    path = (*table, *map(str, loc))
    # An element of a list is named by its list.
    place = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in spelled), path)
    return spelled.get(place, ".".join(place))


def _wanted(message: str) -> str:
    expected = re.sub("^Input should be (?=greater|less)", "expected a value ", message)
    return re.sub("^Input should be ", "expected ", expected)


def _came(error: Mapping[str, Any]) -> str:
    return f"{error['input']!r:.100}"
