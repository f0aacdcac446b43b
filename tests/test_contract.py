"""What every system promises, whichever it is: a new one is covered by being in `SYSTEMS`."""

import io
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import CELL, COLOURS, TINY_STAGED, drawn, label_space, loss_left, permuted, tiny_system
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tagsight.checkpoint.thresholds import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, fit_decision
from tagsight.nn.equivariance import undo_on_maps
from tagsight.nn.views import FrozenFeatures, mirrored, with_mirrored
from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS, parse_recipe, system_class
from tagsight.systems.remembering import RememberingSystem

every_system = pytest.mark.parametrize("name", SYSTEMS)
zero_shot = pytest.mark.parametrize(
    "name", [name for name, system in SYSTEMS.items() if system.takes_new_labels]
)
takes_padding = pytest.mark.parametrize(
    "name", [name for name, system in SYSTEMS.items() if system.takes_padding]
)
KNOW_THE_GRID = {"query2label"}
"""Systems that encode the place of a cell on the grid."""
every_pooling = pytest.mark.parametrize("pooling", ["average", "max"])
LABELS = len(COLOURS)


def exact(name: str, **settings: object) -> System:
    return tiny_system(name, **settings).double().eval()


def images_of(count: int = 3, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, height, width, generator=generator, dtype=torch.double)


def padded(images: Tensor, colour: float = 0.0) -> Tensor:
    """Pad wide images to squares: ``(B, 3, H, W) -> (B, 4, W, W)``."""
    count, _, height, width = images.shape
    top = (width - height) // 2
    square = torch.full((count, 4, width, width), colour, dtype=images.dtype)
    square[:, 3] = 0
    square[:, :3, top : top + height] = images
    square[:, 3, top : top + height] = 1
    return square


def total(system: System, images: Tensor, targets: Tensor) -> Tensor:
    return torch.stack(list(system.losses(images, targets).values())).sum()


