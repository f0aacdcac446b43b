from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from pydantic import Field, field_validator
from tiny import TINY, label_space
from torch import Tensor, nn

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.config import BackboneConfig, SystemConfig
from tagsight.errors import DataError
from tagsight.nn.class_activation import class_maps
from tagsight.systems import catalogue
from tagsight.systems.base import Recognition, System
from tagsight.systems.catalogue import RECIPES, SYSTEMS, installed, recipes_of, register
from tagsight.systems.own_system import check_system, try_system
from tagsight.systems.recipes import cpu_recipe


class OwnConfig(SystemConfig):
    backbone: BackboneConfig = TINY
    factor: float = 2.0


class Own(System):
    """A classifier of one's own.

    With more to say about it.
    """

    Config: ClassVar[type[SystemConfig]] = OwnConfig
    config: OwnConfig

    def __init__(self, config, labels):
        super().__init__(config, labels)
        self.classifier = nn.Linear(self.backbone.channels, len(labels))

    def forward(self, images):
        features = self.backbone(images)
        maps = self.config.factor * class_maps(features, self.classifier.weight, None)
        return Recognition(maps.mean((2, 3)), maps, features.mean((2, 3)))


class MySecond_System(Own):  # noqa: N801
    name: ClassVar[str] = ""


class Named(Own):
    name: ClassVar[str] = "second-name"


class HeirOfNamed(Named):
    pass


class Taken(Own):
    name: ClassVar[str] = "gcam"


class Malformed(Own):
    name: ClassVar[str] = "Élan vital"


class Undefined(System):
    pass


class Settingless(Own):
    Config = dict


class OpenConfig(OwnConfig):
    width: int
    height: int


class Open(Own):
    Config = OpenConfig


class RefusingConfig(OwnConfig):
    @field_validator("factor")
    @classmethod
    def _positive(cls, factor: float) -> float:
        raise ValueError("factor: expected the impossible, got 2")

    factor: float = Field(2.0, validate_default=True)


class Refusing(Own):
    Config = RefusingConfig


class CallingConfig(OwnConfig):
    activation: Callable[[Tensor], Tensor] = torch.relu


class Calling(Own):
    Config = CallingConfig


class Tuple(Own):
    def forward(self, images):
        return tuple(super().forward(images))


class Pooled(Own):
    def forward(self, images):
        found = super().forward(images)
        return found._replace(maps=found.logits)


class OneLoss(Own):
    def losses(self, images, targets, progress=1.0):
        return super().losses(images, targets, progress)["labels"]


class VectorLoss(Own):
    def losses(self, images, targets, progress=1.0):
        return {"labels": self(images).logits.sum(1)}


class Infinite(Own):
    def losses(self, images, targets, progress=1.0):
        return {"labels": self(images).logits.sum() / 0}


class Constant(Own):
    def losses(self, images, targets, progress=1.0):
        return {"labels": torch.zeros(())}


class Tied(Own):
    def __init__(self, config, labels):
        super().__init__(config, labels)
        self.again = self.classifier.weight


class Broken(Own):
    def forward(self, images):
        return images.no_such_method()


def local() -> type[System]:
    class Local(Own):
        pass

    return Local


RECIPE_OF_OWN = cpu_recipe("own", OwnConfig(factor=3))


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch):
    monkeypatch.setattr(catalogue, "_registered", {})


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (OwnConfig, ["subclass of tagsight.System", "OwnConfig"]),
        (Own.forward, ["subclass of tagsight.System", "forward"]),
        (Undefined, ["Undefined", "define forward"]),
        (local(), ["Local", "top level", "<locals>", __name__]),
        (Settingless, ["Settingless.Config", "SystemConfig", "dict"]),
        (Open, ["default", "Open.Config", "width, height"]),
        (Refusing, ["Refusing.Config", "expected the impossible, got 2"]),
        (Calling, ["Calling.Config", "JSON"]),
        (Taken, ["Taken", "'gcam'", "tagsight.systems.gcam:GCAM"]),
        (Malformed, ["Malformed", "'Élan vital'", "'my-system'"]),
        (Tuple, ["Tuple.forward", "Recognition", "tuple"]),
        (Pooled, ["Pooled.forward", "maps of shape (2, 2, h, w)", "got (2, 2)"]),
        (OneLoss, ["OneLoss.losses", "dict of named terms", "tensor"]),
        (VectorLoss, ["VectorLoss.losses", "scalar", "'labels': shape (2,)"]),
        (Infinite, ["Infinite.losses", "finite", "inf"]),
        (Constant, ["Constant.losses", "trainable", "without gradient"]),
        (Tied, ["Tied", "as again and classifier.weight"]),
    ],
)
def test_a_class_that_can_be_no_system_is_refused_in_a_sentence(kind, named):
    with pytest.raises(DataError) as refused:
        register(kind)
    assert all(word in str(refused.value) for word in named), str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(SYSTEMS) == list(catalogue.HOMES)


