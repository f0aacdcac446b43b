from __future__ import annotations

import pytest

from tagsight.data.locations import DATA_PLACES
from tagsight.errors import DataError
from tagsight.experiments.paper import EXPERIMENTS, experiment_of, recipe_of
from tagsight.experiments.published_tables import COCO, FLICKR25K, NUS_WIDE


@pytest.mark.parametrize(
    ("profile", "side"), [("cpu", 224), ("paper-224", 224), ("paper-448", 448)]
)
def test_every_variant_is_a_recipe_of_its_system(profile, side: int):
    for variant in [v for experiment in EXPERIMENTS.values() for v in experiment.variants]:
        recipe = recipe_of(variant, profile)
        assert recipe.system == variant.system
        assert recipe.training.image_size == side
        for setting, value in variant.changes.items():
            found: object = recipe
            for part in setting.replace("system.", "settings.", 1).split("."):
                found = getattr(found, part)
            assert found == pytest.approx(float(value))


def test_the_experiments_are_those_of_the_paper_on_known_data_sets_without_repetition():
    tables = [f"table{number}" for number in range(1, 5)]
    assert list(EXPERIMENTS) == tables + [f"figure{number}" for number in range(4, 10)]
    for experiment in EXPERIMENTS.values():
        assert {experiment.dataset, *experiment.also} <= DATA_PLACES.keys()
        names = [variant.name for variant in experiment.variants]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "rows"), [("table1", FLICKR25K), ("table2", COCO), ("table3", NUS_WIDE)]
)
def test_a_table_has_the_published_rows_in_their_order(name: str, rows):
    variants = [(variant.name, variant.system) for variant in EXPERIMENTS[name].variants]
    assert variants == [(row.method, row.system) for row in rows]


@pytest.mark.parametrize(
    ("name", "ends", "marked"),
    [("figure6", (0.1, 1), {1}), ("figure7", (0, 1), {0, 1}), ("figure8", (0, 1), {0, 1})],
)
def test_a_sweep_covers_its_range_and_marks_what_is_degenerate(name, ends, marked):
    variants = EXPERIMENTS[name].variants
    values = [float(variant.name) for variant in variants]
    assert (values[0], values[-1]) == ends
    assert values == sorted(values)
    assert {float(v.name) for v in variants if v.note.startswith("degenerate")} == marked


def test_an_unknown_table_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(DataError, match=r"expected one of table1, .*figure9, got 'table9'"):
        experiment_of("table9")
