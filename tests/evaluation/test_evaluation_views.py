import pytest
import torch
from channels import NAMES, Channels, channels_model
from tiny import saved_photos
from torch.testing import assert_close

from tagsight.data.annotations import Annotations
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import evaluate
from tagsight.evaluation.predictions import predict
from tagsight.evaluation.report_text import report_lines
from tagsight.evaluation.views import EvaluationViews, evaluation_views, predict_views
from tagsight.loading.batches import evaluation_photos
from tagsight.runtime.device import Runtime
from tagsight.systems.base import Recognition

RUNTIME = Runtime(torch.device("cpu"), "float32")


class LeftHalf(Channels):
    """Sees the left half of a photo only, and how large the photo is."""

    def forward(self, images: torch.Tensor) -> Recognition:
        width = images.shape[-1]
        seen = super().forward(images[..., : width // 2])
        return seen._replace(logits=seen.logits + width)


@pytest.fixture
def rows(tmp_path) -> Annotations:
    images = torch.rand(5, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    paths = tuple(saved_photos(tmp_path, images))
    targets = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]])
    return Annotations(NAMES, paths, targets, ("test",) * 5, "csv-columns")


def test_sizes_are_rounded_to_the_stride_and_counted_once():
    assert evaluation_views([], 224, 32) == (False, (224,))
    assert evaluation_views([1, "flip", "1.25", 1.27], 224, 32) == (True, (224, 288))
    assert evaluation_views([0.01], 64, 32) == (False, (64, 32))


@pytest.mark.parametrize("view", ["turn", "0", -1, "inf", "nan"])
def test_a_view_of_another_kind_is_refused(view):
    with pytest.raises(DataError, match=r"expected 'flip' or a factor of the image size .* got"):
        evaluation_views([view], 224, 32)


def test_the_logits_are_the_mean_over_all_views(rows):
    model = channels_model(LeftHalf())
    expected = []
    for size in (32, 40):
        store = evaluation_photos(rows.paths, model.at(size).recipe.training, RUNTIME)
        images = torch.stack([store[row] for row in range(5)]) / 255
        expected += [model.system(images).logits, model.system(images.flip(-1)).logits]
    views = EvaluationViews(flip=True, sizes=(32, 40))
    found = predict_views(model, rows.paths, views, RUNTIME).logits
    assert_close(found, torch.stack(expected).mean(0))


def test_without_views_the_logits_are_those_of_the_photos(rows):
    model = channels_model(LeftHalf())
    store = evaluation_photos(rows.paths, model.recipe.training, RUNTIME)
    plain = predict(model.system, store, RUNTIME).logits
    alone = EvaluationViews(flip=False, sizes=(32,))
    assert torch.equal(predict_views(model, rows.paths, alone, RUNTIME).logits, plain)


def test_the_report_says_which_views_there_were(rows):
    model = channels_model(LeftHalf())
    assert "views" not in evaluate(model, rows, RUNTIME)
    done: list[int] = []
    report = evaluate(model, rows, RUNTIME, views=["flip", 1.25], progress=done.append)
    assert report["views"] == {"flip": True, "sizes": [32, 40]}
    said = "logits averaged over each photo and its mirror image at 32 and 40 pixels; thresholds"
    assert any(line.startswith(said) for line in report_lines(report))
    assert done[-1] == len(rows)
