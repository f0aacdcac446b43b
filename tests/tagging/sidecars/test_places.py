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
    ("suffix", "naming", "there", "expected"),
    [
        (".xmp", None, "a.jpg", "a.jpg.xmp"),
        (".xmp", "stem", "a.jpg", "a.xmp"),
        (".txt", None, "a.jpg", "a.txt"),
        (".txt", "full", "a.jpg", "a.jpg.txt"),
        # An ending in another case is that of a sidecar.
        *((".xmp", None, f"a.jpg {name}", name) for name in ("a.XMP", "a.Xmp", "a.jpg.XMP")),
        (".txt", None, "b.png b.TXT", "b.TXT"),
        # A name in another case is that of a sidecar, unless another photo or sidecar may be meant.
        (".xmp", None, "A.JPG a.jpg.xmp", "a.jpg.xmp"),
        (".xmp", None, "A.JPG a.XMP", "a.XMP"),
        (".txt", None, "A.JPG a.txt", "a.txt"),
        (".xmp", None, "u\u0308.jpg ü.jpg.xmp", "ü.jpg.xmp"),
        (".xmp", None, "Ab.jpg aB.jpg ab.jpg.xmp", "Ab.jpg.xmp aB.jpg.xmp"),
        (".xmp", None, "a.jpg A.jpg A.jpg.xmp", "a.jpg.xmp A.jpg.xmp"),
        (".xmp", None, "ab.jpg AB.jpg.xmp Ab.jpg.xmp", "ab.jpg.xmp"),
        (".xmp", "stem", "a.jpg A.png a.xmp", "a.xmp A.xmp"),
        # Photo.xmp belongs to the raw file of its name.
        (".xmp", None, "a.NEF a.jpg a.xmp", "a.xmp a.jpg.xmp"),
        (".xmp", None, "a.X3F a.jpg a.xmp", "a.xmp a.jpg.xmp"),
        # A raw file and a photo of one name share a sidecar.
        (".txt", "stem", "a.NEF a.jpg", "a.txt a.txt"),
    ],
)
def test_a_photo_has_its_sidecar(tmp_path, suffix, naming, there, expected):
    paths, names = made(tmp_path, *there.split()), expected.split()
    found = [places(tmp_path, suffix, naming).of(path).name for path in paths[: len(names)]]
    assert found == names


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
def test_different_photos_do_not_share_a_sidecar(tmp_path, names, alone):
    found = places(tmp_path, ".xmp", "stem")
    for photo in made(tmp_path, *names):
        if photo.name in alone:
            assert found.of(photo).name == f"{photo.stem}.xmp"
        else:
            with pytest.raises(DataError, match=r"others would have the same a\.xmp"):
                found.of(photo)


def test_members_of_a_tar_do_not_share_a_sidecar(tmp_path):
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
