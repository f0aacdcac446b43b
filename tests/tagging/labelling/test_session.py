"""A session: photos in the order of a queue, evidence, and what everybody hears of."""

import io
import os
import threading

import numpy as np
import pytest
from channels import channels_recognizer
from labelled import SHADES, ClassCells, ColourCells, encoder_of, learned, session_in
from PIL import Image

from tagsight.errors import DataError
from tagsight.tagging.labelling import background, suggestions
from tagsight.tagging.labelling.features import Features
from tagsight.tagging.labelling.orders import Query
from tagsight.tagging.labelling.project import Project
from tagsight.tagging.labelling.thumbnails import Thumbnails

RED = [9, 10, 11, 12]
"""Ids of the red photos: by name, blue ones come first, then green ones."""


@pytest.fixture
def session(tmp_path):
    with session_in(tmp_path) as opened:
        yield opened


def test_advice_counts_what_is_judged_now_though_heads_know_less(session):
    red = teach(session)
    before = session.labels()[0].advice
    session.judge(RED[2:3], red, 1, "me")
    assert (before[-8:], session.labels()[0].advice[-8:]) == ("2 so far", "3 so far")


def teach(session) -> int:
    red = session.make_label("red").id
    session.judge(RED[:2], red, 1, "me")
    session.judge([1, 2, 5, 6], red, 0, "me")
    learned(session)
    return red


def test_photos_are_seen_before_anything_is_learned_and_the_rest_says_why_not(session):
    shown = session.photos(Query("all"), 0, 5)
    assert (shown.total, [photo.id for photo in shown.photos]) == (12, [1, 2, 3, 4, 5])
    assert [shown.photos[0].width, shown.photos[0].height] == [40, 32]
    assert {queue.name for queue in session.view().queues if queue.available} == {"all", "unlike"}
    with pytest.raises(DataError, match="judge a few photos first"):
        session.photos(Query("probably-yes", 1), 0, 5) if session.make_label("red") else None
    with pytest.raises(DataError, match="expected a queue of"):
        session.photos(Query("best"), 0, 5)
    session.judge(RED[:1], 1, 1, "me")
    with pytest.raises(DataError, match="the model learns from what is judged"):
        session.photos(Query("probably-yes", 1), 0, 5)


NOT_USABLE = {"text.jpg": "another kind", "empty.jpg": "an empty file"}
NOT_NAMED = [" space.jpg", "new\nline.jpg", "back\\slash.jpg", "a:b.jpg"]


def test_photos_that_cannot_be_used_are_listed_with_the_reason(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "text.jpg").write_text("no photo")
    (folder / "empty.jpg").touch()
    for name in NOT_NAMED:
        Image.new("RGB", (8, 8)).save(folder / name)
    with session_in(tmp_path) as session:
        left_out = dict(session.project.photos.left_out(100))
        assert session.view().left_out == len(left_out) == len(NOT_USABLE) + len(NOT_NAMED)
        assert all(reason in left_out[name] for name, reason in NOT_USABLE.items())
        assert "rename it" in left_out["new\\nline.jpg"]
        shown = session.photos(Query("all"), 0, 100)
        assert not {photo.name for photo in shown.photos} & {*NOT_USABLE, *NOT_NAMED}


def test_photos_that_could_not_be_used_are_looked_at_again_the_next_time(tmp_path):
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    Image.new("RGB", (8, 8)).save(photo)
    whole = photo.read_bytes()
    for content, left_out in ((b"0" * len(whole), 1), (whole, 0)):
        photo.write_bytes(content)
        os.utime(photo, (1, 1))
        with session_in(tmp_path) as session:
            assert session.view().left_out == left_out


def test_what_is_learned_orders_the_queue_and_the_order_stays_until_a_fresh_one(session):
    red = teach(session)
    query = Query("probably-yes", red)
    first = session.photos(query, 0, 12)
    assert {photo.id for photo in first.photos[:2]} == set(RED[2:])
    assert first.photos[0].score > first.photos[-1].score
    session.judge(RED[2:3], red, 1, "me")
    again = session.photos(query, 0, 12)
    assert again.order_revision == first.order_revision
    assert [p.id for p in again.photos] == [p.id for p in first.photos]
    fresh = session.photos(query, 0, 12, fresh=True)
    assert fresh.order_revision > first.order_revision
    assert RED[2] not in {photo.id for photo in fresh.photos}
    present = session.photos(Query("all", red, "present"), 0, 12)
    assert [photo.id for photo in present.photos] == RED[:3]
    label = session.labels()[0]
    assert (label.present, label.absent) == (3, 4)


