import pytest
from contest import a_failure, a_result, summary_of

from tagsight.metrics.significance import holm, mean_estimate, paired_difference
from tagsight.systems.catalogue import RECIPES


def test_a_row_has_mean_and_standard_deviation_over_its_seeds():
    results = [a_result("one", seed) for seed in (1, 0)]
    (row,) = summary_of(*results).rows
    first, second = (result.metrics["mAP"] for result in results)
    assert row.seeds == (0, 1)
    assert row.mean("mAP") == pytest.approx((first + second) / 2)
    assert row.deviation("mAP") == pytest.approx(abs(first - second) / 2**0.5)
    assert row.interval[0] < row.mean("mAP") < row.interval[1]
    assert summary_of(results[0]).rows[0].deviation("mAP") is None


def test_rows_are_compared_with_the_best_by_their_seeds_means():
    groups = {
        name: [a_result(name, seed + 10 * place, skill) for seed in (0, 1)]
        for place, (name, skill) in enumerate({"good": 3, "fair": 2, "poor": 0.5}.items())
    }
    rows = summary_of(*(result for group in groups.values() for result in group)).rows
    means = {name: mean_estimate([r.estimate for r in group]) for name, group in groups.items()}
    expected = [paired_difference(means[name], means["good"]) for name in ("fair", "poor")]
    assert rows[0].difference is None
    assert [row.difference for row in rows[1:]] == expected
    assert [row.p for row in rows[1:]] == holm([difference.p for difference in expected])
    assert rows[2].p < 0.05


def test_the_notes_say_where_the_numbers_were_chosen_and_measured_and_what_differs():
    alone, on_val, same, notes = (
        "\n".join(summary_of(*results).notes)
        for results in (
            [a_result("a")],
            [a_result("a", split="val")],
            [a_result("a"), a_result("b", 1)],
            [a_result("a"), a_result("b", 1, image_size=64)],
        )
    )
    assert "Selected on val, reported on test: 60 p" in alone
    assert "Selected and reported on val, so that" in on_val
    assert "Images of 32 pixels." in same
    assert "Images of 32 (a); 64 (b) pixels." in notes or "of 64 (b); 32 (a) pixels." in notes


def test_what_was_changed_of_a_recipe_is_said_once_for_all():
    recipe = RECIPES["gcam-cpu"].model_dump(mode="json")
    changed = recipe | {"name": "gcam-cpu, changed", "source": "gcam-cpu with training.epochs = 3"}
    both = summary_of(a_result("a", recipe=changed), a_result("b", 1, recipe=changed)).notes
    assert "Changes to the recipes: training.epochs = 3." in both
    one = summary_of(a_result("a", recipe=changed), a_result("b", 1, recipe=recipe)).notes
    assert any("training.epochs = 3 (a)" in note and "none (b)" in note for note in one)
    assert not any("Changes" in note for note in summary_of(a_result("a")).notes)


def test_scores_that_are_no_probabilities_are_noted():
    plain = a_result("a")
    ranked = a_result("a", report={**plain.record.report, "all_rule": "fitted thresholds"})
    assert any("all labels are by fitted thresholds" in note for note in summary_of(ranked).notes)
    assert not any("no probabilities" in note for note in summary_of(plain).notes)


def test_what_failed_or_was_not_run_is_said():
    failure = a_failure("broken", 2, "the memory\nis full")
    notes = summary_of(a_result("a"), failures=(failure,), left_out=(failure.run,)).notes
    assert "Failed: broken, seed 2: the memory is full" in notes
    assert "Not run: broken, seed 2." in notes
    assert summary_of().rows == ()
    assert summary_of(failures=(failure,)).notes[0].startswith("Failed: broken, seed 2")
