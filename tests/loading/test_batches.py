from dataclasses import replace

import pytest
import torch
from PIL import Image
from tiny import drawn, saved_photos

from tagsight.errors import DataError
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import Batch, PhotoStore, TrainingBatches, evaluation_batches
from tagsight.runtime.processes import Processes

SIDE = 16
PHOTO_BYTES = 3 * SIDE * SIDE
PLENTY = 10**9


@pytest.fixture
def paths(tmp_path):
    return saved_photos(tmp_path, drawn(10, SIDE)[0])


@pytest.fixture
def batches(paths) -> TrainingBatches:
    targets = torch.arange(10)[:, None].expand(10, 2)  # each photo's own number
    augmentation = Augmentation(SIDE, crop=0.5, flip=True, seed=7)
    photos = PhotoStore(paths, augmentation.source_side, PLENTY, resize=None)
    return TrainingBatches(photos, targets, augmentation, size=4, workers=2)


def order(made: list[Batch]) -> list[int]:
    return torch.cat([batch.targets[:, 0] for batch in made]).tolist()


def same(first: list[Batch], second: list[Batch]) -> bool:
    return order(first) == order(second) and all(
        torch.equal(one.images, other.images) for one, other in zip(first, second, strict=True)
    )


def test_photos_that_fit_into_the_budget_are_decoded_once(paths):
    photos = PhotoStore(paths, SIDE, memory=4 * PHOTO_BYTES)
    before = [photos[row] for row in range(10)]
    for path in paths:
        path.unlink()
    for row in range(4):
        assert torch.equal(photos[row], before[row])
    for row in range(4, 10):
        with pytest.raises(DataError, match=f"{row:03}.png"):
            photos[row]


def test_a_batch_holds_photos_with_their_targets(batches):
    plain = replace(batches, augmentation=Augmentation(SIDE, crop=1, flip=False, seed=7))
    plain = replace(plain, photos=PhotoStore(batches.photos.paths, SIDE, PLENTY))
    for images, targets, *_ in plain(0):
        assert images.shape == (4, 3, SIDE, SIDE)
        assert images.dtype == torch.uint8
        for image, target in zip(images, targets, strict=True):
            assert torch.equal(image, plain.photos[target[0]])


def test_photos_that_are_cropped_keep_their_aspect_and_count_by_their_own_size(tmp_path):
    paths = [tmp_path / f"{width}.png" for width in (20, 40, 80)]
    for path, width in zip(paths, (20, 40, 80), strict=True):
        Image.new("RGB", (width, 40)).save(path)
    photos = PhotoStore(paths, 20, memory=3 * 20 * (20 + 40), resize=None)
    assert [photos[row].shape for row in (2, 1, 0)] == [(3, 20, 40), (3, 20, 20), (3, 40, 20)]
    assert sorted(photos._kept) == [1, 2]


def test_an_epoch_has_whole_batches_no_photo_twice_and_left_ones_come_in_other_epochs(batches):
    made = [list(batches(epoch)) for epoch in range(6)]
    assert {len(epoch) for epoch in made} == {len(batches)} == {2}
    assert {len(set(order(epoch))) for epoch in made} == {8}
    assert {row for epoch in made for row in order(epoch)} == set(range(10))
    few = replace(batches, size=64)
    assert [len(batch.images) for batch in few(0)] == [10] * len(few) == [10]


def test_every_epoch_has_another_order_and_other_crops(batches):
    first, second = list(batches(0)), list(batches(1))
    assert order(first) != order(second)
    other = replace(batches, augmentation=replace(batches.augmentation, seed=8))
    assert order(list(other(0))) != order(first)
    assert not same(first, second)


@pytest.mark.parametrize("workers", [1, 5])
def test_the_number_of_threads_decides_nothing(batches, workers):
    assert same(list(replace(batches, workers=workers)(3)), list(batches(3)))


def test_an_unreadable_photo_is_named(batches):
    batches.photos.paths[4].write_bytes(b"no photo")
    with pytest.raises(DataError, match=r"004\.png"):
        list(replace(batches, size=10)(0))


@pytest.mark.parametrize("size", [4, 64])
def test_evaluation_sees_every_photo_once_and_in_order(paths, size):
    photos = PhotoStore(paths, SIDE, 0)
    made = list(evaluation_batches(photos, size, workers=3))
    assert {len(images) for images in made[:-1]} <= {size}
    assert torch.equal(torch.cat(made), torch.stack([photos[row] for row in range(10)]))
    assert list(evaluation_batches(PhotoStore([], SIDE, 0), size, workers=2)) == []


@pytest.mark.parametrize(("count", "parts"), [(1, 2), (2, 1), (2, 2)])
def test_processes_and_parts_share_every_step_without_loss_or_repetition(batches, count, parts):
    several = [
        replace(batches, processes=Processes(rank, count), parts=parts) for rank in range(count)
    ]
    shared = [list(share(2)) for share in several]
    for share in shared:
        assert parts == 1 or [batch.ends_step for batch in share] == [False, True] * 2
    steps = [
        [share[step * parts + part] for part in range(parts) for share in shared]
        for step in range(len(batches))
    ]
    alone = list(batches(2))
    assert [order(step) for step in steps] == [order([batch]) for batch in alone]
    for step in steps:
        assert sum(batch.share for batch in step) == pytest.approx(1)
        assert [place for batch in step for place in batch.places] == list(range(4))


def test_an_epoch_can_be_begun_after_its_first_steps(batches):
    assert same(list(batches(1, start=1)), list(batches(1))[1:])
    assert list(batches(1, start=2)) == []


@pytest.mark.parametrize("known", [4, 9])
def test_a_step_has_as_many_photos_without_targets_as_with_them(batches, known):
    """Each once before any is repeated; what is drawn of the others does not change."""
    photos = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 3, SIDE, SIDE)
    plain = Augmentation(SIDE, crop=1, flip=False, seed=7)
    both = replace(batches, photos=photos, targets=batches.targets[:known], augmentation=plain)
    alone = replace(both, photos=photos[:known])
    made, expected = list(both(0)), list(alone(0))
    assert len(made) == len(both) == known // 4
    assert order(made) == order(expected)
    drawn_rows = []
    for batch, other in zip(made, expected, strict=True):
        assert torch.equal(batch.images[:4], other.images)
        assert batch.share == other.share
        drawn_rows += batch.images[4:, 0, 0, 0].tolist()
    assert len(drawn_rows) == 4 * len(made)
    assert {*drawn_rows} <= {*range(known, 10)}
    assert len({*drawn_rows}) == min(len(drawn_rows), 10 - known)
    assert [b.images[4:, 0, 0, 0].tolist() for b in both(0, start=1)] == [
        b.images[4:, 0, 0, 0].tolist() for b in made[1:]
    ]
    halves = [list(replace(both, processes=Processes(rank, 2))(0)) for rank in (0, 1)]
    assert sorted(
        row for half in halves for b in half for row in b.images[len(b.targets) :, 0, 0, 0].tolist()
    ) == sorted(drawn_rows)
