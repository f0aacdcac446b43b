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
from tagsight.systems.grid import GridSystem
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


def own(qualname, bases=(Own,), module=__name__, **members):
    """A system of one's own that differs in a method or two."""
    members |= {"__module__": module, "__qualname__": qualname}
    return type(qualname.rpartition(".")[2], bases, members)


def config(**fields):
    return type("Config", (OwnConfig,), {"__module__": __name__, "__annotations__": fields})


class RefusingConfig(OwnConfig):
    factor: float = Field(2.0, validate_default=True)

    @field_validator("factor")
    @classmethod
    def _positive(cls, factor):
        raise ValueError("factor: expected the impossible, got 2")


class CallingConfig(OwnConfig):
    activation: Callable[[Tensor], Tensor] = torch.relu


class Tied(Own):
    def __init__(self, config, labels):
        super().__init__(config, labels)
        self.again = self.classifier.weight


def pooled(self, images):
    found = Own.forward(self, images)
    return found._replace(maps=found.logits)


def losses(qualname, loss):
    return own(qualname, losses=lambda self, images, targets, progress=1.0: loss(self(images)))


RECIPE_OF_OWN = cpu_recipe("own", OwnConfig(factor=3))


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch):
    monkeypatch.setattr(catalogue, "_registered", {})


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OwnConfig, "subclass of tagsight.System"),
        (Own.forward, "subclass of tagsight.System"),
        (own("Undefined", (System,)), "define forward"),
        (own("f.<locals>.Local"), f"top level|<locals>|{__name__}"),
        (own("Settingless", Config=dict), ".Config|SystemConfig|dict"),
        (
            own("Gridless", (GridSystem,), Config=OwnConfig, classifiers=Own.forward),
            "Gridless.Config|GridConfig|GridSystem reads|OwnConfig",
        ),
        (own("Open", Config=config(width=int, height=int)), "default|Open.Config|width, height"),
        (own("Refusing", Config=RefusingConfig), ".Config|expected the impossible, got 2"),
        (own("Calling", Config=CallingConfig), ".Config|JSON"),
        (own("Taken", name="gcam"), "'gcam'|tagsight.systems.gcam:GCAM"),
        (own("Malformed", name="Élan vital"), "'Élan vital'|'my-system'"),
        (own("Tuple", forward=lambda *seen: tuple(Own.forward(*seen))), ".forward|Recognition"),
        (own("Pooled", forward=pooled), ".forward|maps of shape (2, 2, h, w)|got (2, 2)"),
        (losses("OneLoss", lambda x: x.logits.sum()), ".losses|dict of named terms|tensor"),
        (losses("Vector", lambda x: {"labels": x.logits.sum(1)}), ".losses|scalar|shape (2,)"),
        (losses("Infinite", lambda x: {"labels": x.logits.sum() / 0}), ".losses|finite|inf"),
        (losses("Constant", lambda _: {"labels": torch.zeros(())}), "trainable|without gradient"),
        (Tied, "as again and classifier.weight"),
    ],
)
def test_a_class_that_can_be_no_system_is_refused_in_a_sentence(kind, words):
    with pytest.raises(DataError) as refused:
        register(kind)
    told = str(refused.value)
    assert all(word in told for word in (kind.__name__, *words.split("|"))), told
    assert "\n" not in told
    assert list(SYSTEMS) == list(catalogue.HOMES)


def test_an_error_of_the_class_itself_passes_with_a_note():
    broken = own("Broken", forward=lambda _, images: images.no_such_method())
    with pytest.raises(AttributeError, match="no_such_method") as raised:
        register(broken)
    assert raised.value.__notes__ == ["raised when Broken was tried on two random images"]


def test_trying_a_system_uses_no_random_numbers_of_the_caller():
    before = torch.get_rng_state()
    try_system(check_system(Own))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Own, "own"),
        (own("MySecond_System", name=""), "my-second-system"),
        (own("Named", name="second-name"), "second-name"),
        (own("HeirOfNamed", (own("Named", name="second-name"),)), "heir-of-named"),
    ],
)
def test_a_system_is_found_by_its_own_name_or_by_that_of_its_class(kind, name):
    assert register(kind) == register(kind) == name
    assert SYSTEMS[name] is kind
    assert name in SYSTEMS
    assert list(SYSTEMS) == [*catalogue.HOMES, name]


def test_a_redefined_class_takes_the_place_of_the_one_before_but_not_of_anothers():
    assert register(SYSTEMS["ml-gcn"]) == "ml-gcn"
    assert not catalogue._registered
    register(Own)
    again = own("Own")
    assert register(again) == "own"
    assert SYSTEMS["own"] is again
    with pytest.raises(DataError, match=rf"'own', which is that of {__name__}:Own"):
        register(own("Own", module="elsewhere"))


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


@pytest.mark.parametrize("module", [__name__, "__main__"])
def test_a_model_is_loaded_where_its_class_is_registered_and_missed_elsewhere(tmp_path, module):
    place = "a script or notebook" if module == "__main__" else f"the module {module}"
    kind = own("Mine", module=module)
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
