from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tagsight.errors import DataError
from tagsight.tagging.sidecars.places import Places, ending_of


def places(folder: Path, suffix: str = ".xmp", naming: str | None = None) -> Places:
    return Places(suffix, None, [folder], naming)


def made(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


@pytest.mark.parametrize(
    ("suffix", "naming", "name"),
    [
        (".xmp", None, "a.jpg.xmp"),
        (".xmp", "stem", "a.xmp"),
        (".txt", None, "a.txt"),
        (".txt", "full", "a.jpg.txt"),
    ],
)
def test_names_are_full_or_stems(tmp_path: Path, suffix: str, naming: str | None, name: str):
    (photo,) = made(tmp_path, "a.jpg")
    assert places(tmp_path, suffix, naming).of(photo).name == name


@pytest.mark.parametrize("name", ["a.XMP", "a.Xmp", "a.jpg.XMP"])
def test_an_ending_in_another_case_is_that_of_a_sidecar(tmp_path: Path, name: str):
    photo, sidecar = made(tmp_path, "a.jpg", name)
    assert places(tmp_path).of(photo) == sidecar
    (tmp_path / "b.TXT").write_bytes(b"")
    (other,) = made(tmp_path, "b.png")
    assert places(tmp_path, ".txt").of(other).name == "b.TXT"


@pytest.mark.parametrize("end", [".nef", ".x3f"])
def test_photo_xmp_belongs_to_the_raw_file_of_its_name(tmp_path: Path, end: str):
    raw, photo, _ = made(tmp_path, f"a{end.upper()}", "a.jpg", "a.xmp")
    assert places(tmp_path).of(raw).name == "a.xmp"
    assert places(tmp_path).of(photo).name == "a.jpg.xmp"


def test_a_raw_file_and_a_photo_of_one_name_share_a_sidecar(tmp_path: Path):
    pair = made(tmp_path, "a.NEF", "a.jpg")
    assert {places(tmp_path, ".txt", "stem").of(path).name for path in pair} == {"a.txt"}


@pytest.mark.parametrize(
    ("names", "alone"),
    [
        (("a.jpg", "a.png"), ()),
        (("a.nef", "a.jpg", "a.tif"), ("a.nef",)),
        (("a.nef", "a.dng"), ()),
        (("a.nef", "a.dng", "a.jpg"), ()),
        (("a.jpg", "A.png"), ("a.jpg", "A.png")),
        (("a.jpg", "a.unknown"), ("a.jpg",)),
    ],
)
def test_different_photos_do_not_share_a_sidecar(
    tmp_path: Path, names: tuple[str, ...], alone: tuple[str, ...]
):
    found = places(tmp_path, ".xmp", "stem")
    for photo in made(tmp_path, *names):
        if photo.name in alone:
            assert found.of(photo).name == f"{photo.stem}.xmp"
        else:
            with pytest.raises(DataError, match=r"others would have the same a\.xmp"):
                found.of(photo)


def test_members_of_a_tar_do_not_share_a_sidecar(tmp_path: Path):
    made(tmp_path, "photo")
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for name in ("x/a.jpg", "x/a.png", "y/a.jpg"):
            tar.add(tmp_path / "photo", name)
    beside = Places(".txt", tmp_path / "beside", [tmp_path / "photos.tar"])
    assert beside.of(tmp_path / "photos.tar/y/a.jpg").name == "a.txt"
    with pytest.raises(DataError, match=r"others would have the same a\.txt"):
        beside.of(tmp_path / "photos.tar/x/a.jpg")


def test_a_suffix_is_that_of_text_files_and_not_of_photos_or_folders():
    assert ending_of("caption") == ending_of(".caption") == ".caption"
    assert ending_of(".wd14.txt") == ".wd14.txt"
    for text in ("", ".", "/etc", "a/b", ".JPG", "x.png", "nef", "xmp", "a b", "\x1b", "tar"):
        with pytest.raises(DataError, match=r"expected a suffix such as .*`extension`"):
            ending_of(text)
