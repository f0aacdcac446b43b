"""The ablations of the how-to page: each is what its name says, and trains."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import TINY, drawn, label_space
from torch.nn.functional import normalize
from torch.testing import assert_close

from tagsight.nn.losses import label_loss
from tagsight.systems.catalogue import SYSTEMS, build_system
from tagsight.systems.settings import Change, choose_recipe
from tagsight.training.loop import build_optimizer

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "ablations.md"
ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| `(--recipe [^`]+)` \|$", re.MULTILINE)
ROWS = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))


def recipe_of(name: str):
    """The recipe that the flags of a row choose."""
    words = shlex.split(ROWS[name])
    flags = dict(zip(words[::2], words[1::2], strict=True))
    base = flags.pop("--recipe")
    keys = {flag: tuple(flag.removeprefix("--").split(".")) for flag in flags}
    return choose_recipe(base, [Change(keys[flag], value, flag) for flag, value in flags.items()])


def system_of(name: str):
    recipe = recipe_of(name)
    settings = recipe.settings.model_copy(update={"backbone": TINY})
    return build_system(recipe.model_copy(update={"settings": settings}), label_space())


def mixes_no_labels(system):
    graph = system.label_graph
    assert torch.equal(graph.adjacency, torch.eye(5))
    before = graph().detach().clone()
    graph.vectors[1:] += 1
    assert_close(graph()[0], before[0])
    assert not torch.isclose(graph()[1:], before[1:]).all(1).any()


def learns_each_classifier_by_itself(system):
    names = {name for name, _ in system.named_parameters() if not name.startswith("backbone.")}
    assert names == {"label_graph.weight", "bias"} <= system.label_parameters
    learned = system.label_graph.weight
    assert learned.shape == (5, system.backbone.channels)
    rates = {id(p): g["lr"] for g in system.parameter_groups(1e-2, 0.1) for p in g["params"]}
    assert rates[id(learned)] == rates[id(system.bias)] == 1e-2
    # Of a single label that is known one classifier is taught.
    images, targets = drawn(4)
    known = torch.where(torch.arange(5) == 0, targets, -1)
    before = learned.detach().clone()
    optimizer = torch.optim.SGD(system.parameters(), lr=0.1)
    system.label_loss(system(images).logits, known).backward()
    optimizer.step()
    assert (learned != before).any(1).tolist() == [True, False, False, False, False]


def lets_easy_absent_labels_be(system):
    images, targets = drawn(4)
    logits = system(images).logits
    assert system.label_loss(logits, targets) < label_loss(logits, targets)
    assert system.label_loss(torch.full((1, 5), -4.0), torch.zeros(1, 5)) == 0


def attends_to_all_cells_alike(system):
    images, _ = drawn(3)
    unit = normalize(system.classifiers[:, 0])
    assert_close(system(images).logits, system.backbone(images).mean((-2, -1)) @ unit.T)


def has(**settings):
    """Settings of which the tests of losses, poolings and views know what they do."""

    def check(system):
        config = system.config.model_dump()
        assert {**config, **config.get("consistency", {})}.items() >= settings.items()

    return check


PROPERTIES = {
    "baseline with max pooling": has(pooling="max"),
    "baseline with the asymmetric loss": lets_easy_absent_labels_be,
    "ML-GCN without edges": mixes_no_labels,
    "ML-GCN without graph": learns_each_classifier_by_itself,
    "ML-GCN with average pooling": has(pooling="average"),
    "VAC with max pooling": has(pooling="max"),
    "G-CAM without flip": has(transforms=("scale",)),
    "G-CAM without scale": has(transforms=("flip",)),
    "G-CAM with quarter turns": has(transforms=("flip", "scale", "quarter_turn")),
    "G-CAM without consistency": has(weight=0),
    "G-CAM with max pooling": has(pooling="max"),
    "G-CAM without edges": mixes_no_labels,
    "G-CAM without graph": learns_each_classifier_by_itself,
    "G-CAM with the asymmetric loss": lets_easy_absent_labels_be,
    "WARP with sampled ranks": has(ranking="sampled"),
    "WARP without ranks": has(ranking="hinge"),
    "WARP as softmax": has(ranking="softmax"),
    "CSRA without attention": attends_to_all_cells_alike,
}


def test_every_ablation_of_the_page_has_its_property():
    assert list(ROWS) == list(PROPERTIES)


@pytest.mark.parametrize("name", PROPERTIES)
def test_an_ablation_is_what_its_name_says_and_learns_from_a_step(name):
    PROPERTIES[name](system_of(name))
    recipe, system = recipe_of(name), system_of(name)
    assert recipe.name.endswith(", changed")
    assert recipe.source.startswith(f"{recipe.system}-cpu with system.")
    images, targets = drawn(16)

    def loss():
        torch.manual_seed(0)
        return torch.stack(list(system.losses(images, targets).values())).sum()

    optimizer = build_optimizer(system, recipe.training.model_copy(update={"lr": 1e-4}))
    first = loss()
    first.backward()
    assert all(p.grad is not None and p.grad.any() for p in system.parameters())
    optimizer.step()
    assert loss() < first


def test_learned_classifiers_need_no_word_vectors():
    settings = {"backbone": TINY, "graph": {"variant": "none"}}
    for name in ("ml-gcn", "gcam"):
        system, labels = SYSTEMS[name], replace(label_space(), vectors=None)
        assert isinstance(system(system.Config.model_validate(settings), labels), system)


def test_smoothed_targets_are_refused_with_the_asymmetric_loss():
    with pytest.raises(ValueError, match="label_smoothing: expected 0 with the asymmetric loss"):
        choose_recipe("gcam-cpu", [Change(("system", "loss"), "asymmetric", "--system.loss")])