def test_an_error_of_the_class_itself_passes_with_a_note():
    with pytest.raises(AttributeError, match="no_such_method") as raised:
        register(Broken)
    assert raised.value.__notes__ == ["raised when Broken was tried on two random images"]


def test_trying_a_system_uses_no_random_numbers_of_the_caller():
    before = torch.get_rng_state()
    try_system(check_system(Own))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Own, "own"),
        (MySecond_System, "my-second-system"),
        (Named, "second-name"),
        (HeirOfNamed, "heir-of-named"),
    ],
)
def test_a_system_is_found_by_its_own_name_or_by_that_of_its_class(kind, name):
    assert register(kind) == register(kind) == name
    assert SYSTEMS[name] is kind
    assert name in SYSTEMS
    assert list(SYSTEMS) == [*catalogue.HOMES, name]
    assert len(SYSTEMS) == len(catalogue.HOMES) + 1


def test_a_system_of_this_package_keeps_its_name():
    assert register(SYSTEMS["ml-gcn"]) == "ml-gcn"
    assert not catalogue._registered


def test_a_redefined_class_takes_the_place_of_the_one_before():
    register(Own)
    again = type("Own", (Own,), {"__module__": __name__, "__qualname__": "Own"})
    assert register(again) == "own"
    assert SYSTEMS["own"] is again
    other = type("Own", (Own,), {"__module__": "elsewhere", "__qualname__": "Own"})
    with pytest.raises(DataError, match=rf"'own', which is that of {__name__}:Own"):
        register(other)


def test_a_system_without_recipes_has_one_with_its_defaults():
    (recipe,) = recipes_of(Own)
    assert recipe.name == "own-cpu"
    assert recipe.settings == OwnConfig()
    assert recipe.training == RECIPES["gcam-cpu"].training
    assert RECIPES["own-cpu"] == recipe
    listed = installed()
    assert listed.systems[-1] == ("own", "A classifier of one's own.", "")
    assert "own-cpu" in [one.name for one in listed.recipes]


def test_recipes_beside_a_class_are_its_own_and_no_others(monkeypatch):
    assert RECIPES is sys.modules[__name__].RECIPES  # the mapping that a notebook may import
    assert [recipe.name for recipe in recipes_of(Own)] == ["own-cpu"]
    both = (RECIPE_OF_OWN, RECIPES["gcam-cpu"])
    monkeypatch.setattr(sys.modules[__name__], "RECIPES", both)
    assert recipes_of(Own) == (RECIPE_OF_OWN,)


@pytest.mark.parametrize(
    ("module", "place"),
    [(__name__, f"the module {__name__}"), ("__main__", "a script or notebook")],
)
def test_a_model_is_loaded_where_its_class_is_registered_and_missed_by_name_elsewhere(
    tmp_path, module, place
):
    kind = type("Mine", (Own,), {"__module__": module, "__qualname__": "Mine"})
    labels = label_space()
    (recipe,) = recipes_of(kind)
    system = kind(recipe.settings, labels).eval()
    save_model(tmp_path / "m", system, labels, Decision.default(len(labels)), recipe, {})
    images = torch.rand(2, 3, 32, 32)
    loaded = load_model(tmp_path / "m")
    assert type(loaded.system) is kind
    assert torch.equal(loaded.system(images).logits, system(images).logits)
    catalogue._registered.clear()
    with pytest.raises(DataError, match=rf"'mine' to be installed.*its class is Mine in {place}"):
        load_model(tmp_path / "m")
