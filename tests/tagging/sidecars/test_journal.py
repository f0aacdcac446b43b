import contextlib
import json
import os
import sqlite3
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from full_disk import largest_file

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.tagging.sidecars.changes import MOST_ADDED, Change, Record, digest
from tagsight.tagging.sidecars.edit import Addition, Edit
from tagsight.tagging.sidecars.journal import ASKED, Journal

SIDECAR = Path("/photos/ä \udcff/1.txt")


def change(before: bytes | None, content: bytes, *names: str) -> Record:
    additions = tuple(Addition("", name) for name in names)
    return Change(SIDECAR, before, Edit(content, names, additions)).record


def begin(journal: Journal, model: str = "model") -> int:
    return journal.begin(model, "txt", ending=".txt")


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "new" / "journal.sqlite") as journal:
        yield journal


def test_what_is_noted_is_told_again_by_another_process(journal):
    run = begin(journal)
    (number,) = journal.note(run, [change(b"red", b"red, dog", "dog")])
    with Journal(journal.file) as other:
        assert other.changes(run) == [number]
        noted = other.change(number).record
        found = noted.file, noted.before, noted.additions
        assert found == (SIDECAR, b"red", (Addition("", "dog"),))
        assert other.places(run) == {SIDECAR.parent}
        (told,) = other.runs()
        assert (told.id, told.model, told.form, told.files, told.tags) == (
            run,
            "model",
            "txt",
            1,
            1,
        )


def test_a_change_counts_from_when_it_was_made_until_it_is_undone(journal):
    run = begin(journal)
    numbers = journal.note(run, [change(b"red", b"red, dog", "dog")])
    # A crash may have kept it from being made: it counts where it is there.
    assert journal.added(SIDECAR, digest(b"red")) == set()
    assert journal.added(SIDECAR, digest(b"red, dog")) == {"dog"}
    journal.made(numbers)  # then it counts though a person took it back
    assert journal.added(SIDECAR, digest(b"red")) == {"dog"}
    assert journal.added(SIDECAR.with_name("2.txt"), digest(b"red")) == set()
    journal.undone(numbers)
    journal.run_undone(run)
    assert journal.added(SIDECAR, None) == set()
    assert journal.changes(run) == []
    assert journal.runs()[0].undone is not None


def test_the_file_of_another_program_is_refused_and_stays(tmp_path):
    other, database = tmp_path / "other.sqlite", tmp_path / "bookmarks.sqlite"
    other.write_bytes(b"something else, for sure" * 100)
    with sqlite3.connect(database) as opened:
        opened.execute("CREATE TABLE bookmarks (url TEXT)")
        opened.execute("PRAGMA user_version = 2")
    for file, message in {
        other: "expected a journal that can be read and written, got",
        database: "expected a journal of tagsight, got another database",
    }.items():
        before = file.read_bytes()
        with pytest.raises(DataError, match=message):
            Journal(file)
        assert file.read_bytes() == before


