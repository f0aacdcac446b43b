"""Write keywords into photos, for programs that read no sidecars.

A photo is changed in steps, each of which may be the last if the process is killed: a changed copy
is made elsewhere and checked (`rewriting`); the journal gets a record; the photo gets a second
name, under which its original stays (`originals`); the copy takes its place atomically; the record
is confirmed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tagsight.data.tags.embedded import embedded_tags
from tagsight.data.tags.text import leaf, same
from tagsight.data.tags.xmp import SUBJECT, read_keywords
from tagsight.errors import DataError
from tagsight.runtime.escaping import printable
from tagsight.runtime.files import sha256_of
from tagsight.tagging.embedding.originals import keep_original, put_in_place
from tagsight.tagging.embedding.rewriting import Change, drafted, require_embeddable
from tagsight.tagging.sidecars import xmp
from tagsight.tagging.sidecars.changes import ORIGINAL, Record
from tagsight.tagging.sidecars.edit import EMBEDDED, Addition, Stamp, Tag
from tagsight.tagging.sidecars.journal import now
from tagsight.tagging.sidecars.places import XMP, Places
from tagsight.tagging.sidecars.writing import Outcome, content_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.tags.embedded import Embedded
    from tagsight.tagging.embedding.exiftool import ExifTool
    from tagsight.tagging.sidecars.edit import Edit
    from tagsight.tagging.sidecars.journal import Journal

IPTC = "IPTC:Keywords"
"""Place of words that were added to the keywords of IPTC."""


class Embedder:
    """Writes tags into photos, and keeps their originals.

    Args:
        exiftool: Writes them.
        model: Name of the model, for the record.
        journal: Journal of changes.
        renamed: Tags to write in place of labels.
        dry_run: Whether to write nothing, not even to the journal.

    Attributes:
        run: Number of the run in the journal, once something is written.
        origin: Key of a run that another process may go on with.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.tagging.embedding.exiftool import ExifTool
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> Image.new("RGB", (8, 8)).save("a.jpg")
        >>> with ExifTool() as exiftool, Journal("journal.sqlite") as journal:
        ...     embedder = Embedder(exiftool, "model", journal, renamed={})
        ...     (outcome,) = embedder.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        >>> outcome.added, Path("a.jpg_original").exists()
        (('dog',), True)
        >>> read_keywords(embedded_tags(Path("a.jpg")).xmp).words
        ('dog',)
    """

    into_photos = True

    def __init__(
        self,
        exiftool: ExifTool,
        model: str,
        journal: Journal,
        renamed: Mapping[str, str],
        *,
        dry_run: bool = False,
    ) -> None:
        self.stamp = Stamp(printable(model), now())
        self.journal = journal
        self.dry_run = dry_run
        self.run: int | None = None
        self.origin: bytes | None = None
        self._exiftool = exiftool
        self._renamed = renamed

    def write(self, tagged: Sequence[tuple[Path, Sequence[Tag]]]) -> list[Outcome]:
        """Add tags to photos; the journal records those that change.

        Args:
            tagged: Photos and the labels of each.
        """
        return [self._outcome(photo, tags) for photo, tags in tagged]

    @property
    def settings(self) -> list[object]:
        """What decides the keywords in photos besides their tags, as values for JSON."""
        return [self.stamp.model, EMBEDDED, sorted(self._renamed.items())]

    def _outcome(self, given: Path, tags: Sequence[Tag]) -> Outcome:
        photo = given.absolute()
        try:
            photo = photo.parent.resolve() / photo.name
            require_embeddable(photo)
            inside = embedded_tags(photo)
            edit = self._edit(photo, inside, tags)
            if edit is not None and not self.dry_run:
                self._make(photo, inside, edit)
        except (DataError, OSError) as error:
            return Outcome.failed(given, photo, error)
        return Outcome(given, photo, () if edit is None else edit.names)

    def _edit(self, photo: Path, inside: Embedded, tags: Sequence[Tag]) -> Edit | None:
        tags = [Tag(self._renamed.get(tag.name, tag.name), tag.score) for tag in tags]
        return xmp.add_keywords(
            inside.xmp, tags, self.stamp, declined=self._declined(photo), elsewhere=inside.words
        )

    def _declined(self, photo: Path) -> Collection[str]:
        """Return the tags that a person has removed from the photo or its sidecar."""
        added = self.journal.added(photo, sha256_of(photo))
        with suppress(DataError, OSError):  # no sidecar, or a damaged one
            sidecar = Places(XMP, None, [photo]).of(photo)
            if (content := content_of(sidecar)) is not None:
                found = read_keywords(content)
                there = {same(leaf(word)) for word in (*found.words, *found.paths)}
                names = (record.name for record in found.recorded)
                added |= {name for name in names if same(leaf(name)) not in there}
        return added

    def _make(self, photo: Path, inside: Embedded, edit: Edit) -> None:
        """Record, write and confirm a change (see `journal`)."""
        words = tuple(dict.fromkeys(one.value for one in edit.additions if one.place == SUBJECT))
        draft = drafted(self._exiftool, photo, inside, Change(edit.content, added=words))
        additions = (*edit.additions, *(Addition(IPTC, word) for word in draft.added))
        record = Record(photo, None, draft.before, draft.after, edit.names, additions)
        if self.run is None:
            self.run = self.journal.begin(
                self.stamp.model, EMBEDDED, ending=ORIGINAL, origin=self.origin
            )
        numbers = self.journal.note(self.run, [record])
        try:
            keep_original(photo, draft.before)
            put_in_place(draft.file, photo, draft.before)
        except (DataError, OSError):
            self.journal.undone(numbers)
            raise
        self.journal.made(numbers)


class EmbeddedConfirmer(Embedder):
    """Records inside photos that a person has confirmed the tags that tagsight wrote into them.

    Args:
        exiftool: Writes it.
        journal: Journal of changes.
        dry_run: Whether to write nothing, not even to the journal.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.tagging.embedding.exiftool import ExifTool
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> Image.new("RGB", (8, 8)).save("a.jpg")
        >>> with ExifTool() as exiftool, Journal("journal.sqlite") as journal:
        ...     embedder = Embedder(exiftool, "model", journal, renamed={})
        ...     _ = embedder.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        ...     (outcome,) = EmbeddedConfirmer(exiftool, journal).confirm([Path("a.jpg")])
        >>> outcome.added
        ('dog',)
    """

    def __init__(self, exiftool: ExifTool, journal: Journal, *, dry_run: bool = False) -> None:
        super().__init__(exiftool, "confirmed by a person", journal, {}, dry_run=dry_run)

    def confirm(self, photos: Sequence[Path]) -> list[Outcome]:
        """Confirm the tags of photos; an outcome has those that were not confirmed before."""
        return self.write([(photo, ()) for photo in photos])

    def _edit(self, photo: Path, inside: Embedded, tags: Sequence[Tag]) -> Edit | None:
        del photo, tags
        return None if inside.xmp is None else xmp.confirm_keywords(inside.xmp, self.stamp.date)
