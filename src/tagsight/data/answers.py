"""Labels that are answers to questions, as attributes and classifications of annotation tools."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from tagsight.data.source import clean_name
from tagsight.data.tables.names import UNKNOWN, target_of

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

_NUMBERS = frozenset("0123456789.-+")


class Answers:
    """The labels that answers to questions are.

    An answer is a label. If several questions have it, the question is part of the name; if it is
    yes, the question is the label.

    Args:
        source: The file, for messages.

    Example:
        >>> from pathlib import Path
        >>> answers = Answers(Path("via.json"))
        >>> pairs = [("front", "dog"), ("back", "dog"), ("indoor", "yes"), ("indoor", "no")]
        >>> given = [pair for pair in pairs if answers.add(*pair)]
        >>> [answers.label(*pair) for pair in given]
        ['front: dog', 'back: dog', 'indoor']
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._questions: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, question: str, answer: str) -> bool:
        """Note an answer, and return whether it says that a label is present."""
        target = None if set(answer) <= _NUMBERS else target_of(answer)
        if target in {0, UNKNOWN} or not answer.strip():
            return False
        self._questions[self._answer(question, answer)].add(self._clean(question))
        return True

    def label(self, question: str, answer: str) -> str:
        """Return the label that an answer is, once all were added."""
        name, question = self._answer(question, answer), self._clean(question)
        if len(self._questions[name]) > 1:
            return f"{question}: {name}"
        return name

    def log(self) -> None:
        """Log which questions the labels answer."""
        questions = sorted(set().union(*self._questions.values()))
        if questions:
            shown = ", ".join(map(repr, questions[:5]))
            logger.info("%s: labels are the values of %s", self._source, shown)

    def _answer(self, question: str, answer: str) -> str:
        is_yes = not set(answer) <= _NUMBERS and target_of(answer) == 1
        return self._clean(question if is_yes else answer)

    def _clean(self, name: str) -> str:
        return clean_name(name, str(self._source))
