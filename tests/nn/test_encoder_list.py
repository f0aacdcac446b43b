import re

import pytest
from encoder_families import FAMILIES as SMALL_FAMILIES

from tagsight.cli import main
from tagsight.errors import DataError
from tagsight.nn.encoder_list import FAMILIES, LIMIT, encoders


def test_encoders_are_listed_with_what_decides_between_them():
    found = encoders("test_*t")
    rows = {row.name: row for row in found}
    vit = rows["test_vit"]
    assert (vit.stride, vit.channels, vit.pixels) == (16, 64, 160)
    assert rows["test_resnet"].channels == 96
    assert not rows["test_coatnet"].any_size
    assert rows["test_resnet"].weights == "hub: r160_in1k"
    assert set(rows) >= {name for name in SMALL_FAMILIES if re.fullmatch("test_.*t", name)}
    assert "test_maxvit" in repr(found)
    assert "160 only" in repr(found)


def test_encoders_without_a_grid_are_named():
    found = encoders("hiera_tiny_224")
    assert not len(found)
    assert found.notes() == ["without a grid: hiera_tiny_224"]


@pytest.mark.slow
def test_a_list_is_capped():
    found = encoders("resnet*")
    assert len(found) == LIMIT
    assert found.left_out > 0
    assert f"{found.left_out} more match" in repr(found)


@pytest.mark.slow
def test_the_listed_families_are_what_timm_builds():
    for family in FAMILIES:
        (built,) = [row for row in encoders(family.name) if row.name == family.name]
        assert built[:6] == family[:6]


def test_an_unknown_encoder_is_refused():
    with pytest.raises(DataError, match="part of the name of an encoder, got 'resmet'"):
        encoders("resmet")


def test_the_command_measures_speed(capsys):
    assert main(["encoders", "test_vit3", "--measure"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "photos/s"
    assert float(row.split()[-1]) > 0
    assert main(["encoders"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(FAMILIES)
