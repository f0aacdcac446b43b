"""A project in use: judgements, features and heads together, as the page asks for them.

Every method may be called by any thread. Features are computed and heads are fitted on threads of
their own, which tell listeners when there is something new.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Self

import numpy as np

from tagsight.errors import DataError
from tagsight.tagging.labelling.background import Background
from tagsight.tagging.labelling.errors import UnknownIdError
from tagsight.tagging.labelling.events import (
    Event,
    Listeners,
    judgements_event,
    model_event,
    progress_event,
)
from tagsight.tagging.labelling.evidence import Grids, draw_evidence
from tagsight.tagging.labelling.features import Features
from tagsight.tagging.labelling.learner import Learner
from tagsight.tagging.labelling.names import NameSearch
from tagsight.tagging.labelling.queues import like_region
from tagsight.tagging.labelling.regions import region_cell
from tagsight.tagging.labelling.scores import scores_of
from tagsight.tagging.labelling.session_queues import SessionQueues
from tagsight.tagging.labelling.suggestions import Suggestions
from tagsight.tagging.labelling.thumbnails import Thumbnails
from tagsight.tagging.labelling.views import (
    BatchView,
    LabelView,
    PhotoDetail,
    PhotosView,
    PhotoView,
    ProjectView,
    QualityView,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from tagsight.inference.recognizer import Recognizer
    from tagsight.nn.text_image import TextImageEncoder
    from tagsight.tagging.labelling.background import Progress
    from tagsight.tagging.labelling.encoder import PhotoEncoder
    from tagsight.tagging.labelling.evidence import Overlay
    from tagsight.tagging.labelling.judgements import Batch
    from tagsight.tagging.labelling.labels import Label
    from tagsight.tagging.labelling.learner import Learned
    from tagsight.tagging.labelling.orders import Query
    from tagsight.tagging.labelling.photos import Photo
    from tagsight.tagging.labelling.project import Project
    from tagsight.tagging.labelling.regions import Box

MOST_SENT = 200
"""Batches of judgements that are sent one by one to a page that was away for a while."""

SCORED_AFTER = 1.25
"""Growth of the encoded photos from which all are scored again."""


class Session:
    """A project in use, for as long as the ``with`` block runs.

    Args:
        project: The project, which stays open afterwards.
        encoder: Encodes the photos.
        model: A trained model, whose scores are suggestions for its labels; None for none.
        names: Compares photos with the names of labels; None for no queue of that.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.tagging.labelling.encoder import PhotoEncoder
        >>> from tagsight.tagging.labelling.orders import Query
        >>> from tagsight.tagging.labelling.project import Project
        >>> for name in ("a", "b"):
        ...     Image.new("RGB", (40, 30), "red").save(f"{name}.png")
        >>> encoder = PhotoEncoder.choose(Runtime.choose("cpu", workers=1))
        >>> with Project(Path("project"), Path()) as project, Session(project, encoder) as session:
        ...     session.background.finish()
        ...     red = session.make_label("red")
        ...     _ = session.judge([1], red.id, 1, "me")
        ...     [photo.name for photo in session.photos(Query("all"), 0, 10).photos]
        ...     session.photo(1).judged
        ['a.png', 'b.png']
        {1: 1}
    """

    def __init__(
        self,
        project: Project,
        encoder: PhotoEncoder,
        model: Recognizer | None = None,
        names: TextImageEncoder | None = None,
    ) -> None:
        self.project = project
        self.encoder = encoder
        self.features = Features(
            project.database, project.folder, encoder.name(), encoder.dimensions
        )
        self.thumbnails = Thumbnails(project.folder)
        self.grids = Grids(encoder)
        self.listeners = Listeners()
        self._scored = 0
        self.suggestions = None if model is None else Suggestions(project, self.features, model)
        self.learner = Learner(project, self.features, encoder.backbone, self._learned)
        self.names = (
            None if names is None else NameSearch(project, self.features, names, self._named)
        )
        self.queues = SessionQueues(
            project,
            self.features,
            self.learner,
            self._scores,
            self.names,
            suggested=() if self.suggestions is None else self.suggestions.labels,
        )
        self.background = Background(
            project,
            encoder,
            self.features,
            self.thumbnails,
            self._progressed,
            self.suggestions,
        )

    def __enter__(self) -> Self:
        self.learner.start()
        self.learner.wake()
        self.background.start()
        if self.names is not None:
            self.names.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.suggestions is not None:
            self.suggestions.stop()
        if self.names is not None:
            self.names.stop()
        self.background.stop()
        self.learner.stop()
        self.thumbnails.close()

    def view(self) -> ProjectView:
        """Describe the project as a whole."""
        progress, learned = self.background.progress, self.learner.learned
        return ProjectView(
            self.project.name,
            str(self.project.folder),
            progress.photos,
            progress.encoded,
            progress.seconds_left,
            progress.problem,
            progress.left_out,
            progress.unscored,
            self.project.revision,
            0 if learned is None else learned.revision,
            self.labels(),
            self.queues.offered(),
        )

    def labels(self) -> list[LabelView]:
        """Describe the labels."""
        counts, learned = self.project.counts(), self.learner.learned
        return [_label_view(one, counts, learned) for one in self.project.labels.shown]

    def photos(self, query: Query, start: int, count: int, *, fresh: bool = False) -> PhotosView:
        """Return part of a queue.

        Args:
            query: The queue.
            start: Place of the first photo.
            count: Most photos to return.
            fresh: Whether the queue is put in order anew.

        Raises:
            UnknownIdError: If there is no such label.
            DataError: If there is no such queue, or it cannot be chosen now.
        """
        if query.label is not None and self.project.labels[query.label].hidden:
            raise UnknownIdError("label", query.label)
        found = self.queues.get(query, fresh=fresh)
        part = found.photos[start : start + count].tolist()
        return PhotosView(len(found.photos), found.revision, self.photo_views(part, query.label))

    def photo_views(self, ids: Sequence[int], label: int | None) -> list[PhotoView]:
        """Describe photos for a grid, with their score for a label."""
        scores = self._scores_of(ids, label)
        said = self.project.judged(ids)
        rows = zip(self.project.photos.rows(ids), scores, said, strict=True)
        return [
            PhotoView(one.id, PurePosixPath(one.path).name, one.width, one.height, score, judged)
            for one, score, judged in rows
        ]

    def photo(self, number: int) -> PhotoDetail:
        """Describe one photo.

        Raises:
            UnknownIdError: If there is none of this id.
        """
        (one,) = self.project.photos.rows([number])
        learned, path = self.learner.learned, PurePosixPath(one.path)
        shown = [label.id for label in self.project.labels.shown]
        row = zip(shown, self._scores([number], shown)[0].tolist(), strict=True)
        scores = {label: score for label, score in row if not np.isnan(score)}
        return PhotoDetail(
            one.id,
            path.name,
            "" if path.parent == PurePosixPath() else path.parent.as_posix(),
            one.width,
            one.height,
            self.project.judged([number])[0],
            scores,
            0 if learned is None else learned.revision,
            one.problem,
        )

    def evidence(self, photo: Photo, label: int) -> Overlay | None:
        """Draw the evidence for a label in a photo whose grid is in `grids`.

        Returns:
            The overlay; None if the heads do not know the label, or the photo is not encoded.
        """
        learned, grid = self.learner.learned, self.grids.get(photo)
        column = None if learned is None else learned.column(label)
        if learned is None or column is None or grid is None:
            return None
        size = photo.width or 1, photo.height or 1
        return draw_evidence(grid, size, learned, column, self.encoder)

    def like_region(self, photo: int, box: Box, count: int) -> list[PhotoView]:
        """Find the photos with a cell that is most like a part of a photo, without that photo.

        Args:
            photo: The photo.
            box: Left, top, width and height of the part, as fractions of the photo.
            count: Most photos to return.

        Raises:
            UnknownIdError: If there is no such photo.
            DataError: If it has not been encoded yet, or the part is not on it.
        """
        (one,) = self.project.photos.rows([photo])
        slots = self.features.slots(self.project.photos.count)
        if slots[photo - 1] < 0 or one.width is None or one.height is None:
            msg = f"expected a photo that is encoded already, got {one.path!r}: try again later"
            raise DataError(msg)
        cells = self.features.cells()
        frame = self.encoder.frame((one.width, one.height))
        wanted = region_cell(cells[slots[photo - 1]], box, frame)
        there = self.project.photos.there()
        found = there[like_region(cells, wanted, rows=slots[there - 1])]
        return self.photo_views(found[found != photo][:count].tolist(), None)

    def judge(
        self, photos: Sequence[int], label: int, value: int, person: str, key: str | None = None
    ) -> BatchView:
        """Record that a label of photos is present (1), absent (0) or not judged (-1).

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
        batch = self.project.judge(photos, label, value, person, key)
        return self._published(batch) or BatchView(batch.id, batch.id, list(photos), label)

    def undo(self, person: str, key: str | None = None) -> BatchView:
        """Revert what a person did last."""
        batch = self.project.undo(person, key)
        return self._published(batch) or BatchView(None, self.project.revision)

    def redo(self, person: str, key: str | None = None) -> BatchView:
        """Repeat what a person has undone last."""
        batch = self.project.redo(person, key)
        return self._published(batch) or BatchView(None, self.project.revision)

    def make_label(self, name: str) -> LabelView:
        """Make a label, or return the one of this name.

        Raises:
            DataError: If a label cannot have this name.
        """
        return self._published_label(self.project.labels.make(name))

    def change_label(
        self, number: int, *, name: str | None, colour: str | None, shortcut: str | None
    ) -> LabelView:
        """Change what is given of a label (`Labels.change`)."""
        changed = self.project.labels.change(number, name=name, colour=colour, shortcut=shortcut)
        return self._published_label(changed)

    def remove_label(self, number: int) -> None:
        """Remove a label of which nothing is said (`Project.remove_label`)."""
        self.project.remove_label(number)
        self._publish_labels()

    def missed(self, revision: int) -> list[Event]:
        """Return the judgements since a revision as events; one without changes if too many."""
        batches = self.project.since(revision, MOST_SENT)
        now = self.project.revision
        if batches is None:
            return [Event("judgements", {"revision": now, "by": None, "changes": None})]
        return judgements_event(batches, now)

    def state(self) -> list[Event]:
        """Return what a page may have missed since its questions, but for judgements, as events."""
        learned = self.learner.learned
        model = [] if learned is None else [model_event(learned, self.labels())]
        return [Event("labels", {}), progress_event(self.background.progress), *model]

    def _published(self, batch: Batch | None) -> BatchView | None:
        """Publish a batch once, and describe it; None if nothing has changed."""
        if batch is None or not batch.changes:
            return None
        if not batch.repeated:
            for event in judgements_event([batch], batch.id):
                self.listeners.publish(event)
            self.learner.wake()
        photos = list(dict.fromkeys(change.photo for change in batch.changes))
        labels = {change.label for change in batch.changes}
        return BatchView(batch.id, batch.id, photos, labels.pop() if len(labels) == 1 else None)

    def _publish_labels(self) -> None:
        """Publish that labels have changed, and learn again, as names are learned from too."""
        self.listeners.publish(Event("labels", {}))
        self.learner.wake()

    def _published_label(self, label: Label) -> LabelView:
        self._publish_labels()
        return _label_view(label, self.project.counts(), self.learner.learned)

    def _scores_of(self, ids: Sequence[int], label: int | None) -> list[float | None]:
        if label is None:
            return [None] * len(ids)
        column = self._scores(ids, [label])[:, 0].tolist()
        return [None if np.isnan(score) else score for score in column]

    def _scores(self, photos: ArrayLike, labels: Sequence[int]) -> NDArray[np.float32]:
        return scores_of(
            np.asarray(photos, np.int64),
            labels,
            self.learner.learned,
            self.suggestions,
            self.features,
        )

    def _learned(self, learned: Learned) -> None:
        self.listeners.publish(model_event(learned, self.labels()))

    def _progressed(self, progress: Progress) -> None:
        self.listeners.publish(progress_event(progress))
        # Photos that were encoded since the last scores get some.
        if progress.seconds_left == 0 or progress.encoded > SCORED_AFTER * self._scored:
            self._scored = progress.encoded
            self.learner.wake()
        if self.names is not None:
            self.names.wake()

    def _named(self) -> None:
        self.listeners.publish(progress_event(self.background.progress))


def _label_view(label: Label, counts: NDArray[np.int64], learned: Learned | None) -> LabelView:
    present, absent = counts[label.id - 1] if label.id <= len(counts) else (0, 0)
    quality = advice = None
    column = None if learned is None else learned.column(label.id)
    if learned is not None and column is not None:
        measured = learned.fitted.quality[column]
        advice = measured.advice(int(present), int(absent))
        if measured.ap is not None and measured.low is not None and measured.high is not None:
            held_out = measured.present + measured.absent
            quality = QualityView(measured.ap, measured.low, measured.high, held_out)
    return LabelView(
        label.id,
        label.name,
        label.colour,
        label.shortcut,
        int(present),
        int(absent),
        quality,
        advice,
    )
