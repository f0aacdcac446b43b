from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from tiny import COLOURS, TINY, drawn, label_space, tiny_system
from tiny_run import RUNTIME, SIDE, TRAIN, VAL, Diary, tiny_collection, tiny_recipe
from torch import Tensor
from torch.testing import assert_close

from tagsight.checkpoint.folder import load_model
from tagsight.errors import DataError
from tagsight.evaluation.predictions import forward_photos, predict
from tagsight.labels.space import LabelSpace
from tagsight.loading.batches import PhotoStore
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.systems.gradcam import grad_cam
from tagsight.systems.knn import KNN
from tagsight.training.run import Start, train_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tagsight.data.annotations import Annotations

PHOTOS, LENGTH = 40, 24
WEIGHTINGS = ["uniform", "distance", "ml-knn"]
METRICS = ["cosine", "euclidean"]
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)
every_metric = pytest.mark.parametrize("metric", METRICS)


def training(count: int = PHOTOS, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Embeddings in double, and targets of which some are unknown."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.rand(count, LENGTH, generator=generator, dtype=torch.double)
    targets = torch.randint(-1, 2, (count, len(COLOURS)), generator=generator)
    return embeddings, targets


def knn(count: int = PHOTOS, **settings: object) -> KNN:
    """A system of photos that were never pixels."""
    embeddings, targets = training(count)
    labels = LabelSpace.from_targets(list(COLOURS), targets)
    config = KNN.Config.model_validate({"backbone": TINY, "k": 5, "sigma": 0.3} | settings)
    system = KNN(config, labels).double().eval()
    system.remember(embeddings, targets)
    if config.k is not None:
        system.choose(*training(6, seed=3))
    return system


def distance(one: Tensor, other: Tensor, metric: str) -> float:
    if metric == "euclidean":
        return (one - other).norm().item()
    return 1 - (one @ other / (one.norm() * other.norm())).item()


def neighbours(photo: Tensor, others: Tensor, k: int, metric: str, own: int = -1) -> list[int]:
    rows = [row for row in range(len(others)) if row != own]
    return sorted(rows, key=lambda row: distance(photo, others[row], metric))[:k]


def means_odds(photo: Tensor, embeddings: Tensor, targets: Tensor, metric: str, sigma: float):
    """The log-odds of the vote that every photo gets, of each label, by loops."""
    found = []
    for label in targets.T:
        present, absent = (label == 1).nonzero()[:, 0], (label == 0).nonzero()[:, 0]
        prior = math.log((1 + len(present)) / (1 + len(absent)))
        means = []
        for rows in (present, absent):
            distances = [distance(photo, embeddings[row], metric) for row in rows]
            if metric == "euclidean":
                distances = [d * d / (2 * sigma) for d in distances]
            means.append(sum(distances) / len(distances))
        found.append(prior + (means[1] - means[0]) / sigma)
    return found


@pytest.mark.parametrize(
    ("metric", "weighting", "k"),
    [("cosine", "distance", 5), ("euclidean", "distance", 200), ("euclidean", "uniform", 1)],
)
def test_a_logit_is_the_log_odds_of_the_votes_and_one_more(metric: str, weighting: str, k: int):
    sigma = 0.3
    system = knn(metric=metric, weighting=weighting, k=k, sigma=sigma)
    embeddings, targets = training()
    photos, _ = training(4, seed=2)
    expected = []
    for photo in photos:
        rows = neighbours(photo, embeddings, k, metric)
        votes = [
            math.exp(-distance(photo, embeddings[row], metric) / sigma)
            if weighting == "distance"
            else 1.0
            for row in rows
        ]
        scale, more = len(rows) / sum(votes), means_odds(photo, embeddings, targets, metric, sigma)
        logits = []
        for label, odds in enumerate(more):
            q = 1 / (1 + math.exp(-odds))
            pairs = list(zip(rows, votes, strict=True))
            present = scale * sum(v for row, v in pairs if targets[row, label] == 1)
            absent = scale * sum(v for row, v in pairs if targets[row, label] == 0)
            logits.append(math.log((present + q) / (absent + 1 - q)))
        expected.append(logits)
    assert_close(system.recall(photos), torch.tensor(expected).double(), rtol=1e-5, atol=1e-6)


def in_kths(present: int, known: int, k: int) -> int:
    return math.floor(k * present / known + 0.5)


@pytest.mark.parametrize(("metric", "k", "known"), [("cosine", 7, False), ("euclidean", 3, True)])
def test_ml_knn_is_the_algorithm_of_its_paper(metric: str, k: int, known: bool):
    embeddings, targets = training()
    targets = targets.clamp(min=0) if known else targets
    labels = LabelSpace.from_targets(list(COLOURS), targets)
    config = KNN.Config(backbone=TINY, k=k, weighting="ml-knn", metric=metric)
    system = KNN(config, labels).double().eval()
    system.remember(embeddings, targets)
    system.choose(*training(6, seed=3))
    photos, _ = training(4, seed=2)
    expected = torch.zeros(4, len(COLOURS)).double()
    for label in range(len(COLOURS)):
        # Zhang and Zhou, Fig. 1: prior, then how often photos with and without it have C = j.
        y = targets[:, label].tolist()
        prior = (1 + y.count(1)) / (2 + y.count(1) + y.count(0))
        c = {1: [0] * (k + 1), 0: [0] * (k + 1)}
        for row, photo in enumerate(embeddings):
            votes = [y[other] for other in neighbours(photo, embeddings, k, metric, own=row)]
            if y[row] >= 0 and votes.count(-1) < k:
                c[y[row]][in_kths(votes.count(1), k - votes.count(-1), k)] += 1
        for row, photo in enumerate(photos):
            votes = [y[other] for other in neighbours(photo, embeddings, k, metric)]
            chance = {0: 1.0, 1: 1.0}
            if votes.count(-1) < k:
                j = in_kths(votes.count(1), k - votes.count(-1), k)
                chance = {b: (1 + c[b][j]) / (k + 1 + sum(c[b])) for b in (0, 1)}
            odds = prior * chance[1] / ((1 - prior) * chance[0])
            expected[row, label] = math.log(odds)
    found = system.recall(photos)
    assert_close(found, expected, rtol=0, atol=0.0101)  # leans by this much towards the means
    assert not torch.equal(found, expected)


@pytest.mark.parametrize(("weighting", "metric"), [("distance", "cosine"), ("ml-knn", "euclidean")])
def test_a_new_system_knows_how_often_labels_are(weighting: str, metric: str):
    labels = label_space()
    config = KNN.Config(backbone=TINY, weighting=weighting, metric=metric)
    recognition = KNN(config, labels)(drawn(2)[0])
    present = labels.cooccurrence.diagonal()
    odds = ((1 + present) / (1 + labels.photos - present)).log().expand(2, -1)
    assert_close(recognition.logits, odds, rtol=1e-3, atol=1e-3)
    assert not recognition.maps.any()


def test_what_is_unknown_of_a_neighbour_gives_no_vote():
    embeddings, targets = training()
    photos, _ = training(3, seed=2)
    near = neighbours(photos[0], embeddings, 5, "cosine")
    few, fewer = targets.clone(), targets.clone()
    few[near] = torch.tensor([1, -1, 0, 1, -1])[:, None]
    fewer[near] = torch.tensor([1, 0, 1, -1, -1])[:, None]
    system = knn(weighting="uniform")
    odds = []
    for changed in (few, fewer):
        system.remember(embeddings, changed)
        system.means.zero_()
        odds.append(system.recall(photos[:1]))
    q = system.prior.sigmoid()
    assert_close(odds[0], ((2 + q) / (1 + 1 - q)).log()[None], rtol=1e-5, atol=1e-6)
    assert_close(odds[0], odds[1])


def test_equal_votes_are_decided_by_the_means_and_no_vote_is_turned_over():
    system = knn(weighting="uniform", k=5, sigma=1e-3)  # means that say all they can
    embeddings, targets = training()
    system.remember(embeddings, targets.clamp(min=0))
    photos, _ = training(60, seed=2)
    logits, votes = system.recall(photos), torch.zeros(60, len(COLOURS))
    for row, photo in enumerate(photos):
        votes[row] = (targets[neighbours(photo, embeddings, 5, "cosine")] == 1).sum(0)
    for label in range(len(COLOURS)):
        for count in range(5):
            fewer = logits[votes[:, label] <= count, label]
            more = logits[votes[:, label] > count, label]
            assert not len(fewer) or not len(more) or fewer.max() <= more.min()
        assert len(logits[:, label].unique()) > 6 >= len(votes[:, label].unique())
    assert logits.isfinite().all()


@every_weighting
@pytest.mark.parametrize("metric", ["euclidean"])
def test_photos_are_recalled_as_they_are_recognised(weighting: str, metric: str):
    system = tiny_system("knn", weighting=weighting, metric=metric).double().eval()
    images = drawn(5, seed=4)[0].double()
    assert_close(system.recall(system.describe(images)), system(images).logits)


@every_metric
@pytest.mark.parametrize("weighting", ["distance"])
def test_maps_are_how_alike_cells_are_to_neighbours_with_and_without_the_label(
    metric: str, weighting: str
):
    k, sigma = 4, 0.2
    system = tiny_system("knn", k=k, sigma=sigma, metric=metric, weighting=weighting)
    system = system.double().eval()
    seen, targets = drawn(16)
    embeddings = system.describe(seen.double())
    system.remember(embeddings, targets)
    images = drawn(3, seed=7)[0].double()
    features, maps = system.backbone(images), system(images).maps

    def alike(cell: Tensor, photo: Tensor, length: Tensor) -> Tensor:
        if metric == "cosine":
            return cell @ photo / (length * photo.norm())
        return (cell @ cell - (cell - photo).square().sum()) / 2

    unit, lacking = (sigma if metric == "cosine" else sigma**2), 0
    for image, grid in enumerate(features):
        photo = grid.mean((1, 2))
        rows = neighbours(photo, embeddings, k, metric)
        votes = dict.fromkeys(rows, 1.0)
        if weighting == "distance":
            votes = {
                row: math.exp(-distance(photo, embeddings[row], metric) / sigma) for row in rows
            }
        for label in range(len(COLOURS)):
            sides = []
            for target in (1, 0):
                these = [row for row in rows if targets[row, label] == target]
                weight = {row: votes[row] for row in these}
                if not these:
                    lacking += 1
                    weight = {r: 1.0 for r in range(16) if targets[r, label] == target}
                parts = [
                    w * alike(grid[:, 1, 2], embeddings[row], photo.norm())
                    for row, w in weight.items()
                ]
                sides.append(torch.stack(parts).sum() / sum(weight.values()))
            expected = (sides[0] - sides[1]) / unit
            assert_close(maps[image, label, 1, 2], expected, rtol=1e-4, atol=1e-5)
    assert lacking


@pytest.mark.parametrize("target", [0, 1, -1])
def test_maps_and_logits_are_finite_where_all_photos_say_the_same(target: int):
    system = tiny_system("knn").eval()
    images, targets = drawn(16)
    system.remember(system.describe(images), torch.full_like(targets, target))
    assert all(part.isfinite().all() for part in system(images))


@every_weighting
def test_gradients_reach_the_features(weighting: str):
    system = tiny_system("knn", weighting=weighting).eval()
    assert grad_cam(system, drawn(2)[0], range(5)).any()


def test_k_is_the_best_candidate_on_the_validation_photos_and_the_smaller_of_equals():
    system = knn(k=None, candidates=(30, 2, 11, 40, 1000), weighting="uniform")
    photos, targets = training(50, seed=2)
    said = system.choose(photos, targets)
    scores = {
        k: mean_over_labels(
            average_precision(knn(k=k, weighting="uniform").recall(photos), targets)
        )[0]
        for k in (2, 11, 30)
    }
    assert system.k == system.config.k == max(scores, key=scores.get)
    listed = ", ".join(f"{k}: {100 * score:.1f}" for k, score in scores.items())
    assert said == f"k = {system.k} of 40 remembered photos (mAP by k: {listed})"
    system = knn(k=None, candidates=(30, 2, 11))
    system.choose(photos, torch.ones_like(targets))  # any ranking is right
    assert system.k == 2


@pytest.mark.parametrize("count", [2, 10])
def test_few_photos_all_vote(count: int):
    system = knn(count, k=None)
    system.choose(*training(6, seed=3))
    assert system.k == 50
    assert system.recall(training(3, seed=2)[0]).isfinite().all()


def test_the_backbone_is_never_trained():
    system = tiny_system("knn").train()
    assert system.training
    assert not any(module.training for module in system.backbone.modules())
    assert not any(parameter.requires_grad for parameter in system.parameters())


@every_metric
def test_a_state_of_another_number_of_photos_is_taken(metric: str):
    many, few = knn(40, metric=metric), knn(7, metric=metric)
    few.load_state_dict(many.state_dict())
    assert few.targets.shape == (len(COLOURS), 40)
    few.prior = many.prior  # what is known of the labels is not in the state
    photos, _ = training(3, seed=2)
    assert torch.equal(few.recall(photos), many.recall(photos))


def test_counts_below_zero_are_refused():
    system = knn(weighting="ml-knn")
    system.agreement[0, 0, 0] = -1
    with pytest.raises(DataError, match="expected counts of photos of at least 0, got others"):
        system.check()


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Annotations:
    return tiny_collection(tmp_path_factory.mktemp("photos"))


@pytest.mark.parametrize("weighting", ["ml-knn"])
def test_a_run_remembers_the_training_photos_and_says_what_it_chose(
    collection, tmp_path, weighting: str
):
    recipe = tiny_recipe("knn", crop=0.5, random_flip=True)  # which photos are not, here
    settings = recipe.settings.model_copy(update={"weighting": weighting, "k": None})
    recipe, diary = recipe.model_copy(update={"settings": settings}), Diary()
    outcome = train_run(collection, recipe, tmp_path, RUNTIME, log=diary)
    model, learn, judge = (
        load_model(outcome.model),
        collection.rows("train"),
        collection.rows("val"),
    )
    assert torch.equal(model.system.targets.T.long(), learn.targets.long())
    seen = forward_photos(
        model.system.describe, model.system, PhotoStore(learn.paths, SIDE, 0), RUNTIME
    )
    assert_close(model.system.remembered, torch.nn.functional.normalize(seen))
    assert [(said, total) for said, total, _ in diary.works] == [
        ("remembering", TRAIN),
        ("validating", VAL),
        ("comparing", TRAIN),
    ]
    assert model.recipe.settings.k in {10, 20}
    assert diary.notes[-1].startswith(f"k = {model.recipe.settings.k} of {TRAIN} remembered photos")
    logits, _ = predict(model.system, PhotoStore(judge.paths, SIDE, 0), RUNTIME)
    mean, _ = mean_over_labels(average_precision(logits, judge.targets))
    assert 100 * mean == pytest.approx(outcome.validation["mAP"])
    assert not (tmp_path / "resume").exists()


class Impatient(Diary):
    """Presses Ctrl-C while photos are remembered."""

    def work(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        if description == "validating":
            raise KeyboardInterrupt
        return super().work(description, total)


def test_an_interrupted_run_begins_anew(collection, tmp_path):
    recipe, start = tiny_recipe("knn"), Start(resume=True)
    with pytest.raises(KeyboardInterrupt):
        train_run(collection, recipe, tmp_path / "run", RUNTIME, log=Impatient())
    assert not (tmp_path / "run" / "model").exists()
    train_run(collection, recipe, tmp_path / "run", RUNTIME, log=Diary(), start=start)
    train_run(collection, recipe, tmp_path / "whole", RUNTIME, log=Diary())
    weights = [(tmp_path / run / "model" / "model.safetensors") for run in ("run", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_photos_are_remembered_as_a_finetuned_backbone_sees_them(collection, tmp_path):
    tuned = train_run(collection, tiny_recipe("resnet"), tmp_path / "1", RUNTIME, log=Diary())
    diary, start = Diary(), Start(init=tuned.model)
    outcome = train_run(
        collection, tiny_recipe("knn"), tmp_path / "2", RUNTIME, log=diary, start=start
    )
    assert "the backbone starts from a model of resnet" in diary.notes
    first, then = (load_model(one.model).system.backbone for one in (tuned, outcome))
    assert_close(then.state_dict(), first.state_dict())
