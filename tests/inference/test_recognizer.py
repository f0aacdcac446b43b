import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from channels import Channels, channels_model, channels_recognizer, corner, save_rotated
from PIL import Image
from tiny import label_space, tiny_system

from tagsight.errors import DataError
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.device import Runtime


def noise(count: int, side: int = 40) -> list[np.ndarray]:
    pixels = torch.randint(256, (count, side, side, 3), dtype=torch.uint8)
    return list(pixels.numpy())


def tiny_recognizer(name: str, **settings: object) -> Recognizer:
    model = channels_model(tiny_system(name, **settings), names=label_space().names)
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")))


def test_a_photo_is_the_same_however_it_is_given(tmp_path):
    path = tmp_path / "photo.png"
    photo = Image.fromarray(noise(1)[0])
    photo.save(path)
    given = [path, str(path), path.read_bytes(), photo, np.asarray(photo)]
    results = list(channels_recognizer().recognize(given))
    for result in results:
        np.testing.assert_array_equal(result.maps, results[0].maps)
        np.testing.assert_array_equal(result.scores, results[0].scores)
    assert [result.path for result in results] == [path, path, None, None, None]


def test_logits_scores_and_labels_are_those_worked_out_by_hand():
    result = channels_recognizer(threshold=0.1)(corner("green", (32, 32)))
    # Green: 40 / 4 - 2 = 8; the others: -2.
    np.testing.assert_allclose(result.logits, [-2, 8, -2], atol=1e-5)
    np.testing.assert_allclose(result.scores, 1 / (1 + np.exp([2.0, -8.0, 2.0])), atol=1e-6)
    assert [label.name for label in result.labels] == ["green", "red", "blue"]
    assert [label.name for label in channels_recognizer()(corner("green")).labels] == ["green"]
    np.testing.assert_allclose(result.maps.mean((1, 2)), result.logits, atol=1e-5)
    np.testing.assert_allclose(result.map("green")[:4, :4], 38, atol=1e-5)
    np.testing.assert_allclose(result.map("green")[4:], -2, atol=1e-5)
    warm = channels_recognizer(temperature=2.0)(corner("red"))
    np.testing.assert_allclose(warm.scores, 1 / (1 + np.exp([-4.0, 1.0, 1.0])), atol=1e-6)


def test_a_rotated_photo_is_recognised_upright(tmp_path):
    photo = corner("red", (64, 32))
    save_rotated(photo, tmp_path / "rotated.png")
    recognizer = channels_recognizer()
    rotated, upright = recognizer.recognize([tmp_path / "rotated.png", photo])
    assert rotated.photo_size == (64, 32)
    np.testing.assert_array_equal(rotated.maps, upright.maps)


def test_a_fitted_photo_is_the_whole_photo_and_its_padding_counts_for_nothing():
    recognizer = channels_recognizer(resize="fit")
    for size, turned in (((32, 16), False), ((16, 32), True)):
        result = recognizer(corner("red", size))
        assert result.frame == ((-0.5, 0, 1.5, 1) if turned else (0, -0.5, 1, 1.5))
        np.testing.assert_allclose(result.logits, [8, -2, -2], atol=1e-5)
        red = result.map("red").T if turned else result.map("red")
        np.testing.assert_allclose(red[2:4, :4], 38, atol=1e-5)
        np.testing.assert_allclose(red[4:6], -2, atol=1e-5)
        np.testing.assert_allclose(red[[0, 1, 6, 7]], 8, atol=1e-5)


def test_a_cropped_photo_is_the_middle_of_the_photo():
    result = channels_recognizer(resize="crop")(corner("red", (64, 32)))
    assert result.frame == (0.25, 0, 0.75, 1)
    np.testing.assert_allclose(result.map("red")[:4, :4], 38, atol=1)
    np.testing.assert_allclose(result.map("red")[:, 4:], -2, atol=1)


def test_a_region_of_a_fitted_photo_is_described_where_it_lies():
    recognizer = channels_recognizer(resize="fit")
    photo = corner("red", (32, 16))
    whole, red = (recognizer.embed_region(photo, (0, 0, w, h)) for w, h in ((32, 16), (16, 8)))
    np.testing.assert_allclose(whole, recognizer(photo).embedding, atol=1e-6)
    np.testing.assert_allclose(red, [1, 0, 0], atol=1e-6)
    with pytest.raises(DataError, match="in the part that the model sees, got 0, 0, 4, 4"):
        channels_recognizer(resize="crop").embed_region(photo, (0, 0, 4, 4))


def test_a_photo_gets_the_same_result_alone_and_in_a_batch():
    recognizer, photos = tiny_recognizer("gcam"), noise(5)
    for result, photo in zip(recognizer.recognize(photos), photos, strict=True):
        alone = recognizer(photo)
        for part, most in (("scores", 1e-6), ("maps", 1e-5), ("embedding", 1e-5)):
            np.testing.assert_allclose(getattr(result, part), getattr(alone, part), atol=most)


def test_a_batch_takes_one_forward():
    recognizer = channels_recognizer(batch_size=2)
    batches: list[int] = []
    recognizer.network.model.system.register_forward_pre_hook(
        lambda _, inputs: batches.append(len(inputs[0]))
    )
    assert len(list(recognizer.recognize(noise(5)))) == 5
    assert sorted(batches) == [1, 2, 2], "threads take them in no order"


