"""Values that a session sends to the page; their types describe the HTTP interface."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class QualityView:
    """Quality of a label's head on photos that it was not trained on.

    Args:
        ap: Average precision, in [0, 1].
        low: Lower end of its 95 % interval.
        high: Upper end.
        held_out: Photos that it was measured on.
    """

    ap: float
    low: float
    high: float
    held_out: int


@dataclass(frozen=True)
class LabelView:
    """A label: how it looks, how often it was judged, and how well it is known.

    Args:
        id: Its number.
        name: Its name; ``/`` separates the levels of a hierarchy.
        colour: As ``#rrggbb``.
        shortcut: A digit or letter, or None.
        present: Photos that were judged to have it.
        absent: Photos that were judged not to.
        quality: How good its head is; None if that is not known.
        advice: What would help most, or None.
    """

    id: int
    name: str
    colour: str
    shortcut: str | None
    present: int = 0
    absent: int = 0
    quality: QualityView | None = None
    advice: str | None = None


@dataclass(frozen=True)
class QueueView:
    """A queue, and whether it can be chosen now."""

    name: str
    title: str
    meaning: str
    needs_label: bool
    available: bool
    reason: str | None


@dataclass(frozen=True)
class ProjectView:
    """A project as a whole.

    Args:
        name: Name of the folder of the photos.
        folder: That of the project.
        photos: Photos that can be judged.
        encoded: Those that have features.
        seconds_left: Until all have some, and then until all are scored; None if that is not known.
        problem: Why no more photos are encoded, or None.
        left_out: Photos that are there and cannot be used.
        unscored: Photos that wait for the scores of the trained model; None before it is their
            turn, and without such a model.
        revision: Number of the last batch of judgements.
        model_revision: Number of the model that scores are of; 0 before the first.
        labels: The labels, in the order in which they were made.
        queues: The queues.
    """

    name: str
    folder: str
    photos: int
    encoded: int
    seconds_left: float | None
    problem: str | None
    left_out: int
    unscored: int | None
    revision: int
    model_revision: int
    labels: list[LabelView]
    queues: list[QueueView]


@dataclass(frozen=True)
class LeftOut:
    """A photo that is there and cannot be used: its path below the folder, and why."""

    path: str
    problem: str


@dataclass(frozen=True)
class PhotoView:
    """A photo in a grid; width and height are None until it has been decoded."""

    id: int
    name: str
    width: int | None
    height: int | None
    score: float | None
    judged: dict[int, int]


@dataclass(frozen=True)
class PhotosView:
    """Part of a queue; ``order_revision`` changes when its order does."""

    total: int
    order_revision: int
    photos: list[PhotoView]


@dataclass(frozen=True)
class PhotoDetail:
    """One photo, with its score for every label that has one."""

    id: int
    name: str
    folder: str
    width: int | None
    height: int | None
    judged: dict[int, int]
    scores: dict[int, float]
    model_revision: int
    problem: str | None


@dataclass(frozen=True)
class BatchView:
    """A batch of changes; ``batch`` is None if nothing was left to undo or redo."""

    batch: int | None
    revision: int
    photos: list[int] = field(default_factory=list)
    label: int | None = None


@dataclass(frozen=True)
class Written:
    """Labels that were written: where, and how many photos of how many have some."""

    path: str
    photos: int
    report: str
