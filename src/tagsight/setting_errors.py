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
    told = [_sentence(one, spelled or {}, table) for one in found[:MOST_TOLD]]
    more = [f"and {len(found) - MOST_TOLD:,} more"] if len(found) > MOST_TOLD else []
    return "; ".join(told + more)


def _sentence(error: Mapping[str, Any], spelled: Mapping[Place, str], table: Place) -> str:
    if error["type"] == "value_error":  # our own, which names the setting
        return str(error["msg"]).removeprefix("Value error, ")
    path = (*table, *map(str, error["loc"]))
    # An element of a list is named by its list.
    place = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in spelled), path)
    expected = re.sub("^Input should be (?=greater|less)", "expected a value ", error["msg"])
    expected = re.sub("^Input should be ", "expected ", expected)
    name = spelled.get(place, ".".join(place))
    return f"{name}: {expected}, got {error['input']!r:.100}"
