"""How often bootstrap intervals of mAP hold the truth, for two kinds and two sizes of a split.

Logits of 20 labels are drawn from two normal distributions a label; the truth is the mAP of
200,000 photos. Prints the coverage at a nominal 95 % and by how much a small split's mAP is too
high.
"""

from __future__ import annotations

import torch
from table import HEADER, row

from tagsight.metrics.bootstrap import bootstrap_map
from tagsight.metrics.classification import average_precision, mean_over_labels

LABELS, TRIALS, RESAMPLES = 20, 300, 200
PRESENT = torch.linspace(0.02, 0.3, LABELS)
DISTANCE = torch.linspace(0.5, 2.5, LABELS)


def draw(photos: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    targets = (torch.rand(photos, LABELS, generator=generator) < PRESENT).to(torch.int8)
    noise = torch.randn(photos, LABELS, generator=generator)
    return noise + DISTANCE * targets, targets


def mean_ap(logits: torch.Tensor, targets: torch.Tensor) -> float:
    return mean_over_labels(average_precision(logits, targets))[0]


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = mean_ap(*draw(200_000, generator))
    print(HEADER)
    for photos in (300, 1000):
        basic = percentile = 0
        excess = 0.0
        for trial in range(TRIALS):
            sample = draw(photos, generator)
            estimate = mean_ap(*sample)
            low, high = bootstrap_map(*sample, seed=trial, resamples=RESAMPLES)
            basic += low <= truth <= high
            # The percentile interval is the basic one mirrored at the estimate.
            percentile += 2 * estimate - high <= truth <= 2 * estimate - low
            excess += 100 * (estimate - truth) / TRIALS
        ours, theirs = (f"{100 * count / TRIALS:.0f} %" for count in (basic, percentile))
        print(f"mAP of {photos:,} photos is {excess:.1f} points too high")
        name = f"coverage of 95 % intervals, {photos:,} photos"
        row(name, ours, f"{theirs} (percentile interval)", basic / max(percentile, 1))


if __name__ == "__main__":
    main()
