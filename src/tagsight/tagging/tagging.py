"""Tag a collection: write a line per photo, a sidecar beside each, or keywords into each."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from tagsight.data.photos.check import Problem
from tagsight.data.photos.deaths import watched
from tagsight.data.remote.places import shown
from tagsight.errors import DataError
from tagsight.runtime.escaping import csv_line, csv_list, printable
from tagsight.runtime.threads import batched, in_background
from tagsight.tagging.progress import Progress
from tagsight.tagging.sidecars.edit import Tag
from tagsight.tagging.unfinished import written_lines
from tagsight.tagging.unfinished_run import described, unfinished_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from tagsight.inference.recognizer import OnError, PhotoLike
    from tagsight.inference.result import Label, PhotoLabels
    from tagsight.tagging.sidecars.writing import Outcome
    from tagsight.tagging.unfinished_run import TagWriter

Form = Literal["text", "csv", "json", "jsonl"]

TOGETHER = 256
"""Photos whose sidecars are written together: once for all of them we wait for the disk."""

LONGEST = 2.0
"""Seconds after which fewer photos are written together, since what is not written may be lost."""

DIGITS = 6
"""Digits after the decimal point of scores in files."""


class Tagger(Protocol):
    """Recognises photos, here or on other machines."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model."""

    @property
    def batch_size(self) -> int:
        """Photos per batch."""

    @property
    def identity(self) -> str:
        """Digest of all that decides the results, but for the photos."""

    def recognize(
        self, photos: Iterable[Path], *, on_error: OnError | None = None
    ) -> Iterator[PhotoLabels]:
        """Recognise photos, in order, without those that ``on_error`` is called with."""


@dataclass(frozen=True)
class Tagged:
    """Tagging summary.

    Args:
        photos: Number of photos tagged.
        left_out: Number of photos that could not be tagged.
        interrupted: Whether Ctrl-C ended it early.
        changed: Number of sidecars or photos changed, or that a dry run would change.
        resumed: Number of photos, tagged or left out, that an earlier run had done.
    """

    photos: int
    left_out: int
    interrupted: bool
    changed: int = 0
    resumed: int = 0


