"""How many wrong labels are found again, against cleanlab alone on the same scores.

    python benchmarks/label_errors.py embeddings.npz

Takes embeddings that ``encoded.py`` wrote. For each seed 5 % of the known targets of the training
photos are flipped, heads are fitted to them, and the held-out scores are given to cleanlab's
multi-label functions, whose rank is that of its label quality scores, and to `find_label_errors`.
Precision is the share of flipped ones among the first 100, recall the share of all flipped ones
that are among the first 200, against the most that 200 can hold. Labels that were wrong before
count as false alarms for both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from encoded import known_before, read
from table import HEADER, row

from tagsight.evaluation.label_errors import find_label_errors, flipped
from tagsight.training.heads import fit_heads

SHARE, SEEDS, FIRST, RECALLED = 0.05, 3, 100, 200


def main(file: Path) -> None:
    photos = read(file).rows("train")
    prior = known_before(photos)
    ours, alone, parts = [], [], []
    for seed in range(SEEDS):
        targets, changed = flipped(photos.targets, SHARE, seed)
        fitted = fit_heads(photos.embeddings, targets, prior=prior, groups=photos.twins)
        scores = fitted.calibrated(fitted.held_out)
        errors = find_label_errors(scores, targets, twins=photos.twins)
        hits = np.array([changed[error.row, error.label] for error in errors])
        ours.append((hits[:FIRST].mean(), hits[:RECALLED].sum() / changed.sum()))
        present = [np.flatnonzero(one == 1).tolist() for one in targets]
        quality = get_label_quality_scores_per_class(present, scores)
        quality[targets < 0] = np.inf
        hits = changed.ravel()[np.argsort(quality.ravel(), kind="stable")]
        alone.append((hits[:FIRST].mean(), hits[:RECALLED].sum() / changed.sum()))
        parts.append(RECALLED / changed.sum())
    (precision, recall), (their_precision, their_recall) = np.mean(ours, 0), np.mean(alone, 0)
    row(
        f"{file.stem}: precision at {FIRST} of flipped labels",
        f"{precision:.1%}",
        f"{their_precision:.1%} (cleanlab alone)",
        precision / their_precision,
        1.0,
    )
    row(
        f"{file.stem}: recall at {RECALLED}, of at most {np.mean(parts):.1%}",
        f"{recall:.1%}",
        f"{their_recall:.1%} (cleanlab alone)",
        recall / their_recall,
        1.0,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(HEADER)
    for name in sys.argv[1:]:
        main(Path(name))
