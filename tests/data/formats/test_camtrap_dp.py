"""Camtrap DP: what people saw is on the photos, and on no others."""

import json

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.splits.grouping import Grouping
from tagsight.errors import DataError

FOX, BADGER = "Vulpes vulpes", "Meles meles"
MEDIA = "mediaID,deploymentID,timestamp,filePath,fileName,fileMediatype\n"
SEEN = (
    "deploymentID,mediaID,eventStart,eventEnd,observationType,scientificName,classificationMethod\n"
)


def media(*names, deployment="d1", address=""):
    return "".join(
        f"{name},{deployment},2024-05-01T10:00:0{second}Z,{address}{name}.jpg,{name}.jpg,image/jpeg\n"
        for second, name in enumerate(names)
    )


def seen(name, kind, species="", method="human"):
    return f"d1,{name},,,{kind},{species},{method}\n"


def event(first, last, kind, species="", deployment="d1"):
    times = ",".join(f"2024-05-01T10:00:0{second}Z" for second in (first, last))
    return f"{deployment},,{times},{kind},{species},human\n"


@pytest.fixture
def package(tmp_path):
    def write(photos, observations):
        (tmp_path / "media.csv").write_text(MEDIA + photos)
        (tmp_path / "observations.csv").write_text(SEEN + observations)
        return tmp_path

    return write


def read(source, **options):
    return read_annotations(source, labels_only=True, options=ReadOptions(**options))


def targets(annotations):
    return dict(zip(annotations.relative_names, annotations.targets.tolist(), strict=True))


@pytest.mark.parametrize("name", ["", "media.csv", "observations.csv"])
def test_a_photo_has_the_species_that_people_saw_on_it(package, name):
    rows = seen("a", "animal", FOX) + seen("b", "animal", BADGER) + seen("b", "animal", FOX)
    folder = package(media("a", "b", "c", "d"), rows + seen("c", "blank") + seen("c", "vehicle"))
    found = read(folder / name)
    assert found.names == (BADGER, FOX, "vehicle")
    assert targets(found) == {"a.jpg": [0, 1, 0], "b.jpg": [1, 1, 0], "c.jpg": [0, 0, 1]}


TAXONOMY = [{"scientificName": FOX, "family": "Canidae"}, {"scientificName": BADGER, "family": "M"}]


@pytest.mark.parametrize(
    ("taxonomic", "expected"),
    [
        (TAXONOMY, {"a": [1, 0, 1], "b": [1, 0, -1], "c": [0, 1, 0]}),
        ([], {"a": [-1, 0, 1], "b": [1, -1, -1], "c": [-1, 1, 0]}),
    ],
)
def test_a_family_never_makes_a_species_absent_that_it_may_be(package, taxonomic, expected):
    rows = seen("a", "animal", FOX) + seen("b", "animal", "Canidae") + seen("c", "animal", BADGER)
    folder = package(media("a", "b", "c"), rows)
    (folder / "datapackage.json").write_text(json.dumps({"taxonomic": taxonomic}))
    found = read(folder)
    assert found.names == ("Canidae", BADGER, FOX)
    assert targets(found) == {f"{photo}.jpg": row for photo, row in expected.items()}


def test_what_a_machine_saw_or_nobody_could_name_is_no_label(package, caplog):
    rows = seen("a", "animal", FOX) + seen("a", "animal", BADGER, "machine")
    rows += (
        seen("b", "animal", BADGER, "machine") + seen("c", "unknown") + seen("d", "unclassified")
    )
    rows += seen("e", "animal") + seen("e", "human") + seen("x", "animal", FOX)
    found = read(package(media("a", "b", "c", "d", "e"), rows))
    assert targets(found) == {"a.jpg": [1, 0], "e.jpg": [-1, 1]}
    assert "2 observations by a machine, which nobody has confirmed" in caplog.text
    assert "1 observation of media that are no photos" in caplog.text


def test_an_event_is_of_the_photos_of_its_time_without_observations_of_their_own(package, caplog):
    photos = media("a", "b", "c", "d") + media("e", deployment="d2")
    rows = seen("b", "blank") + event(0, 2, "animal", FOX) + event(3, 3, "blank")
    found = read(package(photos, rows + event(8, 9, "animal", BADGER)))
    assert targets(found) == {"a.jpg": [1], "b.jpg": [0], "c.jpg": [1], "d.jpg": [0]}
    assert "3 photos without observations of their own have those of their event" in caplog.text
    assert "1 observation of events without a photo of that time" in caplog.text


def test_photos_of_a_deployment_stay_on_one_side_where_each_side_can_have_one(package):
    rows = seen("a", "animal", FOX) + seen("b", "blank") + seen("c", "blank")
    places = media("a") + media("b", deployment="d2") + media("c", deployment="d3")
    assert read(package(places, rows)).groups == ("d1", "d2", "d3")
    assert read(package(media("a", "b", "c"), rows)).groups is None
    options = {"columns": Columns(group_column="fileName"), "grouping": Grouping(("fileName",))}
    assert read(package(places, rows), **options).groups == ("a.jpg", "b.jpg", "c.jpg")
    options = {"columns": Columns(group_column="place"), "grouping": Grouping(("place",))}
    with pytest.raises(DataError, match=r"a column as `group`, mediaID, .*got 'place'"):
        read(package(places, rows), **options)


def test_photos_at_addresses_are_found_by_their_names(package, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in "ab":
        (tmp_path / "photos" / f"{name}.jpg").touch()
    photos = media("a", "b", address="https://example.org/assets/")
    found = read_annotations(package(photos, seen("a", "animal", FOX) + seen("b", "blank")))
    assert [path.parent.name for path in found.paths] == ["photos", "photos"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"media.csv": MEDIA + media("a")}, "a file at .*observations.csv, got nothing"),
        ({"observations.csv": SEEN + seen("a", "blank")}, "a file at .*media.csv, got nothing"),
        (
            {"media.csv": MEDIA + media("a"), "observations.csv": "mediaID,species\na,fox\n"},
            "the columns deploymentID, .* got no deploymentID, observationType",
        ),
        (
            {
                "media.csv": MEDIA + media("a"),
                "observations.csv": SEEN + seen("a", "animal", FOX, "machine"),
            },
            "by people of photos in media.csv, got none and 1 by a machine: confirm them",
        ),
        (
            {"media.csv": f"{MEDIA}a,d1,May,a.jpg,,\n", "observations.csv": SEEN},
            "media.csv:2: expected a time .* got 'May'",
        ),
        ({"media.csv": MEDIA + 2 * media("a")}, "media.csv:3: expected each mediaID once, got 'a'"),
    ],
)
def test_what_is_missing_is_named(tmp_path, files, message):
    profile = '{"profile": "https://example.org/camtrap-dp/1.0/camtrap-dp-profile.json"}'
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path)
    (tmp_path / "datapackage.json").write_text(profile)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "datapackage.json")
