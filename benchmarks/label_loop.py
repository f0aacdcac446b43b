"""How fast a simulated person gets to a good model, by each queue of the labelling loop.

    python benchmarks/label_loop.py embeddings.npz [--out loop.json]

Takes embeddings that ``encoded.py`` wrote. Twenty random training photos are judged, then twenty
more after each update, from the top of a queue: all labels of a photo are revealed when it is
asked for. Queues of one label take turns between the labels, those with the fewest examples first.
Compared are random photos, and uncertainty alone as modAL has it for several labels (the mean over
labels of how near scores are to 0.5). Printed is the mean over seeds of mAP on the validation
photos after so many judged ones, and the share of the mAP that all training photos give with the
same heads; then the seconds of an update at the end, and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from encoded import Encoded, known_before, read
from numpy.typing import NDArray

from tagsight.metrics.classification import mean_average_precision
from tagsight.tagging.labelling.queues import QUEUES, Pool, order
from tagsight.training.heads import Basis, FittedHeads, fit_heads
from tagsight.training.label_prior import LabelPrior

AT, BATCH = (40, 60, 100, 200, 400), 20
WAYS = ("random", "uncertainty", "not-sure", "unlike", "rare", "probably-yes")

Rows = NDArray[np.int64]


class Loop(NamedTuple):
    """The photos to judge, those to measure on, and what is known before."""

    train: Encoded
    val: Encoded
    basis: Basis
    prior: LabelPrior

    def fitted(self, judged: Rows, before: FittedHeads | None) -> FittedHeads:
        return fit_heads(
            self.train.embeddings[judged],
            self.train.targets[judged],
            prior=self.prior,
            start=None if before is None else before.heads,
            basis=self.basis,
            groups=self.train.twins[judged],
        )

    def measured(self, fitted: FittedHeads) -> float:
        return 100 * mean_average_precision(self.val.targets, fitted.logits(self.val.embeddings))

    def asked(
        self, way: str, judged: Rows, fitted: FittedHeads, random: np.random.Generator
    ) -> Rows:
        """Return the next photos to judge."""
        waiting = np.setdiff1d(np.arange(len(self.train.targets)), judged)
        shuffled = random.permutation(waiting)
        if way == "random":
            return shuffled[:BATCH]
        targets = np.full(self.train.targets.shape, -1, np.int8)
        targets[judged] = self.train.targets[judged]
        scores = fitted.scores(self.train.embeddings)
        if way == "uncertainty":
            doubts = (1 - np.abs(2 * scores - 1)).mean(1)[waiting]
            return waiting[np.argsort(-doubts, kind="stable")[:BATCH]]
        pool = Pool(targets, self.train.embeddings, None, scores, None, self.train.twins)
        if {one.name: one.needs_label for one in QUEUES}[way]:
            rarest = np.argsort((targets == 1).sum(0), kind="stable").tolist()
            lists = [order(way, pool, label)[:BATCH] for label in rarest]
            turns = [rows[place] for place in range(BATCH) for rows in lists if place < len(rows)]
        else:
            turns = order(way, pool)[:BATCH].tolist()
        return np.array(list(dict.fromkeys([*turns, *shuffled]))[:BATCH])

    def walked(self, way: str, seed: int) -> tuple[Mapping[int, float], float]:
        """Return mAP by the number of judged photos, and the CPU seconds of the last update."""
        random = np.random.default_rng(seed)
        judged, fitted, found, spent = (
            random.permutation(len(self.train.targets))[:BATCH],
            None,
            {},
            0.0,
        )
        while True:
            began = time.process_time()
            fitted = self.fitted(judged, fitted)
            spent = time.process_time() - began
            if len(judged) in AT:
                found[len(judged)] = self.measured(fitted)
            if len(judged) >= AT[-1]:
                return found, spent
            judged = np.concatenate([judged, self.asked(way, judged, fitted, random)])


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--nameless", action="store_true", help="names say no classes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    photos = read(options.embeddings)
    train, val = photos.rows("train"), photos.rows("val")
    prior = known_before(photos)
    if options.nameless:
        prior = prior._replace(matches=None)
    loop = Loop(train, val, Basis.of(train.embeddings), prior)
    nothing = np.full_like(train.targets, -1)
    none = loop.measured(fit_heads(train.embeddings, nothing, prior=prior, basis=loop.basis))
    print(f"no photo: mAP {none:.1f}")
    whole = loop.measured(loop.fitted(np.arange(len(train.targets)), None))
    print(f"all {len(train.targets):,} photos: mAP {whole:.1f}\n", flush=True)
    print("| queue |", " | ".join(map(str, AT)), "| share at 200 | CPU s of the update at 400 |")
    print("| --- |" + " --- |" * (len(AT) + 2))
    record: dict[str, object] = {"none": none, "all": whole}
    for way in options.ways.split(","):
        walks = [loop.walked(way, seed) for seed in range(options.seeds)]
        means = {at: float(np.mean([found[at] for found, _ in walks])) for at in AT}
        spent = float(np.mean([seconds for _, seconds in walks]))
        record[way] = {"mAP": [found for found, _ in walks], "cpu_seconds": spent}
        cells = " | ".join(f"{value:.1f}" for value in means.values())
        print(f"| {way} | {cells} | {means[200] / whole:.1%} | {spent:.2f} |", flush=True)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\npeak memory: {most / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MiB")
    if options.out is not None:
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
