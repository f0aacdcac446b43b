"""A project loses no judgement that it has accepted, and can take all of them back."""

import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import run_for

from tagsight.data.annotations import Annotations
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.tagging.labelling.errors import NoRoomError, UnknownIdError
from tagsight.tagging.labelling.project import Project

PHOTOS, LABELS = 6, 3


@pytest.fixture
def place(tmp_path) -> tuple[Path, Path]:
    (tmp_path / "photos").mkdir()
    return tmp_path / "project", tmp_path / "photos"


def filled(place: tuple[Path, Path]) -> Project:
    project = Project(*place)
    project.photos.note((f"{number}.jpg", 1, 1) for number in range(PHOTOS))
    for number in range(LABELS):
        project.labels.make(f"label {number}")
    return project


def test_undo_and_redo_reach_back_to_the_beginning_also_after_a_restart(place):
    chance = random.Random(1)
    tables = []
    with filled(place) as project:
        tables.append(project.targets()[0])
        for _ in range(40):
            photos = chance.sample(range(1, PHOTOS + 1), 2)
            batch = project.judge(photos, chance.randint(1, LABELS), chance.choice([1, 0, -1]), "a")
            if batch.changes:
                tables.append(project.targets()[0])
        assert project.undo("a") is not None
    with Project(*place) as project:
        for expected in reversed(tables[:-2]):
            project.undo("a")
            assert np.array_equal(project.targets()[0], expected)
        assert project.undo("a") is None
    with Project(*place) as project:
        for expected in tables[1:]:
            project.redo("a")
            assert np.array_equal(project.targets()[0], expected)
        assert project.redo("a") is None


def test_a_person_undoes_what_they_did_and_nothing_that_somebody_else_did(place):
    with filled(place) as project:
        project.judge([1, 2], 1, 1, "ada")
        project.judge([2], 1, 0, "bob")
        undone = project.undo("ada")
        assert [change.photo for change in undone.changes] == [1]
        assert project.judged([1, 2]) == [{}, {1: 0}]
        project.judge([1], 1, 0, "bob")
        assert project.undo("ada") is None
        assert not project.redo("ada").changes
        assert project.judged([1]) == [{1: 0}]


def test_a_request_that_comes_again_changes_nothing_also_after_a_restart(place):
    with filled(place) as project:
        project.judge([1], 1, 1, "me", "first")
        judged = project.judge([2], 1, 1, "me", "second")
        undone = project.undo("me", "undo")
    with Project(*place) as project:
        assert project.judge([2], 1, 1, "me", "second") == judged._replace(repeated=True)
        assert project.undo("me", "undo") == undone._replace(repeated=True)
        assert project.judged([1, 2]) == [{1: 1}, {}]
        project.redo("me", "redo")
        assert project.redo("me", "redo").repeated
        assert project.judged([1, 2]) == [{1: 1}, {1: 1}]


def test_what_changes_nothing_is_no_step_of_undo(place):
    with filled(place) as project:
        project.judge([1], 1, 1, "me")
        assert project.judge([1, 1], 1, 1, "me").changes == ()
        project.undo("me")
        assert project.judged([1]) == [{}]


