"""A run that writes sidecars, or into photos, noted in its journal so that it goes on later.

After each batch that is written the journal gets a record of its photos: path, size and time, and
why one was left out. The next run with the same settings on the same photos passes over the longest
beginning of which the journal has records and in which no photo has changed, and has the number of
the first, so that one undo reverts both. A kill between the batch and its records does no harm: the
batch is recognised again, and finds its tags where they are.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tagsight.runtime.claims import claimed
from tagsight.runtime.files import naming
from tagsight.tagging.undo import remove_drafts_of
from tagsight.tagging.unfinished import Done, PhotoState, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tagsight.tagging.sidecars.edit import Tag
    from tagsight.tagging.sidecars.journal import Journal
    from tagsight.tagging.sidecars.writing import Outcome


class TagWriter(Protocol):
    """Writes tags for photos, into sidecars or into the photos."""

    into_photos: bool
    """Whether it changes the photos."""

    dry_run: bool
    """Whether nothing is written."""

    run: int | None
    """Number of the run in the journal, once something is written."""

    origin: bytes | None
    """Key by which the journal finds the run while it has not ended."""

    journal: Journal
    """Journal of changes."""

    @property
    def settings(self) -> list[object]:
        """What decides what is written besides the tags, as values for JSON."""

    def write(self, tagged: Sequence[tuple[Path, Sequence[Tag]]]) -> list[Outcome]:
        """Write the tags of photos."""


class Recognized(NamedTuple):
    """What came of a photo: tags, or the reason why it is left out."""

    photo: Path
    state: PhotoState
    tags: Sequence[Tag] = ()
    problem: str | None = None


class UnfinishedRun:
    """The photos of a run: those that are done, and those that are to be done.

    Args:
        writer: Writes the tags.
        photos: All photos of the run.
        step: Photos that are recognised together. A run goes on after a multiple of them, as the
            last digits of scores depend on it.

    Attributes:
        interrupted: Whether the run ends before all photos are done.

    Example:
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.sidecars.writing import Manner, Writer
        >>> with Journal("journal.sqlite") as journal:
        ...     writer = Writer(Manner("txt"), Places(".txt", None, [Path()]), "model", journal)
        ...     run = UnfinishedRun(writer, iter([Path("a.jpg"), Path("b.jpg")]), step=2)
        ...     some = list(run.rest(print))
        ...     run.leave_out("expected a photo")
        ...     [(one.photo.name, one.problem) for one in run.recognized([["dog"]])]
        [('a.jpg', 'expected a photo'), ('b.jpg', None)]
    """

    def __init__(self, writer: TagWriter, photos: Iterator[Path], step: int) -> None:
        self.interrupted = False
        self._writer, self._photos, self._step = writer, photos, step
        self._pending: deque[tuple[Path, PhotoState]] = deque()  # that are being recognised
        self._left_out: list[Recognized] = []  # since the last photo with tags
        self._next = 0  # position of the first photo of the next batch

    def rest(self, on_done: Callable[[Done], object]) -> Iterator[Path]:
        """Yield the photos that are to be done, after telling those that are done."""
        group: list[Path] = []
        if self._writer.origin is not None:
            while len(group := list(islice(self._photos, self._step))) == self._step:
                done = self._done(self._writer.origin, group)
                if done is None:
                    break
                for one in done:
                    on_done(one)
                self._next += self._step
            self._writer.journal.forget_done(self._writer.origin, self._next)
        for photo in chain(group, self._photos):
            self._pending.append((photo, state_of(photo)))
            yield photo

    def leave_out(self, problem: str) -> None:
        """Note why the next photo has no tags."""
        self._left_out.append(Recognized(*self._pending.popleft(), problem=problem))

    def recognized(self, tags: Iterable[Sequence[Tag]]) -> Iterator[Recognized]:
        """Yield all photos in their order, given the tags of those that are not left out."""
        for some in tags:
            photo = Recognized(*self._pending.popleft(), some)
            yield from self._left_out
            self._left_out = []
            yield photo
        yield from self._left_out

    def write(self, batch: Sequence[Recognized]) -> list[Outcome]:
        """Write the tags of photos, and note what is done."""
        tagged = [(one.photo, one.tags) for one in batch if one.problem is None]
        outcomes = self._writer.write(tagged) if tagged else []
        if self._writer.origin is not None:
            records = dict(self._records(batch, outcomes))
            self._writer.journal.note_done(self._writer.origin, records)
        self._next += len(batch)
        return outcomes

    def _done(self, origin: bytes, group: Sequence[Path]) -> list[Done] | None:
        """Return what was done of the next photos, if it was done of all of them."""
        noted = self._writer.journal.done(origin, range(self._next, self._next + len(group)))
        if len(noted) < len(group):
            return None
        done = [_confirmed(*both) for both in zip(group, noted, strict=True)]
        found = [one for one in done if one is not None]
        return found if len(found) == len(done) else None

    def _records(
        self, batch: Sequence[Recognized], outcomes: Iterable[Outcome]
    ) -> Iterator[tuple[int, str]]:
        rest = iter(outcomes)
        for number, one in enumerate(batch, self._next):
            state, problem = one.state, one.problem
            if problem is None:
                outcome = next(rest)
                if outcome.may_pass:  # the next run goes on here
                    continue
                if outcome.added and self._writer.into_photos:
                    state = state_of(one.photo)
                problem = described(outcome) if outcome.problem else None
            yield number, json.dumps([*state, problem])


@contextmanager
def unfinished_run(
    writer: TagWriter, origin: Sequence[object], photos: Iterable[Path], *, step: int
) -> Iterator[UnfinishedRun]:
    """Yield a run that goes on where the same run has ended early, after an error or a kill.

    Args:
        writer: Writes the tags. It gets the number of the run, if that has one.
        origin: Everything that decides the tags but the photos, as values for JSON.
        photos: All photos of the run.
        step: Photos that are recognised together.

    Raises:
        DataError: If another process is at the same run.

    Example:
        >>> from tagsight.tagging.sidecars.edit import Tag
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.sidecars.writing import Manner, Writer
        >>> photos, done = [Path("a.jpg"), Path("b.jpg")], []
        >>> def tag(journal, failing):
        ...     writer = Writer(Manner("txt"), Places(".txt", None, [Path()]), "model", journal)
        ...     with unfinished_run(writer, ["model"], photos, step=1) as run:
        ...         tags = ([Tag("dog", 0.9)] for photo in run.rest(done.append))
        ...         for one in run.recognized(tags):
        ...             if one.photo.name == failing:
        ...                 raise OSError("the drive is gone")
        ...             _ = run.write([one])
        ...     return writer.run
        >>> with Journal("journal.sqlite") as journal:
        ...     try:
        ...         tag(journal, failing="b.jpg")
        ...     except OSError:
        ...         tag(journal, failing=None)
        1
        >>> done
        [Done(path=PosixPath('a.jpg'), problem=None)]
    """
    remaining = iter(photos)
    first = next(remaining, None)
    if first is None or writer.dry_run:
        yield UnfinishedRun(writer, chain([] if first is None else [first], remaining), step)
        return
    journal = writer.journal
    values = json.dumps([*origin, *writer.settings, str(first.absolute())])
    key = blake2b(values.encode(), digest_size=16).digest()
    claim = journal.claim_of(key)
    refusal = (
        f"expected one run at a time to tag {first} and what follows, got another with the same "
        "settings that has not ended: wait for it"
    )
    with naming(journal.file, claim), claimed(claim, refusal):
        writer.origin, writer.run = key, journal.unfinished(key)
        if writer.run is not None:
            remove_drafts_of(writer.run, journal)
        run = UnfinishedRun(writer, chain([first], remaining), step)
        try:
            yield run
            if not run.interrupted:
                journal.forget_done(key)
        finally:
            writer.origin = None


def described(outcome: Outcome) -> str:
    """Return why the sidecar of a photo was left unchanged, with the name of the photo.

    Example:
        >>> from tagsight.tagging.sidecars.writing import Outcome
        >>> described(Outcome(Path("a.jpg"), None, problem="expected a folder"))
        'a.jpg: expected a folder'
    """
    return f"{outcome.photo}: {outcome.problem}"


def _confirmed(photo: Path, record: str) -> Done | None:
    try:
        path, state, problem = json.loads(record)
    except (ValueError, TypeError):  # somebody has edited the journal
        return None
    is_same = (path, state) == state_of(photo) and isinstance(problem, str | None)
    return Done(photo, problem) if is_same else None
