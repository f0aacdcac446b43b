"""Queues: in which order photos are shown, by what a person wants to reach.

Pure functions of arrays. A queue has each of its photos once, the best first; all but ``all`` and
``probably-wrong`` leave out what is judged already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Scores = NDArray[np.floating]
    Targets = NDArray[np.int8]

POINTS = 2_048
"""Photos, evenly spaced, that stand for the collection when it is to be covered."""

CANDIDATES = 512
"""Photos among which those that cover the collection are chosen."""

CHOSEN = 128
"""Photos that are chosen one after the other; the others follow in a simpler order."""

SKETCH = 128
"""Length of the random projections in which photos are compared."""

BLOCK = 2**13
"""Photos whose cells are compared at once; bounds the memory."""

WRONG_FROM = 0.5
"""Distance of a held-out score from a judgement from which the judgement may be wrong."""


class Queue(NamedTuple):
    """A queue.

    Attributes:
        name: As in addresses and on the command line.
        title: As a person reads it.
        meaning: What the queue is for, in a sentence.
        needs_label: Whether it is a queue of one label.
        needs_scores: Whether a model must have scored the photos.
        needs_judgements: Whether something must have been judged.
        needs_names: Whether a text-image encoder must compare the photos with labels' names.
    """

    name: str
    title: str
    meaning: str
    needs_label: bool = False
    needs_scores: bool = True
    needs_judgements: bool = False
    needs_names: bool = False


QUEUES = (
    Queue("all", "All photos", "The photos in the order of their names.", needs_scores=False),
    Queue(
        "looks-like-name",
        "Looks like its name",
        "Photos that look most like the label's name: to begin with, before anything is judged.",
        needs_label=True,
        needs_scores=False,
        needs_names=True,
    ),
    Queue(
        "probably-yes",
        "Probably yes",
        "Photos that most likely have the label: to collect examples.",
        needs_label=True,
    ),
    Queue("not-sure", "Not sure", "Photos on which the model is least sure: they teach it most."),
    Queue(
        "unlike",
        "Unlike anything judged",
        "Photos unlike all judged ones: to cover the collection.",
        needs_scores=False,
    ),
    Queue("rare", "Rare labels", "Photos that may have labels with few examples so far."),
    Queue(
        "probably-wrong",
        "Probably wrong",
        "Judgements that the model contradicts although it did not learn from them.",
        needs_judgements=True,
    ),
    Queue(
        "near-twins",
        "Near twins",
        "Photos that look like a judged one: judge the whole series alike.",
        needs_scores=False,
        needs_judgements=True,
    ),
    Queue(
        "expected",
        "Likely from other labels",
        "Photos with labels that usually come with this one.",
        needs_label=True,
        needs_scores=False,
        needs_judgements=True,
    ),
)
"""All queues, in the order in which they are offered."""


class Pool(NamedTuple):
    """A collection as the queues see it.

    Attributes:
        targets: ``(N, L)`` int8 in {1, 0, -1}: judged present, judged absent, not judged.
        embeddings: ``(M, D)`` float, also as a file that is mapped into memory.
        slots: ``(N,)`` int, the row of ``embeddings`` of each photo, -1 without one; by default its
            own row.
        scores: ``(N, L)`` float in [0, 1], calibrated; NaN where there is none.
        held_out: ``(N, L)`` float in [0, 1], scores by heads that did not learn from the photo; NaN
            where there is none.
        twins: ``(N,)`` int, equal for near twins.
        likeness: ``(N,)`` float, to the name of the label in hand; NaN where there is none.
    """

    targets: Targets
    embeddings: NDArray[np.floating]
    slots: Rows | None = None
    scores: Scores | None = None
    held_out: Scores | None = None
    twins: Rows | None = None
    likeness: Scores | None = None


def order(queue: str, pool: Pool, label: int | None = None) -> Rows:
    """List the photos of a queue, the best first.

    Args:
        queue: Name of one of `QUEUES`.
        pool: The collection.
        label: Index of the label in hand; where a queue does not need one, None means all labels.

    Returns:
        ``(K,)`` int64, rows of the pool; none if the queue needs scores and there are none.

    Raises:
        ValueError: If there is no such queue, or it needs a label and there is none.

    Example:
        >>> targets = np.array([[-1], [-1], [1]], np.int8)
        >>> scores = np.array([[0.2], [0.9], [0.8]])
        >>> pool = Pool(targets, np.eye(3, dtype=np.float32), scores=scores)
        >>> order("probably-yes", pool, label=0).tolist()
        [1, 0]
    """
    known = {one.name: one for one in QUEUES}.get(queue)
    if known is None:
        msg = f"expected a queue of {[one.name for one in QUEUES]!r}, got {queue!r}"
        raise ValueError(msg)
    if known.needs_label and label is None:
        msg = f"expected a label for the queue {queue!r}, got none"
        raise ValueError(msg)
    if known.needs_scores and pool.scores is None:
        return np.empty(0, np.int64)
    return _ORDERS[queue](pool, slice(None) if label is None else slice(label, label + 1))


def like_region(cells: NDArray[np.int8], region: NDArray[np.floating], *, rows: Rows) -> Rows:
    """List photos by their cell that is most like a region, the most alike first.

    Args:
        cells: ``(M, C, k)`` int8, compact cells of equal length, also as a mapped file.
        region: ``(k,)`` float, such a cell of the region.
        rows: ``(N,)`` int, the row of ``cells`` of each photo, -1 without one.

    Example:
        >>> cells = np.array([[[9, 0]], [[0, 9]], [[7, 6]]], np.int8)
        >>> like_region(cells, np.array([1.0, 0.0]), rows=np.array([0, 1, 2])).tolist()
        [0, 2, 1]
    """
    likeness = np.full(len(cells), -np.inf, np.float32)
    direction = np.asarray(region, np.float32)
    for first in range(0, len(cells), BLOCK):
        block = cells[first : first + BLOCK]
        flat = block.reshape(-1, block.shape[-1]).astype(np.float32) @ direction
        likeness[first : first + BLOCK] = flat.reshape(block.shape[:2]).max(1)
    return _descending(np.where(rows >= 0, likeness[rows], np.nan))


def _all(pool: Pool, _: slice) -> Rows:
    return np.arange(len(pool.targets))


def _looks_like_name(pool: Pool, label: slice) -> Rows:
    if pool.likeness is None:
        return np.empty(0, np.int64)
    return _descending(np.where(pool.targets[:, label][:, 0] < 0, pool.likeness, np.nan))


def _probably_yes(pool: Pool, label: slice) -> Rows:
    return _descending(_unjudged_scores(pool, label)[:, 0])


def _not_sure(pool: Pool, label: slice) -> Rows:
    """Cover the doubtful photos (`_covering`), then go on by entropy.

    The entropy of a photo is summed over the labels in hand that are not judged. The most uncertain
    photos alone are alike, and at first outliers: until some hundred photos are judged, learning
    from them is worse than learning from random ones (``docs/how-to/label-photos.md``).
    """
    scores = np.clip(_unjudged_scores(pool, label), 1e-6, 1 - 1e-6)
    entropy = -scores * np.log(scores) - (1 - scores) * np.log1p(-scores)
    nothing = np.isnan(entropy).all(1)
    return _by_value(pool, label, np.where(nothing, np.nan, np.nansum(entropy, 1)))


def _rare(pool: Pool, label: slice) -> Rows:
    """Cover the photos in which most rare labels are expected, then go on by their number.

    Each label counts by its score and its rarity among the judged photos.
    """
    weights = 1 / (1 + (pool.targets[:, label] == 1).sum(0))
    scores = _unjudged_scores(pool, label)
    finds = np.where(np.isnan(scores).all(1), np.nan, np.nansum(scores * weights, 1))
    return _by_value(pool, label, finds)


def _unlike(pool: Pool, _: slice) -> Rows:
    """Cover the collection (`_covering`), then go on in its order."""
    judged = np.asarray((pool.targets >= 0).any(1))
    waiting = (~judged).nonzero()[0]
    if pool.slots is not None:
        waiting = waiting[pool.slots[waiting] >= 0]
    covering = _covering(pool, _spread(waiting, CANDIDATES), _spread(waiting, POINTS), judged)
    return _first(covering, waiting)


def _probably_wrong(pool: Pool, label: slice) -> Rows:
    """Order by how far the held-out score is from the judgement, at the worst label in hand."""
    if pool.held_out is None:
        return np.empty(0, np.int64)
    held_out, targets = pool.held_out[:, label], pool.targets[:, label]
    error = np.where(targets >= 0, np.abs(held_out - targets), np.nan)
    worst = np.nan_to_num(error, nan=-1).max(1)
    return _descending(np.where(worst > WRONG_FROM, worst, np.nan))


def _near_twins(pool: Pool, label: slice) -> Rows:
    """List what is not judged of groups in which something is, group by group."""
    if pool.twins is None:
        return np.empty(0, np.int64)
    judged = (pool.targets[:, label] >= 0).any(1)
    groups, group = np.unique(pool.twins, return_inverse=True)
    begun = np.zeros(len(groups), bool)
    begun[group[judged]] = True
    rows = (begun[group] & ~judged).nonzero()[0]
    return rows[np.argsort(group[rows], kind="stable")]


def _expected(pool: Pool, label: slice) -> Rows:
    """Order by the largest probability of the label given one that the photo has.

    It is estimated from the photos in which both are judged; only where it is higher than the
    label's own rate, a photo is expected to have the label.
    """
    present = (pool.targets == 1).astype(np.float32)
    known = (pool.targets >= 0).astype(np.float32)
    own, own_known = present[:, label], known[:, label]
    together, judged = present.T @ own, present.T @ own_known
    given = ((together + 0.0) / (judged + 1))[:, 0]
    rate = own.sum() / (own_known.sum() + 1)
    given[label] = 0
    given[given <= rate] = 0
    strongest = (present * given).max(1)
    return _descending(np.where((strongest > 0) & (own_known[:, 0] == 0), strongest, np.nan))


_ORDERS: Mapping[str, Callable[[Pool, slice], Rows]] = {
    "all": _all,
    "looks-like-name": _looks_like_name,
    "probably-yes": _probably_yes,
    "not-sure": _not_sure,
    "unlike": _unlike,
    "rare": _rare,
    "probably-wrong": _probably_wrong,
    "near-twins": _near_twins,
    "expected": _expected,
}


def _unjudged_scores(pool: Pool, label: slice) -> Scores:
    """Return the scores of the labels in hand, NaN where they are judged: ``(N, 1 or L)``."""
    assert pool.scores is not None, "the caller has checked"
    return np.where(pool.targets[:, label] < 0, pool.scores[:, label], np.nan)


def _descending(values: NDArray[np.floating]) -> Rows:
    """List the rows whose value is a number, the largest first; of equal ones, the first."""
    order = np.argsort(-values, kind="stable")
    return order[: len(values) - int(np.isnan(values).sum())]


def _by_value(pool: Pool, label: slice, values: NDArray[np.floating]) -> Rows:
    """Cover the photos by their values, of which NaN is none (`_covering`), then go on by value."""
    waiting = _descending(values)
    begun = np.asarray((pool.targets[:, label] >= 0).any(1))
    covering = _covering(pool, waiting[:CANDIDATES], _spread(waiting, POINTS), begun, values)
    return _first(covering, waiting)


def _covering(
    pool: Pool,
    candidates: Rows,
    points: Rows,
    judged: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> Rows:
    """Choose photos such that every photo, by its weight, is like one that is chosen or judged.

    Greedy facility location (Nemhauser, Wolsey and Fisher, An analysis of approximations for
    maximizing submodular set functions, Mathematical Programming 14, 1978), by the cosine from the
    mean. Choosing the farthest photo instead (k-centre; Sener and Savarese, ICLR 2018) prefers
    outliers, and was worse than random choice on the photos of animals (mAP 49.7 against 54.1 with
    100 judged ones).
    """
    known = _spread(judged.nonzero()[0], POINTS)
    if not len(candidates):
        return candidates
    embeddings, slots = pool.embeddings, pool.slots
    place = (lambda rows: rows) if slots is None else (lambda rows: slots[rows])
    known = known[place(known) >= 0]
    whole = _sketched(embeddings, place(points))
    mean = whole.mean(0)
    whole = _unit(whole - mean)
    likeness = np.maximum(whole @ _unit(_sketched(embeddings, place(candidates)) - mean).T, 0)
    covered = np.zeros(len(points), np.float32)
    if len(known):
        before = whole @ _unit(_sketched(embeddings, place(known)) - mean).T
        covered = np.maximum(before.max(1), 0)
    weight = np.ones(len(points), np.float32) if weights is None else weights[points]
    return candidates[_greedily(likeness, covered, weight.astype(np.float32))]


def _greedily(
    likeness: NDArray[np.float32], covered: NDArray[np.float32], weights: NDArray[np.float32]
) -> Rows:
    """Choose the column that adds most to what is covered, again and again: ``(n, c)``."""
    chosen: list[int] = []
    left = np.ones(likeness.shape[1], bool)
    columns = np.ascontiguousarray(likeness.T)
    for _ in range(min(CHOSEN, len(columns))):
        gains = np.maximum(columns - covered, 0) @ weights
        gains[~left] = -1
        best = int(gains.argmax())
        chosen.append(best)
        left[best] = False
        covered = np.maximum(covered, columns[best])
    return np.array(chosen, np.int64)


def _spread(rows: Rows, most: int) -> Rows:
    """Take at most so many rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]


def _first(chosen: Rows, others: Rows) -> Rows:
    """Put the chosen rows before the others, which keep their order."""
    return np.concatenate([chosen, others[~np.isin(others, chosen)]])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _sketched(embeddings: NDArray[np.floating], rows: Rows) -> NDArray[np.float32]:
    """Project embeddings on random directions: ``(n, SKETCH)``."""
    directions = np.random.default_rng(0).standard_normal((embeddings.shape[1], SKETCH), np.float32)
    return np.asarray(embeddings[rows], np.float32) @ directions
