"""Labels that a mean average precision covers, labels it leaves out and why, and rare labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.runtime.amounts import MOST_NAMED, agreeing, amount, named
from tagsight.runtime.counts import column_counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

FEW = 20
"""Minimum number of positive photos in a split for a reliable measurement of a label."""

REASONS = {
    "without_training_photo": "no training photo has",
    "not_in_data": "the data do not have",
    "without_positive": "none of these photos has",
    "without_negative": "all of these photos have",
}
"""Reasons for leaving a label out of mAP: the key in reports, and its words in a sentence."""


def left_out_labels(names: Sequence[str], targets: Tensor, trained: Tensor) -> dict[str, list[str]]:
    """List the labels that are left out of mAP, each under the first of ``REASONS`` that applies.

    Args:
        names: The ``L`` labels.
        targets: ``(N, L)`` int in {1, 0, -1}, of the evaluated photos.
        trained: ``(L,)`` bool, labels with a positive training photo.

    Returns:
        The names by reason; reasons without a label are omitted.

    Example:
        >>> import torch
        >>> targets, trained = torch.tensor([[1, 1], [0, 1]]), torch.tensor([True, True])
        >>> left_out_labels(["cat", "dog"], targets, trained)
        {'without_negative': ['dog']}
    """
    present, absent = (column_counts(targets == value) > 0 for value in (1, 0))
    masks = (~trained.cpu(), ~(present | absent), ~present, ~absent)
    found: dict[str, list[str]] = {}
    for name, *holds in zip(names, *(mask.tolist() for mask in masks), strict=True):
        reason = next((key for key, it in zip(REASONS, holds, strict=True) if it), None)
        if reason is not None:
            found.setdefault(reason, []).append(name)
    return found


def counted_targets(targets: Tensor, trained: Tensor) -> Tensor:
    """Make targets unknown if the label has no training photo: ``(N, L), (L,) -> (N, L)``.

    Args:
        targets: ``(N, L)`` int in {1, 0, -1}.
        trained: ``(L,)`` bool, labels with a positive training photo.

    Example:
        >>> import torch
        >>> counted_targets(torch.tensor([[1, 1]]), torch.tensor([True, False])).tolist()
        [[1, -1]]
    """
    if bool(trained.all()):
        return targets
    return targets.masked_fill(~trained.to(targets.device), -1)


def rare_labels(names: Sequence[str], targets: Tensor) -> dict[str, int]:
    """Count the positive photos of the labels that have some, but fewer than ``FEW``.

    Args:
        names: The ``L`` labels.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Example:
        >>> import torch
        >>> rare_labels(["cat", "dog"], torch.tensor([[1, 1]] * 19 + [[1, 0]]))
        {'dog': 19}
    """
    counts = column_counts(targets == 1).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if 0 < count < FEW}


def rare_sentence(rare: Mapping[str, int], split: str) -> str:
    """Write a sentence about the labels with few positive photos.

    Args:
        rare: The result of `rare_labels`.
        split: Name of the split.

    Example:
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
    """Explain in a few words why a label's average precision is missing or unreliable, if it is.

    Args:
        name: The label.
        positives: Number of positive photos in the split.
        left_out: The result of `left_out_labels`.
        split: Name of the split.

    Example:
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
    """Write how many labels a mean covers.

    Args:
        report: A report with ``labels_counted`` and ``labels``.

    Example:
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
    """Write a sentence for each reason why labels are left out of mAP.

    Args:
        left_out: The result of `left_out_labels`.

    Example:
        >>> list(left_out_sentences({"without_training_photo": ["otter"]}))
        ["not in mAP, as no training photo has it: 'otter'"]
    """
    for reason, names in left_out.items():
        yield f"not in mAP, as {REASONS[reason]} {agreeing(len(names), 'it')}: {named(names)}"
