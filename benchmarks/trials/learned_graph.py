"""What A-GCN's second term does, by its weight: how long its gradient is, how soon labels part.

    python benchmarks/trials/learned_graph.py coco_glove300.npz

Takes the graph of ``a-gcn-paper`` with the word vectors of a file (``names`` and ``vectors``), and
trains it on drawn features: a label adds a vector of its own to those of the photos that have it.
For each weight it prints, at some steps, the label loss, the distance to the identity, what a label
has of itself, and the length of both terms' gradients by the projections.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import multilabel_soft_margin_loss

from tagsight.labels.space import LabelSpace
from tagsight.nn.learned_graph import LearnedGraphClassifiers
from tagsight.systems.catalogue import RECIPES

PHOTOS, BATCH, CHANNELS, PRESENT = 4000, 32, 2048, 0.036
SHOWN = {0, 100, 200, 300, 500, 1000, 1500}


def drawn_photos(labels: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Max pooled features ``(N, D)``, about as large as ResNet-101's, and their targets."""
    targets = (torch.rand(PHOTOS, labels, generator=generator) < PRESENT).long()
    own = torch.randn(labels, CHANNELS, generator=generator).relu()
    rest = 2 * torch.rand(PHOTOS, CHANNELS, generator=generator)
    return (1.5 * targets.float() @ own + rest).clamp(max=8), targets


def length(gradients: tuple[Tensor, ...]) -> float:
    return torch.stack([gradient.norm() for gradient in gradients]).norm().item()


def train(labels: LabelSpace, features: Tensor, targets: Tensor, weight: float) -> None:
    recipe = RECIPES["a-gcn-paper"]
    graph, training = recipe.settings.graph, recipe.training
    torch.manual_seed(0)
    network = LearnedGraphClassifiers(labels, CHANNELS, graph)
    projections = [*network.as_target.parameters(), *network.as_source.parameters()]
    known = set(map(id, projections))
    layers = [p for p in network.parameters() if id(p) not in known]
    fast = {"params": projections, "lr": graph.similarity_lr_factor * training.lr}
    optimizer = torch.optim.SGD(
        [{"params": layers}, fast], training.lr, momentum=0.9, weight_decay=training.weight_decay
    )
    for step in range(max(SHOWN) + 1):
        rows = torch.randint(PHOTOS, (BATCH,))
        loss = multilabel_soft_margin_loss(features[rows] @ network().T, targets[rows].float())
        distance = weight * network.distance_to_identity()
        if step in SHOWN:
            by_term = [
                length(torch.autograd.grad(term, projections, retain_graph=True))
                for term in (loss, distance)
            ]
            apart = network.distance_to_identity().item()
            own = network.mixing().diagonal().mean().item()
            line = f"{weight:6g} {step:5} {loss.item():8.3f} {apart:8.2f} {own:7.1%}"
            print(line, *(f"{one:8.4f}" for one in by_term), flush=True)
        optimizer.zero_grad()
        (loss + distance).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm or torch.inf)
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--weights", type=float, nargs="+", default=[1.0, 0.01])
    arguments = parser.parse_args()
    file = np.load(arguments.vectors, allow_pickle=False)
    generator = torch.Generator().manual_seed(0)
    names = [str(name) for name in file["names"]]
    features, targets = drawn_photos(len(names), generator)
    labels = LabelSpace.from_targets(names, targets, torch.from_numpy(file["vectors"]).float())
    print("weight  step   labels distance     own  |labels|  |second|")
    for weight in arguments.weights:
        train(labels, features, targets, weight)


if __name__ == "__main__":
    main()
