import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from full_disk import largest_file
from numpy.typing import NDArray

from tagsight.errors import DataError
from tagsight.search import structure
from tagsight.search.columns import Move, unit
from tagsight.search.expression import parse
from tagsight.search.facts import Facts
from tagsight.search.index import Entry, SearchIndex
from tagsight.search.structure import reach

lancedb, pyarrow = pytest.importorskip("lancedb"), pytest.importorskip("pyarrow")

NAMES = ("dog", "cat", "it's")
FACTS = Facts("model", "m" * 64, NAMES, (0.5, 0.5, 0.5), 8)


def entry(number: int, **changes: object) -> Entry:
    generator = np.random.default_rng(number)
    scores = generator.random(len(NAMES)).astype(np.float32)
    values = {
        "path": f"/photos/it's {number}.jpg",
        "size": 1000 + number,
        "modified": 2**60 + number,
        "digest": bytes([number % 256]) * 32,
        "labels": tuple(n for n, s in zip(NAMES, scores, strict=True) if s >= 0.5),
        "scores": scores,
        "embedding": 5 * generator.standard_normal(8).astype(np.float32),
    }
    return Entry(**values | changes)


@pytest.fixture
def index(tmp_path) -> SearchIndex:
    return SearchIndex.create(tmp_path / "index", FACTS)


def test_the_nearest_are_those_of_the_highest_cosine(index):
    entries = [entry(i) for i in range(200)]
    index.put(entries)
    query = np.random.default_rng(1000).standard_normal(8).astype(np.float32)
    cosines = [float(unit(e.embedding) @ unit(query)) for e in entries]
    expected = sorted(range(200), key=lambda i: -cosines[i])[:7]
    hits = index.like(query, 7)
    assert [hit.path for hit in hits] == [Path(entries[i].path) for i in expected]
    np.testing.assert_allclose(
        [h.likeness for h in hits], [cosines[i] for i in expected], atol=1e-5
    )
    np.testing.assert_allclose(hits[0].scores, entries[expected[0]].scores)
    # What is the query itself can be left out.
    without = index.like(query, 6, without=entries[expected[0]].digest)
    assert [hit.path for hit in without] == [hit.path for hit in hits[1:]]


HOLDS = {
    "dog": lambda e: "dog" in e.labels,
    "dog and not cat": lambda e: "dog" in e.labels and "cat" not in e.labels,
    "it's or (cat and not dog)": lambda e: (
        "it's" in e.labels or ("cat" in e.labels and "dog" not in e.labels)
    ),
    "cat >= 0.8": lambda e: e.scores[1] >= np.float32(0.8),
    "not dog >= 0.3": lambda e: not e.scores[0] >= np.float32(0.3),
}


def test_expressions_hold_for_just_the_photos_that_are_found(index):
    entries = [entry(i) for i in range(60)]
    index.put(entries)
    for text, holds in HOLDS.items():
        expected = {e.path for e in entries if holds(e)}
        assert expected
        expression = parse(text, NAMES)
        found = index.having(expression, 100)
        like = index.like(entries[0].embedding, 100, expression=expression)
        assert {str(hit.path) for hit in found} == {str(hit.path) for hit in like} == expected


def test_photos_with_the_highest_scores_come_first(index):
    entries = [entry(i) for i in range(60)]
    index.put(entries)
    hits = index.having(parse("dog and cat", NAMES), 5)
    sums = [float(hit.scores[0] + hit.scores[1]) for hit in hits]
    both = [float(e.scores[:2].sum()) for e in entries if {"dog", "cat"} <= set(e.labels)]
    assert sums == pytest.approx(sorted(both, reverse=True)[:5])


