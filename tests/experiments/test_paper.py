from statistics import harmonic_mean

import pytest

from tagsight.data.literature.locations import DATA_PLACES
from tagsight.errors import DataError
from tagsight.experiments.paper import EXPERIMENTS, experiment_of, recipe_of
from tagsight.experiments.published_tables import ABLATION, ALL, COCO, FLICKR25K, NUS_WIDE, TOP3
from tagsight.systems.catalogue import RECIPES

TABLES = {"mirflickr25k": FLICKR25K, "coco2014": COCO, "nus-wide": NUS_WIDE}


@pytest.mark.parametrize(
    ("profile", "side"), [("cpu", None), ("paper-224", 224), ("paper-448", 448)]
)
def test_every_variant_is_a_recipe_of_its_system(profile, side):
    for variant in [v for experiment in EXPERIMENTS.values() for v in experiment.variants]:
        recipe = recipe_of(variant, profile)
        assert recipe.system == variant.system
        own = RECIPES[f"{variant.system}-cpu"].training.image_size
        assert recipe.training.image_size == (side or own)
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


@pytest.mark.parametrize(("number", "name"), [*enumerate(TABLES, 1)])
def test_a_table_has_the_published_rows_complete_and_as_the_ablation_has_them(number, name):
    rows = TABLES[name]
    variants = EXPERIMENTS[f"table{number}"].variants
    assert [(v.name, v.system) for v in variants] == [(row.method, row.system) for row in rows]
    assert {(len(row.all_labels), len(row.top3)) for row in rows} == {(len(ALL), len(TOP3))}
    by_system = {row.system: row.all_labels[0] for row in rows}
    assert ABLATION[name] == (by_system["vac"], by_system["ml-gcn"], by_system["gcam"])


@pytest.mark.parametrize("name", TABLES)
def test_published_f1_is_a_harmonic_mean_where_it_is_said_to_be(name):
    for row in TABLES[name]:
        _, *of_classes = row.all_labels[:4]
        for *rates, f1 in (of_classes, row.all_labels[-3:], row.top3[-3:]):
            if None in (f1, *rates):
                continue
            # One cell, G-CAM's on FLICKR25K, is a hair outside of what rounding allows.
            near = abs(f1 - harmonic_mean(rates)) < 0.12
            assert near == (rates != of_classes[:2] or row.class_f1 == "harmonic"), row.method


def test_an_unknown_table_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(DataError, match=r"expected one of table1, .*figure9, got 'table9'"):
        experiment_of("table9")
