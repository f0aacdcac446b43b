"""What a paper's recipe minimises is what its released code minimises.

The losses of the released code are transcribed here in NumPy, a label of a photo at a time, with
their gradient by the logits worked out by hand. Where the code adds up what we average, the factor
between the two stands in the table, and beside it what in the recipe makes up for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny import exact_photos, label_space, tiny_settings, tiny_system
from torch.nn.utils import parameters_to_vector
from torch.testing import assert_close

from tagsight.systems.catalogue import RECIPES
from tagsight.training.loop import build_optimizer

SIZES = ("backbone", "decoder", "dropout", "hidden", "channels")
FREQUENCY = label_space().frequency.tolist()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def binary(x, y, _label):
    """Binary cross-entropy of ML-GCN, CSRA and their kin, and its slope."""
    return -math.log(sigmoid(x) if y else 1 - sigmoid(x)), sigmoid(x) - y


def vac(x, y, label):
    """VAC's: a present label weighs exp(1 - r), an absent one exp(r)."""
    weight = math.exp(1 - FREQUENCY[label] if y else FREQUENCY[label])
    loss, slope = binary(x, y, label)
    return weight * loss, weight * slope


def asymmetric(negative, clip):
    """ASL's with a present label's power of 0; the weights have no slope of their own."""

    def loss(x, y, _label):
        if y:
            return -math.log(sigmoid(x)), sigmoid(x) - 1
        other = min(1 - sigmoid(x) + clip, 1)
        weight = (1 - other) ** negative
        inside = other < 1
        return -weight * math.log(other), weight * sigmoid(x) * (1 - sigmoid(x)) / other * inside

    return loss


@dataclass(frozen=True)
class Released:
    """A released loss: of a label of a photo, and how it is reduced.

    Args:
        each: From a logit, a target and the label's place to the loss and its slope.
        divisor: What the sum over photos and labels is divided by in the code, from ``B`` and
            ``L``.
        factor: What that is beside our loss, from ``B`` and ``L``.
    """

    each: Callable[[float, int, int], tuple[float, float]]
    divisor: Callable[[int, int], float]
    factor: Callable[[int, int], float] = lambda photos, labels: 1.0


MULTI_LABEL_SOFT_MARGIN = Released(binary, lambda photos, labels: photos * labels)
RELEASED = {
    "resnet101-gap": MULTI_LABEL_SOFT_MARGIN,
    "ml-gcn-paper": MULTI_LABEL_SOFT_MARGIN,
    "a-gcn-paper": MULTI_LABEL_SOFT_MARGIN,
    "csra-paper": MULTI_LABEL_SOFT_MARGIN,
    # SGD at 1.6 times the rate and 1 / 1.6 times the decay takes the same steps.
    "vac-paper": Released(vac, lambda photos, labels: photos, lambda photos, labels: 1.6),
    # Adam's steps are the same for any factor; its L2 has 1 / B times the weight.
    "ml-decoder-paper": Released(
        asymmetric(4, 0.05), lambda photos, labels: 1, lambda photos, labels: photos
    ),
    # AdamW's steps are the same for any factor.
    "query2label-paper": Released(
        asymmetric(2, 0),
        lambda photos, labels: photos * labels / 1000,
        lambda photos, labels: 1000 / labels,
    ),
}


def transcribed(released, logits, targets):
    """The released loss and its gradient by the logits, ``(B, L)``."""
    losses, slopes = np.zeros(logits.shape), np.zeros(logits.shape)
    for place in np.ndindex(*logits.shape):
        each = released.each(logits[place].item(), int(targets[place]), place[1])
        losses[place], slopes[place] = each
    divisor = released.divisor(*logits.shape)
    return losses.sum() / divisor, slopes / divisor


def system_of(name):
    """The recipe's system as it begins, around the tiny network, without chance."""
    recipe = RECIPES[name]
    small = tiny_settings(recipe.system).model_dump()
    sizes = {key: small[key] for key in SIZES if key in small}
    torch.manual_seed(0)
    settings = recipe.settings.model_dump() | sizes
    return tiny_system(recipe.system, **settings).double().train()


@pytest.mark.parametrize("name", RELEASED)
def test_the_first_step_follows_the_released_gradient(name):
    """All parameters: what our objective gives is what the released slopes give at our logits."""
    system, released = system_of(name), RELEASED[name]
    images, targets = exact_photos(4)
    views = system.views if name == "vac-paper" else [None]
    logits = [
        system(images if view is None else system.make_view(images, view)).logits for view in views
    ]
    stacked = torch.cat(logits)
    value, slopes = transcribed(released, stacked, targets.repeat(len(views), 1))
    loss = system.losses(images, targets)["labels"]
    factor = released.factor(*logits[0].shape)
    assert factor * loss.item() == pytest.approx(value, rel=1e-6)
    parameters = [p for p in system.parameters() if p.requires_grad]
    ours = torch.autograd.grad(factor * loss, parameters, allow_unused=True)
    theirs = torch.autograd.grad(stacked, parameters, torch.from_numpy(slopes), allow_unused=True)
    used = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if mine is not other]
    assert_close(*map(list, zip(*used, strict=True)), rtol=1e-5, atol=1e-9)


