"""Tag a collection: a line for every photo as it comes, or a sidecar beside it."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from tagsight.errors import DataError
from tagsight.runtime.escaping import csv_line, csv_list, printable
from tagsight.runtime.files import replacing
from tagsight.runtime.threads import batched
from tagsight.tagging.sidecars.edit import Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from tagsight.inference.recognizer import OnError, PhotoLike
    from tagsight.inference.result import Label, PhotoLabels
    from tagsight.tagging.sidecars.writing import Outcome, Writer

Form = Literal["text", "csv", "json", "jsonl"]

DIGITS = 6
"""Of scores in files; more would be noise."""


class Tagger(Protocol):
    """What says which labels photos have, here or elsewhere."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it knows."""

    @property
    def batch_size(self) -> int:
        """Photos that it takes together."""

    def recognize(
        self, photos: Iterable[Path], *, on_error: OnError | None = None
    ) -> Iterator[PhotoLabels]:
        """Recognise photos, in their order, but for those that ``on_error`` is called with."""


class Problem(NamedTuple):
    """A photo that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Tagged:
    """What came of a collection.

    Args:
        photos: How many were tagged.
        left_out: How many could not be.
        interrupted: Whether somebody ended it before its time.
        changed: How many sidecars were changed, or in a dry run would be.
    """

    photos: int
    left_out: int
    interrupted: bool
    changed: int = 0


@dataclass(frozen=True)
class Selection:
    """Which labels of a photo are taken.

    Args:
        top: The best so many, whatever their scores, instead of those that reach their threshold.
        only: Labels that are taken, and no others; empty for all.
        never: Labels that are not taken.
    """

    top: int | None = None
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    def check(self, names: Sequence[str]) -> None:
        """Make sure that labels are meant that there are.

        Raises:
            DataError: If one is not among ``names``.
        """
        if unknown := sorted((self.only | self.never) - set(names)):
            msg = (
                f"expected labels of the model, such as {list(names[:3])!r}, "
                f"got {', '.join(map(repr, unknown))}"
            )
            raise DataError(msg)

    def names(self, names: Sequence[str]) -> list[str]:
        """Those of a model's labels that may be taken."""
        return [n for n in names if n not in self.never and (not self.only or n in self.only)]

    def labels(self, result: PhotoLabels) -> list[Label]:
        """The labels of a photo, the best first."""
        every = result.labels if self.top is None else result.ranked()
        meant = set(self.names([label.name for label in every]))
        return [label for label in every if label.name in meant][: self.top]


@dataclass(frozen=True)
class Lines:
    """How results are written.

    Args:
        form: ``jsonl``: an object a line, with ``path``, ``labels`` and perhaps ``scores``;
            ``json``: an array of these; ``csv``: columns ``path`` and ``labels``, these separated
            by ``;``, and perhaps one column of scores per label; ``text``: for people.
        selection: Which labels are taken.
        all_scores: Whether the score of every label is given as well.
    """

    form: Form = "text"
    selection: Selection = Selection()
    all_scores: bool = False

    def header(self, names: Sequence[str]) -> str:
        """What comes before the first line."""
        if self.form == "json":
            return "["
        if self.form != "csv":
            return ""
        return csv_line(["path", "labels", *(names if self.all_scores else ())])

    @property
    def footer(self) -> str:
        """What comes behind the last line."""
        return "\n]\n" if self.form == "json" else ""

    def line(self, result: PhotoLabels, *, first: bool = True) -> str:
        """The line of one photo, with its end."""
        labels = self.selection.labels(result)
        scores = _scores(result) if self.all_scores else {}
        path = str(result.path)
        if self.form == "json":
            return ("\n" if first else ",\n") + _json(path, labels, scores)
        if self.form == "jsonl":
            return _json(path, labels, scores) + "\n"
        if self.form == "csv":
            return csv_line([path, csv_list([label.name for label in labels]), *scores.values()])
        shown = result.ranked() if self.all_scores else labels
        return _text_line(path, shown, {label.name for label in result.labels})


def tag_photos(
    tagger: Tagger,
    photos: Iterable[Path],
    out: Path | TextIO,
    lines: Lines,
    *,
    on_photo: Callable[[Path], object] | None = None,
    on_problem: Callable[[Problem], object] | None = None,
) -> Tagged:
    """Write a line for each of many photos, in memory that their number leaves alone.

    Ctrl-C ends it after a whole line; what is done is kept. A file appears under its name at the
    end, and until then the one before stays.

    Args:
        tagger: The model at work, such as a `Recognizer`.
        photos: As `find_photos` gives them, drawn one by one.
        out: A file, or a stream such as standard output.
        lines: What is written.
        on_photo: Called with every photo once it is done, tagged or not.
        on_problem: Called with every photo that is left out.

    Raises:
        DataError: If ``out`` is a folder, or a label is selected that the model does not know,
            before anything is written.
    """
    lines.selection.check(tagger.labels)
    if isinstance(out, Path) and out.is_dir():
        msg = f"expected a file to write the labels to, got the folder {out}"
        raise DataError(msg)
    left_out = _LeftOut(on_photo, on_problem)
    tagged, interrupted = 0, False
    with _writing(out) as write:
        try:
            write(lines.header(tagger.labels))
            for result in tagger.recognize(photos, on_error=left_out):
                write(lines.line(result, first=tagged == 0))
                tagged += 1
                if on_photo is not None and result.path is not None:
                    on_photo(result.path)
        except KeyboardInterrupt:
            interrupted = True
        write(lines.footer)
    return Tagged(tagged, left_out.count, interrupted)


