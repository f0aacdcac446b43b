"""Tag a collection: one line for every photo, as it comes."""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight.data.photos import find_photos
from tagsight.data.source import FORBIDDEN
from tagsight.errors import DataError
from tagsight.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from tagsight.recognizer import PhotoLike, Recognizer
    from tagsight.result import Label, Result

Form = Literal["text", "json", "csv"]

DIGITS = 6
"""Of scores in files; more would be noise."""


class Unreadable(NamedTuple):
    """A photo that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Tagged:
    """What came of a collection.

    Args:
        photos: How many were tagged.
        unreadable: Those that were left out.
        interrupted: Whether somebody ended it before its time.
    """

    photos: int
    unreadable: tuple[Unreadable, ...]
    interrupted: bool


@dataclass(frozen=True)
class Lines:
    """How results are written.

    Args:
        form: ``json``: an object a line, with ``path``, ``labels`` and perhaps ``scores``; ``csv``:
            columns ``path`` and ``labels``, these separated by ``;``, and perhaps one column of
            scores per label; ``text``: for people.
        top: Take the best so many labels of every photo, whatever their scores, instead of those
            that reach their threshold.
        all_scores: Whether the score of every label is given as well.
    """

    form: Form = "text"
    top: int | None = None
    all_scores: bool = False

    def header(self, names: Sequence[str]) -> str:
        """The line before the first; empty for all forms but CSV."""
        if self.form != "csv":
            return ""
        return _csv_line(["path", "labels", *(names if self.all_scores else ())])

    def line(self, result: Result) -> str:
        """The line of one photo, with its end."""
        labels = result.labels if self.top is None else result.ranked()[: self.top]
        scores = _scores(result) if self.all_scores else {}
        path = str(result.path)
        if self.form == "json":
            return _json_line(path, labels, scores)
        if self.form == "csv":
            return _csv_line([path, ";".join(label.name for label in labels), *scores.values()])
        shown = result.ranked() if self.all_scores else labels
        return _text_line(path, shown, {label.name for label in result.labels})


def tag_photos(
    recognizer: Recognizer,
    paths: Iterable[Path],
    out: Path | TextIO,
    lines: Lines,
    *,
    on_photo: Callable[[Path], object] | None = None,
) -> Tagged:
    """Tag photos and the photos in folders, a line each, in memory that their number leaves alone.

    Ctrl-C ends it after a whole line; what is done is kept. A file appears under its name at the
    end, and until then the one before stays.

    Args:
        recognizer: The model.
        paths: Photos and folders.
        out: A file, or a stream such as standard output.
        lines: What is written.
        on_photo: Called with every photo once it is done, tagged or not.

    Raises:
        DataError: If one of the paths does not exist, or ``out`` is a folder, before anything is
            written.
    """
    photos = find_photos(paths)
    if isinstance(out, Path) and out.is_dir():
        msg = f"expected a file to write the labels to, got the folder {out}"
        raise DataError(msg)
    unreadable: list[Unreadable] = []
    tagged, interrupted = 0, False

    def leave_out(photo: PhotoLike, error: DataError) -> None:
        if isinstance(photo, Path):
            unreadable.append(Unreadable(photo, str(error)))
            if on_photo is not None:
                on_photo(photo)

    with _writing(out) as write:
        try:
            write(lines.header(recognizer.labels))
            for result in recognizer.recognize(photos, on_error=leave_out):
                write(lines.line(result))
                tagged += 1
                if on_photo is not None and result.path is not None:
                    on_photo(result.path)
        except KeyboardInterrupt:
            interrupted = True
    return Tagged(tagged, tuple(unreadable), interrupted)


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


def _scores(result: Result) -> dict[str, float]:
    return {
        name: round(float(score), DIGITS)
        for name, score in zip(result.names, result.scores, strict=True)
    }


def _json_line(path: str, labels: Sequence[Label], scores: dict[str, float]) -> str:
    named = [{"name": label.name, "score": round(label.score, DIGITS)} for label in labels]
    values = {"path": path, "labels": named} | ({"scores": scores} if scores else {})
    return json.dumps(values) + "\n"


def _csv_line(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _text_line(path: str, shown: Sequence[Label], found: set[str]) -> str:
    words = [
        f"{label.name} {label.score:.2f}"
        if label.name in found
        else f"({label.name} {label.score:.2f})"
        for label in shown
    ]
    text = f"{path}: {', '.join(words) or 'no label found'}"
    # A file's name may hold what a terminal would obey.
    return FORBIDDEN.sub("?", text) + "\n"
