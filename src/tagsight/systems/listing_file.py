"""Contents of the listings of systems and recipes, from a file that `make docs` writes."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from tagsight.config import Recipe


class ListedRecipe(NamedTuple):
    """A recipe's row in a listing.

    Attributes:
        name: Its name.
        system: A key of `SYSTEMS`.
        encoder: The image encoder.
        pixels: Side of the square that photos are resized to.
        minutes: Of training, where they were measured (`Recipe.minutes`).
        use: When to choose it.
    """

    name: str
    system: str
    encoder: str
    pixels: int
    minutes: float | None
    use: str

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Select the fields of a recipe that a listing shows.

        Example:
            >>> from tagsight.systems.catalogue import RECIPES
            >>> row = ListedRecipe.of(RECIPES["ml-gcn-paper"])
            >>> row.system, row.pixels
            ('ml-gcn', 448)
        """
        return cls(
            recipe.name,
            recipe.system,
            recipe.settings.backbone.name,
            recipe.training.image_size,
            recipe.minutes,
            recipe.use,
        )


class ListedSystem(NamedTuple):
    """The entry of a system in a listing.

    Attributes:
        name: A key of `SYSTEMS`.
        summary: What it is, in a sentence.
        paper: DOI or URL.
    """

    name: str
    summary: str
    paper: str


class Listing(NamedTuple):
    """Systems and recipes as the commands print them."""

    systems: tuple[ListedSystem, ...]
    recipes: tuple[ListedRecipe, ...]


@cache
def listing() -> Listing:
    """Read what is printed of all systems and recipes of this package, without importing one.

    Example:
        >>> {one.name: one.paper for one in listing().systems}["rnn-attention"]
        'https://arxiv.org/abs/1711.02816'
    """
    text = (files("tagsight.systems") / "listing.json").read_text(encoding="utf-8")
    values = json.loads(text)
    return Listing(
        tuple(ListedSystem(*row) for row in values["systems"]),
        tuple(ListedRecipe(*row) for row in values["recipes"]),
    )