def test_the_mean_of_a_map_is_the_logit_and_evidence_is_where_the_colour_is(session, tmp_path):
    red = teach(session)
    half = Image.new("RGB", (40, 32), (10, 10, 250))
    half.paste((250, 10, 10), (0, 0, 20, 32))
    (photo,) = session.project.photos.rows([1])
    grid = session.grids.compute(photo, half)
    fitted = session.learner.learned.fitted
    maps = fitted.logits(grid)
    np.testing.assert_allclose(maps.mean((0, 1)), fitted.logits(grid.mean((0, 1))), rtol=1e-4)
    drawn = session.evidence(photo, red)
    layer = Image.open(io.BytesIO(drawn.png)).convert("RGBA")
    opacity = np.asarray(layer)[..., 3]
    width = opacity.shape[1]
    assert drawn.peak[0] < 0.5
    assert opacity[:, : width // 3].mean() > opacity[:, 2 * width // 3 :].mean()
    assert session.evidence(photo, 99) is None


def test_heads_are_fitted_on_a_thread_of_their_own_after_people_pause(session):
    heard, done = [], threading.Event()

    def hear(event) -> None:
        if event.kind == "model":
            heard.append(event.data)
            done.set()

    session.listeners.join(hear)
    red = session.make_label("red").id
    session.judge(RED[:2], red, 1, "me")
    session.judge([1, 5], red, 0, "me")
    session.learner.start()  # now, as it may learn between two judgements on a slow machine
    assert done.wait()
    session.learner.stop()
    assert heard[0]["model_revision"] == session.view().model_revision == 1
    assert [(label.name, label.present) for label in heard[0]["labels"]] == [("red", 2)]


def test_a_label_named_after_classes_of_the_encoder_ranks_photos_before_any_judgement(tmp_path):
    with session_in(tmp_path, cells=ClassCells()) as session:
        dog, mood = (session.make_label(name).id for name in ("dog", "mood"))
        learned(session)
        found = session.photos(Query("probably-yes", dog), 0, 12).photos
        assert {photo.id for photo in found[:4]} == set(RED)
        assert found[3].score > 2 * found[4].score
        assert len({photo.score for photo in session.photos(Query("all", mood), 0, 12).photos}) == 1
        assert [(label.present, label.quality) for label in session.labels()] == [(0, None)] * 2
        session.change_label(dog, name="weather", colour=None, shortcut=None)
        learned(session)
        anew = session.photos(Query("all", dog), 0, 12).photos
        assert [photo.score for photo in anew] == pytest.approx([anew[0].score] * 12, abs=1e-3)


@pytest.mark.parametrize("name", ["mood", "red"])
def test_a_label_of_any_other_name_waits_for_the_first_judgement(tmp_path, name):
    with session_in(tmp_path, cells=ClassCells()) as session:
        session.make_label(name)
        learned(session)
        assert session.learner.learned is None
        assert session.view().model_revision == 0
        assert "probably-yes" not in {q.name for q in session.view().queues if q.available}


def reasons(session) -> dict[str, str | None]:
    return {queue.name: queue.reason for queue in session.view().queues}


def test_until_its_photos_are_ranked_a_name_that_can_rank_them_is_said_to_be_looked_up(tmp_path):
    with session_in(tmp_path, cells=ClassCells()) as session:
        assert reasons(session)["probably-yes"] == "judge a few photos first"
        session.make_label("mood")
        assert reasons(session)["not-sure"] == "judge a few photos first"
        session.make_label("dog")
        for queue in ("probably-yes", "not-sure", "rare"):
            assert reasons(session)[queue] == (
                "wait a moment: photos are being ranked by the names of labels"
            )
        assert reasons(session)["probably-wrong"] == "judge a few photos first"
        learned(session)
        assert {reasons(session)[queue] for queue in ("probably-yes", "not-sure", "rare")} == {None}


def test_absent_labels_alone_teach_nothing_and_the_queues_say_what_is_missing(session):
    session.judge([1, 2], session.make_label("red").id, 0, "me")
    learned(session)
    assert reasons(session)["probably-yes"] == "judge first that a photo has a label"


def test_no_photo_is_probably_of_a_label_of_which_nothing_is_known(tmp_path):
    with session_in(tmp_path, cells=ClassCells()) as session:
        dog, mood = (session.make_label(name).id for name in ("dog", "mood"))
        learned(session)
        assert session.photos(Query("probably-yes", dog), 0, 12).total == 12
        assert session.photos(Query("probably-yes", mood), 0, 12).total == 0
        session.judge([1], mood, 1, "me")
        learned(session)
        assert session.photos(Query("probably-yes", mood), 0, 12, fresh=True).total == 11


def test_making_a_label_is_enough_for_the_learner_to_begin(tmp_path):
    done = threading.Event()
    with session_in(tmp_path, cells=ClassCells()) as session:
        session.listeners.join(lambda event: done.set() if event.kind == "model" else None)
        session.learner.start()
        session.make_label("dog")
        assert done.wait()
        session.learner.stop()


def test_a_part_of_a_photo_finds_photos_with_such_a_part(session):
    found = session.like_region(RED[0], (0.25, 0.25, 0.5, 0.5), 3)
    assert {photo.id for photo in found} == set(RED[1:])
    with pytest.raises(DataError, match="expected a region"):
        session.like_region(RED[0], (0.5, 0.5, 0.0, 0.0), 3)


def test_everybody_hears_of_judgements_and_who_was_away_catches_up(session):
    heard = []
    leave = session.listeners.join(heard.append)
    red = session.make_label("red").id
    session.judge([1, 2], red, 1, "ada")
    session.undo("ada")
    leave()
    session.judge([3], red, 0, "bob")
    events = [(event.kind, event.data.get("by")) for event in heard]
    assert events == [("labels", None), ("judgements", "ada"), ("judgements", "ada")]
    missed = session.missed(2)
    assert [event.data for event in missed] == [
        {"revision": 3, "by": "bob", "changes": [{"photo": 3, "label": red, "value": 0}]}
    ]


def test_a_trained_model_suggests_before_anything_is_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(suggestions, "PART", 5)
    with session_in(tmp_path, channels_recognizer()) as session:
        labels = {label.name: label.id for label in session.labels()}
        assert list(labels) == ["red", "green", "blue"]
        found = session.photos(Query("probably-yes", labels["red"]), 0, 4).photos
        assert {photo.id for photo in found} == set(RED)
        assert found[0].score > 0.9
        assert session.photo(RED[0]).scores[labels["blue"]] < 0.5
        assert (session.view().unscored, session.view().seconds_left) == (0, 0)
        left: list[int] = []
        session.suggestions.compute(left.append)
        assert left == [0], "what is scored stays scored"
        (kept,) = (tmp_path / "project" / "features").glob("*.scores")
        kept.write_bytes(b"")
        session.suggestions.compute(left.append)
        assert left == [0, 12, 7, 2, 0]


def test_features_are_computed_once_for_each_content_and_anew_when_it_changes(tmp_path):
    with session_in(tmp_path) as session:
        assert session.features.count == 3 * len(SHADES)
        before = session.features.embeddings().copy()
    photos = tmp_path / "photos"
    (photos / "a-copy.png").write_bytes((photos / "red-250.png").read_bytes())
    Image.new("RGB", (40, 32), (200, 200, 10)).save(photos / "blue-160.png")
    (photos / "broken.png").write_bytes(b"no photo")
    with session_in(tmp_path) as session:
        assert session.features.count == 3 * len(SHADES) + 1
        np.testing.assert_array_equal(session.features.embeddings()[: len(before)], before)
        slots = session.features.slots(session.project.photos.count)
        progress = session.background.progress
        assert (progress.encoded, progress.photos, progress.problem) == (13, 13, None)
        changed = session.features.embeddings()[slots[0]]
        np.testing.assert_allclose(changed, np.array([200, 200, 10]) / 255, atol=0.01)
        (broken,) = [p for p in session.project.photos.rows([13, 14]) if p.problem]
        assert "expected a photo" in broken.problem


def test_on_a_full_disk_analysing_waits_for_room(tmp_path, monkeypatch):
    monkeypatch.setattr(background, "PAUSE_WHEN_FULL", 0)
    (tmp_path / "photos").mkdir()
    for number in range(40):
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / f"{'long' * 55}{number}.png")
    encoder, said = encoder_of(ColourCells()), []
    with (
        Project(tmp_path / "project", tmp_path / "photos") as project,
        Thumbnails(project.folder) as thumbnails,
    ):
        features = Features(project.database, project.folder, encoder.name(), encoder.dimensions)

        def limit(pages: int) -> None:
            with project.database.reading() as connection:
                connection.execute(f"PRAGMA max_page_count = {pages}")

        def make_room(progress: background.Progress) -> None:
            said.append(progress.problem)
            if progress.problem:
                limit(100_000)

        limit(1)  # as many as it has
        analysing = background.Background(project, encoder, features, thumbnails, make_room)
        analysing.start()
        analysing.finish()
        assert background.FULL_DISK in said
        assert analysing.progress == background.Progress(40, 40, 0.0)


def test_features_that_are_not_whole_are_computed_anew(tmp_path):
    with session_in(tmp_path) as session:
        before = session.features.embeddings().copy()
    (cut,) = (tmp_path / "project" / "features").glob("*.embeddings")
    cut.write_bytes(cut.read_bytes()[:10])
    with session_in(tmp_path) as session:
        np.testing.assert_array_equal(session.features.embeddings(), before)
