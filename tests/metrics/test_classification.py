import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support
from torch import Tensor

from tagsight.metrics.classification import (
    Conventions,
    average_precision,
    average_precision_at_k,
    average_precisions,
    mean_average_precision,
    mean_over_labels,
    precision_at_k,
    precision_recall,
    top_k,
)
from tagsight.metrics.ranking import Rule


@st.composite
def masked_rankings(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits of few distinct values, so that ties abound, and targets with unknowns."""
    photos, labels = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    size = photos * labels
    logits = draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size))
    targets = draw(st.lists(st.sampled_from([1, 0, -1]), min_size=size, max_size=size))
    shape = (photos, labels)
    return torch.tensor(logits).view(shape) / 3, torch.tensor(targets).view(shape)


def random_ranking(generator: torch.Generator, photos: int = 60, labels: int = 5) -> tuple:
    logits = torch.randn(photos, labels, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, 2, (photos, labels), generator=generator)
    return logits, targets


@given(masked_rankings())
@settings(max_examples=25)
def test_average_precision_equals_scikit_learn_with_ties_and_unknown_targets(ranking):
    logits, targets = ranking
    ap = average_precision(logits, targets)
    for label, value in enumerate(ap.tolist()):
        known = targets[:, label] >= 0
        present = targets[known, label].numpy()
        if present.any() and not present.all():
            expected = average_precision_score(present, logits[known, label].numpy())
            assert value == pytest.approx(expected, abs=1e-12)
        else:
            assert math.isnan(value)


@given(masked_rankings())
@settings(max_examples=25)
def test_ties_in_order_equal_grouped_ties_of_logits_nudged_apart(ranking):
    logits, targets = ranking
    nudged = logits.double() - torch.arange(len(logits))[:, None] * 1e-6
    in_order = average_precision(logits, targets, ties="order")
    torch.testing.assert_close(in_order, average_precision(nudged, targets), equal_nan=True)


@given(masked_rankings())
@settings(max_examples=25)
def test_several_rules_at_once_equal_one_after_the_other(ranking):
    rules = [Rule(), Rule(ties="order"), Rule("order", "voc2010"), Rule(variant="voc2007")]
    alone = [average_precision(*ranking, **rule._asdict()) for rule in rules]
    together = average_precisions(*ranking, rules)
    torch.testing.assert_close(together, torch.stack(alone), equal_nan=True, rtol=0, atol=0)


def test_labels_of_many_photos_are_measured_together_as_each_alone(generator):
    logits, targets = random_ranking(generator, photos=2**18, labels=4)  # in threads
    together = average_precision(logits, targets)
    alone = [average_precision(logits[:, [i]], targets[:, [i]]) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=0)


@pytest.mark.parametrize("ties", ["group", "order"])
def test_absent_photos_below_the_last_present_one_count_in_a_sample(ties):
    logits, targets = torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([[1], [0], [0]])
    # In the third sample the absent photos were not drawn.
    weights = torch.tensor([[1, 2, 1], [1, 0, 0], [0, 1, 0]])
    found = average_precision(logits, targets, ties=ties, weights=weights)
    assert found.nan_to_num(-1).tolist() == [[1.0, 1.0, -1.0]]


FIVE = [5, 4, 3, 2, 1], [1, 0, 0, 1, 1]
"""Present photos at ranks 1, 4 and 5: precisions 1, 2/4, 3/5 at recalls 1/3, 2/3, 1."""


@pytest.mark.parametrize(
    ("logits", "targets", "rule", "expected"),
    [
        (*FIVE, Rule(), (1 + 2 / 4 + 3 / 5) / 3),
        # From recall 2/3 on, 3/5 can be had: the 2/4 is raised.
        (*FIVE, Rule(variant="voc2010"), (1 + 3 / 5 + 3 / 5) / 3),
        # Recalls 0, .1, .2, .3 are within 1/3: precision 1; the seven from .4 to 1: 3/5.
        (*FIVE, Rule(variant="voc2007"), (4 * 1 + 7 * 3 / 5) / 11),
        # Precision 1 up to a recall of 3/10, though 3 * 0.1 > 3 / 10; then 10/11 at best.
        (range(11, 0, -1), [1, 1, 1, 0, *[1] * 7], Rule(variant="voc2007"), (4 + 7 * 10 / 11) / 11),
        # Equal logits have the share of the present photos among those known.
        ([0] * 5, [1, 0, 0, -1, 0], Rule(), 1 / 4),
        # Large logits are ranked though their scores are all 1.
        ([60, 50, 40], [1, 0, 0], Rule(), 1),
        # The first photo is present: precision 1/1. The tie holds one present photo. Grouped, it is
        # the second of three photos wherever it stands in the tie: 2/3.
        ([3, 2, 2, 1], [1, 1, 0, 0], Rule(ties="group"), (1 + 2 / 3) / 2),
        # In order, it is the second of three photos if it comes last, 2/3, of two if first, 2/2.
        ([3, 2, 2, 1], [1, 0, 1, 0], Rule(ties="order"), (1 + 2 / 3) / 2),
        ([3, 2, 2, 1], [1, 1, 0, 0], Rule(ties="order"), (1 + 2 / 2) / 2),
    ],
)
def test_average_precision_by_hand(logits, targets, rule, expected):
    column = torch.tensor([*logits]).float()[:, None]
    ap = average_precision(column, torch.tensor(targets)[:, None], **rule._asdict())
    assert ap.item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_every_float_type_is_measured_in_double_precision(dtype):
    logits = torch.tensor([[0.5], [0.25], [0.125]], dtype=dtype)
    ap = average_precision(logits, torch.tensor([[1], [0], [1]]))
    assert ap.dtype == torch.float64
    assert ap.item() == (1 + 2 / 3) / 2


def test_double_precision_ranks_by_all_its_digits():
    logits = torch.tensor([[1.0], [1 + 1e-12], [0.0]], dtype=torch.float64)
    assert average_precision(logits, torch.tensor([[0], [1], [0]])).item() == 1


@pytest.mark.parametrize("ties", ["group", "order"])
@given(masked_rankings())
@settings(max_examples=25)
def test_a_sample_of_each_photo_once_is_the_photos_themselves(ties, ranking):
    logits, targets = ranking
    once = torch.ones(len(logits), dtype=torch.long)
    sampled = average_precision(logits, targets, ties=ties, weights=once)
    expected = average_precision(logits, targets, ties=ties)
    torch.testing.assert_close(sampled, expected, equal_nan=True)


@pytest.mark.parametrize("variant", ["non_interpolated", "voc2010", "voc2007"])
def test_a_photo_of_weight_n_counts_as_n_photos(variant, generator):
    logits, targets = random_ranking(generator)
    weights = torch.randint(0, 4, (60, 3), generator=generator)
    weighted = average_precision(logits, targets, variant=variant, weights=weights)
    for column in range(3):
        rows = torch.repeat_interleave(torch.arange(60), weights[:, column])
        repeated = average_precision(logits[rows], targets[rows], variant=variant)
        torch.testing.assert_close(weighted[:, column], repeated)


@pytest.mark.parametrize("variant", ["non_interpolated", "voc2010", "voc2007"])
def test_a_label_whose_present_photos_have_no_weight_has_no_average_precision(variant):
    targets, weights = torch.tensor([[1, 0], [0, 0], [0, 1]]), torch.tensor([0, 2, 1])
    ap = average_precision(torch.zeros(3, 2), targets, variant=variant, weights=weights)
    assert math.isnan(ap[0].item())
    assert ap[1].item() == pytest.approx(1 / 3)


@given(masked_rankings())
@settings(max_examples=25)
def test_precision_and_recall_equal_scikit_learn_per_label(ranking):
    logits, targets = ranking
    assert Conventions() == ("zero", "left_out")  # as scikit-learn has it
    quality = precision_recall(logits >= 0, targets)
    for label in range(targets.shape[1]):
        known = targets[:, label] >= 0
        present = targets[known, label].numpy()
        if not present.any():
            continue
        predicted = (logits[known, label] >= 0).numpy()
        expected = precision_recall_fscore_support(
            present, predicted, labels=[1], average="macro", zero_division=0
        )[:3]
        ours = [rates[label].item() for rates in quality.per_label]
        assert ours == pytest.approx(expected, abs=1e-12)


def test_both_definitions_of_cf1_on_the_published_arithmetic():
    # Label 0: 1000 predictions, 632 of them right, nothing missed: P .632, R 1, F1 .7745.
    # Label 1: 1000 present, 502 predicted, all right: P 1, R .502, F1 .6684.
    # CP 81.6 and CR 75.1 as G-CAM prints for COCO, whose CF1 of 78.2 is harmonic.
    predicted = torch.zeros(1000, 2, dtype=torch.bool)
    targets = torch.zeros(1000, 2, dtype=torch.long)
    predicted[:, 0], targets[:632, 0] = True, 1
    predicted[:502, 1], targets[:, 1] = True, 1
    named = precision_recall(predicted, targets).as_dict()
    percent = {name: round(100 * value, 1) for name, value in named.items()}
    # Overall: 1134 right of 1502 predicted and of 1632 present.
    assert percent == {
        "CP": 81.6, "CR": 75.1, "CF1": 78.2, "CF1_mean": 72.1, "OP": 75.5, "OR": 69.5, "OF1": 72.4,
    }  # fmt: skip


@pytest.mark.parametrize("unknown", ["left_out", "absent"])
def test_tables_of_ml_gcn_and_csra_come_out_by_their_conventions(generator, unknown):
    """Both count ``max(Np, 1)`` predictions; VOC's difficult objects are absent in ML-GCN's P and
    R, and left out of CSRA's."""
    targets = torch.randint(-1, 2, (60, 6), generator=generator)
    predicted = torch.rand(60, 6, generator=generator) > 0.6
    predicted[:, 2:4] = False
    correct, made, present = [], [], []
    for label in range(6):
        rows = [r for r in range(60) if unknown == "absent" or targets[r, label] >= 0]
        made.append(max(1, sum(bool(predicted[r, label]) for r in rows)))
        present.append(sum(targets[r, label].item() == 1 for r in rows))
        correct.append(sum(bool(predicted[r, label] and targets[r, label] == 1) for r in rows))
    found = precision_recall(predicted, targets, never_predicted="wrong", unknown=unknown)
    precisions = [hits / n for hits, n in zip(correct, made, strict=True)]
    recalls = [hits / n for hits, n in zip(correct, present, strict=True)]
    assert found.per_class[:2] == pytest.approx((sum(precisions) / 6, sum(recalls) / 6))
    overall = (sum(correct) / sum(made), sum(correct) / sum(present))
    assert found.overall[:2] == pytest.approx(overall)


def test_labels_without_a_present_photo_count_only_by_their_false_alarms():
    # Label 0 is perfect; 1 is absent and predicted once; 2 is absent and never predicted.
    predicted = torch.tensor([[True, True, False], [False, False, False]])
    targets = torch.tensor([[1, 0, 0], [0, 0, 0]])
    quality = precision_recall(predicted, targets)
    assert quality.per_label.precision.nan_to_num(-1).tolist() == [1.0, 0.0, -1.0]
    assert quality.per_label.recall.nan_to_num(-1).tolist() == [1.0, -1.0, -1.0]
    assert quality.per_label.f1.nan_to_num(-1).tolist() == [1.0, -1.0, -1.0]
    assert (quality.per_class.precision, quality.per_class.recall) == (0.5, 1.0)
    assert quality.mean_f1 == 1.0
    assert quality.overall[:2] == (0.5, 1.0)
    assert quality.labels_counted == 1


@pytest.mark.parametrize("shape", [(5000, 7), (3, 500)])
@pytest.mark.parametrize("distinct", [1, 3, 50])
def test_top_k_is_the_start_of_a_stable_sort(distinct, shape, generator):
    logits = torch.randint(distinct, shape, generator=generator).float()
    order = logits.argsort(dim=1, descending=True, stable=True)
    for k in (1, 3, shape[1]):
        expected = torch.zeros(shape, dtype=torch.bool).scatter(1, order[:, :k], value=True)
        assert torch.equal(top_k(logits, k), expected)


def test_thresholded_top_k_is_the_part_of_exact_top_k_at_or_above_the_threshold(generator):
    logits, _ = random_ranking(generator)
    logits[0, 0] = 0.0
    kept = top_k(logits, 3, rule="thresholded")
    assert torch.equal(kept, top_k(logits, 3) & (logits >= 0))
    lower = top_k(logits, 3, rule="thresholded", threshold_logit=-9.0)
    assert torch.equal(lower, top_k(logits, 3))


@pytest.mark.parametrize(
    ("ties", "variant"),
    [("group", "non_interpolated"), ("order", "voc2010"), ("group", "voc2007")],
)
def test_laws_of_average_precision(ties, variant, generator):
    logits, targets = random_ranking(generator)

    def ap(logits: Tensor, targets: Tensor = targets, **more: Tensor) -> Tensor:
        return average_precision(logits, targets, ties=ties, variant=variant, **more)

    expected = ap(logits)
    assert torch.equal(ap((logits / 7).exp() - 3), expected)
    for anything in (0.0, math.inf, -math.inf, math.nan):
        assert torch.equal(ap(logits.masked_fill(targets < 0, anything)), expected)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.equal(ap(logits[:, order], targets[:, order]), expected[order])
    assert ap(targets.double()).tolist() == [1.0] * 5
    if ties == "group":
        ones = torch.ones(60, dtype=torch.long)
        assert torch.equal(ap(logits, weights=ones), expected)


def test_the_mean_is_over_labels_with_a_present_and_an_absent_photo():
    targets = torch.tensor([[1, 0, -1, 0, 1], [0, 0, -1, 1, 1]])
    logits = torch.tensor([[2.0, 1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0, 2.0]])
    # Label 0: rank 1, AP 1. Label 3: rank 2, AP 1/2. Labels 1 and 2 have no present photo, label 4
    # has no absent one.
    assert mean_over_labels(average_precision(logits, targets)) == (0.75, 2)
    ones = torch.ones(2, 2, dtype=torch.long)
    weighted = average_precision(logits, targets, weights=ones)
    assert weighted.isnan().any(1).tolist() == [False, True, True, False, True]
    for photos in (0, 2):
        empty = average_precision(torch.zeros(photos, 2), torch.zeros(photos, 2))
        assert empty.isnan().all()
        mean, counted = mean_over_labels(empty)
        assert math.isnan(mean)
        assert counted == 0


@pytest.mark.parametrize(
    ("rule", "precision", "overall"), [("zero", 0, 3 / 4), ("one", 1, 3 / 4), ("wrong", 0, 3 / 5)]
)
def test_precision_of_a_label_that_is_never_predicted_is_a_convention(rule, precision, overall):
    # Label 0: 3 of 4 predictions right; label 1 is present once and never predicted.
    predicted = torch.tensor([[True, False]] * 4)
    targets = torch.tensor([[1, 1], [1, 0], [1, 0], [0, 0]])
    quality = precision_recall(predicted, targets, never_predicted=rule)
    assert quality.per_label.precision.tolist() == [3 / 4, precision]
    assert quality.per_label.f1.tolist() == pytest.approx([6 / 7, 0])
    assert quality.per_class.precision == (3 / 4 + precision) / 2
    assert quality.overall[:2] == (overall, 3 / 4)
    nothing = precision_recall(predicted[:, 1:], targets[:, 1:], never_predicted=rule)
    assert nothing.overall == nothing.per_class == (precision, 0, 0)


def test_decisions_on_unknown_targets_do_not_count(generator):
    logits, targets = random_ranking(generator)
    predicted = logits >= 0
    named = precision_recall(predicted, targets).as_dict()
    assert named == precision_recall(predicted ^ (targets < 0), targets).as_dict()
    nothing = precision_recall(predicted, torch.full((60, 5), -1))
    assert nothing.labels_counted == 0
    assert math.isnan(nothing.per_class.f1)
    assert math.isnan(nothing.overall.recall)


def test_averages_equal_scikit_learn_where_every_label_is_present(generator):
    targets = torch.randint(0, 2, (50, 6), generator=generator)
    predicted = torch.rand(50, 6, generator=generator) > 0.6
    quality = precision_recall(predicted, targets)
    macro = precision_recall_fscore_support(targets, predicted, average="macro")
    micro = precision_recall_fscore_support(targets, predicted, average="micro")
    assert (*quality.per_class[:2], quality.mean_f1) == pytest.approx(macro[:3])
    assert quality.overall == pytest.approx(micro[:3])


def test_retrieval_precision_counts_relevant_photos_among_the_first_k():
    relevant = torch.tensor([[True, False, True, False], [False] * 4, [False] * 4])
    assert precision_at_k(relevant).tolist() == [0.5, 0, 0]
    # (1/1 + 2/3) / min(4, R) for R = 2 and 9; nothing to find is undefined.
    for existing, expected in ((2, 5 / 6), (9, 5 / 12)):
        found = average_precision_at_k(relevant, torch.tensor([existing, 1, 0]))
        assert found[:2].tolist() == pytest.approx([expected, 0])
        assert found[2].isnan()


ONES = torch.ones(3, 2)
ONE_NAN = torch.tensor([[math.nan, 1.0], [1.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k(ONES, 0), "a k from 1 to 2, the number of labels, got 0"),
        (lambda: top_k(ONES, 3), "a k from 1 to 2, the number of labels, got 3"),
        (lambda: average_precision(ONES, ONES[:, :1]), r"logits and targets of one shape \(N, L\)"),
        (lambda: average_precision(ONES[0], ONES[0]), r"logits and targets of one shape \(N, L\)"),
        (lambda: precision_recall(ONES > 0, ONES[:, :1]), r"predicted and targets .* \(3, 1\)"),
        (lambda: average_precision(ONES, ONES, weights=ONES[:2]), "each photo, 3 in all, got 2"),
        (lambda: average_precision(ONES * math.nan, ONES), "got nan for a known target"),
        (lambda: average_precision(ONE_NAN, ONES * 0), "got nan for a known target"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_map_takes_lists_arrays_and_tensors_and_refuses_what_is_swapped():
    targets = torch.tensor([[1, 0], [0, 1], [1, -1], [0, 0]])
    scores = torch.rand(4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    expected = mean_over_labels(average_precision(scores, targets))[0]
    for pair in ((targets, scores), (targets.numpy(), scores.numpy())):
        assert mean_average_precision(*pair) == expected
    assert mean_average_precision(targets.tolist(), scores.tolist()) == expected
    with pytest.raises(ValueError, match="expected targets of 1, 0 and -1, followed by scores"):
        mean_average_precision(scores, targets)
