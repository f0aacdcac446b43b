import pytest
from tiny import drawn, exact_photos, loss_left, tiny_system
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search
from tagsight.nn.class_activation import class_maps

SMALL = {"hidden": 32, "embedding": 16, "attention_width": 8}


def test_the_preliminary_classifier_is_trained_by_its_own_weighed_loss_alone():
    system = tiny_system("order-free-rnn", preliminary_weight=0.25, label_smoothing=0.1)
    images, targets = drawn(4)
    losses = system.losses(images, targets)
    logits = system.classifier(system.backbone(images).mean((-2, -1)))
    assert_close(losses["preliminary"], 0.25 * system.label_loss(logits, targets))
    losses["labels"].backward(retain_graph=True)
    assert system.classifier.weight.grad is None
    losses["preliminary"].backward()
    assert system.classifier.weight.grad.any()


def seen_by(**decoder):
    system = tiny_system("order-free-rnn", decoder=SMALL | decoder).double()
    images, _ = exact_photos(5)
    features = system.backbone(images)
    cams = class_maps(features, system.classifier.weight, system.classifier.bias)
    return system, features, cams, system(images).maps


def test_the_map_of_a_label_that_is_said_is_where_is_looked_and_of_another_a_cam():
    system, features, cams, maps = seen_by(beam=1, max_labels=2)
    embedding = features.mean((-2, -1))
    encoded = system.decoder.encode(features, embedding, system.classifier(embedding).sigmoid())
    found = beam_search(system.decoder, encoded)
    assert found.emitted.unique().tolist() == [False, True]
    assert_close(maps[~found.emitted], cams[~found.emitted])
    said = maps[found.emitted].flatten(1)
    assert_close(said.exp().mean(1).log(), found.logits[found.emitted])
    looked = found.log_attention[found.emitted]
    assert_close(said - said.mean(1, keepdim=True), looked - looked.mean(1, keepdim=True))


def test_without_attention_all_maps_are_those_of_the_preliminary_classifier():
    _, _, cams, maps = seen_by(attention="none")
    assert_close(maps, cams)


@pytest.mark.parametrize(("order", "attention"), [("mla", "soft"), ("confidence", "none")])
def test_all_orders_learn(order, attention):
    system = tiny_system("order-free-rnn", decoder=SMALL | {"order": order, "attention": attention})
    assert loss_left(system, 0.03, enough=1 / 3) < 1 / 3


def test_what_is_learned_is_recognised():
    """The beams score labels as the paths that were taught say them."""
    system = tiny_system("order-free-rnn", decoder=SMALL | {"order": "pla"})
    loss_left(system, 0.01, steps=120, enough=0.05)
    images, targets = drawn(16)
    right = (system(images).logits > 0) == (targets == 1)
    assert right.float().mean() > 0.95
