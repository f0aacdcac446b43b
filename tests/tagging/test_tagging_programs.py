"""What programs look for, by their documentation, is where we write it."""

import re
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest

from tagsight.data.tags.xmp import PROPERTIES
from tagsight.tagging.sidecars.edit import Tag
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.writing import Manner, Writer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tag-a-collection.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \| no \|$", re.MULTILINE)
ROWS = {program: (files, places) for program, files, places in ROW.findall(PAGE.read_text())}
FORMS = {
    "dc:subject": "dog",
    "lr:hierarchicalSubject": "animal|dog",
    "digiKam:TagsList": "animal/dog",
    "MicrosoftPhoto:LastKeywordXMP": "animal/dog",
}


def test_the_table_has_the_programs_that_people_ask_for():
    names = ("digiKam", "Immich", "PhotoPrism", "Lightroom Classic, Bridge", "Capture One")
    assert [*ROWS][:5] == [*names]


@pytest.mark.parametrize(("files", "places"), ROWS.values(), ids=ROWS)
def test_a_program_finds_the_file_and_each_place_that_it_reads(files, places, tmp_path):
    naming: Literal["stem", "full"] = "stem" if "--sidecar-name stem" in files else "full"
    photo = tmp_path / ("photo.nef" if "raw files alone" in files else "photo.jpg")
    photo.touch()
    with Journal(tmp_path / "journal") as journal:
        where = Places(".xmp", None, [tmp_path], naming)
        writer = Writer(Manner("xmp"), where, "model", journal)
        (outcome,) = writer.write([(photo, [Tag("animal/dog", 0.9)])])
    named = re.findall(r"`(photo[\w.]*)`", files)
    assert not named or outcome.sidecar.name in named
    root = ElementTree.fromstring(outcome.sidecar.read_bytes())
    for place in re.findall(r"`(\w+:\w+)`", places):
        tag = f"{{{PROPERTIES[place].namespace}}}{place.partition(':')[2]}"
        (found,) = root.iter(tag)
        assert "".join(found.itertext()).split() == [FORMS[place]]
