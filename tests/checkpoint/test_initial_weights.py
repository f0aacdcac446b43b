from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import TINY_STAGED, label_space, tiny_system
from tiny_run import RUNTIME, Diary, tiny_collection, tiny_recipe
from torch.testing import assert_close

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import LoadedModel, load_model, model_digest
from tagsight.checkpoint.initial_weights import start_from
from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS
from tagsight.training.run import Start, train_run

NAMES = label_space().names
MORE = ("violet", *reversed(NAMES[1:]), "black")
"""Other labels: two are new, one is gone, and the order is another."""


def labels(names: tuple[str, ...]) -> LabelSpace:
    generator = torch.Generator().manual_seed(len(names))
    targets = (torch.rand(40, len(names), generator=generator) < 0.4).long()
    return LabelSpace.from_targets(names, targets, torch.randn(len(names), 7, generator=generator))


def model(name: str, system: System | None = None) -> LoadedModel:
    system = system or tiny_system(name)
    recipe = tiny_recipe(name).model_copy(update={"settings": system.config})
    decision = Decision(np.full(len(NAMES), 0.5), 1.0)
    return LoadedModel(system, label_space(), decision, recipe, {}, "0" * 64)


@pytest.mark.parametrize("name", SYSTEMS)
def test_label_parameters_are_just_those_with_a_row_for_each_label(name):
    few, many = (dict(tiny_system(name, labels(n)).named_parameters()) for n in (NAMES, MORE))
    of_labels = SYSTEMS[name].label_parameters & few.keys()
    assert {key for key in few if few[key].shape != many[key].shape} == of_labels


@pytest.mark.parametrize(("name", "bias"), [*((name, True) for name in SYSTEMS), ("gcam", False)])
def test_labels_are_matched_by_name_and_new_ones_stay_as_they_were(name, bias):
    graph = {"graph": {"hidden": 32, "bias": bias}}
    settings = graph if "graph" in SYSTEMS[name].Config.model_fields else {}
    trained = model(name, tiny_system(name, **settings))
    system = tiny_system(name, labels(MORE), **settings)
    before = {key: value.clone() for key, value in system.state_dict().items()}
    said = start_from(trained, system, MORE)
    old, new = dict(trained.system.named_parameters()), dict(system.named_parameters())
    for key, parameter in new.items():
        if key not in system.label_parameters:
            assert_close(parameter, old[key], rtol=0, atol=0)
            continue
        for row, label in enumerate(MORE):
            known = old[key][NAMES.index(label)] if label in NAMES else before[key][row]
            assert_close(parameter[row], known, rtol=0, atol=0)
    assert said == (
        f"the backbone starts from a model of {name}"
        if system.remembers
        else "backbone and 4 of 6 labels start from a model; new: 'violet', 'black'"
    )


def test_of_another_system_the_backbone_is_taken_and_of_the_same_all():
    trained, system = model("resnet"), tiny_system("gcam")
    graph = {k: v.clone() for k, v in system.state_dict().items() if "backbone" not in k}
    assert start_from(trained, system, NAMES) == "the backbone starts from a model of resnet"
    assert_close(system.backbone.state_dict(), trained.system.backbone.state_dict())
    assert_close({k: system.state_dict()[k] for k in graph}, graph)
    said = start_from(model("gcam"), system, NAMES)
    assert said == "backbone and 5 of 5 labels start from a model"


THAWED = TINY_STAGED.model_copy(update={"frozen_stages": 0})


@pytest.mark.parametrize(
    ("name", "trained", "new", "message"),
    [
        (
            "resnet",
            {},
            {"backbone": THAWED},
            r"backbone\.name = 'tiny_equivariant' as in",
        ),
        ("resnet", {"backbone": TINY_STAGED}, {"backbone": THAWED}, r"stages = 1 as in .*, got 0"),
        ("gcam", {}, {"graph": {"hidden": 16}}, r"label_graph\.\S+ of shape \(7, 16\) .*\(7, 32\)"),
    ],
)
def test_another_backbone_or_shape_is_refused(name, trained, new, message):
    with pytest.raises(DataError, match=message):
        start_from(model(name, tiny_system(name, **trained)), tiny_system(name, **new), NAMES)


def test_a_run_starts_from_a_model_and_says_so(tmp_path):
    rows = tiny_collection(tmp_path)
    first = train_run(rows, tiny_recipe("resnet"), tmp_path / "first", RUNTIME, log=Diary())
    targets = torch.cat([rows.targets, rows.targets[:, 4:]], 1)
    added = replace(rows, names=(*rows.names, "bright"), targets=targets)
    diary, start = Diary(), Start(init=first.model)
    still = tiny_recipe("resnet", lr=1e-9, epochs=1)
    second = train_run(added, still, tmp_path / "second", RUNTIME, log=diary, start=start)
    assert "backbone and 5 of 6 labels start from a model; new: 'bright'" in diary.notes
    old, new = load_model(first.model), load_model(second.model)
    assert new.facts["init"] == model_digest(first.model)
    assert_close(new.system.classifier.weight[:5], old.system.classifier.weight, atol=1e-6, rtol=0)
    assert len(diary.epochs) == 1