@every_system
def test_a_recognition_has_the_shapes_it_promises_and_costs_the_passes_it_says(name):
    system = exact(name)
    passes: list[int] = []
    system.backbone.register_forward_hook(lambda *_: passes.append(1))
    for count in (1, 3):
        logits, maps, embedding = system(images_of(count, 32, 48))
        assert logits.shape == (count, LABELS)
        assert maps.shape == (count, LABELS, 32 // CELL, 48 // CELL)
        assert embedding.shape == (count, system.backbone.channels)
    assert len(passes) == 2 * system.passes


@every_system
def test_maps_average_to_the_logits_just_where_that_is_claimed(name):
    for pooling in ("average", "max"):
        system = exact(name, pooling=pooling)
        logits, maps, _ = system(images_of())
        assert system.maps_add_up == torch.allclose(maps.mean((-2, -1)), logits)


@every_system
@every_pooling
def test_maps_move_with_the_photo(name, pooling):
    system = exact(name, pooling=pooling)
    images = images_of(2, 32, 48)
    seen = system(images)
    for turns, flips in ((0, (-1,)), (1, ())):
        moved = system(images.rot90(turns, (-2, -1)).flip(flips))
        back = moved.maps.flip(flips).rot90(-turns, (-2, -1))
        assert back.shape == seen.maps.shape
        if system.equivariant:
            assert_close(back, seen.maps)
            assert_close(moved.logits, seen.logits)


@pytest.mark.parametrize("name", ["resnet", "warp"])
def test_decisions_keep_the_order_of_the_logits_whatever_these_are(name):
    system, (images, targets) = exact(name), drawn(24)
    logits = 30 * system(images.double()).logits.detach()
    decision = fit_decision(
        logits, targets, names=label_space().names, probabilities=system.probabilities
    )
    scores = torch.from_numpy(decision.scores(logits))
    assert (scores.gather(0, logits.argsort(0)).diff(dim=0) > -1e-12).all()
    assert ((scores >= LOWEST_THRESHOLD) & (scores <= HIGHEST_THRESHOLD)).any()


@every_system
def test_photos_of_a_batch_do_not_influence_one_another(name):
    system, images = exact(name), images_of(3)
    alone = [system(image[None]) for image in images]
    assert_close(system(images), type(alone[0])(*map(torch.cat, zip(*alone, strict=True))))
    assert_close(system.train()(images), system.eval()(images))


@takes_padding
@every_pooling
def test_padding_is_as_if_it_were_not_there(name, pooling):
    system, images = exact(name, pooling=pooling), images_of(2, 16, 32)
    alone, seen = system(images), system(padded(images))
    on_photo = seen.maps[..., 1:3, :]
    if name not in KNOW_THE_GRID:
        assert_close(seen.logits, alone.logits)
        assert_close(seen.embedding, alone.embedding)
        assert_close(on_photo, alone.maps)
    assert_close(system(padded(images, colour=0.9)), seen)
    means = on_photo.mean((-2, -1))
    assert torch.allclose(means, seen.logits) == system.maps_add_up
    assert_close(seen.maps[..., [0, 3], :], means[..., None, None].expand(-1, -1, 2, 4))
    assert (seen.maps.amax((-2, -1)) <= on_photo.amax((-2, -1)) + 1e-9).all()


@takes_padding
def test_photos_without_padding_are_seen_the_same_with_and_without_opacity(name):
    system, images = exact(name), images_of(2)
    opaque = torch.cat([images, torch.ones_like(images[:, :1])], 1)
    assert_close(system(opaque), system(images), rtol=0, atol=1e-12)


@takes_padding
def test_padding_moves_with_the_photo(name):
    system, images = exact(name), padded(images_of(2, 16, 32))
    for view in (frozenset({"flip"}), frozenset({"quarter_turn"})):
        seen, moved = system(images), system(system.make_view(images, view))
        back = moved.maps
        for transform in view:
            back = undo_on_maps(back, transform)
        if system.equivariant:
            assert_close(back, seen.maps)
            assert_close(moved.logits, seen.logits)


@every_system
def test_frozen_features_train_as_the_photos_do(name):
    settings: dict[str, object] = {"backbone": TINY_STAGED}
    if "consistency" in SYSTEMS[name].Config.model_fields:
        turning = ("flip", "scale", "quarter_turn")
        settings["consistency"] = {"scale": 0.75, "transforms": turning}
    system, targets = exact(name, **settings), drawn(3)[1]
    views = with_mirrored(system.views)
    plain = images_of()
    for images in (plain, padded(images_of(3, 20, 32))) if system.takes_padding else (plain,):
        seen_as = {view: system.make_view(images, view) for view in views}
        cells = {view: system.backbone.on_photo(one) for view, one in seen_as.items()}
        features = FrozenFeatures(
            {view: system.backbone.to_frozen(one) for view, one in seen_as.items()},
            {view: found for view, found in cells.items() if found is not None},
        )
        for frozen, seen in ((features, images), (mirrored(features), images.flip(-1))):
            assert_close(system.losses(frozen, targets), system.losses(seen, targets))
            assert_close(system(frozen), system(seen))


@zero_shot
def test_new_labels_change_nothing_for_others_and_are_known_by_their_words_alone(name):
    system, images = exact(name), images_of()
    words = torch.randn(2, 7, generator=torch.Generator().manual_seed(1))
    one = system.with_labels(label_space().extended(["purple", "black"], words))(images)
    other = system.with_labels(label_space().extended(["noir", "violet"], words.flip(0)))(images)
    assert_close(one.logits[:, :LABELS], system(images).logits)
    assert_close(one.maps[:, :LABELS], system(images).maps)
    assert_close(other.logits[:, LABELS:], one.logits[:, LABELS:].flip(1))
    assert not torch.allclose(*one.logits[:, LABELS:].T)


@pytest.mark.parametrize(
    "name", [name for name, s in SYSTEMS.items() if "dropout" in s.Config.model_fields]
)
def test_dropout_falls_on_the_losses_alone(name):
    system = tiny_system(name, dropout=0.5)
    images, targets = drawn(4)
    one, other = (system.losses(images, targets)["labels"] for _ in range(2))
    assert one != other
    assert all(map(torch.equal, system(images), system(images)))


@every_system
def test_permuting_the_labels_permutes_logits_and_maps(name):
    order = torch.tensor([3, 0, 4, 1, 2])
    system = exact(name)
    moved = tiny_system(name, permuted(label_space(), order)).double().eval()
    rows = {
        key: value[order] if key in system.label_parameters else value
        for key, value in system.state_dict().items()
    }
    moved.load_state_dict(rows)
    images = images_of()
    assert_close(moved(images).logits, system(images).logits[:, order])
    assert_close(moved(images).maps, system(images).maps[:, order])


@every_system
def test_saved_weights_give_the_same_answer_bit_for_bit(name):
    system, images = tiny_system(name).eval(), images_of().float()
    file = io.BytesIO()
    torch.save(system.state_dict(), file)
    file.seek(0)
    other = tiny_system(name).eval()
    assert not torch.equal(other(images).logits, system(images).logits)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert all(map(torch.equal, other(images), system(images)))


@every_system
def test_every_parameter_is_trained_and_gets_a_gradient(name):
    system = tiny_system(name)
    if system.remembers:
        assert not [key for key, p in system.named_parameters() if p.requires_grad]
        return
    total(system, *drawn(4)).backward()
    for key, parameter in system.named_parameters():
        assert parameter.requires_grad, f"{key} is a constant and should be a buffer"
        assert parameter.grad is not None, f"{key} got no gradient"
        assert parameter.grad.any(), f"{key} got a gradient of zeros"


@every_system
def test_parameter_groups_hold_each_trained_parameter_once_and_the_backbone_at_its_rate(name):
    system = tiny_system(name)
    assert system.remembers == isinstance(system, RememberingSystem)
    system.backbone.network.pixels.requires_grad_(requires_grad=False)
    groups = system.parameter_groups(1e-2, 0.1)
    trained = [p for p in system.parameters() if p.requires_grad]
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(map(id, trained))
    rates = {id(p): g["lr"] for g in groups for p in g["params"]}
    learned = [p for p in system.backbone.parameters() if p.requires_grad]
    assert {rates[id(p)] for p in learned} == (set() if system.remembers else {1e-3})


@every_system
def test_losses_are_finite_scalars_and_unknown_labels_teach_nothing(name):
    system = exact(name)
    images, targets = drawn(6)
    images = images.double()
    for progress in (0.0, 0.5, 1.0):
        losses = system.losses(images, targets, progress)
        assert losses["labels"] > 0
        assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    # The loss averages over photos: half of them known, half of the loss.
    known = system.losses(images[:3], targets[:3])["labels"]
    half = targets.index_fill(0, torch.arange(3, 6), -1)
    assert_close(system.losses(images, half)["labels"], known / 2)
    unknown = system.losses(images, torch.full_like(targets, -1))
    assert unknown["labels"] == 0
    assert all(loss.isfinite() for loss in unknown.values())
    if not system.remembers:
        torch.stack(list(unknown.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in system.parameters())


def learned(name: str, rate: float) -> float:
    """The share of the label loss that 16 photos leave, remembered or looked at for 80 steps."""
    system = tiny_system(name)
    if not isinstance(system, RememberingSystem):
        return loss_left(system, rate, enough=1 / 3)
    system = type(system)(system.config, label_space())
    images, targets = drawn(16)
    first = system.losses(images, targets)["labels"].item()
    system.remember(system.describe(images), targets)
    return system.losses(images, targets)["labels"].item() / first


@every_system
def test_sixteen_photos_are_learned(name):
    assert any(learned(name, rate) < 1 / 3 for rate in (0.015, 0.005))


class Halves(TorchDispatchMode):
    """Notes what a system computes in half precision outside its encoder."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._encoding = False
        system.backbone.register_forward_pre_hook(lambda *_: self._enter(encoding=True))
        system.backbone.register_forward_hook(lambda *_: self._enter(encoding=False))

    def _enter(self, *, encoding: bool) -> None:
        self._encoding = encoding

    def __torch_dispatch__(self, operation: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        outcome = operation(*args, **(kwargs or {}))
        # Features may be divided among views before they are widened.
        computed = operation is not torch.ops.aten.split.Tensor and not self._encoding
        made = [value for value in tree_leaves(outcome) if isinstance(value, Tensor)]
        if computed and any(tensor.dtype == torch.bfloat16 for tensor in made):
            self.found.add(str(operation))
        return outcome


@every_system
def test_only_the_encoder_computes_in_half_precision_and_the_answer_is_nearly_the_same(name):
    system = tiny_system(name)
    images, targets = drawn(4)
    with torch.autocast("cpu", torch.bfloat16), Halves(system) as halves:
        answer, losses = system(images), system.losses(images, targets)
    assert not halves.found
    assert {tensor.dtype for tensor in (*answer, *losses.values())} == {torch.float32}
    assert_close(answer, system(images), rtol=0.05, atol=0.05)


@every_system
def test_word_vectors_are_asked_for_just_where_they_are_needed(name):
    asked = pytest.raises(ValueError, match="expected word vectors of the 5 labels, got none")
    with asked if SYSTEMS[name].needs_vectors else nullcontext():
        tiny_system(name, replace(label_space(), vectors=None))


def test_a_system_is_one_file_with_settings_of_its_own():
    for name, system in SYSTEMS.items():
        assert system.__module__ == f"tagsight.systems.{name.replace('-', '_')}"
    assert len({system.Config for system in SYSTEMS.values()}) == len(SYSTEMS)
    with pytest.raises(ValueError, match=r"expected one of the systems resnet, .*, got 'gcn'"):
        system_class("gcn")
    with pytest.raises(ValueError, match=r"graph\n.*Extra inputs are not permitted"):
        parse_recipe({"system": "resnet", "settings": {"graph": {}}})
