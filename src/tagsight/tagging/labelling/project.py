"""A project: a folder with everything that people say of a collection of photos."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tagsight.data.formats.label_project import DATABASE, recognises
from tagsight.errors import DataError
from tagsight.tagging.labelling.database import Database
from tagsight.tagging.labelling.errors import UnknownIdError
from tagsight.tagging.labelling.judgements import UNJUDGED, Change, Judgements
from tagsight.tagging.labelling.labels import Labels
from tagsight.tagging.labelling.photos import Photos

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tagsight.data.annotations import Annotations
    from tagsight.tagging.labelling.judgements import Batch


class Project:
    """Photos, labels and judgements; every method may be called by any thread.

    What a method has changed is on the disk when it returns, and an error means that nothing was
    changed.

    Args:
        folder: The project's folder; it is made if there is none.
        photos: The folder of the photos; by default the one that the project notes.

    Raises:
        DataError: If a folder cannot be used, or another process has the project open.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, Project(Path(folder) / "p", Path(folder)) as made:
        ...     (photo,) = made.photos.note([("a.jpg", 1, 1)])
        ...     dog = made.labels.make("animal/dog")
        ...     batch = made.judge([photo], dog.id, 1, "me")
        ...     undone = made.undo("me")
        ...     batch.changes, undone.changes
        ((Change(photo=1, label=1, value=1),), (Change(photo=1, label=1, value=-1),))
    """

    def __init__(self, folder: Path, photos: Path | None = None) -> None:
        self.folder = folder.absolute()
        place = _checked_photos(photos or _noted_photos(folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = (
                f"expected a folder for the project at {folder}, which cannot be made "
                f"({error.strerror}): give another `project`"
            )
            raise DataError(msg) from error
        self.database = Database(self.folder)
        try:
            with self.database.changes() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO settings VALUES ('photos', ?)", (str(place),)
                )
            self.photos = Photos(self.database, place)
            self.labels = Labels(self.database)
            self._judgements = Judgements(self.database)
        except BaseException:
            self.database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the project, so that another process can open it."""
        self.database.close()

    @property
    def name(self) -> str:
        """Name of the folder of the photos."""
        return self.photos.folder.name

    @property
    def revision(self) -> int:
        """Number of the last batch of judgements; 0 without any."""
        return self._judgements.revision

    def targets(self) -> tuple[NDArray[np.int8], int]:
        """Copy what is said of each photo and label, and the revision that it belongs to.

        Returns:
            ``(photos, labels)`` int8: 1 present, 0 absent, -1 not judged, by ids from 1.
        """
        with self.database.reading():
            table = self._judgements.table(self.photos.count, self.labels.count)
            return table.copy(), self.revision

    def judged(self, photos: Iterable[int]) -> list[dict[int, int]]:
        """Return what is said of photos, by label: 1 present, 0 absent."""
        with self.database.reading():
            table = self._judgements.table(self.photos.count, self.labels.count)
            return [
                {
                    label + 1: int(table[photo - 1, label])
                    for label in (table[photo - 1] != UNJUDGED).nonzero()[0].tolist()
                }
                for photo in photos
            ]

    def counts(self) -> NDArray[np.int64]:
        """Count the photos with and without each label: ``(labels, 2)``, present and absent.

        Photos that are gone or cannot be used do not count: nobody sees their judgements.
        """
        with self.database.reading():
            table = self._judgements.table(self.photos.count, self.labels.count)
            missing = self.photos.missing() - 1
            return np.stack(
                [(table == value).sum(0) - (table[missing] == value).sum(0) for value in (1, 0)], 1
            )

    def judge(
        self, photos: Iterable[int], label: int, value: int, person: str, key: str | None = None
    ) -> Batch:
        """Record that a label of photos is present (1), absent (0), or not judged (-1).

        Args:
            photos: Their ids.
            label: Id of the label.
            value: What is said.
            person: Who says so.
            key: Name of the request, if it has one; a request that comes again changes nothing.

        Raises:
            UnknownIdError: If there is no such photo or label.
            DataError: If it cannot be saved.
        """
        return self.judge_all((Change(photo, label, value) for photo in photos), person, key)

    def judge_all(self, changes: Iterable[Change], person: str, key: str | None = None) -> Batch:
        """Judge photos by several labels at once, as `judge` does by one.

        Raises:
            UnknownIdError: If there is no such photo or label.
            DataError: If it cannot be saved.
        """
        with self.database.reading():
            made = list(changes)
            for change in made:
                _ = self.labels[change.label]
                if not 1 <= change.photo <= self.photos.count:
                    raise UnknownIdError("photo", change.photo)
            return self._judgements.judge(made, person, key=key)

    def undo(self, person: str, key: str | None = None) -> Batch | None:
        """Revert what a person did last; None if there is nothing left to undo."""
        with self.database.reading():
            return self._with_labels_shown(self._judgements.undo(person, key))

    def redo(self, person: str, key: str | None = None) -> Batch | None:
        """Repeat what a person has undone last; None if there is nothing to redo."""
        with self.database.reading():
            return self._with_labels_shown(self._judgements.redo(person, key))

    def since(self, revision: int, limit: int) -> list[Batch] | None:
        """Return the batches after a revision, or None if they are more than ``limit``."""
        with self.database.reading():
            return self._judgements.since(revision, limit)

    def remove_label(self, number: int) -> None:
        """Remove a label by which no photo that is there is judged.

        Judgements of photos that are gone are kept, for when a label of this name is made again.

        Raises:
            UnknownIdError: If there is none.
            DataError: If a photo is judged by it.
        """
        with self.database.reading():
            label = self.labels[number]
            if said := int(self.counts()[number - 1].sum()):
                msg = (
                    f"expected a label without judgements to remove, got {label.name!r} with "
                    f"{said:,}: take them back before"
                )
                raise DataError(msg)
            self.labels.hide(number)

    def import_labels(self, rows: Annotations, person: str) -> Batch:
        """Take over labels that exist, where nothing is judged yet; unknown stays not judged.

        Args:
            rows: The labels; photos that are not in the project are left out.
            person: Who is recorded as their author.
        """
        folder = self.photos.folder.resolve()
        names = [_below(path, folder) for path in rows.paths]
        with self.database.reading():
            ids = self.photos.ids_of(name for name in names if name is not None)
            labels = [self.labels.make(name).id for name in rows.names]
            table = self._judgements.table(self.photos.count, self.labels.count)
            changes = (
                Change(ids[name], labels[column], value)
                for name, targets in zip(names, rows.targets.tolist(), strict=True)
                if name in ids
                for column, value in enumerate(targets)
                if value != UNJUDGED and table[ids[name] - 1, labels[column] - 1] == UNJUDGED
            )
            return self._judgements.judge(changes, person, kind="import")

    def _with_labels_shown(self, batch: Batch | None) -> Batch | None:
        for label in {change.label for change in batch.changes} if batch else ():
            self.labels.show(label)
        return batch


