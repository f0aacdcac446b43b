import pytest
import torch
from torch.testing import assert_close

from tagsight.config import AsymmetricConfig
from tagsight.errors import DataError
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import TrainingBatches
from tagsight.loading.mixing import Mix, Mixing, mixed_targets
from tagsight.nn.losses import label_loss
from tagsight.runtime.processes import Processes
from tagsight.systems.settings import changes_of, choose_recipe

MIXINGS = [Mixing(mixup=0.8), Mixing(cutmix=1.0), Mixing(mixup=0.2, cutmix=1.0, seed=5)]
PHOTOS = torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8)
TARGETS = torch.randint(-1, 2, (10, 4))
WEIGHTS = torch.tensor([[0.5, 1.0, 2.0, 1.0], [1.0, 3.0, 0.5, 0.0]]).double()


def batches(mixing: Mixing, *, rank: int = 0, count: int = 1, parts: int = 1):
    augmentation = Augmentation(side=8, crop=1.0, flip=True, seed=3, mixing=mixing)
    processes = Processes(rank, count)
    return TrainingBatches(
        PHOTOS, TARGETS, augmentation, 5, workers=2, parts=parts, processes=processes
    )


@pytest.mark.parametrize("mixing", MIXINGS)
def test_a_step_is_mixed_the_same_however_it_is_shared(mixing):
    whole = [(batch.images, batch.targets) for batch in batches(mixing)(1)]
    shared = [list(batches(mixing, rank=rank, count=2, parts=2)(1)) for rank in (0, 1)]
    for step, (images, targets) in enumerate(whole):
        parts = [rank[2 * step + part] for part in (0, 1) for rank in shared]
        assert torch.equal(torch.cat([part.images for part in parts]), images)
        assert torch.equal(torch.cat([part.targets for part in parts]), targets)
    resumed = list(batches(mixing)(1, start=1))
    assert torch.equal(resumed[0].images, whole[1][0])
    others = next(iter(batches(mixing)(2))).images
    assert not torch.equal(others, whole[0][0])


def test_without_mixing_targets_stay_what_they_are():
    assert next(iter(batches(Mixing())(0))).targets.dtype == TARGETS.dtype


def test_mixup_blends_and_cutmix_replaces_with_targets_by_what_is_seen():
    black, white = torch.zeros(1, 3, 8, 8).byte(), torch.full((1, 3, 8, 8), 200).byte()
    mixed, share = Mix([0], 0.75, None).photos(black, white)
    assert (mixed == 50).all()
    assert share.item() == 0.75
    mixed, share = Mix([0], 0.0, (0.5, 0.0, 1.0, 0.5)).photos(black, white)
    assert (mixed[..., :4, 4:] == 200).all()
    assert mixed.float().mean().item() == 50
    assert share.item() == 0.75


def test_padding_is_mixed_with_its_photo_and_counts_for_nothing():
    wide, tall = torch.zeros(1, 4, 8, 8).byte(), torch.zeros(1, 4, 8, 8).byte()
    wide[:, :3, 2:6], wide[:, 3, 2:6] = 100, 255
    tall[:, :3, :, 2:6], tall[:, 3, :, 2:6] = 40, 255
    mixed, share = Mix([0], 0.0, (0.0, 0.0, 0.5, 1.0)).photos(wide, tall)
    # Of the tall photo 2 columns of 8 pixels are seen, of the wide one 4 columns of 4.
    assert share.item() == 0.5
    assert (mixed[:, 3] > 0).sum() == 32
    mixed, _ = Mix([0], 0.5, None).photos(wide, tall)
    assert mixed[0, 0, 3, 0] == pytest.approx(100, abs=1)  # only the wide one is seen here
    assert mixed[0, 0, 3, 3] == 70
    assert mixed[0, 3, 0, 0] == 0


def test_a_target_that_is_unknown_of_either_photo_is_unknown():
    first, second = torch.tensor([[1, 0, -1, 1]]), torch.tensor([[0, 0, 1, -1]])
    assert mixed_targets(first, second, torch.tensor([[0.25]])).tolist() == [[0.25, 0, -1, -1]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"smoothing": 0.05},
        {"weights": WEIGHTS},
        {"asymmetric": AsymmetricConfig()},
        {"asymmetric": AsymmetricConfig(gamma_positive=1, margin=0), "weights": WEIGHTS},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_a_soft_target_costs_so_much_of_either(options):
    logits = torch.randn(6, 4).double()
    share, known = torch.rand(6, 1).double(), torch.rand(6, 4) > 0.2
    hard = [torch.full((6, 4), value).where(known, -1) for value in (0, 1)]
    soft = share.expand(6, 4).where(known, -1.0)
    absent, present = (
        torch.stack(
            [label_loss(one[None], t[None], **options) for one, t in zip(logits, ts, strict=True)]
        )
        for ts in hard
    )
    expected = (1 - share[:, 0]) * absent + share[:, 0] * present
    assert_close(label_loss(logits, soft, **options), expected.mean())


@pytest.mark.parametrize("setting", ["mixup", "cutmix"])
@pytest.mark.parametrize("system", ["warp", "cnn-rnn", "order-free-rnn", "multi-evidence"])
def test_systems_whose_loss_takes_no_soft_targets_refuse_to_mix(setting, system):
    with pytest.raises(DataError, match=rf"`training.{setting}=0` for {system}, .* got 0.4"):
        choose_recipe(f"{system}-cpu", changes_of({f"training.{setting}": 0.4}))


def test_colours_change_on_the_photo_and_not_on_its_padding():
    photo = torch.zeros(4, 16, 16, dtype=torch.uint8)
    photo[:3, 4:12], photo[3, 4:12] = torch.randint(50, 200, (3, 8, 16)).byte(), 255
    augmentation = Augmentation(side=16, crop=1.0, flip=False, seed=0, colour=0.5)
    changed = augmentation(photo, epoch=0, row=0)
    assert torch.equal(changed, augmentation(photo, epoch=0, row=0))
    assert not torch.equal(changed, augmentation(photo, epoch=1, row=0))
    assert torch.equal(changed[3], photo[3])
    assert not changed[:3, :4].any()
    assert (changed[:3, 4:12] != photo[:3, 4:12]).any()
