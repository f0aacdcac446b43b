"""Which labels a mean average precision rests on, which stay out of it, and which are rare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.runtime.amounts import MOST_NAMED, agreeing, amount, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

FEW = 20
"""A label that fewer photos of a split have is measured too roughly to be relied on."""

REASONS = {
    "without_training_photo": "no training photo has",
    "not_in_data": "the data do not have",
    "without_positive": "none of these photos has",
    "without_negative": "all of these photos have",
}
"""Why a label stays out of mAP: under its name in reports, what a sentence says."""


def left_out_labels(names: Sequence[str], targets: Tensor, trained: Tensor) -> dict[str, list[str]]:
    """Name the labels that stay out of mAP, each under the first of ``REASONS`` that holds.

    Args:
        names: The ``L`` labels.
        targets: ``(N, L)`` int in {1, 0, -1}, of the photos that are measured.
        trained: ``(L,)`` bool, the labels that a training photo has.

    Returns:
        The names by the reason; reasons without a label are left out.
    """
    present, absent = (targets == 1).any(0), (targets == 0).any(0)
    masks = (~trained, ~(present | absent), ~present, ~absent)
    found: dict[str, list[str]] = {}
    for name, *holds in zip(names, *(mask.tolist() for mask in masks), strict=True):
        reason = next((key for key, it in zip(REASONS, holds, strict=True) if it), None)
        if reason is not None:
            found.setdefault(reason, []).append(name)
    return found


def counted_targets(targets: Tensor, trained: Tensor) -> Tensor:
    """Make targets unknown where the label has no training photo: ``(N, L), (L,) -> (N, L)``."""
    return targets.masked_fill(~trained.to(targets.device), -1)


def rare_labels(names: Sequence[str], targets: Tensor) -> dict[str, int]:
    """Give the labels that some photos have, but fewer than ``FEW``, with how many they are."""
    counts = (targets == 1).sum(0).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if 0 < count < FEW}


def rare_sentence(rare: Mapping[str, int], split: str) -> str:
    """Say which labels few photos have.

    Args:
        rare: As `rare_labels` gives them.
        split: Which photos these are.

    >>> rare_sentence({"otter": 3, "owl": 11}, "val")
    'fewer than 20 photos of val have these labels, which is little to go by: otter 3, owl 11'
    """
    counts = [f"{name} {count}" for name, count in sorted(rare.items(), key=lambda one: one[1])]
    more = len(counts) - MOST_NAMED
    listed = ", ".join(counts[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    return (
        f"fewer than {FEW} photos of {split} have these labels, which is little to go by: {listed}"
    )


def label_remark(
    name: str, positives: int, left_out: Mapping[str, Sequence[str]], split: str
) -> str:
    """Say in a few words what keeps the average precision of a label from meaning much.

    Args:
        name: The label.
        positives: Photos of the split that have it.
        left_out: As `left_out_labels` gives them.
        split: Which photos are measured.

    >>> label_remark("owl", 3, {}, "test"), label_remark("dog", 90, {}, "test")
    ('3 test photos', '')
    """
    words = {
        "without_training_photo": "no training photo",
        "not_in_data": "not in the data",
        "without_positive": f"no {split} photo",
        "without_negative": f"all {split} photos",
    }
    reason = next((key for key, names in left_out.items() if name in names), None)
    if reason is not None:
        return words[reason]
    return amount(positives, f"{split} photo") if positives < FEW else ""


def mean_over(report: Mapping[str, Any]) -> str:
    """Write how many labels a mean rests on.

    Args:
        report: With ``labels_counted`` and ``labels``.

    >>> mean_over({"labels_counted": 12, "labels": 13})
    'over 12 of 13 labels'
    """
    counted, labels = report["labels_counted"], report["labels"]
    return (
        f"over {amount(counted, 'label')}"
        if counted == labels
        else (f"over {counted:,} of {amount(labels, 'label')}")
    )


def left_out_sentences(left_out: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Say which labels stay out of mAP, and why.

    >>> list(left_out_sentences({"without_training_photo": ["otter"]}))
    ["not in mAP, as no training photo has it: 'otter'"]
    """
    for reason, names in left_out.items():
        yield f"not in mAP, as {REASONS[reason]} {agreeing(len(names), 'it')}: {named(names)}"
