"""Tags of many photos into their sidecars, and out of them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError
from tagsight.runtime.escaping import printable
from tagsight.runtime.files import write_atomically
from tagsight.tagging.sidecars import text, xmp
from tagsight.tagging.sidecars.changes import Change, digest
from tagsight.tagging.sidecars.edit import LARGEST, Stamp, Tag, check_names
from tagsight.tagging.sidecars.journal import now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tagsight.tagging.sidecars.changes import Noted, Run
    from tagsight.tagging.sidecars.edit import Edit, Existing, Form
    from tagsight.tagging.sidecars.journal import Journal
    from tagsight.tagging.sidecars.places import Places


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
    existing: Existing = "append"
    renamed: Mapping[str, str] = field(default_factory=dict)

    def check(self, labels: Iterable[str]) -> None:
        """Refuse labels that cannot be written.

        Raises:
            DataError: If there are such.
        """
        names = [self.renamed.get(label, label) for label in labels]
        check_names(names)
        if self.form == "txt":
            text.check_tags(names, self.separator)


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
        self.stamp = Stamp(printable(model), now())
        self.journal = journal
        self.dry_run = dry_run
        self.run: int | None = None

    def write(self, tagged: Sequence[tuple[Path, Sequence[Tag]]]) -> list[Outcome]:
        """Add tags to the sidecars of photos; nothing is noted for those that do not change.

        Args:
            tagged: Photos and the labels of each. One that comes twice is written once.
        """
        together: dict[Path, list[Tag]] = {}
        places = [self._place(photo) for photo, _ in tagged]
        for place, (_, tags) in zip(places, tagged, strict=True):
            if isinstance(place, Path):
                together.setdefault(place, []).extend(tags)
        changes, problems = self._planned(together)
        added = {change.sidecar: change.edit.names for change in changes}
        if changes and not self.dry_run:
            problems |= self._made(changes)
        outcomes = []
        for place, (photo, _) in zip(places, tagged, strict=True):
            if not isinstance(place, Path):
                outcomes.append(Outcome(photo, None, problem=place))
            elif place in problems:
                outcomes.append(Outcome(photo, place, problem=problems[place]))
            else:  # of several photos of one sidecar the first has what was added
                outcomes.append(Outcome(photo, place, added.pop(place, ())))
        return outcomes

    def _place(self, photo: Path) -> Path | str:
        """A photo's sidecar, or why it has none."""
        try:
            return self.places.of(photo)
        except (DataError, OSError) as error:
            return _reason(error)

    def _planned(
        self, tagged: Mapping[Path, Sequence[Tag]]
    ) -> tuple[list[Change], dict[Path, str]]:
        """The changes of sidecars that must be made, and why others are left alone."""
        changes, problems = [], {}
        for sidecar, tags in tagged.items():
            try:
                before = content_of(sidecar)
                edit = self._edit(sidecar, before, tags)
            except (DataError, OSError) as error:
                problems[sidecar] = _reason(error)
                continue
            if edit is not None:
                changes.append(Change(sidecar, before, edit))
        return changes, problems

    def _edit(self, sidecar: Path, before: bytes | None, tags: Sequence[Tag]) -> Edit | None:
        manner = self.manner
        if before is not None and manner.existing == "keep":
            return None
        added = self.journal.added(sidecar, before)
        tags = [Tag(manner.renamed.get(tag.name, tag.name), tag.score) for tag in tags]
        # What we have added before and is there no more, somebody has taken out.
        if manner.form == "xmp":
            return xmp.add_keywords(before, tags, self.stamp, declined=added)
        # A second photo of one sidecar does not take the place of the first.
        second = self.run is not None and self.journal.changed(self.run, sidecar)
        return text.add_tags(
            before,
            tags,
            separator=manner.separator,
            existing="append" if second else manner.existing,
            declined=self._removed(before, added),
        )

    def _removed(self, before: bytes | None, added: set[str]) -> set[str]:
        there = text.tags_of(before, separator=self.manner.separator) if before is not None else []
        known = {text.alike(word) for word in there}
        return {name for name in added if text.alike(name) not in known}

    def _made(self, changes: Sequence[Change]) -> dict[Path, str]:
        """Note, make and note again; give the problems by sidecar."""
        if self.run is None:
            manner = self.manner
            self.run = self.journal.begin(
                self.stamp.model,
                manner.form,
                ending=self.places.suffix,
                separator=manner.separator,
                existing=manner.existing,
            )
        numbers = self.journal.note(self.run, changes)
        problems: dict[Path, str] = {}
        made = []
        for number, change in zip(numbers, changes, strict=True):
            try:
                if digest(content_of(change.sidecar)) != digest(change.before):
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
    places = journal.places(run.id)
    for number in journal.changes(run.id):
        sidecar = journal.file
        try:
            change = journal.change(number)
            sidecar = change.sidecar
            _check_place(sidecar, run, places)
            taken = _taken_back(journal, change, run)
        except (DataError, OSError) as error:
            yield Outcome(sidecar, sidecar, problem=_reason(error))
            continue
        journal.undone([number])
        yield Outcome(sidecar, sidecar, change.names if taken else ())
    journal.run_undone(run.id)