def cloud(count: int) -> NDArray[np.float32]:
    """Vectors in clusters, as those of photos are."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((20, 8))
    spread = 0.5 * generator.standard_normal((count, 8))
    return (centres[generator.integers(0, 20, count)] + spread).astype(np.float32)


def test_an_index_of_many_photos_holds_their_vectors_and_stays_exact(index):
    vectors = cloud(500)
    index.put([entry(i, embedding=row) for i, row in enumerate(vectors)])
    assert index.speed_up(held_from=501) is None
    assert not list(index.folder.glob("*/_indices/*"))
    assert index.speed_up(held_from=500) is None
    assert list(index.folder.glob("*/_indices/*"))
    for query in vectors[:5]:
        for expression in (None, parse("dog and not cat", NAMES)):
            quick, exact = (index.like(query, 5, expression=expression, exact=e) for e in (0, 1))
            assert [hit.path for hit in quick] == [hit.path for hit in exact]


def test_an_index_of_very_many_photos_says_how_many_of_the_nearest_it_misses(index):
    vectors = cloud(2000)
    index.put([entry(i, embedding=row) for i, row in enumerate(vectors)])
    assert 0.9 < index.speed_up(approximate_from=2000, held_from=1000) <= 1
    query = vectors[7]
    exact, quick = index.like(query, 5, exact=True), index.like(query, 5)
    assert exact[0].path == quick[0].path == Path(entry(7).path)
    assert quick[0].likeness == pytest.approx(exact[0].likeness, abs=1e-5)
    late = entry(5000, embedding=query)
    index.put([late])
    assert Path(late.path) in {hit.path for hit in index.like(query, 2)}
    assert index.speed_up(approximate_from=2000, held_from=1000) is None  # it is there already
    # Of photos that are alike it does not matter which are found.
    alike = create(index.folder.parent / "alike")
    alike.put([entry(i, embedding=vectors[i % 20]) for i in range(2000)])
    assert alike.speed_up(held_from=0, approximate_from=0) == 1


def test_how_like_the_nearest_are_does_not_depend_on_the_parts_they_come_in():
    vectors = np.array([unit(row) for row in cloud(50)])
    expected = np.sort(vectors[:3] @ vectors.T, axis=1)[:, -5]
    for size in (2, 50):
        parts = (vectors[start : start + size] for start in range(0, 50, size))
        assert reach(vectors[:3], parts, 5) == pytest.approx(expected)


def test_a_new_index_that_is_tidied_has_each_photo_once_on_the_disk(index):
    parts = [[entry(i) for i in range(start, start + 300)] for start in (0, 300, 600)]
    for part in parts:
        index.put(part)
    index.tidy(unread=True)
    assert len(index) == 900
    assert len(list(index.folder.rglob("data/*.lance"))) == 1


def test_large_rows_of_which_many_were_moved_are_compacted(tmp_path):
    """LanceDB waits forever if what it may read ahead is less than a batch of rows."""
    names, scores = tuple(map(str, range(1000))), np.zeros(1000, np.float32)
    facts = Facts("model", "m" * 64, names, (0.5,) * 1000, 2560)
    index, vector = SearchIndex.create(tmp_path / "wide", facts), np.ones(2560, np.float32)
    for start in range(0, 9000, 1000):
        numbers = range(start, start + 1000)
        index.put(
            [
                entry(i, path=f"/{i}.jpg", labels=(), scores=scores, embedding=vector)
                for i in numbers
            ]
        )
    index.tidy(unread=True)
    index.move([Move(f"/{i}.jpg", f"/moved/{i}.jpg", 1) for i in range(1024)])
    index.tidy(unread=True)
    assert len(index) == 9000


def test_what_many_small_writes_leave_stays_bounded_and_is_found(index, monkeypatch):
    monkeypatch.setattr(structure, "MOST_WRITES", 3)
    index.put([entry(i) for i in range(1000)])
    index.tidy()
    index.speed_up(held_from=500)
    for number in range(1000, 1040):
        index.put([entry(number)])
        index.tidy()
        index.speed_up(held_from=500)
        (hit,) = index.like(entry(number).embedding, 1)
        assert hit.path == Path(entry(number).path)
        table = lancedb.connect(index.folder).open_table("photos")
        assert table.stats()["fragment_stats"]["num_fragments"] <= 1 + 2 * 3 + 1
        assert table.index_stats("vector_idx").num_indices <= 3 + 1
    assert len(index) == 1040


def test_photos_are_replaced_moved_and_removed(index):
    index.put([entry(i) for i in range(3)])
    index.put([entry(2, size=7)])
    index.move([Move(entry(0).path, "/else/where's.jpg", 5)])
    index.remove([entry(1).path, "/photos/not there.jpg"])
    assert set(index.paths()) == {"/else/where's.jpg", entry(2).path}
    assert index.known(["/else/where's.jpg"])["/else/where's.jpg"].modified == 5
    assert index.known([entry(2).path])[entry(2).path].size == 7
    assert index.with_content([entry(0).digest]) == {entry(0).digest: ["/else/where's.jpg"]}
    index.tidy()
    again = SearchIndex.open(str(index.folder))
    assert len(again) == 2
    assert again.facts == FACTS


def create(folder: Path) -> SearchIndex:
    return SearchIndex.create(folder, FACTS)


def of_another_model(folder: Path) -> None:
    SearchIndex.create(folder, replace(FACTS, model="other"))


def of_other_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "photo.jpg").touch()


def without_table(folder: Path) -> None:
    create(folder)
    shutil.rmtree(folder / "photos.lance")


def of_another_program(folder: Path) -> None:
    without_table(folder)
    lancedb.connect(folder).create_table("photos", data=pyarrow.table({"a": [1, 2]}))


OPEN = SearchIndex.open


@pytest.mark.parametrize(
    ("make", "use", "message"),
    [
        (of_another_model, create, "expected an index of this model in .*another `out`"),
        (of_other_files, create, "expected an index or an empty folder .* other files"),
        (of_other_files, OPEN, r"expected the folder of an index.*`tagsight.index\(\)`"),
        (Path.touch, create, "expected an index or an empty folder"),
        (Path.touch, OPEN, "expected the folder of an index"),
        (of_another_program, OPEN, "expected an index that can be read and written, got"),
        (of_another_program, create, "expected an index that can be read and written, got"),
        (without_table, OPEN, "got: Table 'photos' was not found; if it is damaged"),
    ],
)
def test_a_place_of_something_else_is_refused_and_stays(tmp_path, make, use, message):
    place = tmp_path / "place"
    make(place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message):
        use(place)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 9, "colour": 1}, "of version 1, got 9: make it again"),
        *(
            ({name: value}, "expected the description of an index")
            for name, values in {
                "version": (None,),
                "folder": (5,),
                "names": ("dog", [1, 2, 3], ["dog"], ["a", "a", "b"], ["a\x1b", "b", "c"]),
                "thresholds": ([0.5], ["a", "b", "c"]),
                "length": (0, 10**12, 8.5),
            }.items()
            for value in values
        ),
        ({"length": 9}, "a table of other columns than those of index.json"),
        *((text, "the description of an index") for text in ("", "[]", "[" * 100_000, "\xff")),
    ],
)
def test_edited_facts_are_refused(index, changes, message):
    file = index.folder / "index.json"
    if isinstance(changes, dict):
        changes = json.dumps(json.loads(file.read_text()) | changes)
    file.write_bytes(changes.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        SearchIndex.open(index.folder)


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def with_noise(file: Path) -> None:
    generator = np.random.default_rng(0)
    content = np.frombuffer(file.read_bytes(), dtype=np.uint8).copy()
    places = generator.integers(0, len(content), len(content) // 40 + 1)
    content[places] = generator.integers(0, 256, len(places))
    file.write_bytes(content.tobytes())


def gone(file: Path) -> None:
    file.unlink()
    if file.name < "8":  # names are random
        file.mkdir()


def used(folder: Path) -> None:
    """Read an index, and then write to it."""
    for way in (SearchIndex.open, create):
        try:
            index = way(folder)
            list(index.paths())
            assert len(index.like(entry(1).embedding, 3)) <= 3
            index.having(parse("dog", NAMES), 3)
            index.known([entry(1).path])
            if way is not SearchIndex.open:
                index.put([entry(200)])
                index.move([Move(entry(2).path, "/moved.jpg", 1)])
                index.remove([entry(3).path])
                index.tidy()
        except DataError as error:
            told = str(error)
            assert "\n" not in told


@pytest.mark.parametrize("damage", [cut, with_noise, gone])
def test_whatever_file_of_an_index_is_damaged_nothing_but_a_sentence_comes(index, tmp_path, damage):
    index.put([entry(i) for i in range(20)])
    index.put([entry(i) for i in range(20, 40)])
    index.tidy()
    paths = list(index.folder.rglob("*"))
    assert len(paths) >= 8
    for number, path in enumerate(paths):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(index.folder, copy)
        place = copy / path.relative_to(index.folder)
        if path.is_file():
            damage(place)
        elif damage is gone:
            shutil.rmtree(place)
        used(copy)


def test_a_full_disk_is_told_in_a_sentence_and_the_version_before_stays(index):
    index.put([entry(1)])
    message = "expected an index that can be read and written, got: "
    with largest_file(20_000), pytest.raises(DataError, match=message):
        index.put([entry(i) for i in range(2_000)])
    assert len(SearchIndex.open(index.folder)) == 1