def enlarged(maps, side):
    """Each cell repeated: ``(B, L, h, h) -> (B, L, side, side)``."""
    times = side // maps.shape[-1]
    return maps.repeat(times, -1).repeat(times, -2)


def test_vacs_objective_has_the_released_weights():
    """1 for the labels, 0.6 for the flips at both sizes, 0.8 for the sizes; all divided by 1.6."""
    system = system_of("vac-paper")
    images, targets = exact_photos(4, side=72)  # 9 and 8 cells, as 288 and 256 pixels give
    small = system.make_view(images, frozenset({"scale"}))
    maps, logits = {}, []
    weight = system.classifier.weight.detach().numpy()
    for size, batch in (("large", images), ("small", small)):
        for moved in (False, True):
            features = system.backbone(batch.flip(-1) if moved else batch).detach().numpy()
            found = np.einsum("bdhw,ld->blhw", features, weight)
            maps[size, moved] = found[..., ::-1] if moved else found
            logits.append(found.mean((2, 3)) + system.classifier.bias.detach().numpy())
    assert (maps["large", False].shape[-1], maps["small", False].shape[-1]) == (9, 8)
    labels, _ = transcribed(
        RELEASED["vac-paper"], torch.from_numpy(np.concatenate(logits)), targets.repeat(4, 1)
    )
    flips = [np.square(maps[s, False] - maps[s, True]).mean() for s in ("large", "small")]
    sizes = [
        np.square(enlarged(maps["large", moved], 72) - enlarged(maps["small", moved], 72)).mean()
        for moved in (False, True)
    ]
    expected = labels + 0.6 * flips[0] + 0.6 * flips[1] + 0.8 * np.mean(sizes)
    ours = sum(system.losses(images, targets).values()).item()
    assert 1.6 * ours == pytest.approx(expected, rel=1e-6)
    assert np.mean(sizes) > 0


def test_rnn_attentions_objective_is_the_ports_of_a_photo():
    """Softmax against shares, and the location terms of all regions, added up."""
    system = system_of("rnn-attention-paper")
    system.localiser.weight.data.normal_(std=0.3)
    images, targets = exact_photos(4)
    targets[:, 0] = 1
    look = system._look(system.backbone(images))
    total = 0.0
    for photo in range(4):
        scores = look.scores[photo].amax(0).detach().numpy()
        shares = np.exp(scores) / np.exp(scores).sum()
        wanted = targets[photo].numpy() / targets[photo].sum().item()
        total += np.square(shares - wanted).sum()
        anchors = [(0, 0), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]
        for (cx, cy), place in zip(anchors, look.transforms[photo].tolist(), strict=True):
            sx, sy, tx, ty = place
            location = max(abs(sx) - 0.5, 0) ** 2 + max(abs(sy) - 0.5, 0) ** 2
            location += 0.01 * 0.5 * ((tx - cx) ** 2 + (ty - cy) ** 2)
            location += 0.1 * (max(0.1 - sx, 0) + max(0.1 - sy, 0))
            total += 0.1 * location
    ours = sum(system.losses(images, targets).values()).item()
    # The port adds up over photos too, which Adam without decay does not notice.
    assert 4 * ours == pytest.approx(total, rel=1e-6)


def released_optimizer(name, system, factor):
    """As the released scripts make it, at its highest rate.

    Adam's epsilon is held to the size of the loss; theirs is 1e-8 whatever the size.
    """
    parameters = [p for p in system.parameters() if p.requires_grad]
    if name == "vac-paper":
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=5e-4)
    if name == "query2label-paper":
        return torch.optim.AdamW(parameters, lr=1e-4, weight_decay=1e-2, eps=factor * 1e-8)
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return torch.optim.Adam(
        [{"params": others, "weight_decay": 0.0}, {"params": matrices, "weight_decay": 1e-4}],
        lr=1e-4,
        eps=factor * 1e-8,
    )


@pytest.mark.parametrize("name", ["vac-paper", "ml-decoder-paper", "query2label-paper"])
def test_steps_are_those_of_the_released_optimiser_on_the_released_loss(name):
    """What makes up for the factor between the losses: rate and decay, or Adam itself."""
    training = RECIPES[name].training
    systems = [system_of(name) for _ in range(2)]
    systems[1].load_state_dict(systems[0].state_dict())
    before = parameters_to_vector(systems[0].parameters()).detach()
    factor = RELEASED[name].factor(training.batch_size, 5)
    ours = build_optimizer(systems[0], training)
    theirs = released_optimizer(name, systems[1], factor)
    for step in range(4):
        images, targets = exact_photos(4, side=72, seed=step)
        for system, optimizer, times in zip(systems, (ours, theirs), (1, factor), strict=True):
            optimizer.zero_grad()
            # The loss of a batch is a mean: four photos stand for as many as the recipe has.
            (times * sum(system.losses(images, targets).values())).backward()
            optimizer.step()
    trained, expected = (parameters_to_vector(system.parameters()) for system in systems)
    moved = (trained - before).abs().max()
    assert moved > training.lr / 10
    assert (trained - expected).abs().max() < 1e-6 * moved
