from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.config import ConsistencyConfig
from tagsight.nn.consistency import Pair, maps_in_photo_frame, view_pairs
from tagsight.nn.losses import map_consistency
from tagsight.nn.views import ORIGINAL, make_view
from tagsight.systems.catalogue import SYSTEMS

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.systems.base import System

ERRORS = ["squared", "norm", "relative"]
FLIP, SCALE, TURN = (frozenset({t}) for t in ("flip", "scale", "quarter_turn"))

consistent = pytest.mark.parametrize(
    "name", [name for name, s in SYSTEMS.items() if "consistency" in s.Config.model_fields]
)


def exact(name: str, **consistency: object) -> System:
    return tiny_system(name, consistency=consistency).double()


def batch(height: int = 32, width: int = 32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, height, width, generator=generator, dtype=torch.double)
    return images, drawn(3)[1]


def smooth(side: int) -> Tensor:
    """Photos that change slowly, so that a small copy shows what the large one does."""
    place = torch.linspace(0, 3, side, dtype=torch.double)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    waves = torch.stack([rows.sin(), columns.cos(), (rows + columns).sin()])
    return (waves[None] + 1) / 2


def consistency(system: System, images: Tensor, targets: Tensor, progress: float = 1.0) -> Tensor:
    """The distance of the maps, lambda taken off."""
    loss = system.losses(images, targets, progress)["consistency"]
    return loss / system.config.consistency.weight


def test_the_paper_compares_four_views():
    """Flip at both sizes, and the sizes in both arrangements, averaged (L_A of flip and scale)."""
    assert sorted(view_pairs(ConsistencyConfig()), key=str) == sorted(
        [
            Pair(ORIGINAL, FLIP, 1.0),
            Pair(SCALE, SCALE | FLIP, 1.0),
            Pair(ORIGINAL, SCALE, 0.5),
            Pair(FLIP, SCALE | FLIP, 0.5),
        ],
        key=str,
    )


TRANSFORMS = [("scale",), ("flip", "scale", "quarter_turn")]


@pytest.mark.parametrize("views", ["all", "each", "one"])
@pytest.mark.parametrize("transforms", TRANSFORMS, ids="+".join)
def test_the_views_of_a_pair_differ_by_one_transform(transforms: tuple[str, ...], views: str):
    for first, second, _ in view_pairs(ConsistencyConfig(transforms=transforms, views=views)):
        assert len(first ^ second) == 1
        assert first | second <= set(transforms)


@pytest.mark.parametrize("views", ["all", "each", "one"])
def test_the_sizes_have_a_weight_of_their_own(views: str):
    config = ConsistencyConfig(
        views=views, transforms=("scale",) if views == "one" else ("flip", "scale")
    )
    light = {pair[:2]: pair.weight for pair in view_pairs(config)}
    config = config.model_copy(update={"scale_weight": 3})
    heavy = {pair[:2]: pair.weight for pair in view_pairs(config)}
    between_sizes = {pair for pair in light if pair[0] ^ pair[1] == SCALE}
    assert between_sizes
    for pair, weight in light.items():
        assert heavy[pair] == pytest.approx(weight * (3 if pair in between_sizes else 1))


def test_each_transform_can_have_a_view_of_its_own():
    pairs = view_pairs(ConsistencyConfig(views="each", transforms=("flip", "quarter_turn")))
    assert pairs == [Pair(ORIGINAL, FLIP, 1.0), Pair(ORIGINAL, TURN, 1.0)]


def test_one_view_is_drawn_evenly_from_the_transforms():
    config = ConsistencyConfig(views="one", transforms=("flip", "scale", "quarter_turn"))
    drawn_views: Counter[frozenset[str]] = Counter()
    for _ in range(300):
        (pair,) = view_pairs(config)
        assert (pair.first, pair.weight) == (ORIGINAL, 1.0)
        drawn_views[pair.second] += 1
    assert set(drawn_views) == {FLIP, SCALE, TURN}
    assert min(drawn_views.values()) > 70


@pytest.mark.parametrize("view", [ORIGINAL, FLIP, TURN, FLIP | TURN])
def test_what_is_done_to_a_view_is_undone_on_its_maps(view: frozenset[str]):
    images, _ = batch(32, 48)
    alone = torch.eye(3, dtype=torch.double)  # each channel is a label's map
    seen = make_view(images, view, scale=0.5, multiple=1)
    assert_close(maps_in_photo_frame(seen, alone, view), images)


@consistent
@pytest.mark.parametrize("error", ERRORS)
def test_an_equivariant_network_has_no_consistency_loss(name: str, error: str):
    system = exact(name, transforms=("flip", "quarter_turn"), error=error)
    loss = consistency(system, *batch(32, 48))
    assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)