def tag_sidecars(
    tagger: Tagger,
    photos: Iterable[Path],
    writer: Writer,
    selection: Selection,
    *,
    on_photo: Callable[[Path], object] | None = None,
    on_problem: Callable[[Problem], object] | None = None,
    on_change: Callable[[Outcome], object] | None = None,
) -> Tagged:
    """Write the labels of photos into their sidecars, in memory that their number leaves alone.

    Ctrl-C ends it between two batches; what is done is kept, and the same once more goes on.

    Args:
        tagger: The model at work, such as a `Recognizer`.
        photos: As `find_photos` gives them, drawn one by one.
        writer: Where and how they are written.
        selection: Which labels are taken.
        on_photo: Called with every photo once it is done, tagged or not.
        on_problem: Called with every photo that is left out, and every sidecar that is left alone.
        on_change: Called with what became of every sidecar that changes, or in a dry run would.

    Raises:
        DataError: If a label is selected that the model does not know.
    """
    selection.check(tagger.labels)
    left_out = _LeftOut(on_photo, on_problem)
    tagged, changed, interrupted = 0, 0, False
    try:
        results = tagger.recognize(photos, on_error=left_out)
        for batch in batched(results, tagger.batch_size):
            labels = [(_path(result), selection.labels(result)) for result in batch]
            for outcome in writer.write([(p, [Tag(*one) for one in found]) for p, found in labels]):
                if outcome.problem:
                    left_out.add(Problem(outcome.photo, f"{outcome.photo}: {outcome.problem}"))
                    continue
                tagged += 1
                if outcome.added:
                    changed += 1
                    if on_change is not None:
                        on_change(outcome)
                if on_photo is not None:
                    on_photo(outcome.photo)
    except KeyboardInterrupt:
        interrupted = True
    return Tagged(tagged, left_out.count, interrupted, changed)


def shard(photos: Iterable[Path], part: int, parts: int) -> Iterator[Path]:
    """The photos of one of several parts, by their paths: the same whoever else works.

    Photos of one name but for the ending, which may share a sidecar, are in one part.

    Args:
        photos: All of them.
        part: From 1 to ``parts``.
        parts: How many.
    """
    names = ((photo, os.fsencode(photo.with_suffix(""))) for photo in photos)
    return (photo for photo, name in names if zlib.crc32(name) % parts == part - 1)


class _LeftOut:
    """Counts and tells the photos that are left out; a recogniser calls it."""

    def __init__(
        self,
        on_photo: Callable[[Path], object] | None,
        on_problem: Callable[[Problem], object] | None,
    ) -> None:
        self.count = 0
        self._on_photo = on_photo
        self._on_problem = on_problem

    def __call__(self, photo: PhotoLike, error: DataError) -> None:
        assert isinstance(photo, Path)
        self.add(Problem(photo, str(error)))

    def add(self, problem: Problem) -> None:
        self.count += 1
        if self._on_problem is not None:
            self._on_problem(problem)
        if self._on_photo is not None:
            self._on_photo(problem.path)


def _path(result: PhotoLabels) -> Path:
    assert result.path is not None
    return result.path


@contextmanager
def _writing(out: Path | TextIO) -> Iterator[Callable[[str], object]]:
    """A function that writes whole lines at once: an interruption falls between two."""
    if isinstance(out, Path):
        with replacing(out) as temporary, temporary.open("wb", buffering=0) as file:
            yield lambda line: file.write(line.encode("utf-8", "backslashreplace"))
        return

    def write(line: str) -> None:
        encoding = out.encoding or "utf-8"
        out.write(line.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()

    yield write


def _scores(result: PhotoLabels) -> dict[str, float]:
    return {
        name: round(float(score), DIGITS)
        for name, score in zip(result.names, result.scores, strict=True)
    }


def _json(path: str, labels: Sequence[Label], scores: dict[str, float]) -> str:
    named = [{"name": label.name, "score": round(label.score, DIGITS)} for label in labels]
    values = {"path": path, "labels": named} | ({"scores": scores} if scores else {})
    return json.dumps(values)


def _text_line(path: str, shown: Sequence[Label], found: set[str]) -> str:
    words = [
        f"{label.name} {label.score:.2f}"
        if label.name in found
        else f"({label.name} {label.score:.2f})"
        for label in shown
    ]
    return printable(f"{path}: {', '.join(words) or 'no label found'}") + "\n"
