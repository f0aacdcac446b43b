"""Tags of many photos into their sidecars, and out of them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError
from tagsight.files import write_atomically
from tagsight.sidecars import text, xmp
from tagsight.sidecars.edit import Stamp, Tag, same
from tagsight.sidecars.journal import Change, digest, now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from tagsight.sidecars.edit import Edit
    from tagsight.sidecars.journal import Journal, Noted, Run
    from tagsight.sidecars.places import Places

    Form = Literal["xmp", "txt"]


@dataclass(frozen=True)
class Manner:
    """How tags are written.

    Args:
        form: ``xmp`` or ``txt``.
        separator: Between two tags, in ``txt``.
        existing: What becomes of a tag file that is there, in ``txt``.
        renamed: Tags that are written in the place of labels.
    """

    form: Form
    separator: str = ", "
    existing: text.Existing = "append"
    renamed: Mapping[str, str] = field(default_factory=dict)


class Outcome(NamedTuple):
    """What became of a photo's sidecar.

    Attributes:
        photo: The photo.
        sidecar: Its sidecar; None if it has no place.
        added: The tags that were added, or in a dry run would be.
        problem: Why the sidecar was left alone, if it was.
    """

    photo: Path
    sidecar: Path | None
    added: tuple[str, ...] = ()
    problem: str = ""


class Writer:
    """Writes tags into sidecars.

    Args:
        manner: How.
        places: Where.
        model: Who tags, for the record.
        journal: Where changes are noted first.
        dry_run: Whether nothing is written, in the journal neither.
    """

    def __init__(
        self, manner: Manner, places: Places, model: str, journal: Journal, *, dry_run: bool = False
    ) -> None:
        self.manner = manner
        self.places = places
        self.stamp = Stamp(model, now())
        self.journal = journal
        self.dry_run = dry_run
        self.run: int | None = None

    def write(self, tagged: Sequence[tuple[Path, Sequence[Tag]]]) -> list[Outcome]:
        """Add tags to the sidecars of photos; nothing is noted for those that do not change.

        Args:
            tagged: Photos and the labels of each. One that comes twice is written once.
        """
        outcomes: list[Outcome] = []
        changes: list[Change] = []
        for photo, tags in tagged:
            outcome, change = self._planned(photo, tags)
            if change is not None and change.sidecar in {known.sidecar for known in changes}:
                outcome, change = Outcome(photo, outcome.sidecar), None
            outcomes.append(outcome)
            changes += [change] if change is not None else []
        if changes and not self.dry_run:
            problems = self._made(changes)
            outcomes = [
                outcome._replace(added=(), problem=problem)
                if outcome.sidecar and (problem := problems.get(outcome.sidecar))
                else outcome
                for outcome in outcomes
            ]
        return outcomes

    def _planned(self, photo: Path, tags: Sequence[Tag]) -> tuple[Outcome, Change | None]:
        sidecar = None
        try:
            sidecar = self.places.of(photo)
            before = _content(sidecar)
            edit = self._edit(before, tags, self.journal.added(sidecar, before))
        except (DataError, OSError) as error:
            return Outcome(photo, sidecar, problem=_reason(error)), None
        if edit is None:
            return Outcome(photo, sidecar), None
        return Outcome(photo, sidecar, edit.names), Change(sidecar, before, edit)

    def _edit(self, before: bytes | None, tags: Sequence[Tag], added: set[str]) -> Edit | None:
        renamed = self.manner.renamed
        tags = [Tag(renamed.get(tag.name, tag.name), tag.score) for tag in tags]
        # What we have added before and is there no more, somebody has taken out.
        if self.manner.form == "xmp":
            return xmp.add_keywords(before, tags, self.stamp, declined=added)
        return text.add_tags(
            before,
            tags,
            separator=self.manner.separator,
            existing=self.manner.existing,
            declined=self._removed(before, added),
        )

    def _removed(self, before: bytes | None, added: set[str]) -> set[str]:
        there = text.tags_of(before, separator=self.manner.separator) if before is not None else []
        known = {same(word) for word in there}
        return {name for name in added if same(name) not in known}

    def _made(self, changes: Sequence[Change]) -> dict[Path, str]:
        """Note, make and note again; give the problems by sidecar."""
        if self.run is None:
            manner = self.manner
            self.run = self.journal.begin(self.stamp.model, manner.form, manner.separator)
        numbers = self.journal.note(self.run, changes)
        problems: dict[Path, str] = {}
        made = []
        for number, change in zip(numbers, changes, strict=True):
            try:
                if digest(_content(change.sidecar)) != digest(change.before):
                    msg = "expected nobody else to write this sidecar just now"
                    raise DataError(msg)
                write_atomically(change.sidecar, change.edit.content)
                made.append(number)
            except (DataError, OSError) as error:
                problems[change.sidecar] = _reason(error)
        self.journal.made(made)
        self.journal.undone([number for number in numbers if number not in made])
        return problems


def undo(journal: Journal, run: Run) -> Iterator[Outcome]:
    """Take back what a run added, a sidecar at a time.

    A sidecar that nobody has changed since becomes what it was, byte for byte; one that was not
    there before is removed. From one that has changed since, just what the run added is taken out.

    Args:
        journal: Where the run is noted.
        run: The run.

    Yields:
        A sidecar, with the tags that were taken out, or why it was left alone.
    """
    for change in journal.changes(run.id):
        try:
            taken = _taken_back(journal, change, run)
        except (DataError, OSError) as error:
            yield Outcome(change.sidecar, change.sidecar, problem=_reason(error))
            continue
        journal.undone([change.id])
        yield Outcome(change.sidecar, change.sidecar, change.names if taken else ())
    journal.run_undone(run.id)


def _taken_back(journal: Journal, change: Noted, run: Run) -> bool:
    content = _content(change.sidecar)
    if content is None or not change.made(content):
        return False
    if digest(content) == change.after_digest:
        left = change.before
    else:
        left = _without(content, change, run)
        blank = xmp.is_blank(left) if run.form == "xmp" else not left.strip()
        if blank and journal.created(change.sidecar):
            left = None
    if left is None:
        change.sidecar.unlink()
    elif left != content:
        write_atomically(change.sidecar, left)
    return left != content


def _without(content: bytes, change: Noted, run: Run) -> bytes:
    if run.form == "xmp":
        return xmp.remove_keywords(content, change.additions)
    return text.remove_tags(content, change.additions, separator=run.separator)


def _content(sidecar: Path) -> bytes | None:
    try:
        return sidecar.read_bytes()
    except FileNotFoundError:
        return None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
