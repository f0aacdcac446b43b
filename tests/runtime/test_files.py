from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tagsight.runtime.files import replacing, replacing_folder, surviving_folder, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["naïve", b"\x00\xff"])
def test_what_is_written_is_there_and_so_are_the_folders_on_the_way(
    tmp_path: Path, content: str | bytes
):
    write_atomically(tmp_path / "a" / "b" / "file", content)
    expected = content.encode() if isinstance(content, str) else content
    assert (tmp_path / "a" / "b" / "file").read_bytes() == expected
    assert names(tmp_path / "a" / "b") == ["file"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path):
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
def test_after_an_error_the_old_file_is_left_and_nothing_else(tmp_path: Path, existing: bool):
    path = tmp_path / "file"
    if existing:
        path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert content(tmp_path) == ({"file": "old"} if existing else {})


def test_a_file_is_as_readable_as_any_other(tmp_path: Path):
    (tmp_path / "plain").write_text("x")
    write_atomically(tmp_path / "atomic", "x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)}
    assert len(modes) == 1


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(folder: Path, **files: str) -> None:
    with replacing_folder(folder) as new:
        for name, text in files.items():
            (new / name).write_text(text)


def test_a_folder_is_replaced_whole_and_other_files_stay(tmp_path: Path):
    folder = tmp_path / "deep" / "folder"
    write(folder, a="1", b="1")
    (folder / "notes").write_text("mine")
    write(folder, a="2")
    assert content(folder) == {"a": "2", "b": "1", "notes": "mine"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path: Path):
    folder = tmp_path / "folder"
    write(folder, a="1")

    def stop_half_way() -> None:
        with replacing_folder(folder) as new:
            (new / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert content(folder) == {"a": "1"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("failing", [1, 2])
def test_an_error_in_the_exchange_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
):
    folder = tmp_path / "folder"
    write(folder, a="1")
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
    assert list(tmp_path.iterdir()) == [folder]


def test_after_a_crash_in_the_exchange_the_old_folder_is_found_and_put_back(tmp_path: Path):
    folder = tmp_path / "folder"
    write(folder, a="1")
    folder.rename(tmp_path / ".folder.previous")  # and then the machine stops
    assert content(surviving_folder(folder)) == {"a": "1"}
    write(folder, b="2")
    assert content(folder) == {"a": "1", "b": "2"}
    assert surviving_folder(folder) == folder


def test_after_a_crash_behind_the_exchange_the_new_folder_stays(tmp_path: Path):
    folder = tmp_path / "folder"
    write(folder, a="1", notes="mine")
    folder.rename(tmp_path / ".folder.previous")
    folder.mkdir()
    (folder / "a").write_text("2")  # and then the machine stops
    assert content(surviving_folder(folder)) == {"a": "2"}
    write(folder, a="3")
    assert content(folder) == {"a": "3", "notes": "mine"}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path):
    write(tmp_path / "folder", a="1")
    link = tmp_path / "latest"
    link.symlink_to(tmp_path / "folder")
    write(link, a="2")
    assert link.is_symlink()
    assert content(tmp_path / "folder") == {"a": "2"}


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "folder", a="1")
    finally:
        os.umask(before)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "folder" / "a").stat().st_mode & 0o777 == 0o640
