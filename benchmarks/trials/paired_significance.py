"""How often the paired bootstrap finds a difference between systems that are equally good.

    python benchmarks/trials/paired_significance.py

Two systems read 20 labels of drawn photos off the same noisy evidence, each with an error of its
own of the same size; the p-value of their difference in mAP should fall below 0.05 in 5 % of the
trials. Then one of them errs more, and the share is the power to notice.
"""

from __future__ import annotations

import torch

from tagsight.metrics.bootstrap import map_draws
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.significance import Estimate, paired_difference

LABELS, TRIALS, RESAMPLES = 20, 300, 300


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    for photos in (300, 1000):
        for worse in (0.0, 0.3):
            found = [difference(photos, worse, generator) for _ in range(TRIALS)]
            share = sum(p < 0.05 for _, p in found) / TRIALS
            gap = sum(value for value, _ in found) / TRIALS
            print(
                f"{photos:,} photos, mAP differs by {100 * gap:.1f}: p < 0.05 in {share:.1%}",
                flush=True,
            )


def difference(photos: int, worse: float, generator: torch.Generator) -> tuple[float, float]:
    rate = torch.logspace(-1.7, -0.5, LABELS)
    targets = (torch.rand(photos, LABELS, generator=generator) < rate).long()

    def noise(size: float) -> torch.Tensor:
        return size * torch.randn(photos, LABELS, generator=generator)

    evidence = 2 * targets + noise(1)
    ours, theirs = (estimate(evidence + noise(0.5 + more), targets) for more in (0, worse))
    value, _, p = paired_difference(ours, theirs)
    return value, p


def estimate(logits: torch.Tensor, targets: torch.Tensor) -> Estimate:
    value, _ = mean_over_labels(average_precision(logits, targets))
    return Estimate(value, map_draws(logits, targets, seed=0, resamples=RESAMPLES))


if __name__ == "__main__":
    main()
