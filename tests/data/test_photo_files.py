from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tagsight.data.photo_files import find_photos
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root: Path, *paths: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_photos(paths or [root])]


def test_photos_in_folders_are_found_in_alphabetical_order(tmp_path) -> None:
    tree(tmp_path, "c.JPG", "b/z.png", "b/a.jpeg", "a.webp", "notes.txt", "drawn/x.psd")
    assert found(tmp_path) == ["a.webp", "b/a.jpeg", "b/z.png", "c.JPG"]


def test_hidden_files_and_folders_are_passed_over(tmp_path) -> None:
    tree(tmp_path, "a.jpg", "._a.jpg", ".trash/b.jpg", ".hidden.jpg")
    assert found(tmp_path) == ["a.jpg"]


def test_a_file_that_is_given_is_taken_whatever_its_name(tmp_path) -> None:
    tree(tmp_path, "photo", "folder/a.jpg")
    assert found(tmp_path, tmp_path / "photo", tmp_path / "folder") == ["photo", "folder/a.jpg"]


def test_links_make_no_circles(tmp_path) -> None:
    tree(tmp_path, "a/a.jpg", "b/b.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "other").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    assert found(tmp_path) == ["a/a.jpg", "a/other/b.jpg"]


def test_photos_are_yielded_before_all_are_found(tmp_path) -> None:
    tree(tmp_path, "a/a.jpg", "b/b.jpg")
    photos = find_photos([tmp_path])
    next(photos)
    tree(tmp_path, "b/c.jpg")
    assert [path.name for path in photos] == ["b.jpg", "c.jpg"]


def test_a_folder_that_cannot_be_searched_is_a_warning_and_no_end(tmp_path, caplog) -> None:
    tree(tmp_path, "a/a.jpg", "b/b.jpg", "c/c.jpg")
    photos = find_photos([tmp_path])
    next(photos)
    shutil.rmtree(tmp_path / "b")
    assert [path.name for path in photos] == ["c.jpg"]
    assert f"{tmp_path / 'b'}: cannot be searched: No such file" in caplog.text


def test_a_path_that_does_not_exist_is_an_error_before_the_first_photo(tmp_path) -> None:
    tree(tmp_path, "a.jpg")
    with pytest.raises(DataError, match=r"got .*gone, which does not exist"):
        find_photos([tmp_path, tmp_path / "gone"])


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder to work in as somebody whom permissions hold for, also where root runs the tests."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        was = os.geteuid()
        if was == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
            for place, folders, _ in os.walk(folder):
                for name in folders:
                    (Path(place) / name).chmod(0o755)
        finally:
            os.seteuid(was)


def in_a_circle(place: Path) -> None:
    place.symlink_to(place.name)


def nowhere(place: Path) -> None:
    place.symlink_to("gone")


def not_to_be_entered(place: Path) -> None:
    closed = place.with_name(f".closed-{place.name}")
    tree(closed, "inner/x.jpg")
    place.symlink_to(closed / "inner")
    closed.chmod(0o600)


def not_to_be_listed(place: Path) -> None:
    tree(place, "x.jpg")
    place.chmod(0o300)


def of_too_long_a_name(place: Path) -> None:
    place.symlink_to("x" * 300)


BAD_ENTRIES = {
    in_a_circle: "Too many levels of symbolic links",
    nowhere: "No such file or directory",
    not_to_be_entered: "Permission denied",
    not_to_be_listed: "Permission denied",
    of_too_long_a_name: "File name too long",
}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


@posix
@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        *((spoil, "latest") for spoil in BAD_ENTRIES),
        (nowhere, "m.jpg"),
        (not_to_be_entered, "train.tar"),
    ],
)
def test_an_entry_that_cannot_be_examined_is_told_and_the_rest_is_found(spoil, name) -> None:
    with nobody() as folder:
        tree(folder, "d/a.jpg", "d/z/z.jpg", "e.jpg")
        spoil(folder / "d" / name)
        told: list[tuple[Path, str]] = []
        photos = list(find_photos([folder], on_problem=lambda *problem: told.append(problem)))
    assert [photo.name for photo in photos] == ["a.jpg", "z.jpg", "e.jpg"]
    ((path, reason),) = told
    assert path == folder / "d" / name
    assert reason.startswith(f"{path}: cannot be ")
    assert reason.endswith(BAD_ENTRIES[spoil])


@posix
@pytest.mark.parametrize("spoil", [in_a_circle, not_to_be_listed])
def test_what_is_given_and_cannot_be_examined_is_told_like_what_is_found(spoil) -> None:
    with nobody() as folder:
        tree(folder, "a.jpg", "z/z.jpg")
        spoil(folder / "latest")
        told: list[tuple[Path, str]] = []
        given = [folder / "a.jpg", folder / "latest", folder / "z"]  # as a shell lists folder/*
        photos = list(find_photos(given, on_problem=lambda *problem: told.append(problem)))
    assert [photo.name for photo in photos] == ["a.jpg", "z.jpg"]
    assert [path for path, _ in told] == [folder / "latest"]


@posix
def test_a_photo_in_a_folder_that_one_may_not_enter_is_told() -> None:
    with nobody() as folder:
        tree(folder, "closed/a.jpg", "b.jpg")
        (folder / "closed").chmod(0o600)
        told: list[Path] = []
        given = [folder / "closed" / "a.jpg", folder / "b.jpg"]
        assert list(find_photos(given, on_problem=lambda path, _: told.append(path))) == given[1:]
    assert told == given[:1]
