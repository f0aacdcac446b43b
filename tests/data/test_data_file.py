import json

import pytest

from tagsight.data.data_file import read_data_file
from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def test_a_source_is_read_again_as_it_was_read(complete_example, tmp_path):
    first = read_annotations(complete_example.source, options=ReadOptions(unlabelled="drop"))
    file = tmp_path / "data.toml"
    file.write_text(first.origin.toml())
    again = read_annotations(file)
    assert again.hash() == first.hash()
    assert (again.format, again.origin) == (first.format, first.origin)
    assert len(read_annotations(file, options=ReadOptions(unlabelled="keep"))) >= len(first)


def test_columns_that_were_guessed_are_written_and_relative_paths_are_below_the_file(tmp_path):
    (tmp_path / "labels.csv").write_text("id,tags,age\na,dog#sky,3\nb,dog,4\nc,sky,3\n")
    read = read_annotations(tmp_path / "labels.csv", labels_only=True)
    columns = Columns("id", "tags", (), "#", None, ("age",))
    assert read.origin.options.columns == columns
    file = tmp_path / "data.toml"
    file.write_text('source = "labels.csv"\nformat = "csv-list"\n[columns]\nignore = ["age"]\n')
    assert read_data_file(file).options.columns == Columns(ignore=("age",))
    assert read_annotations(file, labels_only=True).hash() == read.hash()


HEADERLESS = {
    "a photo, its numbers": "1.png 1\n2.png 2 1\n3.png\n",
    "numbers with a comma": "1.png\t2,1\n2.png\t1\n",
    "a target for each name": "1.png\t1,0\n2.png\t0,1\n",
    "words and blanks": "1.png red sea\n2.png red\n3.png\n",
    "commas": "TRAIN,1.png,red,sea\nTEST,2.png,red\nTEST,3.png,\n",
    "a colon": "1.png: red, sea\n2.png: red\n",
    "columns of targets": "1.png,1,0\n2.png,0,1\n",
}
"""Tables whose columns have positions for names, which cells may equal."""


@pytest.mark.parametrize("rows", HEADERLESS.values(), ids=HEADERLESS)
def test_a_table_without_a_header_is_read_again_as_it_was_read(tmp_path, rows):
    (tmp_path / "classes.txt").write_text("red\nsea\n")
    (tmp_path / "list.txt").write_text(rows)
    try:
        first = read_annotations(tmp_path / "list.txt", labels_only=True)
    except DataError:
        first = read_annotations(
            tmp_path / "list.txt",
            labels_only=True,
            options=ReadOptions(columns=Columns(image_column="1", label_columns=("2", "3"))),
        )
    file = tmp_path / "data.toml"
    file.write_text(first.origin.toml())
    assert read_annotations(file, labels_only=True).hash() == first.hash()


def test_every_folder_that_photos_were_found_in_is_written(tmp_path):
    (tmp_path / "files" / "holiday").mkdir(parents=True)
    (tmp_path / "files" / "holiday" / "a.jpg").touch()
    result = {"from_name": "tags", "value": {"choices": ["dog"]}}
    data = {"image": "/data/local-files/?d=holiday/a.jpg"}
    tasks = [{"annotations": [{"result": [result]}], "data": data}]
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    files = ReadOptions(label_studio_files=tmp_path / "files")
    first = read_annotations(tmp_path / "project.json", options=files)
    (tmp_path / "data.toml").write_text(first.origin.toml())
    again = read_annotations(tmp_path / "data.toml")
    assert again.relative_names == first.relative_names == ("holiday/a.jpg",)
    nowhere = ReadOptions(label_studio_files=tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"as `label_studio_files`, got .*nowhere, which is none"):
        read_annotations(tmp_path / "project.json", options=nowhere)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("source = 3", "expected a source and a format of labels, got"),
        ('source = 3\nformat = "coco"', "expected text as source, got 3"),
        ('source = "a"\nformat = "coco"\nimage = "b"', r"got \['image'\]"),
        ('source = "a"\nformat = "coco"\ncolumns = 3', "expected entries among .*, got 3"),
        ('source = "a"\nformat = "b"\n[columns]\nignore = [3]', "expected text as ignore in"),
        ('source = "a"\nformat = "b"\ndifficult = "maybe"', "`difficult` to be one of"),
        ('source = "no"\nformat = "coco"', "labels at .*no, which does not exist"),
        ("source =", "expected TOML"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, content, message):
    file = tmp_path / "data.toml"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_annotations(file)


UNUSUAL = {
    "a column for each photo.csv": "image,1.png,2.png\nred,1,0\nsea,0,1\n",
    "a column for each photo and lists.csv": "image,1.png,2.png\nlabels,red;sea,sea\n",
    "a row for each label.txt": "red: 1.png, 2.png\nsea: 2.png\n",
    "a row for each label, with a header.csv": "label,photos\nred,1.png;2.png\nsea,2.png\n",
    "names without endings.json": '{"1": ["red"], "2": ["red", "sea"]}',
    "photos by label without endings.json": '{"red": ["1", "2"], "sea": ["2"]}',
    "comments.json": '// mine\n[{"image": "1.png", "tags": ["red"]}, /* and */ {"image": "2.png", '
    '"tags": ["sea"]},]',
    "a photo by its value.json": '[{"id": 3, "src": "1.png", "tags": ["red"]}]',
    "another column of photos.csv": "path,file,tags\na/9.png,1.png,red\na/8.png,2.png,sea\n",
    "an id beside an address.csv": "fileId,tags,url\n2,red,https://x.org/9.jpg\n1,sea,"
    "https://x.org/8.jpg\n",
}
"""Layouts of which only their content says what they are, by the names of their files."""


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_layout_is_read_again_as_it_was_read(tmp_path, name):
    for photo in ("1.png", "2.png"):
        (tmp_path / photo).touch()
    (tmp_path / name).write_text(UNUSUAL[name])
    first = read_annotations(tmp_path / name)
    assert all(path.is_file() for path in first.paths)
    file = tmp_path / "data.toml"
    file.write_text(first.origin.toml())
    assert read_annotations(file).hash() == first.hash()