@dataclass(frozen=True)
class Selection:
    """Selection of labels.

    Args:
        top: Number of labels with the highest scores to select, instead of those found.
        only: Labels that may be selected; empty for all.
        never: Labels that may not be selected.

    Example:
        >>> Selection(never=frozenset({"cat"})).names(["cat", "dog"])
        ['dog']
        >>> Selection(only=frozenset({"dgo"})).check(["cat", "dog"])
        Traceback (most recent call last):
        tagsight.errors.DataError: expected labels of the model, such as ['cat', 'dog'], got 'dgo'
    """

    top: int | None = None
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    def check(self, names: Sequence[str]) -> None:
        """Check that all labels named are labels of the model.

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
        """Return the labels of a model that may be selected."""
        return [n for n in names if n not in self.never and (not self.only or n in self.only)]

    @property
    def origin(self) -> list[object]:
        """What decides the selected labels, as values for JSON."""
        return [self.top, sorted(self.only), sorted(self.never)]

    def labels(self, result: PhotoLabels) -> list[Label]:
        """Return the selected labels of a photo, sorted by score."""
        candidates = result.labels if self.top is None else result.ranked()
        allowed = set(self.names([label.name for label in candidates]))
        return [label for label in candidates if label.name in allowed][: self.top]


@dataclass(frozen=True)
class Lines:
    r"""Format of lines.

    Args:
        form: ``jsonl`` is one object per line with ``path``, ``labels`` and optionally ``scores``;
            ``json`` is an array of these; ``csv`` has columns ``path``, ``labels`` (separated by
            ``;``) and optionally the score of each label; ``text`` is for people.
        selection: Labels to write.
        all_scores: Whether to write the scores of all labels as well.

    Example:
        >>> import tagsight as ts
        >>> (result,) = ts.load("runs/first/model").recognize(["photos/dog.jpg"])
        >>> lines = Lines("csv", Selection(only=frozenset({"dog"})))
        >>> lines.header(("dog", "sky")), lines.line(result).startswith("photos/dog.jpg,")
        ('path,labels\n', True)
    """

    form: Form = "text"
    selection: Selection = Selection()
    all_scores: bool = False

    def origin(self, tagger: Tagger) -> list[object]:
        """Return what decides the lines of photos, as values for JSON."""
        of_lines = [self.form, self.all_scores, *self.selection.origin]
        return [tagger.identity, tagger.batch_size, *of_lines]

    def header(self, names: Sequence[str]) -> str:
        """Return the text before the first line."""
        if self.form == "json":
            return "["
        if self.form != "csv":
            return ""
        return csv_line(["path", "labels", *(names if self.all_scores else ())])

    @property
    def footer(self) -> str:
        """Text after the last line."""
        return "\n]\n" if self.form == "json" else ""

    def line(self, result: PhotoLabels, *, first: bool = True) -> str:
        """Format one photo, including the line break."""
        labels = self.selection.labels(result)
        scores = _scores(result) if self.all_scores else {}
        path = shown(result.path) if result.path is not None else ""
        if self.form == "json":
            return ("\n" if first else ",\n") + _json(path, labels, scores)
        if self.form == "jsonl":
            return _json(path, labels, scores) + "\n"
        if self.form == "csv":
            return csv_line([path, csv_list([label.name for label in labels]), *scores.values()])
        written = result.ranked() if self.all_scores else labels
        return _text_line(path, written, {label.name for label in result.labels})


def tag_photos(
    tagger: Tagger,
    photos: Iterable[Path | str],
    out: Path | str | TextIO,
    lines: Lines,
    *,
    on_photo: Callable[[Path], object] | None = None,
    on_problem: Callable[[Problem], object] | None = None,
) -> Tagged:
    """Write one line per photo; memory does not grow with the number of photos.

    A file gets its name when it is complete; until then an existing one stays. After an error or a
    kill the same call goes on where this one stopped, and writes the same lines as if nothing had
    happened (`tagsight.tagging.unfinished`). So it does after Ctrl-C, which ends the work after a
    whole line and gives the file the lines so far. A photo that ended the process is left out.

    Args:
        tagger: Recognises photos, such as a `Recognizer`.
        photos: Photos, consumed lazily, for example from `find_photos`.
        out: A file, or a stream such as standard output.
        lines: Format of the lines.
        on_photo: Called with each photo when it is done, tagged or not.
        on_problem: Called with each photo that is skipped.

    Raises:
        DataError: If ``out`` is a folder, another call writes to it or a selected label is unknown,
            before anything is written.

    Example:
        >>> from tagsight import Recognizer, tag_photos
        >>> recognizer = Recognizer.load("runs/first/model")
        >>> tag_photos(recognizer, ["photos/dog.jpg"], "runs/tags.jsonl", Lines("jsonl"))
        Tagged(photos=1, left_out=0, interrupted=False, changed=0, resumed=0)
    """
    lines.selection.check(tagger.labels)
    out = Path(out) if isinstance(out, str) else out
    if isinstance(out, Path) and out.is_dir():
        msg = f"expected a file to write the labels to, got the folder {out}"
        raise DataError(msg)
    done = Progress(on_photo, on_problem)
    header, origin = lines.header(tagger.labels), lines.origin(tagger)
    with (
        watched(),
        written_lines(out, origin, header, lines.footer, step=tagger.batch_size) as writer,
    ):

        def leave_out(photo: PhotoLike, error: DataError) -> None:
            writer.leave_out(str(error))
            done(photo, error)

        try:
            todo = writer.rest(map(Path, photos), done.earlier)
            for result in tagger.recognize(todo, on_error=leave_out):
                writer.add(lines.line(result, first=done.tagged == 0))
                done.tag(_path(result))
        except KeyboardInterrupt:
            writer.interrupted = True
    return Tagged(done.tagged, done.left_out, writer.interrupted, resumed=done.resumed)


def tag_sidecars(
    tagger: Tagger,
    photos: Iterable[Path | str],
    writer: TagWriter,
    selection: Selection,
    *,
    on_photo: Callable[[Path], object] | None = None,
    on_problem: Callable[[Problem], object] | None = None,
    on_change: Callable[[Outcome], object] | None = None,
) -> Tagged:
    """Write the labels of photos into sidecars or photos; memory does not grow with their number.

    One batch is written while the next is recognised. Ctrl-C ends the work between two batches.
    After it, an error or a kill the same call goes on where this one stopped, as the same run of
    the journal (`tagsight.tagging.unfinished_run`). A photo that ended the process is left out.

    Args:
        tagger: Recognises photos, such as a `Recognizer`.
        photos: Photos, consumed lazily, for example from `find_photos`.
        writer: Writes the sidecars, or into the photos.
        selection: Labels to write.
        on_photo: Called with each photo when it is done, tagged or not.
        on_problem: Called with each photo that is skipped, or whose sidecar is left unchanged.
        on_change: Called for each sidecar that is changed, or that a dry run would change.

    Raises:
        DataError: If a selected label is unknown, or another process is at the same run.

    Example:
        >>> from tagsight import Recognizer
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.sidecars.writing import Manner, Writer
        >>> recognizer = Recognizer.load("runs/first/model")
        >>> with Journal("runs/journal.sqlite") as journal:
        ...     places = Places(".txt", Path("runs/tags"), [Path("photos")])
        ...     writer = Writer(Manner("txt"), places, "model", journal)
        ...     tag_sidecars(recognizer, ["photos/dog.jpg"], writer, Selection(top=1))
        Tagged(photos=1, left_out=0, interrupted=False, changed=1, resumed=0)
    """
    selection.check(tagger.labels)
    done = Progress(on_photo, on_problem)
    changed, origin = 0, [tagger.identity, tagger.batch_size, *selection.origin]

    def report(outcomes: list[Outcome]) -> None:
        nonlocal changed
        for outcome in outcomes:
            if outcome.problem:
                done.leave_out(Problem(outcome.photo, described(outcome)))
                continue
            if outcome.added:
                changed += 1
                if on_change is not None:
                    on_change(outcome)
            done.tag(outcome.photo)

    with (
        watched(),
        unfinished_run(writer, origin, map(Path, photos), step=tagger.batch_size) as run,
    ):

        def leave_out(photo: PhotoLike, error: DataError) -> None:
            run.leave_out(str(error))
            done(photo, error)

        results = tagger.recognize(run.rest(done.earlier), on_error=leave_out)
        tags = ([Tag(*label) for label in selection.labels(one)] for one in results)
        try:
            with in_background(run.write, report) as write:
                for batch in batched(run.recognized(tags), TOGETHER, within=LONGEST):
                    write(batch)
        except KeyboardInterrupt:
            run.interrupted = True
    return Tagged(done.tagged, done.left_out, run.interrupted, changed, done.resumed)


def shard(photos: Iterable[Path], part: int, parts: int) -> Iterator[Path]:
    """Select one of several parts of a collection by a hash of the paths.

    The part of a photo depends on its path alone. Photos whose names differ in the suffix only,
    and which may share a sidecar, are in the same part.

    Args:
        photos: All photos.
        part: Number of the part, from 1 to ``parts``.
        parts: Number of parts.

    Example:
        >>> photos = [Path(f"{name}.jpg") for name in ("cat", "dog", "sea", "tree")]
        >>> [[photo.name for photo in shard(photos, part, 2)] for part in (1, 2)]
        [['cat.jpg', 'tree.jpg'], ['dog.jpg', 'sea.jpg']]
    """
    names = ((photo, os.fsencode(photo.with_suffix(""))) for photo in photos)
    return (photo for photo, name in names if zlib.crc32(name) % parts == part - 1)


def _path(result: PhotoLabels) -> Path:
    assert result.path is not None
    return result.path


def _scores(result: PhotoLabels) -> dict[str, float]:
    return {
        name: round(float(score), DIGITS)
        for name, score in zip(result.names, result.scores, strict=True)
    }


def _json(path: str, labels: Sequence[Label], scores: dict[str, float]) -> str:
    named = [{"name": label.name, "score": round(label.score, DIGITS)} for label in labels]
    values = {"path": path, "labels": named} | ({"scores": scores} if scores else {})
    return json.dumps(values)


def _text_line(path: str, labels: Sequence[Label], found: set[str]) -> str:
    words = [
        f"{label.name} {label.score:.2f}"
        if label.name in found
        else f"({label.name} {label.score:.2f})"
        for label in labels
    ]
    return printable(f"{path}: {', '.join(words) or 'no label found'}") + "\n"
