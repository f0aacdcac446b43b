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
