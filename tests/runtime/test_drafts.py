import os
from pathlib import Path

import pytest

from tagsight.runtime.drafts import Draft, drafts, remove_drafts

ENDING = "0123abcd"


def test_drafts_are_on_the_disk_before_any_of_them_is_put_in_place(tmp_path, monkeypatch):
    synced: set[int] = set()
    monkeypatch.setattr("os.fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    files = [tmp_path / "new" / f"{number}" for number in range(40)]
    with drafts([(file, file.name.encode()) for file in files], ENDING) as written:
        assert {draft.temporary.stat().st_ino for draft in written} == synced
        assert not any(file.exists() for file in files)
        for draft in written:
            draft.put_in_place()
    assert [file.read_text() for file in files] == [file.name for file in files]
    assert sorted(files[0].parent.iterdir()) == sorted(files)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_a_draft_has_the_permissions_of_its_file_and_nobody_reads_it_before(tmp_path):
    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    files = [tmp_path / name for name in ("new", "private", "open")]
    files[1].touch(0o600)
    files[2].touch()
    files[2].chmod(0o664)
    before = os.umask(0o027)
    try:
        with drafts([(file, b"content") for file in files], ENDING) as written:
            assert [mode(draft.temporary) for draft in written] == [0o640, 0o600, 0o600]
            for draft in written:
                draft.put_in_place()
    finally:
        os.umask(before)
    assert [mode(file) for file in files] == [0o640, 0o600, 0o664]


def test_drafts_that_fail_or_are_not_wanted_leave_the_files_as_they_were(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "file" / "in a file"
    good.write_text("of yesterday")
    (tmp_path / "file").write_text("")
    with drafts([(bad, b"new"), (good, b"new")], ENDING) as (failed, draft):
        assert isinstance(failed, OSError)
        assert isinstance(draft, Draft)
        assert draft.temporary.read_bytes() == b"new"
    stop = pytest.raises(KeyboardInterrupt)
    with stop, drafts([(good, b"new")], ENDING):
        raise KeyboardInterrupt
    assert good.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "good"]


def test_of_hidden_files_nothing_but_drafts_of_the_same_process_is_removed(tmp_path):
    others = [".a.txt.01234567~", ".a.txt.settings", ".a.txt.0123abcd", ".b.txt.0123abcd~"]
    for name in (*others, ".a.txt.0123abcd~", "a.txt.0123abcd~"):
        (tmp_path / name).touch()
    (tmp_path / ".d.txt.0123abcd~").mkdir()
    remove_drafts([tmp_path / name for name in ("a.txt", "gone/c.txt", "d.txt")], ENDING)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([*others, ".d.txt.0123abcd~", "a.txt.0123abcd~"])
