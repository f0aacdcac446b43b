import logging

import pytest

from tagsight.data.tags import pictures as module
from tagsight.data.tags.pictures import Leftover, pictures


@pytest.mark.parametrize(
    ("names", "expected", "shared", "alone"),
    [
        ("a.jpg a.xmp", {"a.jpg": "a.xmp"}, "", ""),
        ("a.jpg a.XMP a.jpg.xmp", {"a.jpg": "a.jpg.xmp a.XMP"}, "", ""),
        # A name in another case, or in Unicode as macOS writes it, if it is the only one.
        ("a.jpg A.xmp", {"a.jpg": "A.xmp"}, "", ""),
        ("A.JPG a.jpg.xmp", {"A.JPG": "a.jpg.xmp"}, "", ""),
        ("a.nef A.jpg a.xmp", {"A.jpg": ""}, "", "a.xmp"),
        ("a.jpg a.xmp A.xmp", {"a.jpg": "a.xmp"}, "", "A.xmp"),
        ("Ab.jpg aB.jpg ab.xmp", {"Ab.jpg": "", "aB.jpg": ""}, "", "ab.xmp"),
        ("ab.jpg AB.xmp Ab.xmp", {"ab.jpg": ""}, "", "AB.xmp Ab.xmp"),
        ("u\u0308.jpg ü.jpg.xmp", {"u\u0308.jpg": "ü.jpg.xmp"}, "", ""),
        # A raw file and another photo are one picture; two raw files are not.
        ("a.nef a.jpg a.xmp", {"a.jpg": "a.xmp"}, "", ""),
        ("a.nef a.jpg a.nef.xmp a.jpg.xmp", {"a.jpg": "a.jpg.xmp a.nef.xmp"}, "", ""),
        ("a.nef a.xmp b.jpg", {"b.jpg": ""}, "", "a.xmp"),
        ("a.nef a.jpg a.png a.xmp", {"a.jpg": "", "a.png": ""}, "a.xmp", ""),
        ("a.jpg a.png a.xmp a.png.xmp", {"a.jpg": "", "a.png": "a.png.xmp"}, "a.xmp", ""),
        # Photos of a folder come before and after those of its subfolder.
        ("a.jpg b/x.jpg c.jpg c.xmp", {"a.jpg": "", "x.jpg": "", "c.jpg": "c.xmp"}, "", ""),
        ("a.jpg a.k.jpg a.nef a.xmp", {"a.jpg": "a.xmp", "a.k.jpg": ""}, "", ""),
        ("a.jpg .a.xmp", {"a.jpg": ""}, "", ""),
    ],
)
def test_a_file_belongs_to_the_picture_of_its_name(
    tmp_path, monkeypatch, names, expected, shared, alone
):
    without_raw = {s for s in module.PHOTO_SUFFIXES if s not in module.CAMERA_SUFFIXES}
    monkeypatch.setattr(module, "PHOTO_SUFFIXES", frozenset(without_raw))
    monkeypatch.setattr("tagsight.data.photos.finding.PHOTO_SUFFIXES", frozenset(without_raw))
    for name in names.split():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    leftover = Leftover()
    found = list(pictures(tmp_path, tmp_path, [".xmp"], leftover))
    beside = {one.photo.name: " ".join(file.name for file in one.beside) for one in found}
    assert beside == expected
    assert " ".join(file.name for file in leftover.shared) == shared
    assert " ".join(file.name for file in leftover.without_photo) == alone


def test_files_that_belong_to_no_picture_are_logged(tmp_path, caplog):
    leftover = Leftover([tmp_path / "a.xmp"], [tmp_path / "b.xmp", tmp_path / "c.xmp"])
    with caplog.at_level(logging.WARNING):
        leftover.log()
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: 1 file that several photos would share, the first being {tmp_path}/a.xmp",
        "left out: 2 files without a photo that can be decoded here, the first being "
        f"{tmp_path}/b.xmp",
    ]
