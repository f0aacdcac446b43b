from pathlib import Path

import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.rules.rules import LabelRules
from tagsight.data.tags.authors import PhotoTags
from tagsight.data.tags.meaning import labelled_by_tags
from tagsight.errors import DataError


def tags(given: str = "", unsure: str = "", rejected: str = "") -> PhotoTags:
    return PhotoTags(*(frozenset(filter(None, x.split(";"))) for x in (given, unsure, rejected)))


def rows(*photos: PhotoTags, level="path") -> list[dict[str, int]]:
    """The targets of each photo by label."""
    paths = [Path(f"{number}.jpg") for number in range(len(photos))]
    read = labelled_by_tags(Path(), paths, photos, level)
    assert read.names == tuple(sorted(read.names))
    return [dict(zip(read.names, row, strict=True)) for row in read.targets.tolist()]


@pytest.mark.parametrize(
    ("photos", "level", "expected"),
    [
        # A photo without tags is unknown; one with tags lacks what it does not have.
        (["dog", "", "sky"], "path", [(1, 0), (-1, -1), (0, 1)]),
        # Labels above a tag are present; below one they are open, unless one of them is given.
        (["animal;animal/dog", "animal"], "path", [(1, 1), (1, -1)]),
        (["animal", "animal/dog;animal/cat", "animal/cat"], "path", [(1, -1, -1), (1, 1, 1)]),
        # A word that is a level of the photo's own path is the path.
        (["animal/dog;dog;Animal", "sky"], "path", [(1, 0), (0, 1)]),
        # A word alone is the only path that has it as a level.
        (["animal/dog/poodle", "dog"], "path", [(1, 1), (1, -1)]),
        (["animal/dog", "Dog", "sky"], "path", [(1, 0), (1, 0), (0, 1)]),
        # With several such paths it is a label of its own, and they are open.
        (["bird/turkey;x", "land/turkey", "turkey"], "path", [(1, 0, 0, 1), (0, 1, 0, 0)]),
        # The last level, and the first.
        (["animal/dog;dog", "land/dog", "sky"], "leaf", [(1, 0), (1, 0), (0, 1)]),
        (["animal/dog/poodle", "animal/cat", "sky"], 1, [(1, 0), (1, 0), (0, 1)]),
        (["animal/dog/poodle", "animal/cat"], 2, [(0, 1), (1, 0)]),
    ],
)
def test_tags_make_targets_that_say_no_more_than_they_do(photos, level, expected):
    found = rows(*map(tags, photos), level=level)
    assert [tuple(row.values()) for row in found][: len(expected)] == expected


def test_ambiguous_words_leave_the_paths_that_they_may_mean_unknown():
    found = rows(tags("bird/turkey"), tags("land/turkey"), tags("turkey"))
    assert found[2] == {"bird/turkey": -1, "land/turkey": -1, "turkey": 1}


def test_what_is_unsure_is_unknown_and_what_was_rejected_is_absent():
    known = tags("dog;sea;tree")
    assert rows(known, tags("sea", "dog", "tree"))[1] == {"dog": -1, "sea": 1, "tree": 0}
    assert rows(known, tags("", "dog", "tree"))[1] == {"dog": -1, "sea": -1, "tree": 0}
    above = tags("animal/dog;sky"), tags("animal")
    rejected = rows(tags("", "", "animal"), *above)
    assert rejected[0] == {"animal": 0, "animal/dog": 0, "sky": -1}
    unsure = rows(tags("sky", "animal/dog"), *above)
    assert unsure[0] == {"animal": -1, "animal/dog": -1, "sky": 1}


def test_tags_that_nobody_gave_make_no_label():
    with pytest.raises(DataError, match=r"expected tags by a person in .*, got none on 2 photos"):
        rows(tags("", "dog"), tags())


def test_folders_with_sidecars_of_a_model_alone_may_be_the_labels(tmp_path):
    inside = [tmp_path / "dog" / "a.jpg", tmp_path / "sky" / "b.jpg"]
    unsure = [tags("", "dog"), tags("", "sky")]
    with pytest.raises(DataError, match="names of its folders are labels, give `format=label-fol"):
        labelled_by_tags(tmp_path, inside, unsure)


@pytest.mark.parametrize(
    ("options", "names"), [({}, ["dog"]), ({"every_label": True}, ["dog", "once"])]
)
def test_rare_tags_of_a_large_collection_are_left_out_unless_a_number_is_given(
    tmp_path, options, names
):
    for number in range(100):
        (tmp_path / f"{number}.jpg").touch()
        (tmp_path / f"{number}.txt").write_text("dog" if number else "dog, once")
    assert read_annotations(tmp_path, options=ReadOptions(**options)).names == tuple(names)
    rules = LabelRules(min_photos=1)
    assert read_annotations(tmp_path, options=ReadOptions(rules=rules)).names == ("dog", "once")
