from __future__ import annotations

import pytest
import torch
from tiny import drawn, label_space, tiny_system
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search
from tagsight.nn.class_activation import class_maps

SMALL = {"hidden": 32, "embedding": 16, "attention_width": 8}


def test_the_preliminary_classifier_is_trained_by_its_own_loss_alone():
    system = tiny_system("order-free-rnn")
    losses = system.losses(*drawn(4))
    losses["labels"].backward(retain_graph=True)
    assert system.classifier.weight.grad is None
    losses["preliminary"].backward()
    assert system.classifier.weight.grad.any()


def test_the_preliminary_loss_is_weighed():
    system = tiny_system("order-free-rnn", preliminary_weight=0.25, label_smoothing=0.1)
    images, targets = drawn(4)
    logits = system.classifier(system.backbone(images).mean((-2, -1)))
    losses = system.losses(images, targets)
    assert_close(losses["preliminary"], 0.25 * system.label_loss(logits, targets))


def test_the_map_of_a_label_that_is_said_is_where_is_looked_and_of_another_a_cam():
    system = tiny_system("order-free-rnn", decoder=SMALL | {"beam": 1, "max_labels": 2}).double()
    images = drawn(5)[0].double()
    features = system.backbone(images)
    embedding = features.mean((-2, -1))
    encoded = system.decoder.encode(features, embedding, system.classifier(embedding).sigmoid())
    found = beam_search(system.decoder, encoded)
    cams = class_maps(features, system.classifier.weight, system.classifier.bias)
    maps = system(images).maps
    assert found.emitted.any()
    assert not found.emitted.all()
    assert_close(maps[~found.emitted], cams[~found.emitted])
    said = maps[found.emitted].flatten(1)
    assert_close(said.exp().mean(1).log(), found.logits[found.emitted])
    spread = said - said.mean(1, keepdim=True)
    looked = found.log_attention[found.emitted]
    assert_close(spread, looked - looked.mean(1, keepdim=True))


def test_without_attention_all_maps_are_those_of_the_preliminary_classifier():
    system = tiny_system("order-free-rnn", decoder=SMALL | {"attention": "none"}).double()
    images = drawn(3)[0].double()
    features = system.backbone(images)
    cams = class_maps(features, system.classifier.weight, system.classifier.bias)
    assert_close(system(images).maps, cams)


@pytest.mark.parametrize(
    ("order", "attention"),
    [("mla", "soft"), ("confidence", "none")],
)
def test_all_orders_learn(order: str, attention: str):
    system = tiny_system("order-free-rnn", decoder=SMALL | {"order": order, "attention": attention})
    images, targets = drawn(16)
    optimizer = torch.optim.Adam(system.parameters(), lr=0.03)
    first = system.losses(images, targets)["labels"].item()
    for _ in range(80):
        optimizer.zero_grad()
        sum(system.losses(images, targets).values()).backward()
        optimizer.step()
    assert system.losses(images, targets)["labels"] < first / 3


@pytest.mark.parametrize("order", ["pla"])
def test_what_is_learned_is_recognised(order: str):
    """The beams score labels as the paths that were taught say them."""
    system = tiny_system("order-free-rnn", label_space(), decoder=SMALL | {"order": order})
    images, targets = drawn(16)
    optimizer = torch.optim.Adam(system.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        sum(system.losses(images, targets).values()).backward()
        optimizer.step()
    right = (system(images).logits > 0) == (targets == 1)
    assert right.float().mean() > 0.95
