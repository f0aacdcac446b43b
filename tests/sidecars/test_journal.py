from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tagsight.errors import DataError
from tagsight.sidecars.edit import Addition, Edit
from tagsight.sidecars.journal import Change, Journal

SIDECAR = Path("/photos/ä \udcff/1.txt")


def change(before: bytes | None, content: bytes, *names: str) -> Change:
    additions = tuple(Addition("", name) for name in names)
    return Change(SIDECAR, before, Edit(content, names, additions))


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "new" / "journal.sqlite") as journal:
        yield journal


def test_what_is_noted_is_told_again_by_another_process(journal: Journal):
    run = journal.begin("model", "txt", ", ")
    (number,) = journal.note(run, [change(b"red", b"red, dog", "dog")])
    with Journal(journal.file) as other:
        (noted,) = other.changes(run)
        assert noted.id == number
        assert noted.sidecar == SIDECAR
        assert noted.before == b"red"
        assert noted.additions == (Addition("", "dog"),)
        (told,) = other.runs()
        assert (told.id, told.model, told.form, told.sidecars, told.tags) == (
            *(run, "model", "txt"),
            *(1, 1),
        )


def test_a_change_that_a_crash_kept_from_being_made_has_added_nothing(journal: Journal):
    run = journal.begin("model", "txt", ", ")
    journal.note(run, [change(b"red", b"red, dog", "dog")])
    assert journal.added(SIDECAR, b"red") == set()
    assert journal.added(SIDECAR, b"red, dog") == {"dog"}


def test_a_change_that_was_made_counts_though_a_person_took_it_back(journal: Journal):
    run = journal.begin("model", "txt", ", ")
    journal.made(journal.note(run, [change(b"red", b"red, dog", "dog")]))
    assert journal.added(SIDECAR, b"red") == {"dog"}
    assert journal.added(SIDECAR.with_name("2.txt"), b"red") == set()


def test_what_is_undone_counts_no_more(journal: Journal):
    run = journal.begin("model", "txt", ", ")
    numbers = journal.note(run, [change(None, b"dog", "dog")])
    journal.made(numbers)
    journal.undone(numbers)
    journal.run_undone(run)
    assert journal.added(SIDECAR, None) == set()
    assert list(journal.changes(run)) == []
    assert next(journal.runs()).undone is not None


def test_runs_are_listed_from_the_latest_on_and_changes_as_well(journal: Journal):
    first, second = (journal.begin(name, "txt", ",") for name in "ab")
    numbers = journal.note(second, [change(None, b"a", "a"), change(b"a", b"a,b", "b")])
    assert [run.id for run in journal.runs()] == [second, first]
    assert [noted.id for noted in journal.changes(second)] == numbers[::-1]


def test_another_file_is_refused_and_stays(tmp_path: Path):
    file = tmp_path / "journal.sqlite"
    file.write_bytes(b"something else, for sure" * 100)
    with pytest.raises(DataError, match="expected a journal of tagsight"):
        Journal(file)
    assert file.read_bytes() == b"something else, for sure" * 100


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path):
    file = tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(DataError, match="of version 1, got 9"):
        Journal(file)
