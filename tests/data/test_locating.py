import logging
import unicodedata

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

COMPOSED = unicodedata.normalize("NFC", "Ja\u0308ger.jpg")


@pytest.fixture
def read(tmp_path, caplog):
    """Read a list of names beside photos, and return where each was found, and what was told."""

    def read(names, photos, **arguments):
        for photo in photos:
            (tmp_path / photo).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / photo).touch()
        rows = "".join(f'"{name}",{"dog" if row else "sky"}\n' for row, name in enumerate(names))
        (tmp_path / "labels.csv").write_text(f"image,labels\n{rows}")
        with caplog.at_level(logging.INFO):
            paths = read_annotations(tmp_path / "labels.csv", **arguments).paths
        found = [path.relative_to(tmp_path).as_posix() for path in paths]
        return found, caplog.text

    return read


@pytest.mark.parametrize(
    ("name", "photo", "kind"),
    [
        ("b.jpg", "b.JPG", "another case"),
        ("b", "b.jpg", "another ending"),
        ("b.jpg", "photos/b.png", "another ending"),
        (COMPOSED, unicodedata.normalize("NFD", COMPOSED), "another Unicode form"),
        ("/home/me/photos/b.jpg", "b.jpg", "the end of their path"),
        ("C:\\me\\photos\\b.jpg", "photos/b.jpg", "the end of their path"),
        ("../photos/b.jpg", "b.jpg", "the end of their path"),
        ("b.jpg", "train/deep/b.jpg", "their name in another folder"),
        ("x/b.jpg", "train/b.jpg", "their name in another folder"),
        ("my%20b.jpg", "my b.jpg", "another spelling"),
        ("https://example.org/photos/b.jpg?size=2", "photos/b.jpg", "another spelling"),
        ("\u200bb.jpg\u200e", "b.jpg", "another spelling"),
        ("b.jpg.", "b.jpg", "another spelling"),
        (" b.jpg", " b.jpg", "another spelling"),
        ("7", "0007.jpg", "their number"),
        ("7.0", "7.jpg", "their number"),
    ],
)
def test_a_photo_is_found_by_a_name_that_differs_and_the_difference_is_told(
    read, name, photo, kind
):
    found, told = read(["a.jpg", name], ["a.jpg", photo])
    assert found == ["a.jpg", photo]
    assert f"1 photo found not as written: 1 by {kind}" in told
    assert read(["a.jpg", name], [], labels_only=True)[0] == found


@pytest.mark.parametrize("folder", ["images", "photos", "img", "JPEGImages"])
def test_the_usual_folders_beside_a_table_need_no_word(read, folder):
    found, told = read(["a.jpg", "b.jpg"], [f"{folder}/a.jpg", f"{folder}/b.jpg"])
    assert found == [f"{folder}/a.jpg", f"{folder}/b.jpg"]
    assert "not as written" not in told


def test_photos_of_one_name_are_told_apart_by_their_folders(read):
    names = ["/data/x/a/1.jpg", "/data/x/b/1.jpg"]
    found, _ = read(names, ["pictures/a/1.jpg", "pictures/b/1.jpg", "pictures/c/1.jpg"])
    assert found == ["pictures/a/1.jpg", "pictures/b/1.jpg"]


@pytest.mark.parametrize(
    ("names", "photos"),
    [
        (["a.jpg", "b.jpg"], ["a.jpg", "x/b.jpg", "y/b.jpg"]),  # several may be meant
        (["a.jpg", "a"], ["a.jpg"]),  # the photo of another row
        (["c.jpg", "a", "a.png"], ["c.jpg", "a.jpg"]),  # two rows mean it
        (["a.jpg", "img_1.jpg"], ["a.jpg", "img_2.jpg"]),
        (["a.jpg", "7"], ["a.jpg", "007.jpg", "07.jpg"]),
        (["a.jpg", "7", "7.0"], ["a.jpg", "007.jpg"]),
        (["a.jpg", "my%20b.jpg", "my b.png"], ["a.jpg", "my b.jpg"]),
    ],
)
def test_a_photo_is_never_taken_for_another(read, names, photos):
    found, told = read(names, photos)
    assert not set(found[1:]) & set(photos)
    assert f"{len(names) - 1} of {len(names)} photos not there" in told


def test_the_nearest_name_is_told_and_nothing_outside_is_opened(read, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").touch()
    with pytest.raises(DataError, match=r"found none of 1: .*the nearest name there is 'a_1.jpg'"):
        read(["a_01.jpg"], ["inside/a_1.jpg"], images=tmp_path / "inside")
    with pytest.raises(DataError, match="found none of 1"):
        read([str(tmp_path / "outside" / "secret.jpg")], [], images=tmp_path / "inside")