def _check_place(sidecar: Path, run: Run, places: Collection[Path]) -> None:
    """Refuse a path that the run cannot have written to.

    Raises:
        DataError: If it is not in a folder in which the run wrote, has another ending, or leads
            elsewhere by a link.
    """
    folder = sidecar.parent
    before_ending, ending = sidecar.name[: -len(run.ending)], sidecar.name[-len(run.ending) :]
    if folder not in places or not before_ending or ending.lower() != run.ending.lower():
        msg = f"expected a sidecar *{run.ending} in a folder that run {run.id} wrote to"
        raise DataError(f"{msg}, got another file, which stays as it is")
    if sidecar.is_symlink() or folder.resolve() != folder:
        msg = "expected a file where the run wrote it, got a link, which stays as it is"
        raise DataError(msg)


def _taken_back(journal: Journal, change: Noted, run: Run) -> bool:
    content = content_of(change.sidecar)
    if content is None or not change.made(content):
        return False
    if digest(content) == change.after_digest:
        left = change.before
        _check_form(content, run)
    else:
        left = _without(content, change, run)
    blank = left is not None and (xmp.is_blank(left) if run.form == "xmp" else not left.strip())
    if blank and left != change.before and journal.created(change.sidecar):
        left = None
    if left is None:
        change.sidecar.unlink()
    elif left != content:
        _check_form(left, run)
        write_atomically(change.sidecar, left)
    return left != content


def _check_form(content: bytes, run: Run) -> None:
    """Refuse what no run of this form has read or written.

    Raises:
        DataError: If it is no such sidecar.
    """
    if run.form == "xmp":
        xmp.keywords(content)
    else:
        text.tags_of(content, separator=run.separator)


def _without(content: bytes, change: Noted, run: Run) -> bytes:
    if run.form == "xmp":
        return xmp.remove_keywords(content, change.additions)
    if run.existing == "replace" and change.before is not None:
        return text.restore_tags(change.before, content, change.additions, separator=run.separator)
    return text.remove_tags(content, change.additions, separator=run.separator)


def content_of(sidecar: Path) -> bytes | None:
    """All of a sidecar; None if there is none.

    Raises:
        DataError: If it is larger than any sidecar, or no file.
        OSError: If it cannot be read.
    """
    if sidecar.exists() and not sidecar.is_file():
        msg = "expected a file, got a folder or device"
        raise DataError(msg)
    try:
        with sidecar.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > LARGEST:
        msg = f"expected a sidecar of at most {LARGEST:,} bytes, got a larger file"
        raise DataError(msg)
    return content


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
