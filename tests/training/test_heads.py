"""Heads that are fitted while photos are judged."""

import numpy as np
import pytest
import torch

from tagsight.metrics.classification import average_precision
from tagsight.training.head_quality import FEWEST_MEASURED, advice, head_quality
from tagsight.training.heads import (
    FEWEST_CALIBRATED,
    Basis,
    FittedHeads,
    Heads,
    fit_heads,
)
from tagsight.training.label_prior import LabelPrior

PHOTOS, LABELS, LENGTH = 240, 3, 16
CLASSES = 4


@pytest.fixture(scope="module")
def embeddings():
    return np.random.default_rng(0).normal(size=(PHOTOS, LENGTH)).astype(np.float32)


@pytest.fixture(scope="module")
def targets(embeddings):
    noise = np.random.default_rng(1).normal(size=(PHOTOS, LABELS))
    return (embeddings[:, :LABELS] + 0.5 * noise > 0.4).astype(np.int8)


@pytest.fixture(scope="module")
def graph():
    return LabelPrior(vectors=torch.from_numpy(np.random.default_rng(2).normal(size=(LABELS, 8))))


@pytest.fixture(scope="module")
def fitted(embeddings, targets, graph) -> FittedHeads:
    return fit_heads(embeddings, targets, prior=graph)


@pytest.mark.parametrize("known", ["graph", "named"])
def test_the_mean_of_a_map_is_the_logit(embeddings, targets, known, request):
    fitted = fit_heads(embeddings, targets, prior=request.getfixturevalue(known))
    grid = np.random.default_rng(3).normal(size=(7, 7, LENGTH)).astype(np.float32)
    maps = fitted.heads.maps(grid)
    assert maps.shape == (7, 7, LABELS)
    photo = fitted.logits(grid.mean((0, 1))[None])[0]
    np.testing.assert_allclose(maps.mean((0, 1)), photo, atol=1e-4)


@pytest.mark.parametrize("with_graph", [True, False])
def test_a_held_out_logit_never_saw_the_photo_labels(embeddings, targets, graph, with_graph):
    folds = np.arange(PHOTOS) % 5
    changed = targets.copy()
    changed[folds == 2] = 1 - changed[folds == 2]
    options = {"prior": graph if with_graph else None, "folds": folds}
    start = fit_heads(embeddings, changed, **options).heads
    before = fit_heads(embeddings, targets, **options).held_out
    after = fit_heads(embeddings, changed, **options, start=start).held_out
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    assert (before[folds != 2] != after[folds != 2]).any()


def test_the_numbers_of_the_folds_do_not_matter(embeddings, targets):
    folds = np.arange(PHOTOS) % 3
    one, other = (fit_heads(embeddings, targets, folds=f).held_out for f in (folds, 7 - folds))
    np.testing.assert_array_equal(one, other)


def test_unknown_targets_have_no_part(embeddings, targets, graph):
    known = targets.copy()
    known[:60] = -1
    whole = fit_heads(embeddings, known, prior=graph, basis=Basis.of(embeddings))
    part = fit_heads(embeddings[60:], known[60:], prior=graph, basis=Basis.of(embeddings))
    np.testing.assert_array_equal(whole.heads.weights, part.heads.weights)
    np.testing.assert_array_equal(whole.held_out[60:], part.held_out)
    assert np.isnan(whole.held_out[:60]).all()
    assert whole.quality == part.quality


def test_an_unknown_target_of_one_label_changes_no_other_label(embeddings, targets):
    some = targets.copy()
    some[:, 0] = -1
    folds = np.arange(PHOTOS) % 5
    options = {"folds": folds, "basis": Basis.of(embeddings)}
    whole, part = (fit_heads(embeddings, one, **options) for one in (targets, some))
    np.testing.assert_allclose(whole.heads.weights[1:], part.heads.weights[1:], atol=0.02)


