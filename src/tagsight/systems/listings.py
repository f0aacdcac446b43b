"""Systems and recipes as Python users look them up: ``tagsight.systems()``, ``recipes()``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Generic, TypeVar

from tagsight.errors import DataError
from tagsight.systems.catalogue import RECIPES, SYSTEMS, installed
from tagsight.systems.settings import known_recipe, suggestion

if TYPE_CHECKING:
    from tagsight.config import Recipe
    from tagsight.systems.base import System

Value = TypeVar("Value")


class UnknownNameError(DataError, KeyError):
    """A name that is not in a listing; the message says which one may be meant."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Listing(Mapping[str, Value], Generic[Value]):
    """A mapping that is printed as a table."""

    def rows(self) -> list[tuple[str, str]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        rows = self.rows()
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td><code>{escape(name)}</code></td>"
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in self.rows()
        )
        return f"<table>{cells}</table>"


class _Systems(_Listing["type[System]"]):
    def __getitem__(self, name: str) -> type[System]:
        if name in SYSTEMS:
            return SYSTEMS[name]
        msg = f"expected the name of a system, got {name!r}; {suggestion(name, SYSTEMS)}"
        raise UnknownNameError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(SYSTEMS)

    def __len__(self) -> int:
        return len(SYSTEMS)

    def rows(self) -> list[tuple[str, str]]:
        return [(one.name, one.summary) for one in installed().systems]


class _Recipes(_Listing["Recipe"]):
    def __getitem__(self, name: str) -> Recipe:
        try:
            return known_recipe(name)
        except DataError as error:
            raise UnknownNameError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(RECIPES)

    def __len__(self) -> int:
        return len(RECIPES)

    def rows(self) -> list[tuple[str, str]]:
        return [(one.name, one.use) for one in installed().recipes]


def systems() -> Mapping[str, type[System]]:
    """Give every system by name; looking one up imports it.

    Example:
        >>> systems()["gcam"].__name__
        'GCAM'
        >>> systems()["gcan"]
        Traceback (most recent call last):
        ...
        tagsight.systems.listings.UnknownNameError: expected the name of a system, got 'gcan'; did \
you mean 'gcam'?
    """
    return _Systems()


def recipes() -> Mapping[str, Recipe]:
    """Give every recipe by name; the name of a system means its first recipe, for a processor.

    Example:
        >>> recipes()["gcam"].name
        'gcam-cpu'
        >>> "gcam-cpu" in recipes()
        True
    """
    return _Recipes()
