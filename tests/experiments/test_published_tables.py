from __future__ import annotations

import math

import pytest

from tagsight.experiments.published_tables import (
    ABLATION,
    ALL,
    COCO,
    FLICKR25K,
    NUS_WIDE,
    TOP3,
    PublishedRow,
)

TABLES = {"mirflickr25k": FLICKR25K, "coco2014": COCO, "nus-wide": NUS_WIDE}
ROWS = [row for table in TABLES.values() for row in table]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.method)


def harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other)


def is_harmonic(f1: float, precision: float, recall: float) -> bool:
    """Whether some numbers that round to these are related as by the harmonic mean."""
    low = harmonic(precision - 0.05, recall - 0.05) - 0.05
    high = harmonic(precision + 0.05, recall + 0.05) + 0.05
    return low <= f1 <= high


@every_row
def test_a_row_has_a_number_or_a_dash_for_every_column(row: PublishedRow):
    assert len(row.all_labels) == len(ALL)
    assert len(row.top3) == len(TOP3)
    numbers = [value for value in (*row.all_labels, *row.top3) if value is not None]
    assert all(0 < value < 100 for value in numbers)


@every_row
def test_overall_f1_is_the_harmonic_mean_of_its_neighbours(row: PublishedRow):
    for *_, precision, recall, f1 in (row.all_labels, row.top3):
        if None not in (precision, recall, f1):
            # One cell, G-CAM's on FLICKR25K, is a hair outside of what rounding allows.
            assert abs(f1 - harmonic(precision, recall)) < 0.12


@every_row
def test_the_kind_of_class_f1_is_the_one_that_the_arithmetic_tells(row: PublishedRow):
    _, precision, recall, f1, *_ = row.all_labels
    if None not in (precision, recall, f1):
        assert is_harmonic(f1, precision, recall) == (row.class_f1 == "harmonic")


@every_row
def test_rows_with_exactly_three_labels_predict_more_than_there_are(row: PublishedRow):
    """With three labels a photo OR / OP is three over the labels that a photo has, about."""
    *_, precision, recall, _ = row.top3
    if None in (precision, recall):
        return
    if row.top3_rule == "3 at most":
        assert recall / precision < 0.95
    if row.top3_rule == "exactly 3":
        labels = 3 * precision / recall
        assert any(math.isclose(labels, known, abs_tol=0.06) for known in (2.35, 2.42, 4.65))


@pytest.mark.parametrize("name", TABLES)
def test_the_ablation_repeats_the_rows_of_the_other_tables(name: str):
    by_system = {row.system: row.all_labels[0] for row in TABLES[name]}
    assert ABLATION[name] == (by_system["vac"], by_system["ml-gcn"], by_system["gcam"])
