from collections import Counter

import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.nn.config import ConsistencyConfig
from tagsight.nn.consistency import Pair, maps_in_photo_frame, view_pairs
from tagsight.nn.losses import map_consistency
from tagsight.nn.views import ORIGINAL, make_view
from tagsight.systems.catalogue import SYSTEMS

FLIP, SCALE, TURN = (frozenset({t}) for t in ("flip", "scale", "quarter_turn"))

consistent = pytest.mark.parametrize(
    "name", [name for name, s in SYSTEMS.items() if "consistency" in s.Config.model_fields]
)


def exact(name, **consistency):
    return tiny_system(name, consistency=consistency).double()


def batch(height=32, width=32):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, height, width, generator=generator, dtype=torch.double)
    return images, drawn(3)[1]


def smooth(side):
    """Photos that change slowly, so that a small copy shows what the large one does."""
    place = torch.linspace(0, 3, side, dtype=torch.double)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    waves = torch.stack([rows.sin(), columns.cos(), (rows + columns).sin()])
    return (waves[None] + 1) / 2


def consistency(system, images, targets):
    """The distance of the maps, lambda taken off."""
    return system.losses(images, targets)["consistency"] / system.config.consistency.weight


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            # The paper: flip at both sizes, and the sizes in both arrangements, averaged.
            {},
            {
                Pair(ORIGINAL, FLIP, 1.0),
                Pair(SCALE, SCALE | FLIP, 1.0),
                Pair(ORIGINAL, SCALE, 0.5),
                Pair(FLIP, SCALE | FLIP, 0.5),
            },
        ),
        (
            {"views": "each", "transforms": ("flip", "quarter_turn")},
            {Pair(ORIGINAL, FLIP, 1.0), Pair(ORIGINAL, TURN, 1.0)},
        ),
    ],
)
def test_all_views_are_compared_or_each_transforms_own(settings, expected):
    pairs = view_pairs(ConsistencyConfig(**settings))
    assert (len(pairs), set(pairs)) == (len(expected), expected)


@pytest.mark.parametrize("views", ["all", "each", "one"])
@pytest.mark.parametrize("transforms", [("scale",), ("flip", "scale", "quarter_turn")])
def test_the_views_of_a_pair_differ_by_one_transform(transforms, views):
    for first, second, _ in view_pairs(ConsistencyConfig(transforms=transforms, views=views)):
        assert len(first ^ second) == 1
        assert first | second <= set(transforms)


@pytest.mark.parametrize("views", ["all", "each", "one"])
def test_the_sizes_have_a_weight_of_their_own(views):
    transforms = ("scale",) if views == "one" else ("flip", "scale")
    light, heavy = (
        view_pairs(ConsistencyConfig(views=views, transforms=transforms, scale_weight=weight))
        for weight in (1, 3)
    )
    sizes = [first ^ second == SCALE for first, second, _ in light]
    assert any(sizes)
    assert [pair[:2] for pair in heavy] == [pair[:2] for pair in light]
    ratios = [pair.weight / one.weight for pair, one in zip(heavy, light, strict=True)]
    assert ratios == pytest.approx([3 if between else 1 for between in sizes])


def test_one_view_is_drawn_evenly_from_the_transforms():
    config = ConsistencyConfig(views="one", transforms=("flip", "scale", "quarter_turn"))
    drawn_pairs = Counter(pair for _ in range(300) for pair in view_pairs(config))
    assert set(drawn_pairs) == {Pair(ORIGINAL, view, 1.0) for view in (FLIP, SCALE, TURN)}
    assert sum(drawn_pairs.values()) == 300
    assert min(drawn_pairs.values()) > 70


@pytest.mark.parametrize("view", [ORIGINAL, FLIP, TURN, FLIP | TURN])
def test_what_is_done_to_a_view_is_undone_on_its_maps(view):
    images, _ = batch(32, 48)
    alone = torch.eye(3, dtype=torch.double)  # each channel is a label's map
    seen = make_view(images, view, scale=0.5, multiple=1)
    assert_close(maps_in_photo_frame(seen, alone, view), images)