@pytest.mark.parametrize("place", ["", "file/journal", "pipe", "/proc/none/journal", "/dev/full"])
def test_a_place_where_no_journal_can_be_is_told_in_a_sentence(tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    said = "File exists" if place == "file/journal" else ".*"
    with pytest.raises(DataError, match=rf"expected a journal .* got: {said}; choose another `jou"):
        Journal(tmp_path / place)


def test_a_full_disk_is_told_in_a_sentence_and_what_was_noted_stays(tmp_path):
    noted: list[int] = []
    with largest_file(200_000), Journal(tmp_path / "journal.sqlite") as journal:
        run = begin(journal)
        with pytest.raises(DataError, match="that can be read and written, got: "):  # noqa: PT012
            while True:
                noted += journal.note(run, [change(os.urandom(9000), b"", "dog")])
    with Journal(journal.file) as opened:
        assert opened.changes(run) == noted[::-1]
        assert len(noted) > 3


BOMB = zlib.compress(b"0" * (LARGEST + 1))
DAMAGED = (
    "names = '[\"dog'",
    "names = '{\"dog\": 1}'",
    "names = '[1, null]'",
    "names = 7",
    "names = ''",
    f"names = '{'[' * 100_000}'",
    f"names = '{json.dumps(['a'] * (MOST_ADDED + 1))}'",
    "additions = '[[\"\"]]'",
    "additions = '[3]'",
    "before = substr(before, 1, 5)",
    "before = CAST('red' AS BLOB)",
    "before = 'red'",
    "before = NULL",
    f"before = X'{zlib.compress(b'evil').hex()}'",
    f"before = X'{BOMB.hex()}'",
    "before_digest = NULL",
    "after_digest = 5",
    "sidecar = '/photos/1.txt'",
    "sidecar = CAST('1.txt' AS BLOB)",
    "sidecar = CAST('/photos/../etc/1.txt' AS BLOB)",
    "sidecar = X'2F6100'",
)


EDITED_RUNS = (
    *("form = 'exe'", "separator = ''", "existing = 'burn'", "model = X'07'", "undone = X'07'"),
    *("ending = ''", "ending = '.jpg'", "ending = '/../../x'", "form = 'xmp'"),
)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        *((f"UPDATE changes SET {e}", "expected change 1 as it was recorded") for e in DAMAGED),
        ("UPDATE changes SET id = 9223372036854775807", "expected change 9223372036854775807 as"),
        *((f"UPDATE runs SET {e}", "expected run 1 as it was recorded") for e in EDITED_RUNS),
        *((f"DROP TABLE {t}", f"such table: .*{t}") for t in ("runs", "changes", "places")),
    ],
    ids=lambda text: text[:40],
)
def test_a_journal_that_somebody_has_edited_is_told_in_a_sentence(journal, edit, message):
    run = begin(journal)
    journal.note(run, [change(b"red", b"red, dog", "dog")])
    with sqlite3.connect(journal.file) as database:
        database.execute(edit)
    with pytest.raises(DataError, match=message):  # noqa: PT012 - the first that reads it
        assert [run.id for run in journal.runs()] == [run]
        journal.note(run, [change(None, b"dog", "dog")])
        journal.change(1)