def project_folder(photos: Path) -> Path:
    """Return the folder of the project for photos, where none is given: beside them.

    Example:
        >>> project_folder(Path("/pictures/holiday")).as_posix()
        '/pictures/holiday-labels'
    """
    place = photos.absolute()
    return place if recognises(place) else place.with_name(f"{place.name}-labels")


def _noted_photos(folder: Path) -> Path:
    """Return the folder of the photos that a project notes.

    Raises:
        DataError: If there is no project.
    """
    if not recognises(folder):
        msg = f"expected a project of 'tagsight label' in {folder}, got none: give its photos"
        raise DataError(msg)
    try:
        with closing(sqlite3.connect(folder / DATABASE)) as database:
            ((noted,),) = database.execute("SELECT value FROM settings WHERE name = 'photos'")
            return Path(str(noted))
    except (sqlite3.Error, ValueError) as error:
        msg = f"{folder / DATABASE}: expected a project of 'tagsight label', got: {error}"
        raise DataError(msg) from error


def _checked_photos(photos: Path) -> Path:
    if not photos.is_dir():
        msg = f"expected a folder of photos, got {photos}, which is none"
        raise DataError(msg)
    return photos.absolute()


def _below(path: Path, folder: Path) -> str | None:
    place = path.resolve()
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else None