@consistent
@pytest.mark.parametrize("error", ["squared", "norm", "relative"])
def test_an_equivariant_network_has_no_consistency_loss(name, error):
    system = exact(name, transforms=("flip", "quarter_turn"), error=error)
    loss = consistency(system, *batch(32, 48))
    assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)


@consistent
@pytest.mark.parametrize("alignment", ["bilinear", "nearest"])
def test_photos_of_one_colour_have_no_consistency_loss(name, alignment):
    system = exact(name, alignment=alignment, scale=0.75)
    images, targets = batch()
    loss = consistency(system, images[..., :1, :1].expand_as(images), targets)
    assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)


@consistent
def test_nearest_enlargement_leaves_an_error_that_bilinear_alignment_does_not(name):
    """7 x 7 and 6 x 6 cells of a network whose maps depend on the colours of a cell only."""
    remaining = []
    for alignment in ("bilinear", "nearest"):
        torch.manual_seed(0)
        config = {"transforms": ("scale",), "error": "relative", "scale": 6 / 7}
        system = exact(name, alignment=alignment, **config)
        remaining.append(consistency(system, smooth(56), drawn(1)[1]).item())
    assert remaining[0] < 0.01
    assert remaining[1] > 10 * remaining[0]


@consistent
@pytest.mark.parametrize("transform", ["flip", "quarter_turn", "scale"])
def test_a_network_that_knows_left_from_right_and_up_from_down_has_one(name, transform):
    system = exact(name, transforms=(transform,))
    cells = system.backbone.network.cells
    # A kernel that looks at the neighbours to the lower right; with zeros around the photo.
    kernel = torch.nn.Conv2d(16, 24, 2, padding=1, bias=False).double()
    system.backbone.network.cells = torch.nn.Sequential(cells, torch.nn.Conv2d(24, 16, 1)).double()
    system.backbone.network.cells.append(kernel)
    assert consistency(system, *batch()) > 1e-5


@consistent
@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.125, 0.25), (0.5, 1.0)])
def test_lambda_grows_over_the_ramp(name, progress, share):
    system = exact(name, weight=0.4, ramp=0.5, scale=0.75)
    images, targets = batch()
    end = system.losses(images, targets, 1.0)
    losses = system.losses(images, targets, progress)
    assert_close(losses["consistency"], share * end["consistency"])
    assert_close(losses["labels"], (1 - 0.4 * share) / 0.6 * end["labels"])


@consistent
@pytest.mark.parametrize("detached", [True, False])
def test_the_consistency_loss_moves_the_classifiers_just_where_it_may(name, detached):
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
def test_views_of_one_size_share_a_pass_through_the_backbone(name):
    system, sizes = tiny_system(name), []
    system.backbone.register_forward_hook(lambda _, inputs, __: sizes.append(inputs[0].shape))
    system.losses(*drawn(4))
    assert sizes == [(8, 3, 32, 32), (8, 3, 24, 24)]


@consistent
def test_the_distance_is_that_of_the_maps_in_the_photos_frame(name):
    system = exact(name, transforms=("quarter_turn",), error="relative")
    # Another network for every row of the photo, so that a turn shows.
    system.backbone.network.pixels = torch.nn.Conv2d(3, 16, (3, 1), padding=(1, 0)).double()
    images, targets = batch(32, 48)
    maps, turned = system(images).maps, system(images.rot90(1, (-2, -1))).maps
    expected = map_consistency(maps, turned.rot90(-1, (-2, -1)), "relative")
    assert expected > 0
    assert_close(consistency(system, images, targets), expected)


@consistent
def test_photos_without_targets_have_a_part_in_the_consistency_alone(name):
    system = exact(name, transforms=("flip", "scale", "quarter_turn"), views="each", scale=0.75)
    # Another network for every row of the photo, so that no distance is 0.
    system.backbone.network.pixels = torch.nn.Conv2d(3, 16, (3, 1), padding=(1, 0)).double()
    images, targets = batch()
    apart = [system.losses(image[None], targets[:1]) for image in images]
    together = system.losses(images, targets[:1])
    assert_close(together["labels"], apart[0]["labels"])
    assert_close(together["consistency"], sum(one["consistency"] for one in apart) / len(images))
    assert together["consistency"] > 0