def test_a_journal_that_is_cut_short_raises_nothing_but_sentences(journal):
    run = begin(journal)
    for number in range(40):
        journal.note(run, [change(os.urandom(3000), bytes([number]), "dog")])
    journal.close()
    whole = journal.file.read_bytes()
    for length in (1, 100, 4096, len(whole) // 2, len(whole) - 1):
        journal.file.write_bytes(whole[:length])
        with contextlib.suppress(DataError), Journal(journal.file) as opened:
            opened.runs()
            for number in opened.changes(run):
                opened.change(number)


def test_a_run_is_told_with_its_settings_and_its_times(tmp_path):
    began = datetime.now(UTC).replace(microsecond=0)
    with Journal(tmp_path / "of" / "two" / "levels" / "journal.sqlite") as journal:
        by_default = begin(journal)
        run = journal.begin("b", "txt", ending=".text", separator="; ", existing="replace")
        journal.note(by_default, [change(None, b"dog, cat", "dog", "cat"), change(None, b"", "a")])
        journal.run_undone(by_default)
        latest, first = journal.runs()
    assert latest[2:] == ("b", "txt", ".text", "; ", "replace", 0, 0, None)
    assert first[:1] + first[2:9] == (by_default, "model", "txt", ".txt", ", ", "append", 2, 3)
    assert (latest.id, first.id) == (run, by_default)
    assert first.undone is not None
    for time in (latest.started, first.started, first.undone):
        assert len(time) == len("2026-11-25T08:00:00+00:00")
        assert began <= datetime.fromisoformat(time) <= datetime.now(UTC)


def test_changes_belong_to_their_run_and_their_sidecar(journal):
    empty, first, second = begin(journal), begin(journal), begin(journal)
    other = Path("/photos/other/2.txt")
    (made,) = journal.note(first, [change(None, b"dog", "dog")])
    there, again = journal.note(
        second,
        [Change(other, b"red", Edit(b"", (), ())).record, change(b"dog", b"dog, cat", "cat")],
    )
    journal.note(first, [Change(other, None, Edit(b"", (), ())).record])
    assert (journal.created(SIDECAR), journal.created(other)) == (True, False)
    assert not journal.created(Path("/photos/3.txt"))
    assert not journal.changed(empty, SIDECAR, digest(b"dog"))
    assert (journal.changes(empty), journal.places(empty)) == ([], set())
    assert journal.places(second) == {SIDECAR.parent, other.parent}
    assert journal.changed(second, other, digest(b""))
    assert not journal.changed(second, other, digest(b"red"))  # killed before it was made
    assert journal.changed(first, SIDECAR, digest(b"dog"))
    assert not journal.changed(second, Path("/photos/3.txt"), None)
    journal.undone([made])
    assert journal.changes(second) == [again, there]
    assert journal.change(again).id == again
    assert not journal.change(again).confirmed
    journal.made([again])
    assert journal.change(again).confirmed
    assert not journal.change(there).confirmed
    assert journal.added(SIDECAR, digest(b"")) == {"cat"}


def test_records_are_made_together_or_not_at_all(journal):
    run = begin(journal)
    unwritable = change(None, b"", "dog")._replace(names=(object(),))
    with pytest.raises(TypeError):
        journal.note(run, [change(None, b"dog", "dog"), unwritable])
    assert journal.changes(run) == []
    assert len(journal.note(run, [change(None, b"dog", "dog")])) == 1


def test_files_with_changes_that_count_are_known_however_many_are_asked_about(journal):
    run = journal.begin("model", "txt", ending=".txt")
    files = [Path(f"/photos/{number}.txt") for number in range(2 * ASKED + 1)]
    records = [Change(file, None, Edit(b"dog", ("dog",), ())).record for file in files[::2]]
    numbers = journal.note(run, records)
    assert len(set(numbers)) == len(records)
    assert [journal.change(number).record for number in numbers] == records
    assert journal.known(files) == set(files[::2])
    journal.undone(numbers[1:])
    assert journal.known(files) == {files[0]}
    assert journal.known([]) == set()


def test_a_journal_is_made_in_one_thread_and_written_in_another(journal):
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(begin, journal).result()
    assert [told.id for told in journal.runs()] == [run]


def test_confirming_nothing_does_not_wait_for_other_processes(journal):
    with contextlib.closing(sqlite3.connect(journal.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        journal._database.execute("PRAGMA busy_timeout = 0")
        journal.made([])
        journal.undone([])


def test_a_journal_is_known_by_its_header_and_writes_through_to_the_disk(journal):
    with sqlite3.connect(journal.file) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (0x74736A6C,)
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
    for setting, value in {"synchronous": 2, "busy_timeout": 60_000}.items():
        assert journal._database.execute(f"PRAGMA {setting}").fetchone() == (value,)
    assert journal._database.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == 2 * LARGEST


def test_what_cannot_be_read_is_told_in_a_sentence(journal):
    with pytest.raises(DataError, match="expected change 7 as it was recorded"):
        journal.change(7)
    with sqlite3.connect(journal.file) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(DataError, match="of version 2, got 9"):
        Journal(journal.file)
    with journal as same:
        assert same is journal
    with pytest.raises(DataError, match="got: Cannot operate on a closed database"):
        journal.runs()


def test_a_run_that_has_not_ended_is_found_by_its_origin_with_what_it_has_done(journal):
    run, other = (
        journal.begin("model", "txt", ending=".txt", origin=origin) for origin in (b"one", b"two")
    )
    assert [journal.unfinished(o) for o in (b"one", b"two", b"three")] == [run, other, None]
    journal.note_done(b"one", {0: "a", 1: "b", 2: "c", 4: "e"})
    journal.note_done(b"two", {0: "z"})
    assert journal.done(b"one", range(3)) == ["a", "b", "c"]
    assert journal.done(b"one", range(1, 2)) == ["b"]
    assert journal.done(b"one", range(2, 5)) == ["c"], "of the fourth photo it is not known"
    journal.note_done(b"one", {1: "again"})
    journal.forget_done(b"one", 2)
    assert journal.done(b"one", range(3)) == ["a", "again"]
    assert journal.origins(run) == [b"one"]
    journal.begin_undo(run)
    assert (journal.unfinished(b"one"), journal.origins(run)) == (None, [])
    assert journal.done(b"one", range(3)) == []
    assert (journal.unfinished(b"two"), journal.done(b"two", range(1))) == (other, ["z"])


def test_changes_that_a_killed_run_may_not_have_made_are_those_that_it_did_not_confirm(journal):
    run = begin(journal)
    records = [change(None, b"new", "dog")._replace(file=Path(f"/{i}.txt")) for i in range(3)]
    first, second, _ = journal.note(run, records)
    journal.made([first])
    assert journal.unconfirmed(run) == [Path("/1.txt"), Path("/2.txt")]
    journal.undone([second])
    assert journal.unconfirmed(run) == [Path("/2.txt")]
