"""Numbers of things and lists of names, worded for sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

IRREGULAR = {
    "is": "are",
    "has": "have",
    "was": "were",
    "lies": "lie",
    "it": "them",
    "epoch": "epochs",
}
"""Plurals that no rule gives: of verbs and pronouns that agree with the thing counted, of nouns."""

MOST_NAMED = 10


def amount(number: int, thing: str) -> str:
    """Write a number with its noun, in the singular or plural.

    Args:
        number: The number of things.
        thing: The noun in the singular, with its adjectives.

    Example:
        >>> amount(1, "photo"), amount(1072, "training photo"), amount(0, "entry")
        ('1 photo', '1,072 training photos', '0 entries')
    """
    return f"{number:,} {agreeing(number, thing)}"


def agreeing(number: int, word: str) -> str:
    """Return the form of a word that agrees with a number.

    Args:
        number: The number of things.
        word: A noun in the singular, or a key of ``IRREGULAR``.

    Example:
        >>> agreeing(2, "is"), agreeing(1, "is"), agreeing(2, "process"), agreeing(2, "epoch")
        ('are', 'is', 'processes', 'epochs')
    """
    if number == 1:
        return word
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def data_size(count: int) -> str:
    """Write a number of bytes in the largest binary unit that it fills.

    Args:
        count: The number of bytes.

    Example:
        >>> data_size(512), data_size(300_000), data_size(64 * 2**20)
        ('512 bytes', '293 KiB', '64 MiB')
    """
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.1f}".removesuffix(".0") + f" {unit}"
    return amount(count, "byte")


def named(names: Collection[str], most: int = MOST_NAMED) -> str:
    """List names in quotes, at most the first ``most`` of them.

    Args:
        names: The names.
        most: Names to list.

    Example:
        >>> named(["dog", "cat"]), named("abc", most=2)
        ("'dog', 'cat'", "'a', 'b' and 1 more")
    """
    first = ", ".join(repr(name) for name, _ in zip(names, range(most), strict=False))
    more = len(names) - most
    return f"{first} and {more:,} more" if more > 0 else first
