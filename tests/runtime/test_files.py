import os
import stat
from pathlib import Path

import pytest

from tagsight.runtime.files import (
    Draft,
    drafts,
    replacing,
    replacing_folder,
    surviving_folder,
    write_atomically,
)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(folder: Path, **files: str) -> None:
    with replacing_folder(folder) as new:
        for name, text in files.items():
            (new / name).write_text(text)


def stop_half_way(replaced) -> None:
    with replaced as new:
        (new / "a" if new.is_dir() else new).write_text("half")
        raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with one file, that nothing lies beside."""
    write(tmp_path / "deep" / "folder", a="1")
    return tmp_path / "deep" / "folder"


@pytest.mark.parametrize("text", ["naïve", b"\x00\xff"])
def test_what_is_written_is_there_and_so_are_the_folders_on_the_way(tmp_path, text):
    file = tmp_path / "a" / "b" / "file"
    write_atomically(file, text)
    assert file.read_bytes() == (text.encode() if isinstance(text, str) else text)
    assert list(file.parent.iterdir()) == [file]
    file.with_name("plain").write_text("x")  # and as readable as any other
    assert len({stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}) == 1


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("half of the ne")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".file.")
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("existing", [False, True])
def test_after_an_error_the_old_file_is_left_and_nothing_else(tmp_path, existing):
    path = tmp_path / "file"
    if existing:
        path.write_text("old")

    with pytest.raises(KeyboardInterrupt):
        stop_half_way(replacing(path))
    assert content(tmp_path) == ({"file": "old"} if existing else {})


@pytest.mark.parametrize("writing", [replacing, replacing_folder])
def test_an_error_names_what_is_written_and_not_its_temporary_name(writing):
    place = Path("/proc/new")
    with pytest.raises(OSError, match="new") as raised, writing(place):
        pass
    assert raised.value.filename == str(place)


def test_a_folder_is_replaced_whole_and_other_files_stay(folder):
    (folder / "notes").write_text("mine")
    write(folder, a="2", b="1")
    assert content(folder) == {"a": "2", "b": "1", "notes": "mine"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_is_not_finished_leaves_the_old_one(folder):
    with pytest.raises(KeyboardInterrupt):
        stop_half_way(replacing_folder(folder))
    assert content(folder) == {"a": "1"}
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failing", [1, 2])
def test_an_error_in_the_exchange_leaves_the_old_folder(folder, monkeypatch, failing):
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(folder, a="2")
    assert content(folder) == {"a": "1"}
    assert list(folder.parent.iterdir()) == [folder]


def test_after_a_crash_in_the_exchange_the_old_folder_is_found_and_put_back(folder):
    folder.rename(folder.with_name(".folder.previous"))  # and then the machine stops
    assert content(surviving_folder(folder)) == {"a": "1"}
    write(folder, b="2")
    assert content(folder) == {"a": "1", "b": "2"}
    assert surviving_folder(folder) == folder


def test_after_a_crash_behind_the_exchange_the_new_folder_stays(folder):
    write(folder, notes="mine")
    folder.rename(folder.with_name(".folder.previous"))
    folder.mkdir()
    (folder / "a").write_text("2")  # and then the machine stops
    assert content(surviving_folder(folder)) == {"a": "2"}
    write(folder, a="3")
    assert content(folder) == {"a": "3", "notes": "mine"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_link_to_a_folder_stays_a_link(folder, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(folder)
    write(link, a="2")
    assert link.is_symlink()
    assert content(folder) == {"a": "2"}


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "folder", a="1")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("folder", "folder/a")]
    assert modes == [0o750, 0o640]


def test_drafts_are_on_the_disk_before_any_of_them_is_put_in_place(tmp_path, monkeypatch):
    synced: set[int] = set()
    monkeypatch.setattr("os.fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    files = [tmp_path / "new" / f"{number}" for number in range(40)]
    with drafts([(file, file.name.encode()) for file in files]) as written:
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
        with drafts([(file, b"content") for file in files]) as written:
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
    with drafts([(bad, b"new"), (good, b"new")]) as (failed, draft):
        assert isinstance(failed, OSError)
        assert isinstance(draft, Draft)
        assert draft.temporary.read_bytes() == b"new"
    stop = pytest.raises(KeyboardInterrupt)
    with stop, drafts([(good, b"new")]):
        raise KeyboardInterrupt
    assert good.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "good"]
