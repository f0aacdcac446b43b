"""Mean average precision of 40,000 photos and 80 labels (COCO's size), against two peers.

scikit-learn's ``average_precision_score`` (macro) and torchmetrics'
``MultilabelAveragePrecision`` without thresholds; the faster of the two is the peer.
All three must agree to 1e-6. A further row is the mAP of 200 resamples of 5,000 photos
(`bootstrap_map`), against as many calls of ours, each on a resample.
"""

from __future__ import annotations

import torch
from sklearn.metrics import average_precision_score
from table import HEADER, alternated, row
from torchmetrics.classification import MultilabelAveragePrecision

from tagsight.metrics.bootstrap import bootstrap_map
from tagsight.metrics.classification import average_precision, mean_over_labels

PHOTOS, LABELS = 40_000, 80
RESAMPLED, RESAMPLES = 5_000, 200


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(PHOTOS, LABELS, generator=generator) < 0.036).to(torch.int8)
    logits = torch.randn(PHOTOS, LABELS, generator=generator) + 2.0 * targets

    def ours() -> float:
        return mean_over_labels(average_precision(logits, targets))[0]

    def scikit_learn() -> float:
        return float(average_precision_score(targets.numpy(), logits.numpy(), average="macro"))

    # Its scores are probabilities; the sigmoid in float64 makes no ties of these logits.
    scores, truth = logits.double().sigmoid(), targets.long()

    def torchmetrics() -> float:
        metric = MultilabelAveragePrecision(LABELS, average="macro", thresholds=None)
        return float(metric(scores, truth))

    peers = {"scikit-learn": scikit_learn, "torchmetrics": torchmetrics}
    for name, peer in peers.items():
        if abs(ours() - peer()) > 1e-6:
            raise SystemExit(f"ours {ours():.8f}, {name} {peer():.8f}: expected them equal to 1e-6")
    mine, *theirs = alternated([ours, *peers.values()], rounds=5)
    fastest, name = min(zip(theirs, peers, strict=True))
    for seconds, peer_name in zip(theirs, peers, strict=True):
        print(f"{peer_name}: {seconds:.3f} s")
    print(HEADER)
    shape = f"mAP of {PHOTOS:,} x {LABELS}"
    row(shape, f"{1000 * mine:.0f} ms", f"{1000 * fastest:.0f} ms ({name})", fastest / mine, 3)

    few, some = logits[:RESAMPLED], targets[:RESAMPLED]
    drawn = torch.randint(RESAMPLED, (RESAMPLED,), generator=generator)
    whole, once = alternated(
        [
            lambda: bootstrap_map(few, some, seed=0, resamples=RESAMPLES),
            lambda: average_precision(few[drawn], some[drawn]),
        ],
        rounds=3,
    )
    name = f"bootstrap of {RESAMPLED:,} x {LABELS}, {RESAMPLES} resamples"
    row(name, f"{whole:.2f} s", f"{RESAMPLES * once:.2f} s (one by one)", RESAMPLES * once / whole)


if __name__ == "__main__":
    main()
