import csv
import hashlib
from dataclasses import replace

import pytest
import torch
from PIL import Image, ImageOps
from tiny_run import RUNTIME, SILENT, SPLITS, TRAIN, Diary, tiny_collection, tiny_recipe

from tagsight.data.photos.check import Problem
from tagsight.data.splits.grouping import Grouping
from tagsight.errors import DataError
from tagsight.training import preparation
from tagsight.training.preparation import Prepared, note_labels, note_problems, prepare


@pytest.fixture
def collection(tmp_path):
    """Photos that a test may damage."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return tiny_collection(folder)


@pytest.fixture
def undivided(collection):
    return replace(collection, splits=None)


def prepared(collection, seed: int = 0, **options) -> Prepared:
    return prepare(collection, RUNTIME, seed=seed, **{"log": SILENT} | options)


def test_rows_without_a_split_are_divided_by_the_seed_and_others_kept(collection, undivided):
    first, again, other = (prepared(undivided, s).annotations for s in (0, 0, 1))
    assert first.splits == again.splits != other.splits
    sizes = first.split_sizes
    assert sum(sizes.values()) == len(undivided)
    assert sizes["train"] == pytest.approx(0.7 * len(undivided), abs=2)
    assert sizes["val"] == pytest.approx(sizes["test"], abs=2)
    kept = prepared(replace(collection, protocol="nus-wide-asl"))
    assert kept.annotations.splits == SPLITS
    assert kept.facts["data"]["protocol"] == "nus-wide-asl"


def test_twins_of_the_encoder_stay_on_one_side(undivided, monkeypatch):
    """The tiny network is equivariant: a mirrored photo is a twin to it alone."""
    monkeypatch.setattr(preparation, "known_recipe", lambda _: tiny_recipe())
    half = len(undivided) // 2
    paths = list(undivided.paths[:half])
    for path in undivided.paths[:half]:
        with Image.open(path) as photo:
            ImageOps.mirror(photo).save(path.with_suffix(".mirrored.png"))
        paths.append(path.with_suffix(".mirrored.png"))
    targets = undivided.targets[:half].repeat(2, 1)
    rows = replace(undivided, paths=tuple(paths), targets=targets)
    diary = Diary()
    rows = replace(rows, grouping=Grouping(("encoder-twins",)))
    splits = prepared(rows, log=diary).annotations.splits
    assert splits[:half] == splits[half:]
    assert len({*splits}) == 3
    assert not any("near twin" in note for note in diary.notes)


def test_the_split_is_recorded_with_its_hash(undivided, tmp_path):
    found = prepared(undivided)
    rows, facts = found.annotations, found.facts
    record = tmp_path / "run" / "split.csv"
    assert not record.parent.exists()
    found.write(record.parent)
    with record.open(newline="") as handle:
        written = dict(csv.reader(handle))
    assert written == dict(zip([path.name for path in rows.paths], rows.splits, strict=True))
    assert (
        facts["data"].items()
        >= {
            "split_file_hash": hashlib.sha256(record.read_bytes()).hexdigest(),
            "hash": rows.hash(),
            "photos": rows.split_sizes,
            "format": "csv-columns",
        }.items()
    )
    assert "protocol" not in facts["data"]


def test_photos_that_do_not_open_are_left_out_and_named(collection):
    damaged, gone = left_out = [collection.paths[3], collection.paths[40]]
    damaged.write_bytes(damaged.read_bytes()[:60])
    gone.unlink()
    diary = Diary()
    rows, problems, _, facts, _ = prepared(collection, max_bad=0.05, log=diary)
    assert diary.works == [("checking photos", 44, list(range(1, 45)))]
    assert diary.notes[1] == f"left out: {gone}: does not exist"
    assert [problem.path for problem in problems] == left_out
    assert problems[1].reason == "does not exist"
    kept = [i for i in range(len(collection)) if i not in {3, 40}]
    assert rows.paths == tuple(collection.paths[i] for i in kept)
    assert torch.equal(rows.targets, collection.targets[kept])
    assert sum(facts["data"]["photos"].values()) == len(collection) - 2


def test_too_many_photos_that_do_not_open_end_it(collection):
    for path in collection.paths[3:9]:
        path.write_bytes(b"no photo")
    with pytest.raises(DataError, match=r"at most 1 %, or 5, of 44 photos .*max_bad.* got 6"):
        prepared(collection)


def test_where_there_is_nothing_to_learn_it_ends_before_a_photo_is_opened(undivided, tmp_path):
    gone = replace(undivided, paths=(tmp_path,) * 4, targets=torch.zeros(4, 5))
    with pytest.raises(DataError, match="labels to learn, got 4 training photos without any"):
        prepared(gone)
    few = replace(gone, paths=(tmp_path,) * 2, targets=torch.ones(2, 5))
    with pytest.raises(DataError, match="at least 3 photos to divide into train, val, test, got 2"):
        prepared(few)


def test_photos_of_train_that_are_all_in_a_later_split_as_well_end_it(collection):
    train, others = collection.paths[:TRAIN], collection.paths[TRAIN:]
    for place, path in enumerate(train):
        path.write_bytes(others[place % len(others)].read_bytes())
    with pytest.raises(DataError, match=r"'train' that no other split has.*, got 12 val, 8 test;"):
        prepared(collection)


def test_labels_that_look_wrong_are_told_before_photos_are_opened(collection, tmp_path):
    diary = Diary()
    gone = replace(
        collection, names=("red", "Red", "nan", "b", "c"), paths=(tmp_path,) * len(collection)
    )
    with pytest.raises(DataError, match="usable photo"):
        prepared(gone, log=diary)
    assert any("look like one label" in note for note in diary.notes)
    assert any("missing value" in note for note in diary.notes)


def test_photos_left_out_and_labels_of_few_photos_are_noted(collection):
    diary = Diary()
    note_problems([Problem(path, "is gone") for path in collection.paths[:12]], diary)
    assert diary.notes[0] == f"left out: {collection.paths[0]}: is gone"
    assert diary.notes[10:] == ["left out: 2 more; 'tagsight data --json' lists them"]
    untrained = collection.targets.clone()
    untrained[: SPLITS.index("val"), 0] = 0
    note_labels(replace(collection, targets=untrained), diary)
    name = collection.names[0]
    assert f"val: not in mAP, as no training photo has it: '{name}'" in diary.notes
    assert any(note.startswith("fewer than 20 ") for note in diary.notes)
    note_labels(replace(collection, splits=("val",) * len(SPLITS)), Diary())


def test_photos_of_which_no_label_is_known_are_kept_if_they_train_and_are_no_copies(collection):
    targets = collection.targets.clone()
    targets[[0, 1, 2, TRAIN]] = -1  # the last one is for validation
    collection.paths[1].write_bytes(collection.paths[5].read_bytes())
    collection.paths[2].write_bytes(b"no photo")
    rows, diary = replace(collection, targets=targets), Diary()
    kept = prepared(rows, unjudged=True, log=diary)
    assert kept.unjudged == (collection.paths[0],)
    assert collection.paths[0] in kept.hashes
    assert kept.facts["data"]["unjudged"] == 1
    assert any(note.startswith("1 photo of which no label is known: as") for note in diary.notes)
    assert "3 photos left out, of which no label is known" in diary.notes
    assert [problem.path for problem in kept.problems] == [collection.paths[2]]
    plain = prepared(rows)
    assert plain.annotations.paths == kept.annotations.paths
    assert plain.unjudged == ()
    divided = prepared(replace(rows, splits=None), unjudged=True)
    assert {*divided.unjudged} == {collection.paths[0], collection.paths[TRAIN]}
    assert not {*divided.unjudged} & {*divided.annotations.paths}