def test_near_twins_are_held_out_together():
    """Labels at random: only a head that has seen the twin can know them."""
    random = np.random.default_rng(0)
    once = random.normal(size=(40, 64)).astype(np.float32)
    embeddings = np.repeat(once, 2, axis=0)
    targets = random.integers(0, 2, (40, 1)).repeat(2, axis=0).astype(np.int8)
    alone = fit_heads(embeddings, targets).quality[0].ap
    together = fit_heads(embeddings, targets, groups=np.arange(80) // 2).quality[0].ap
    assert alone > together + 0.1


def test_the_start_does_not_change_the_solution(embeddings, targets, graph, fitted):
    again = fit_heads(embeddings, targets, prior=graph, start=fitted.heads)
    np.testing.assert_allclose(
        again.logits(embeddings), fitted.logits(embeddings), rtol=0.02, atol=0.1
    )


@pytest.mark.parametrize("value", [1, 0, -1])
def test_a_label_that_is_judged_in_one_way_only_is_finite_and_has_no_measure(
    embeddings, targets, graph, value
):
    some = targets.copy()
    some[:, 1] = value
    fitted = fit_heads(embeddings, some, prior=graph)
    assert np.isfinite(fitted.logits(embeddings)).all()
    assert fitted.quality[1].ap is None
    assert fitted.quality[0].ap is not None
    wanted = {1: "reject some photos", 0: "find a first photo", -1: "find a first photo"}
    counts = [int((some[:, 1] == kind).sum()) for kind in (1, 0)]
    assert fitted.quality[1].advice(*counts).startswith(wanted[value])


@pytest.mark.parametrize("kind", [1, 0])
def test_few_photos_of_a_kind_have_no_measure_whose_interval_would_look_certain(kind):
    logits = torch.linspace(-1, 1, 40)[:, None]
    for count, is_measured in ((FEWEST_MEASURED - 1, False), (FEWEST_MEASURED, True)):
        targets = torch.full((40, 1), 1 - kind)
        targets[-count - 1 : -1] = kind
        (quality,) = head_quality(logits, targets, resamples=20)
        assert (quality.ap is not None, quality.low is not None) == (is_measured, is_measured)
        assert (quality.present, quality.absent)[1 - kind] == count


def test_one_judgement_is_enough_for_heads():
    fitted = fit_heads(np.ones((1, 4), np.float32), np.array([[1, -1]], np.int8))
    assert np.isfinite(fitted.scores(np.zeros((2, 4), np.float32))).all()
    assert np.isnan(fitted.held_out).all()


def test_few_examples_are_fitted_without_the_graph(embeddings, targets, graph):
    few, several = np.arange(40), np.arange(PHOTOS)
    for rows, differs in ((few, False), (several, True)):
        options = {"folds": rows % 5, "basis": Basis.of(embeddings)}
        one = fit_heads(embeddings[rows], targets[rows], prior=graph, **options)
        other = fit_heads(embeddings[rows], targets[rows], **options)
        assert np.allclose(one.heads.weights, other.heads.weights, atol=1e-3) != differs


def test_the_interval_holds_the_estimate(fitted):
    for quality in fitted.quality:
        assert 0 <= quality.low <= quality.ap <= quality.high <= 1


def test_shapes_that_disagree_are_an_error(embeddings, targets):
    with pytest.raises(ValueError, match="of the same photos"):
        fit_heads(embeddings, targets[1:])


@pytest.fixture(scope="module")
def named(graph):
    """The first label is named after the class that it is, the second after one that it is not."""
    matches = torch.eye(LABELS, CLASSES).bool()
    matches[1], matches[2] = matches[0].clone(), False
    return graph._replace(matches=matches, first=0)


def test_without_a_judgement_heads_are_what_names_say(embeddings, targets, named):
    nothing = np.full_like(targets, -1)
    for photos, said in ((embeddings, nothing), (embeddings[:0], nothing[:0])):
        fitted = fit_heads(photos, said, prior=named, basis=Basis.of(embeddings))
        logits = fitted.logits(embeddings)
        np.testing.assert_allclose(logits[:, :2], named.logits(embeddings)[:, :2], atol=1e-3)
        assert fitted.scores(embeddings)[:, 2] == pytest.approx(0.12, abs=0.02)
        assert [quality.ap for quality in fitted.quality] == [None] * LABELS
        assert np.isnan(fitted.held_out).all()


def drawn_names(seed):
    """Draw photos that show one of 40 classes, for 20 of which the first label stands."""
    random = np.random.default_rng(seed)
    shown = random.integers(0, 40, 300)
    logits = 2 * random.normal(size=(300, 40)) + 5 * np.eye(40)[shown]
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rest = 5 * random.normal(size=(300, 32))
    photos = np.hstack([5 * np.sqrt(likely), rest]).astype(np.float32)
    matches = torch.arange(40)[None] < 20
    return photos, (shown < 20).astype(np.int8)[:, None], LabelPrior(matches)


@pytest.mark.parametrize("judged", [2, 5, 10])
def test_a_few_judgements_do_not_make_the_order_worse_than_names_alone(judged):
    """What else is in those photos would be taken for the label, and must not prevail."""
    changes = []
    for seed in range(12):
        photos, targets, prior = drawn_names(seed)
        few, rest = np.full_like(targets, -1), torch.from_numpy(targets[judged:])
        few[:judged] = targets[:judged]
        before, after = (
            fit_heads(photos, said, prior=prior).logits(photos[judged:])
            for said in (np.full_like(targets, -1), few)
        )
        of = [
            average_precision(torch.from_numpy(logits), rest).item() for logits in (before, after)
        ]
        changes.append(of[1] - of[0])
    assert min(changes) > -0.03
    assert np.mean(changes) > -0.005


def test_a_name_helps_where_little_is_judged(embeddings, targets, named):
    few = np.full_like(targets, -1)
    few[:20] = targets[:20]
    known, unknown = (fit_heads(embeddings, few, prior=one) for one in (named, None))
    rest = torch.from_numpy(targets[20:])
    by_name, alone = (
        average_precision(torch.from_numpy(one.logits(embeddings[20:])), rest)[0]
        for one in (known, unknown)
    )
    assert by_name > alone + 0.05


def test_a_name_that_misleads_is_not_trusted_for_long():
    photos, targets, prior = drawn_names(0)
    other = torch.arange(prior.matches.shape[1])[None] % 2 == 0
    both = prior._replace(matches=torch.cat([prior.matches, other]))
    right, wrong = fit_heads(photos, targets.repeat(2, axis=1), prior=both).heads.trust
    assert right > 0.7
    assert wrong < 0.2


@pytest.mark.parametrize("judged", [3, 5, 19])
def test_a_few_judgements_do_not_make_all_scores_alike(judged):
    """Neither those of a label that has none, nor those of the judged one."""
    for seed in range(6):
        photos, targets, prior = drawn_names(seed)
        both = prior._replace(matches=torch.cat([prior.matches, ~prior.matches]))
        few = np.full((len(photos), 2), -1, np.int8)
        few[:judged, 0] = targets[:judged, 0]
        few[0, 0] = 1 - few[1, 0]  # both kinds
        fitted = fit_heads(photos, few, prior=both)
        said = 1 / (1 + np.exp(-both.logits(photos)))
        np.testing.assert_allclose(fitted.scores(photos)[:, 1], said[:, 1], atol=0.05)
        assert (fitted.temperature == 1).all()


def test_a_label_with_enough_judgements_is_calibrated(embeddings, targets):
    some = targets.copy()
    some[FEWEST_CALIBRATED - 1 :, 1] = -1
    fitted = fit_heads(embeddings, some)
    assert fitted.temperature[1] == 1
    assert fitted.temperature[0] == fitted.temperature[2] != 1


@pytest.mark.parametrize("directions", [8, LENGTH])
def test_a_warm_start_of_named_heads_is_what_was_fitted(embeddings, targets, named, directions):
    basis = Basis.of(embeddings, directions=directions)
    cold = fit_heads(embeddings, targets, prior=named, basis=basis)
    again = Heads.outside(basis, cold.heads.within(basis, named), named)
    np.testing.assert_allclose(again.weights, cold.heads.weights, atol=1e-4)
    np.testing.assert_allclose(again.bias, cold.heads.bias, atol=1e-4)
    changed = targets.copy()
    changed[:5] = 1 - changed[:5]
    warm = fit_heads(embeddings, changed, prior=named, start=cold.heads)
    anew = fit_heads(embeddings, changed, prior=named, basis=basis)
    np.testing.assert_allclose(
        warm.logits(embeddings), anew.logits(embeddings), rtol=0.02, atol=0.1
    )
    np.testing.assert_array_equal(warm.held_out, anew.held_out)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((0, 5, float("nan"), float("nan"), float("nan"), 0), "find a first photo"),
        ((5, 0, float("nan"), float("nan"), float("nan"), 0), "reject some photos"),
        ((5, 50, 0.5, 0.2, 0.8, 0), "judge more photos that have it: 5"),
        ((50, 5, 0.5, 0.2, 0.8, 0), "reject more photos"),
        ((50, 50, 0.7, 0.66, 0.74, 9), "probably wrong"),
        ((50, 50, 0.7, 0.5, 0.9, 0), "wide interval"),
        ((50, 50, 0.7, 0.66, 0.74, 0), "not sure"),
        ((50, 50, 0.95, 0.94, 0.96, 0), "good"),
    ],
)
def test_advice_names_what_is_missing_most(figures, words):
    assert words in advice(*figures)
