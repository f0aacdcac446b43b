"""Tables of animals and plants, in which some photos have only the group of a species."""

import pytest

from tagsight.data.readers import read_annotations

RANKED = """\
image,class,order,family,genus,species
a.jpg,Insecta,Lepidoptera,Nymphalidae,Aglais,Aglais io
b.jpg,Insecta,Lepidoptera,Nymphalidae,,
c.jpg,Aves,Passeriformes,Paridae,Parus,Parus major
d.jpg,Aves,,,,
e.jpg,,,,,
"""
MIXED = "image,scientificName\na.jpg,Aglais io\nb.jpg,Aglais\nc.jpg,Parus major\n"


@pytest.mark.parametrize(
    ("table", "names", "targets"),
    [
        (RANKED, ("Aglais io", "Parus major"), [[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]]),
        (
            RANKED.replace("species", "common_name").replace("Aglais io", "peacock"),
            ("Parus major", "peacock"),
            [[0, 1], [0, -1], [1, 0], [-1, 0], [0, 0]],
        ),
        (MIXED, ("Aglais", "Aglais io", "Parus major"), [[1, 1, 0], [1, -1, -1], [-1, 0, 1]]),
        (  # names of a country, of which one may begin another
            "image,species\na.jpg,Bear\nb.jpg,Bear cub\n",
            ("Bear", "Bear cub"),
            [[1, 0], [0, 1]],
        ),
    ],
)
def test_a_group_makes_no_species_absent_that_it_may_be(write_csv, caplog, table, names, targets):
    found = read_annotations(write_csv(table), labels_only=True)
    assert (found.names, found.targets.tolist()) == (names, targets)
    is_told = "groups such as families are named beside species" in caplog.text
    assert is_told == any(-1 in row for row in targets)
