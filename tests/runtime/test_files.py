import os
import stat
from pathlib import Path

import pytest

from tagsight.runtime.files import (
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
