"""What pydantic finds wrong with settings, in one sentence and in the user's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError

MOST_TOLD = 5
"""Mistakes of a file that are told; it may have a million."""

Place = tuple[str, ...]
"""Where a setting is: ``("system", "graph", "epsilon")``."""


def sentence(
    error: ValidationError,
    spelled: Mapping[Place, str] | None = None,
    table: Place = (),
) -> str:
    """Say in one sentence what pydantic found.

    Args:
        error: What pydantic raised.
        spelled: Settings as the user wrote them, by their path.
        table: Place of what was validated.
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
