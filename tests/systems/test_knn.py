import math
from itertools import pairwise

import pytest
import torch
from tiny import COLOURS, TINY, drawn, exact_photos, label_space, tiny_system
from tiny_run import RUNTIME, SIDE, TRAIN, VAL, Diary, tiny_collection, tiny_recipe
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

PHOTOS, LABELS = 40, len(COLOURS)
every_weighting = pytest.mark.parametrize("weighting", ["uniform", "distance", "ml-knn"])
every_metric = pytest.mark.parametrize("metric", ["cosine", "euclidean"])


def training(count=PHOTOS, seed=1):
    """Embeddings in double, and targets of which some are unknown."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.rand(count, 24, generator=generator, dtype=torch.double)
    return embeddings, torch.randint(-1, 2, (count, LABELS), generator=generator)


def photos_of(count):
    return training(count, seed=2)[0]


def knn(count=PHOTOS, known=False, **settings):
    """A system of photos that were never pixels."""
    embeddings, targets = training(count)
    targets = targets.clamp(min=0) if known else targets
    config = KNN.Config.model_validate({"backbone": TINY, "k": 5, "sigma": 0.3} | settings)
    system = KNN(config, LabelSpace.from_targets(list(COLOURS), targets)).double().eval()
    system.remember(embeddings, targets)
    if config.k is not None:
        system.choose(*training(6, seed=3))
    return system


def distance(one, other, metric):
    if metric == "euclidean":
        return (one - other).norm().item()
    return 1 - (one @ other / (one.norm() * other.norm())).item()


def neighbours(photo, others, k, metric, own=-1):
    rows = [row for row in range(len(others)) if row != own]
    return sorted(rows, key=lambda row: distance(photo, others[row], metric))[:k]


def means_odds(photo, embeddings, targets, metric, sigma):
    """The log-odds of the vote that every photo gets, of each label, by loops."""
    found = []
    for label in targets.T:
        present, absent = (label == 1).nonzero()[:, 0], (label == 0).nonzero()[:, 0]
        means = []
        for rows in (present, absent):
            distances = [distance(photo, embeddings[row], metric) for row in rows]
            if metric == "euclidean":
                distances = [d * d / (2 * sigma) for d in distances]
            means.append(sum(distances) / len(distances))
        prior = math.log((1 + len(present)) / (1 + len(absent)))
        found.append(prior + (means[1] - means[0]) / sigma)
    return found


def weights(photo, embeddings, rows, metric, sigma, weighting):
    if weighting == "uniform":
        return dict.fromkeys(rows, 1.0)
    return {row: math.exp(-distance(photo, embeddings[row], metric) / sigma) for row in rows}


@pytest.mark.parametrize(
    ("metric", "weighting", "k"),
    [("cosine", "distance", 5), ("euclidean", "distance", 200), ("euclidean", "uniform", 1)],
)
def test_a_logit_is_the_log_odds_of_the_votes_and_one_more(metric, weighting, k):
    sigma = 0.3
    system, (embeddings, targets) = knn(metric=metric, weighting=weighting, k=k), training()
    expected = []
    for photo in photos_of(4):
        rows = neighbours(photo, embeddings, k, metric)
        votes = weights(photo, embeddings, rows, metric, sigma, weighting)
        scale, logits = len(rows) / sum(votes.values()), []
        for label, odds in enumerate(means_odds(photo, embeddings, targets, metric, sigma)):
            q = 1 / (1 + math.exp(-odds))
            present = scale * sum(v for row, v in votes.items() if targets[row, label] == 1)
            absent = scale * sum(v for row, v in votes.items() if targets[row, label] == 0)
            logits.append(math.log((present + q) / (absent + 1 - q)))
        expected.append(logits)
    found = system.recall(photos_of(4))
    assert_close(found, torch.tensor(expected).double(), rtol=1e-5, atol=1e-6)


def in_kths(present, known, k):
    return math.floor(k * present / known + 0.5)


@pytest.mark.parametrize(("metric", "k", "known"), [("cosine", 7, False), ("euclidean", 3, True)])
def test_ml_knn_is_the_algorithm_of_its_paper(metric, k, known):
    system = knn(known=known, k=k, weighting="ml-knn", metric=metric, sigma=KNN.Config().sigma)
    embeddings, targets = training()
    targets = targets.clamp(min=0) if known else targets
    expected = torch.zeros(4, LABELS).double()
    for label in range(LABELS):
        # Zhang and Zhou, Fig. 1: prior, then how often photos with and without it have C = j.
        y = targets[:, label].tolist()
        prior = (1 + y.count(1)) / (2 + y.count(1) + y.count(0))
        c = {1: [0] * (k + 1), 0: [0] * (k + 1)}
        for row, photo in enumerate(embeddings):
            votes = [y[other] for other in neighbours(photo, embeddings, k, metric, own=row)]
            if y[row] >= 0 and votes.count(-1) < k:
                c[y[row]][in_kths(votes.count(1), k - votes.count(-1), k)] += 1
        for row, photo in enumerate(photos_of(4)):
            votes = [y[other] for other in neighbours(photo, embeddings, k, metric)]
            chance = {0: 1.0, 1: 1.0}
            if votes.count(-1) < k:
                j = in_kths(votes.count(1), k - votes.count(-1), k)
                chance = {b: (1 + c[b][j]) / (k + 1 + sum(c[b])) for b in (0, 1)}
            odds = prior * chance[1] / ((1 - prior) * chance[0])
            expected[row, label] = math.log(odds)
    found = system.recall(photos_of(4))
    assert_close(found, expected, rtol=0, atol=0.0101)  # leans by this much towards the means
    assert not torch.equal(found, expected)


@pytest.mark.parametrize(("weighting", "metric"), [("distance", "cosine"), ("ml-knn", "euclidean")])
def test_a_new_system_knows_how_often_labels_are(weighting, metric):
    labels = label_space()
    config = KNN.Config(backbone=TINY, weighting=weighting, metric=metric)
    recognition = KNN(config, labels)(drawn(2)[0])
    present = labels.cooccurrence.diagonal()
    odds = ((1 + present) / (1 + labels.photos - present)).log().expand(2, -1)
    assert_close(recognition.logits, odds, rtol=1e-3, atol=1e-3)
    assert not recognition.maps.any()


def test_equal_votes_are_decided_by_the_means_and_no_vote_is_turned_over():
    system = knn(weighting="uniform", k=5, sigma=1e-3)  # means that say all they can
    embeddings, targets = training()
    system.remember(embeddings, targets.clamp(min=0))
    photos = photos_of(60)
    near = [neighbours(photo, embeddings, 5, "cosine") for photo in photos]
    votes = torch.stack([(targets[rows] == 1).sum(0) for rows in near])
    for logits, count in zip(system.recall(photos).T, votes.T, strict=True):
        by_votes = [logits[count == n] for n in count.unique()]
        assert all(a.max() <= b.min() for a, b in pairwise(by_votes))
        assert len(logits.unique()) > 6 >= len(by_votes)
        assert logits.isfinite().all()


@every_weighting
def test_photos_are_recalled_as_they_are_recognised_with_gradients_for_the_features(weighting):
    system = tiny_system("knn", weighting=weighting, metric="euclidean").double().eval()
    images, _ = exact_photos(5, seed=4)
    assert_close(system.recall(system.describe(images)), system(images).logits)
    assert grad_cam(tiny_system("knn", weighting=weighting).eval(), drawn(2)[0], range(5)).any()


@every_metric
def test_maps_are_how_alike_cells_are_to_neighbours_with_and_without_the_label(metric):
    k, sigma = 4, 0.2
    system = tiny_system("knn", k=k, sigma=sigma, metric=metric, weighting="distance")
    system = system.double().eval()
    seen, targets = exact_photos(16)
    embeddings = system.describe(seen)
    system.remember(embeddings, targets)
    images, _ = exact_photos(3, seed=7)
    features, maps = system.backbone(images), system(images).maps

    def alike(cell, photo, length):
        if metric == "cosine":
            return cell @ photo / (length * photo.norm())
        return (cell @ cell - (cell - photo).square().sum()) / 2

    unit, lacking = (sigma if metric == "cosine" else sigma**2), 0
    for image, grid in enumerate(features):
        photo = grid.mean((1, 2))
        rows = neighbours(photo, embeddings, k, metric)
        votes = weights(photo, embeddings, rows, metric, sigma, "distance")
        for label in range(LABELS):
            sides = []
            for target in (1, 0):
                weight = {row: votes[row] for row in rows if targets[row, label] == target}
                if not weight:
                    lacking += 1
                    weight = {r: 1.0 for r in range(16) if targets[r, label] == target}
                cell, length = grid[:, 1, 2], photo.norm()
                parts = [w * alike(cell, embeddings[row], length) for row, w in weight.items()]
                sides.append(torch.stack(parts).sum() / sum(weight.values()))
            expected = (sides[0] - sides[1]) / unit
            assert_close(maps[image, label, 1, 2], expected, rtol=1e-4, atol=1e-5)
    assert lacking


@pytest.mark.parametrize("target", [0, 1, -1])
def test_maps_and_logits_are_finite_where_all_photos_say_the_same(target):
    system = tiny_system("knn").eval()
    images, targets = drawn(16)
    system.remember(system.describe(images), torch.full_like(targets, target))
    assert all(part.isfinite().all() for part in system(images))
    assert not any(module.training for module in system.train().backbone.modules())


def test_k_is_the_best_candidate_on_the_validation_photos_and_the_smaller_of_equals():
    system = knn(k=None, candidates=(30, 2, 11, 40, 1000), weighting="uniform")
    photos, targets = training(50, seed=2)
    said, scores = system.choose(photos, targets), {}
    for k in (2, 11, 30):
        precisions = average_precision(knn(k=k, weighting="uniform").recall(photos), targets)
        scores[k], _ = mean_over_labels(precisions)
    assert system.k == system.config.k == max(scores, key=scores.get)
    listed = ", ".join(f"{k}: {100 * score:.1f}" for k, score in scores.items())
    assert said == f"k = {system.k} of 40 remembered photos (mAP by k: {listed})"
    system = knn(k=None, candidates=(30, 2, 11))
    system.choose(photos, torch.ones_like(targets))  # any ranking is right
    assert system.k == 2


@pytest.mark.parametrize("count", [2, 10])
def test_few_photos_all_vote(count):
    system = knn(count, k=None)
    system.choose(*training(6, seed=3))
    assert system.k == 50
    assert system.recall(photos_of(3)).isfinite().all()


@every_metric
def test_a_state_of_another_number_of_photos_is_taken_and_one_with_counts_below_0_refused(metric):
    many, few = knn(40, metric=metric), knn(7, metric=metric)
    few.load_state_dict(many.state_dict())
    assert few.targets.shape == (LABELS, 40)
    few.prior = many.prior  # what is known of the labels is not in the state
    assert torch.equal(few.recall(photos_of(3)), many.recall(photos_of(3)))
    wrong = knn(weighting="ml-knn", metric=metric)
    wrong.agreement[0, 0, 0] = -1
    with pytest.raises(DataError, match="expected counts of photos of at least 0, got others"):
        wrong.check()


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return tiny_collection(tmp_path_factory.mktemp("photos"))


def test_a_run_remembers_the_training_photos_and_says_what_it_chose(collection, tmp_path):
    recipe = tiny_recipe("knn", crop=0.5, random_flip=True)  # which photos are not, here
    settings = recipe.settings.model_copy(update={"weighting": "ml-knn", "k": None})
    recipe, diary = recipe.model_copy(update={"settings": settings}), Diary()
    outcome = train_run(collection, recipe, tmp_path, RUNTIME, log=diary)
    model, learn, judge = load_model(outcome.model), *map(collection.rows, ("train", "val"))
    system, k = model.system, model.recipe.settings.k
    assert torch.equal(system.targets.T.long(), learn.targets.long())
    seen = forward_photos(system.describe, system, PhotoStore(learn.paths, SIDE, 0), RUNTIME)
    assert_close(system.remembered, torch.nn.functional.normalize(seen))
    expected = [("remembering", TRAIN), ("validating", VAL), ("comparing", TRAIN)]
    assert [(said, total) for said, total, _ in diary.works] == expected
    assert k in {10, 20}
    assert diary.notes[-1].startswith(f"k = {k} of {TRAIN} remembered photos")
    logits, _ = predict(system, PhotoStore(judge.paths, SIDE, 0), RUNTIME)
    mean, _ = mean_over_labels(average_precision(logits, judge.targets))
    assert 100 * mean == pytest.approx(outcome.validation["mAP"])
    assert not (tmp_path / "resume").exists()


class Impatient(Diary):
    """Presses Ctrl-C while photos are remembered."""

    def work(self, description, total):
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
    one, other = (tmp_path / run / "model" / "model.safetensors" for run in ("run", "whole"))
    assert one.read_bytes() == other.read_bytes()
