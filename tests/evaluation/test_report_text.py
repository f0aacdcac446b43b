import pytest

from tagsight.evaluation.report_text import report_lines

QUALITY = {"CP": 70, "CR": 60, "CF1": 64.6, "CF1_mean": 63, "OP": 75, "OR": 65, "OF1": 69.6}
LABEL = ("AP", "count", "few", "threshold", "precision", "recall")


@pytest.fixture
def report() -> dict:
    return {
        "system": "gcam",
        "recipe": "gcam-cpu",
        "photos": 1072,
        "image_size": 224,
        "resize": "warp",
        "photos_per_second": 61.7,
        "mAP": 65.13,
        "mAP_interval": [61.0, 69.24],
        "labels": 3,
        "labels_counted": 2,
        "left_out": {"without_training_photo": ["tv monitor"]},
        "unmatched": ["otter"],
        "selection": "best",
        "thresholds_fitted": True,
        "per_label": {
            "cat": dict(zip(LABEL, (90.0, 1166, False, 0.4, 88.0, 91.0), strict=True)),
            "tv monitor": dict(zip(LABEL, (None, 0, True, 0.5, None, None), strict=True)),
        },
        "all": QUALITY,
        "all_rule": "score 0.5",
        "all_at_thresholds": QUALITY | {"CF1": 66.6},
        "top3": {"exact": QUALITY, "thresholded": QUALITY},
        "conventions": {"never_predicted": "zero", "unknown": "left_out"},
        "calibration": {"expected_error": 2.5, "expected_error_before": 4.0, "temperature": 1.3},
    }


def test_the_main_figures_stand_first(report):
    assert list(report_lines(report | {"trained_image_size": 224}))[:4] == [
        "gcam (gcam-cpu), 1,072 photos at 224 pixels, 62 photos/s",
        "mAP 65.1 (61.0 to 69.2) over 2 of 3 labels",
        "not in mAP, as no training photo has it: 'tv monitor'",
        "labels of the data that the model does not know: 'otter'",
    ]
    first = next(report_lines(report | {"trained_image_size": 192}))
    assert "1,072 photos at 224 pixels (trained at 192), 62 photos/s" in first


def test_what_was_not_selected_and_how_unknown_targets_count_is_named(report):
    lines = list(report_lines(report))
    assert "a label that is never predicted has precision 0; unknown targets are left out" in lines
    assert not any("selection" in line for line in lines)
    report |= {"conventions": {"never_predicted": "wrong", "unknown": "absent"}}
    lines = list(report_lines(report | {"selection": "last", "thresholds_fitted": False}))
    assert lines[2].endswith("the last epoch is kept, and no threshold is fitted: all 0.5")
    assert any(line.endswith("count as absent, but not in mAP") for line in lines)


def test_tables_are_aligned(report):
    lines = list(report_lines(report))
    start = next(i for i, line in enumerate(lines) if line.startswith("label "))
    assert lines[start : start + 3] == [
        "label         AP  photos  threshold  precision  recall",
        "cat         90.0   1,166       0.40       88.0    91.0",
        "tv monitor     -       0       0.50          -       -  fewer than 20 photos",
    ]


def test_where_scores_only_rank_nothing_is_told_of_one_half(report):
    reason = "scores of this system rank photos and are no probabilities"
    missing = {"expected_error": None, "expected_error_before": None, "reason": reason}
    calibration = missing | {"temperature": 2.0}
    decided = {"all": report["all_at_thresholds"], "all_rule": "thresholds"}
    ranking = report | decided | {"calibration": calibration}
    lines = list(report_lines(ranking))
    start = next(i for i, line in enumerate(lines) if line.startswith("decided by"))
    rules = [line.split("  ")[0] for line in lines[start + 1 : start + 4]]
    assert rules == ["thresholds", "top 3", "top 3, from thresholds"]
    assert lines[-1] == f"calibration error not defined: {reason}"
    assert "0.5 " not in "\n".join(lines[: start + 4])


def test_evidence_is_told_with_what_chance_would_give_and_retrieval_in_a_line(report):
    report["evidence"] = {"source": "maps", "consistency": {"flip": 2.0, "quarter_turn": 30.0}}
    report["evidence"]["consistency_photos"] = 256
    *_, errors = report_lines(report)
    told = "error of the maps under flip 2.0, quarter turn 30.0; 256 photos"
    assert errors == f"evidence (maps): {told}"
    report["evidence"] |= {"pointing": 80.0, "pointing_interval": [75.0, 85.0]}
    report["evidence"] |= {"energy_in_box": 60.0, "energy_in_box_interval": [55.0, 65.0]}
    report["evidence"] |= {"chance": 35.0, "pairs": 1500}
    perfect = {"precision": 100.0, "precision_interval": [None, None], "mAP": 100.0}
    report["retrieval"] = perfect | {"k": 3, "chance": 21.05, "queries": 20}
    assert list(report_lines(report))[-4:] == [
        errors,
        "pointing 80.0 (75.0 to 85.0), by chance 35.0; 1,500 labels of photos",
        "energy in boxes 60.0 (55.0 to 65.0), by chance 35.0; 1,500 labels of photos",
        "search: of the nearest 3 photos 100.0 share a label with the query, by "
        "chance 21.1; mAP of these 100.0; 20 queries",
    ]


def test_faithfulness_is_told_with_chance_and_what_is_better(report):
    report["faithfulness"] = {
        "source": "maps",
        "photos": 100,
        "pairs": 131,
        "deletion": 12.5,
        "deletion_interval": [10.0, 15.0],
        "insertion": 70.0,
        "insertion_interval": [65.0, 75.0],
        "chance": {"deletion": 40.0, "insertion": 50.0},
        "randomised": {"classifier": 0.1, "encoder 1/4": None},
    }
    assert list(report_lines(report))[-2:] == [
        "faithfulness (maps): deletion 12.5 (10.0 to 15.0), by chance 40.0, lower is better; "
        "insertion 70.0 (65.0 to 75.0), by chance 50.0, higher is better; "
        "131 labels of 100 photos",
        "rank correlation with maps of weights that are randomised down to: classifier 0.10, "
        "encoder 1/4 -",
    ]
