"""Write tags to the sidecars of many photos."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.tags.authors import NONE, keywords_inside, of_person
from tagsight.data.tags.text import alike
from tagsight.data.tags.xmp import Keywords
from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.runtime.drafts import drafts
from tagsight.runtime.escaping import printable
from tagsight.tagging.sidecars import text, xmp
from tagsight.tagging.sidecars.changes import Change, digest
from tagsight.tagging.sidecars.edit import Stamp, Tag, check_names
from tagsight.tagging.sidecars.journal import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from tagsight.runtime.drafts import Draft
    from tagsight.tagging.sidecars.edit import Edit, Existing, Form
    from tagsight.tagging.sidecars.journal import Journal
    from tagsight.tagging.sidecars.places import Places


@dataclass(frozen=True)
class Manner:
    """Format of sidecars.

    Args:
        form: ``xmp`` or ``txt``.
        separator: Text between two tags, in ``txt``.
        existing: Treatment of an existing text file (see `text.add_tags`).
        renamed: Tags to write in place of labels.

    Example:
        >>> Manner("txt", renamed={"dog, wet": "wet dog"}).check(["dog, wet"])
        >>> try:
        ...     Manner("txt").check(["dog, wet"])
        ... except DataError as error:
        ...     print(str(error).partition(":")[0])
        expected tags without the separator ', ', got 'dog, wet'
    """

    form: Form
    separator: str = ", "
    existing: Existing = "append"
    renamed: Mapping[str, str] = field(default_factory=dict)

    def check(self, labels: Iterable[str]) -> None:
        """Check that labels can be written.

        Raises:
            DataError: If one cannot.
        """
        names = [self.renamed.get(label, label) for label in labels]
        check_names(names)
        if self.form == "txt":
            text.check_tags(names, self.separator)


class Outcome(NamedTuple):
    """Outcome for the sidecar of a photo, or for the photo itself.

    Attributes:
        photo: The photo.
        sidecar: Its sidecar, or itself; None if there cannot be a sidecar.
        added: Tags that were added, or that a dry run would add.
        problem: Reason why the sidecar was left unchanged, or empty.
        notice: What an undo could not do as it should, or empty.
        may_pass: Whether the system gave the reason, as on a full disk, and may not next time.

    Example:
        >>> from pathlib import Path
        >>> full = OSError(28, "No space left on device", "a.xmp")
        >>> outcome = Outcome.failed(Path("a.jpg"), Path("a.xmp"), full)
        >>> outcome.problem, outcome.may_pass
        ('No space left on device', True)
    """

    photo: Path
    sidecar: Path | None
    added: tuple[str, ...] = ()
    problem: str = ""
    notice: str = ""
    may_pass: bool = False

    @classmethod
    def failed(cls, photo: Path, sidecar: Path | None, error: DataError | OSError) -> Self:
        """Return the outcome for a sidecar that was left unchanged because of an error."""
        may_pass = isinstance(error, OSError)
        said = error.strerror if isinstance(error, OSError) else None  # without the path
        return cls(photo, sidecar, problem=said or str(error), may_pass=may_pass)


class _Together(NamedTuple):
    """Photos that share a sidecar, and their tags."""

    photos: list[Path]
    tags: list[Tag]


class _Before(NamedTuple):
    """A sidecar as it is, None if there is no file, and its photos."""

    sidecar: Path
    content: bytes | None
    photos: Sequence[Path]

    def inside(self) -> Keywords:
        """Return the keywords by a person inside the photos that a new sidecar repeats."""
        if self.content is not None:
            return NONE
        each = [of_person(keywords_inside(photo)) for photo in self.photos]
        return each[0] if len(each) == 1 else of_person(_joined(each))


class Writer:
    """Writes tags to sidecars.

    Args:
        manner: Format of the sidecars.
        places: Finds the sidecars.
        model: Name of the model, for the record.
        journal: Journal of changes.
        dry_run: Whether to write nothing, not even to the journal.

    Attributes:
        run: Number of the run in the journal, once something is written.
        origin: Key of a run that another process may go on with.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.undo import undo
        >>> with TemporaryDirectory() as folder, Journal(Path(folder) / "j.sqlite") as journal:
        ...     places = Places(".txt", None, [folder])
        ...     writer = Writer(Manner("txt"), places, "model", journal)
        ...     (outcome,) = writer.write([(Path(folder) / "a.jpg", [Tag("dog", 0.9)])])
        ...     written = outcome.sidecar.read_text()
        ...     undone = [outcome.added for outcome in undo(journal, *journal.runs())]
        >>> written, undone
        ('dog', [('dog',)])
    """

    into_photos = False

    def __init__(
        self, manner: Manner, places: Places, model: str, journal: Journal, *, dry_run: bool = False
    ) -> None:
        self.manner = manner
        self.places = places
        self.stamp = Stamp(printable(model), now())
        self.journal = journal
        self.dry_run = dry_run
        self.run: int | None = None
        self.origin: bytes | None = None
        self._known: set[Path] = set()  # those of the sidecars at hand that are in the journal

    def write(self, tagged: Sequence[tuple[Path, Sequence[Tag]]]) -> list[Outcome]:
        """Add tags to the sidecars of photos; the journal records those that change.

        Args:
            tagged: Photos and the labels of each; photos that share a sidecar are merged.
        """
        together: dict[Path, _Together] = {}
        places = [self._place(photo) for photo, _ in tagged]
        for place, (photo, tags) in zip(places, tagged, strict=True):
            if isinstance(place, Path):
                shared = together.setdefault(place, _Together([], []))
                shared.photos.append(photo)
                shared.tags.extend(tags)
        changes, problems = self._planned(together)
        added = {change.sidecar: change.edit.names for change in changes}
        if changes and not self.dry_run:
            problems |= self._made(changes)
        outcomes = []
        for place, (photo, _) in zip(places, tagged, strict=True):
            if not isinstance(place, Path):
                outcomes.append(Outcome.failed(photo, None, place))
            elif place in problems:
                outcomes.append(Outcome.failed(photo, place, problems[place]))
            else:  # of photos that share a sidecar, the first reports what was added
                outcomes.append(Outcome(photo, place, added.pop(place, ())))
        return outcomes

    @property
    def settings(self) -> list[object]:
        """What decides the sidecars of photos besides their tags, as values for JSON."""
        manner = self.manner
        renamed = sorted(manner.renamed.items())
        return [
            self.stamp.model,
            *(manner.form, manner.separator, manner.existing, renamed),
            *self.places.settings,
        ]

    def _place(self, photo: Path) -> Path | DataError | OSError:
        """Return the sidecar of a photo, or the reason why it has none."""
        try:
            return self.places.of(photo)
        except (DataError, OSError) as error:
            return error

    def _planned(
        self, tagged: Mapping[Path, _Together]
    ) -> tuple[list[Change], dict[Path, DataError | OSError]]:
        """Plan the changes of sidecars; also return why others are left unchanged."""
        changes, problems = [], dict[Path, DataError | OSError]()
        self._known = self.journal.known(tagged)
        for sidecar, (photos, tags) in tagged.items():
            try:
                before = content_of(sidecar)
                edit = self._edit(_Before(sidecar, before, photos), tags)
            except (DataError, OSError) as error:
                problems[sidecar] = error
                continue
            if edit is not None:
                changes.append(Change(sidecar, before, edit))
        return changes, problems

    def _edit(self, present: _Before, tags: Sequence[Tag]) -> Edit | None:
        manner = self.manner
        sidecar, before, _ = present
        if before is not None and manner.existing == "keep":
            return None
        added: set[str] = set()
        if sidecar in self._known:
            added = self.journal.added(sidecar, digest(before))
        tags = [Tag(manner.renamed.get(tag.name, tag.name), tag.score) for tag in tags]
        # A tag that we added and that is gone was removed by somebody: do not add it again.
        if manner.form == "xmp":
            return xmp.add_keywords(
                before, tags, self.stamp, declined=added, inside=present.inside()
            )
        # A second photo that shares the sidecar must not replace the tags of the first.
        second = self.run is not None and self.journal.changed(self.run, sidecar, digest(before))
        return text.add_tags(
            before,
            tags,
            separator=manner.separator,
            existing="append" if second else manner.existing,
            declined=self._removed(before, added),
        )

    def _removed(self, before: bytes | None, added: set[str]) -> set[str]:
        there = text.tags_of(before, separator=self.manner.separator) if before is not None else []
        known = {alike(word) for word in there}
        return {name for name in added if alike(name) not in known}

    def _made(self, changes: Sequence[Change]) -> dict[Path, DataError | OSError]:
        """Record, write and confirm changes (see `journal`); return problems by sidecar."""
        if self.run is None:
            manner = self.manner
            self.run = self.journal.begin(
                self.stamp.model,
                manner.form,
                ending=self.places.suffix,
                separator=manner.separator,
                existing=manner.existing,
                origin=self.origin,
            )
        numbers = self.journal.note(self.run, [change.record for change in changes])
        problems: dict[Path, DataError | OSError] = {}
        made, undone = [], []
        contents = [(change.sidecar, change.edit.content) for change in changes]
        with drafts(contents, self.journal.draft_ending(self.run)) as written:
            for number, change, draft in zip(numbers, changes, written, strict=True):
                try:
                    _put_in_place(draft, change)
                    made.append(number)
                except (DataError, OSError) as error:
                    problems[change.sidecar] = error
                    undone.append(number)
        self.journal.made(made)
        self.journal.undone(undone)
        return problems


class Confirmer(Writer):
    """Records in XMP sidecars that a person has confirmed the tags that tagsight wrote.

    Args:
        places: Finds the sidecars.
        journal: Journal of changes.
        dry_run: Whether to write nothing, not even to the journal.

    Example:
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> places = Places(".xmp", None, [Path()])
        >>> with Journal("journal.sqlite") as journal:
        ...     writer = Writer(Manner("xmp"), places, "model", journal)
        ...     _ = writer.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        ...     confirmer = Confirmer(places, journal)
        ...     [outcome.added for _ in range(2) for outcome in confirmer.confirm([Path("a.jpg")])]
        [('dog',), ()]
    """

    def __init__(self, places: Places, journal: Journal, *, dry_run: bool = False) -> None:
        super().__init__(Manner("xmp"), places, "confirmed by a person", journal, dry_run=dry_run)

    def confirm(self, photos: Sequence[Path]) -> list[Outcome]:
        """Confirm the tags of photos; an outcome has those that were not confirmed before."""
        return self.write([(photo, ()) for photo in photos])

    def _edit(self, present: _Before, tags: Sequence[Tag]) -> Edit | None:
        del tags
        before = present.content
        return None if before is None else xmp.confirm_keywords(before, self.stamp.date)


class JudgementWriter(Writer):
    """Writes the labels that a person has judged to be present, as confirmed tags.

    Args:
        places: Finds the sidecars.
        journal: Journal of changes.

    Example:
        >>> from tagsight.data.tags.xmp import read_keywords
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> with Journal("journal.sqlite") as journal:
        ...     writer = JudgementWriter(Places(".xmp", None, [Path()]), journal)
        ...     (outcome,) = writer.write([(Path("a.jpg"), [Tag("dog", 1.0)])])
        >>> read_keywords(outcome.sidecar.read_bytes()).recorded
        (Record(name='dog', confirmed=True),)
    """

    def __init__(self, places: Places, journal: Journal) -> None:
        super().__init__(Manner("xmp"), places, "judged by a person", journal)

    def _edit(self, present: _Before, tags: Sequence[Tag]) -> Edit | None:
        before = present.content
        added = xmp.add_keywords(before, tags, self.stamp, inside=present.inside())
        content = before if added is None else added.content
        if content is None:
            return None
        names = [tag.name for tag in tags]
        confirmed = xmp.confirm_keywords(content, self.stamp.date, labels=names)
        if confirmed is None:
            return added
        return confirmed._replace(additions=() if added is None else added.additions)


def _joined(each: Sequence[Keywords]) -> Keywords:
    words, paths = (tuple(chain.from_iterable(some)) for some in list(zip(*each, strict=True))[:2])
    return Keywords(words, paths)


def _put_in_place(draft: Draft | OSError, change: Change) -> None:
    """Give a sidecar its new content, if it still has the one that the change was planned for.

    Raises:
        DataError: If it was changed in the meantime.
        OSError: If it cannot be written.
    """
    if isinstance(draft, OSError):
        raise draft
    if content_of(change.sidecar) != change.before:
        msg = "expected the sidecar as it was read, got it changed in the meantime"
        raise DataError(msg)
    draft.put_in_place()


def content_of(sidecar: Path) -> bytes | None:
    """Read a sidecar; None if there is no file.

    Raises:
        DataError: If it is too large, or not a file.
        OSError: If it cannot be read.

    Example:
        >>> _ = Path("a.txt").write_text("dog, sky")
        >>> content_of(Path("a.txt")), content_of(Path("b.txt"))
        (b'dog, sky', None)
    """
    try:
        if not stat.S_ISREG(sidecar.stat().st_mode):
            msg = "expected a file, got a folder or device"
            raise DataError(msg)
        with sidecar.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > LARGEST:
        msg = f"expected a sidecar of at most {LARGEST:,} bytes, got a larger file"
        raise DataError(msg)
    return content
