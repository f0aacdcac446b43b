import os

import pytest
from PIL import Image

from tagsight.data.readers import read_annotations
from tagsight.data.template import write_template
from tagsight.errors import DataError


def test_a_template_that_is_filled_in_is_read_and_is_never_written_over(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "=b.png", "sub/c d.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    file = tmp_path / "labels.csv"
    assert write_template(folder, file, ["dog", " night  sky "]) == 3
    lines = file.read_text().splitlines()
    assert lines[0] == "image,dog,night sky"
    unfilled = "labels.csv:1: expected labels, got a template that nobody has filled in: write"
    with pytest.raises(DataError, match=f"^.*/{unfilled} 1 below 'dog', 'night sky' where"):
        read_annotations(file)
    file.write_text("\n".join([lines[0], *(line[:-1] + "1," for line in lines[1:])]))
    rows = read_annotations(file)
    assert rows.names == ("dog", "night sky")
    assert rows.targets.tolist() == [[1, -1]] * 3
    assert all(path.is_file() for path in rows.paths)
    with pytest.raises(DataError, match=r"a new file for the template, got .*labels.csv"):
        write_template(folder, file)
    assert write_template(folder, folder / "one.csv") == 3
    assert (folder / "one.csv").read_text().splitlines()[0] == "image,labels"
    (folder / "one.csv").rename(folder / "labels.csv")
    with pytest.raises(DataError, match=f"^.*/{unfilled} the labels of each photo below 'labels'"):
        read_annotations(folder / "labels.csv")


def test_photos_whose_names_no_table_can_hold_are_left_out_and_told(tmp_path, caplog):
    names = [b"a.png", b"new\nline.png", b"escape\x1b.png", b"bytes\xff.png"]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    file = tmp_path / "labels.csv"
    assert write_template(tmp_path, file, ["dog"]) == 1
    assert "3 photos left out, whose names no table can hold, such as " in caplog.text
    file.write_text(f"{file.read_text().strip()}1\n")
    assert read_annotations(file).relative_names == ("a.png",)
    file.write_text('image,dog\n"new\nline.png",1\n')
    with pytest.raises(
        DataError, match=r"path without control characters, got .*: rename the photo"
    ):
        read_annotations(file)


@pytest.mark.parametrize(
    ("labels", "message"), [(["a", "a "], "different labels"), (["a", ""], "different labels")]
)
def test_a_template_of_nothing_is_refused(labels, message, tmp_path):
    with pytest.raises(DataError, match=message):
        write_template(tmp_path, tmp_path / "t.csv", labels)
    with pytest.raises(DataError, match=r"photos in .*, got none"):
        write_template(tmp_path, tmp_path / "t.csv")
    with pytest.raises(DataError, match="a folder of photos"):
        write_template(tmp_path / "gone", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