def test_a_full_disk_is_said_and_nothing_is_lost_or_half_done(place):
    with filled(place) as project:
        project.judge([1], 1, 1, "me")
        before, revision = project.targets()
        with project.database.reading() as connection:
            ((pages,),) = connection.execute("PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NoRoomError, match="expected room on the disk, got none"):
            judge_forever(project)
        after, stopped_at = project.targets()
        with project.database.reading() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        assert project.judge([2], 3, 0, "me").id == stopped_at + 1 > revision
    with Project(*place) as project:
        expected = after.copy()
        expected[1, 2] = 0
        assert np.array_equal(project.targets()[0], expected)
        assert np.array_equal(expected[:, 0], before[:, 0])


def judge_forever(project: Project) -> None:
    while True:
        project.judge(range(1, PHOTOS + 1), 2, 1, "x" * 60)
        project.judge(range(1, PHOTOS + 1), 2, -1, "x" * 60)


def test_one_process_has_a_project_open_at_a_time(place):
    with filled(place), pytest.raises(DataError, match="no other process has open"):
        Project(*place)
    Project(*place).close()


def test_another_database_is_refused_and_left_alone(tmp_path, place):
    place[0].mkdir()
    (place[0] / "project.sqlite").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(DataError, match="expected a project"):
        Project(*place)
    assert (place[0] / "project.sqlite").stat().st_size == 216
    with pytest.raises(DataError, match="expected a folder of photos"):
        Project(tmp_path / "other", tmp_path / "nothing")


def test_photos_that_change_come_and_go_keep_their_judgements(place):
    folder = place[1]
    for name in ("a.jpg", "b.jpg", "c.txt"):
        (folder / name).write_bytes(b"1")
    with Project(*place) as project:
        project.photos.search(lambda: None)
        label = project.labels.make("dog").id
        project.judge([1, 2], label, 1, "me")
        (folder / "a.jpg").unlink()
        (folder / "b.jpg").write_bytes(b"longer")
        (folder / "d.png").write_bytes(b"1")
        project.photos.search(lambda: None)
        assert project.photos.there().tolist() == [2, 3]
        (folder / "a.jpg").write_bytes(b"1")
        project.photos.search(lambda: None)
        assert project.photos.there().tolist() == [1, 2, 3]
        assert project.judged([1, 2, 3]) == [{label: 1}, {label: 1}, {}]


def test_judgements_of_photos_that_are_gone_do_not_keep_a_label_from_being_removed(place):
    for name in ("a.jpg", "b.jpg"):
        (place[1] / name).write_bytes(b"1")
    with Project(*place) as project:
        project.photos.search(lambda: None)
        label = project.labels.make("blurred").id
        project.judge([1], label, 1, "me")
        project.judge([2], label, 0, "me")
        (place[1] / "a.jpg").unlink()
        project.photos.search(lambda: None)
        assert project.counts().tolist() == [[0, 1]]
        with pytest.raises(DataError, match="with 1: take them back"):
            project.remove_label(label)
        project.photos.note_read([], [(2, "cannot be decoded")])
        assert project.counts().tolist() == [[0, 0]]
        project.remove_label(label)
        (place[1] / "a.jpg").write_bytes(b"1")
        project.photos.search(lambda: None)
        assert project.labels.make("blurred").id == label
        assert project.judged([1]) == [{label: 1}]


def test_labels_have_free_keys_and_are_removed_only_without_judgements(place):
    with filled(place) as project:
        labels = project.labels
        assert [label.shortcut for label in labels.shown] == ["1", "2", "3"]
        labels.change(3, shortcut="1", colour="#00ff00")
        assert [label.shortcut for label in labels.shown] == [None, "2", "1"]
        for change in ({"colour": "red"}, {"shortcut": "!"}, {"name": "label 0"}, {"name": "\x1b"}):
            with pytest.raises(DataError, match="expected"):
                labels.change(2, **change)
        project.judge([1], 2, 1, "me")
        with pytest.raises(DataError, match="label without judgements"):
            project.remove_label(2)
        project.undo("me")
        project.remove_label(2)
        assert [label.id for label in labels.shown] == [1, 3]
        project.redo("me")
        assert [label.id for label in labels.shown] == [1, 2, 3]
        with pytest.raises(UnknownIdError):
            project.judge([1], 9, 1, "me")
        with pytest.raises(UnknownIdError):
            project.judge([PHOTOS + 1], 1, 1, "me")


def test_imported_labels_are_judgements_where_nothing_was_judged(place):
    with filled(place) as project:
        project.judge([1], 1, 0, "me")
        paths = tuple(place[1] / f"{number}.jpg" for number in (0, 1, 99))
        targets = torch.tensor([[1, -1], [0, 1], [1, 1]])
        rows = Annotations(("label 0", "new"), paths, targets, None, "any")
        batch = project.import_labels(rows, "labels.csv")
        new = project.labels.shown[-1].id
        assert project.judged([1, 2]) == [{1: 0}, {1: 0, new: 1}]
        assert len(batch.changes) == 2
        assert not project.import_labels(rows, "labels.csv").changes
        assert project.undo("me") is not None
        assert project.undo("me") is None


def test_a_project_trains_as_labels_with_near_twins_in_one_group(tmp_path):
    from labelled import session_in

    with session_in(tmp_path) as session:
        dog = session.project.labels.make("dog").id
        session.project.judge([1, 2], dog, 1, "me")
        session.project.judge([3], dog, 0, "me")
    rows = read_annotations(tmp_path / "project")
    assert rows.names == ("dog",)
    assert rows.targets.tolist() == [[1], [1], [0]]
    assert rows.groups is not None


JUDGEMENTS = 1000


def judge_all(place: Path, answered: Path) -> None:
    """Make the judgements that are not made yet, and note each that is answered."""
    with Project(place) as project, answered.open("a") as notes:
        for number in range(project.revision, JUDGEMENTS):
            project.judge([number % 50 + 1], number // 50 % 4 + 1, (number // 200) % 2, "me")
            notes.write(f"{number}\n")
            notes.flush()


@pytest.mark.slow
def test_a_thousand_judgements_and_kills_at_random_moments_lose_none(tmp_path):
    def drawn(name: str) -> Path:
        photos = tmp_path / name / "photos"
        photos.mkdir(parents=True)
        with Project(photos.parent / "project", photos) as project:
            project.photos.note((f"{number}.jpg", 1, 1) for number in range(50))
            for number in range(4):
                project.labels.make(f"label {number}")
        return photos.parent / "project"

    took, chance = tmp_path / "took", random.Random(0)
    assert run_for(0, took, judge_all, drawn("whole"), tmp_path / "all") == 0
    usual, place, answered = int(took.read_text()), drawn("parts"), tmp_path / "answered"
    codes, revision = [], 0
    while 0 not in codes:
        calls = 0 if len(codes) == 6 else int(chance.uniform(0.05, 0.4) * usual)
        codes.append(run_for(calls, took, judge_all, place, answered))
        said = answered.read_text().splitlines() if answered.exists() else []
        with Project(place) as project:
            # What was answered is there; one that was not answered may be.
            table, revision = project.targets()
            assert len(said) <= revision <= len(said) + len(codes)
            for number in range(max(0, revision - 200), revision):
                assert table[number % 50, number // 50 % 4] == (number // 200) % 2
    assert -signal.SIGKILL in codes
    assert revision == JUDGEMENTS
