"""What a run that tags has done so far, counted and reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.data.photos.check import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tagsight.errors import DataError
    from tagsight.inference.recognizer import PhotoLike
    from tagsight.tagging.unfinished import Done


class Progress:
    """Counts and reports photos that are tagged or left out; it is an ``on_error``.

    Args:
        on_photo: Called with each photo when it is done.
        on_problem: Called with each photo that is left out.

    Attributes:
        tagged: Number of photos tagged.
        left_out: Number of photos left out.
        resumed: Number of both that an earlier run had done.

    Example:
        >>> progress = Progress(print, None)
        >>> progress.tag(Path("a.jpg"))
        a.jpg
        >>> progress.tagged, progress.left_out
        (1, 0)
    """

    def __init__(
        self,
        on_photo: Callable[[Path], object] | None,
        on_problem: Callable[[Problem], object] | None,
    ) -> None:
        self.tagged = self.left_out = self.resumed = 0
        self._on_photo = on_photo or _nothing
        self._on_problem = on_problem or _nothing

    def __call__(self, photo: PhotoLike, error: DataError) -> None:
        """Leave out a photo that cannot be read."""
        assert isinstance(photo, Path)
        self.leave_out(Problem(photo, str(error)))

    def tag(self, photo: Path) -> None:
        """Count a photo that is tagged."""
        self.tagged += 1
        self._on_photo(photo)

    def leave_out(self, problem: Problem) -> None:
        """Count a photo that is left out."""
        self.left_out += 1
        self._on_problem(problem)
        self._on_photo(problem.path)

    def earlier(self, one: Done) -> None:
        """Count a photo that an earlier run has done."""
        self.resumed += 1
        if one.problem is None:
            self.tag(one.path)
        else:
            self.leave_out(Problem(one.path, one.problem))


def _nothing(_: object) -> None:
    pass