def test_photos_are_drawn_as_they_are_needed():
    taken: list[int] = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield corner()

    recognizer = channels_recognizer(batch_size=4)
    results = recognizer.recognize(endless())
    for _ in range(9):
        next(results)
    at_once = min(recognizer.network.runtime.workers, torch.get_num_threads())
    # Twelve are in the three batches taken; a batch for each thread and one are ahead.
    assert len(taken) == 4 * (3 + at_once + 1)


def test_a_result_does_not_keep_its_batch_alive():
    result = next(channels_recognizer().recognize(noise(4)))
    for array in (result.maps, result.scores, result.logits, result.embedding, result.predicted):
        assert array.base is None


def test_an_error_comes_after_the_results_before_it(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")

    def broken():
        yield corner()
        raise RuntimeError("the disk is gone")

    for photos, error, message in (
        ([corner(), bad, corner()], DataError, re.escape(str(bad))),
        (broken(), RuntimeError, "the disk is gone"),
    ):
        results = channels_recognizer(batch_size=4).recognize(photos)
        assert next(results).labels[0].name == "red"
        with pytest.raises(error, match=message):
            next(results)


def test_a_photo_that_cannot_be_read_is_reported_and_the_rest_goes_on(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    reported: list[tuple[object, str]] = []
    results = channels_recognizer(batch_size=2).recognize(
        [bad, corner("red"), b"junk", corner("blue")],
        on_error=lambda source, error: reported.append((source, str(error))),
    )
    assert [result.labels[0].name for result in results] == ["red", "blue"]
    assert [source for source, _ in reported] == [bad, b"junk"]
    assert "expected a photo" in reported[0][1]


def test_threads_may_share_a_recognizer():
    recognizer, photos = channels_recognizer(Channels(), batch_size=3), noise(12)

    def scores(_: int = 0) -> list[np.ndarray]:
        return [result.scores for result in recognizer.recognize(photos)]

    with ThreadPoolExecutor(4) as threads:
        for got in threads.map(scores, range(4)):
            np.testing.assert_array_equal(got, scores())


@pytest.mark.parametrize(
    ("name", "pooling"), [("resnet", "average"), ("gcam", "max"), ("knn", "average")]
)
def test_the_whole_photo_as_a_region_is_the_photo(name, pooling):
    recognizer = tiny_recognizer(name, pooling=pooling)
    (photo,) = noise(1)
    whole = recognizer.embed_region(photo, (0, 0, 40, 40))
    np.testing.assert_allclose(whole, recognizer(photo).embedding, atol=1e-5)
    beyond = recognizer.embed_region(photo, (-10, -10, 500, 500))
    np.testing.assert_allclose(beyond, whole, atol=1e-6)


def test_a_region_is_what_is_in_it():
    recognizer = tiny_recognizer("resnet")
    left, right = (np.full((32, 16, 3), value, np.uint8) for value in (30, 220))
    photo = np.concatenate([left, right], axis=1)
    expected = recognizer(np.concatenate([left, left], axis=1)).embedding
    np.testing.assert_allclose(recognizer.embed_region(photo, (0, 0, 16, 32)), expected, atol=1e-5)


@pytest.mark.parametrize("region", [(0, 0, 0, 9), (40, 0, 5, 5), (0, 0, -3, 4), (5, 60, 9, 9)])
def test_a_region_has_a_part_of_the_photo(region):
    expected = "expected a region left, top, width, height within 40 x 40"
    with pytest.raises(DataError, match=expected):
        tiny_recognizer("resnet").embed_region(noise(1)[0], region)


def test_pixels_and_embedding_are_those_of_the_network():
    recognizer = channels_recognizer()
    (embedding,) = recognizer.embed([corner("blue")])
    np.testing.assert_allclose(embedding, [0, 0, 0.25], atol=1e-6)
    red, blue = (recognizer.pixels(corner(colour)) for colour in ("red", "blue"))
    assert red.shape == (32, 32, 3)
    assert (red[:15, :15, 0] == 255).all()
    assert (blue[..., 0] == 0).all()


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(DataError, match="got 'abacus'"):
        Recognizer.load("nowhere", device="abacus")


PHOTO = (np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (64, 65)))


@pytest.mark.parametrize(
    ("photo", "error", "message"),
    [
        (PHOTO[0][..., 0], DataError, r"an array \(height, width, 3\) of uint8"),
        (PHOTO[0].astype(np.float32), DataError, "of float32"),
        (PHOTO[0][:0], DataError, "got .0, 8, 3."),
        (PHOTO[1], DataError, "pixels, got 64 x 65"),
        (np.asarray(PHOTO[1]), DataError, "pixels, got 64 x 65"),
        (3, TypeError, "expected a photo as path, bytes, Pillow image or array"),
    ],
)
def test_what_is_no_photo_or_too_large_is_refused(photo, error, message):
    recognizer = channels_recognizer()
    recognizer.max_pixels = 64 * 64
    with pytest.raises(error, match=message):
        recognizer(photo)
    for one in ("photo.jpg", b"bytes", Path("photo.jpg")):
        with pytest.raises(TypeError, match="expected several photos, got one"):
            recognizer.recognize(one)