@consistent
@pytest.mark.parametrize("alignment", ["bilinear", "nearest"])
def test_photos_of_one_colour_have_no_consistency_loss(name: str, alignment: str):
    system = exact(name, alignment=alignment, scale=0.75)
    images, targets = batch()
    flat = images[..., :1, :1].expand_as(images)
    loss = consistency(system, flat, targets)
    assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)


@consistent
def test_nearest_enlargement_leaves_an_error_that_bilinear_alignment_does_not(name: str):
    """7 x 7 and 6 x 6 cells of a network whose maps depend on the colours of a cell only."""
    targets = drawn(1)[1]
    remaining = {}
    for alignment in ("bilinear", "nearest"):
        torch.manual_seed(0)
        config = {"transforms": ("scale",), "error": "relative", "scale": 6 / 7}
        system = exact(name, alignment=alignment, **config)
        remaining[alignment] = consistency(system, smooth(56), targets).item()
    assert remaining["bilinear"] < 0.01
    assert remaining["nearest"] > 10 * remaining["bilinear"]


@consistent
@pytest.mark.parametrize("transform", ["flip", "quarter_turn", "scale"])
def test_a_network_that_knows_left_from_right_and_up_from_down_has_one(name: str, transform: str):
    system = exact(name, transforms=(transform,))
    cells = system.backbone.network.cells
    # A kernel that looks at the neighbours to the lower right; with zeros around the photo.
    kernel = torch.nn.Conv2d(16, 24, 2, padding=1, bias=False).double()
    system.backbone.network.cells = torch.nn.Sequential(cells, torch.nn.Conv2d(24, 16, 1)).double()
    system.backbone.network.cells.append(kernel)
    assert consistency(system, *batch()) > 1e-5


@consistent
def test_lambda_0_leaves_the_label_loss_of_the_photo_alone(name: str):
    system = exact(name, weight=0)
    images, targets = batch()
    expected = system.label_loss(system(images).logits, targets)
    assert_close(system.losses(images, targets), {"labels": expected})


@consistent
def test_the_label_loss_is_the_mean_over_all_views(name: str):
    system = exact(name, scale=0.75, weight=0.4)
    images, targets = batch()
    small = torch.nn.functional.interpolate(images, size=(24, 24), mode="bilinear", antialias=True)
    views = [images, images.flip(-1), small, small.flip(-1)]
    by_view = [system.label_loss(system(view).logits, targets) for view in views]
    losses = system.losses(images, targets)
    assert_close(losses["labels"], 0.6 * torch.stack(by_view).mean())


@consistent
@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.125, 0.25), (0.5, 1.0)])
def test_lambda_grows_over_the_ramp(name: str, progress: float, share: float):
    system = exact(name, weight=0.4, ramp=0.5, scale=0.75)
    images, targets = batch()
    end = system.losses(images, targets, 1.0)
    losses = system.losses(images, targets, progress)
    assert_close(losses["consistency"], share * end["consistency"])
    assert_close(losses["labels"], (1 - 0.4 * share) / 0.6 * end["labels"])


@consistent
@pytest.mark.parametrize("detached", [True, False])
def test_the_consistency_loss_moves_the_classifiers_just_where_it_may(name: str, detached: bool):
    system = exact(name, detach_classifiers=detached, scale=0.75)
    consistency(system, *batch()).backward()
    backbone = {id(p) for p in system.backbone.parameters()}
    moved = {key: p.grad is not None and bool(p.grad.any()) for key, p in system.named_parameters()}
    bias = {key for key, p in system.named_parameters() if id(p) not in backbone and p.ndim == 1}
    for key, parameter in system.named_parameters():
        # A constant cancels in the difference of maps: the bias never moves.
        expected = id(parameter) in backbone or (not detached and key not in bias)
        assert moved[key] == expected, key


@consistent
def test_views_of_one_size_share_a_pass_through_the_backbone(name: str):
    system = tiny_system(name)
    sizes: list[torch.Size] = []
    system.backbone.register_forward_hook(lambda _, inputs, __: sizes.append(inputs[0].shape))
    system.losses(*drawn(4))
    assert sizes == [(8, 3, 32, 32), (8, 3, 24, 24)]


@consistent
def test_the_distance_is_that_of_the_maps_in_the_photos_frame(name: str):
    system = exact(name, transforms=("quarter_turn",), error="relative")
    # Another network for every row of the photo, so that a turn shows.
    system.backbone.network.pixels = torch.nn.Conv2d(3, 16, (3, 1), padding=(1, 0)).double()
    images, targets = batch(32, 48)
    maps, turned = system(images).maps, system(images.rot90(1, (-2, -1))).maps
    expected = map_consistency(maps, turned.rot90(-1, (-2, -1)), "relative")
    assert expected > 0
    assert_close(consistency(system, images, targets), expected)
