import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tagsight.data.photos.finding import find_photos
from tagsight.errors import DataError


def tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root: Path, *names: str) -> list[str]:
    photos = find_photos([root / name for name in names] or [root])
    return [path.relative_to(root).as_posix() for path in photos]


def test_photos_in_folders_are_found_in_alphabetical_order_without_hidden_ones(tmp_path):
    tree(tmp_path, "c.JPG", "b/z.png", "b/a.jpeg", "a.webp", "notes.txt", "drawn/x.psd")
    tree(tmp_path, "._a.jpg", ".trash/b.jpg", ".hidden.jpg", "b/@eaDir/a.jpeg/THUMB_XL.jpg")
    assert found(tmp_path) == ["a.webp", "b/a.jpeg", "b/z.png", "c.JPG"]
    assert found(tmp_path, "notes.txt", "b") == ["notes.txt", "b/a.jpeg", "b/z.png"]
    with pytest.raises(DataError, match=r"got .*gone, which does not exist"):
        find_photos([tmp_path, tmp_path / "gone"])


def test_links_make_no_circles(tmp_path):
    tree(tmp_path, "a/a.jpg", "b/b.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "other").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    assert found(tmp_path) == ["a/a.jpg", "a/other/b.jpg"]


def test_photos_are_yielded_before_all_are_found_and_a_folder_may_go_away(tmp_path, caplog):
    tree(tmp_path, "a/a.jpg", "b/b.jpg", "c/c.jpg")
    photos = find_photos([tmp_path])
    next(photos)
    tree(tmp_path, "c/d.jpg")
    shutil.rmtree(tmp_path / "b")
    assert [path.name for path in photos] == ["c.jpg", "d.jpg"]
    assert f"{tmp_path / 'b'}: cannot be searched: No such file" in caplog.text


@contextmanager
def nobody():
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


def not_to_be_entered(place: Path) -> None:
    closed = place.with_name(f".closed-{place.name}")
    tree(closed, "inner/x.jpg")
    place.symlink_to(closed / "inner")
    closed.chmod(0o600)


def not_to_be_listed(place: Path) -> None:
    tree(place, "x.jpg")
    place.chmod(0o300)


def searched(paths) -> tuple[list[Path], list[tuple[Path, str]]]:
    told: list[tuple[Path, str]] = []
    photos = list(find_photos(paths, on_problem=lambda *problem: told.append(problem)))
    return photos, told


posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


@posix
@pytest.mark.parametrize("name", ["latest", "m.jpg", "train.tar"])
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda place: place.symlink_to(place.name), "Too many levels of symbolic links"),
        (lambda place: place.symlink_to("gone"), "No such file or directory"),
        (lambda place: place.symlink_to("x" * 300), "File name too long"),
        (not_to_be_entered, "Permission denied"),
        (not_to_be_listed, "Permission denied"),
    ],
)
def test_an_entry_that_cannot_be_examined_is_told_and_the_rest_is_found(spoil, why, name):
    with nobody() as folder:
        tree(folder, "d/a.jpg", "d/z/z.jpg", "e.jpg")
        spoil(folder / "d" / name)
        given = [folder / "d" / "a.jpg", folder / "d" / name, folder / "e.jpg"]  # as of a shell
        for paths, expected in (([folder], ["a", "z", "e"]), (given, ["a", "e"])):
            photos, ((path, reason),) = searched(paths)
            assert [photo.stem for photo in photos] == expected
            assert path == folder / "d" / name
            assert reason.startswith(f"{path}: cannot be ")
            assert reason.endswith(why)


@posix
def test_a_photo_in_a_folder_that_one_may_not_enter_is_told():
    with nobody() as folder:
        tree(folder, "closed/a.jpg", "b.jpg")
        (folder / "closed").chmod(0o600)
        given = [folder / "closed" / "a.jpg", folder / "b.jpg"]
        photos, ((path, _),) = searched(given)
    assert [path, *photos] == given
