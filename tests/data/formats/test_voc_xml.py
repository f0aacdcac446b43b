import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations


def annotation(*objects, photo="old name.png"):
    inside = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult></object>"
        for name, difficult in objects
    )
    return f"<annotation><filename>{photo}</filename>{inside}</annotation>"


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            file = tmp_path / f"{name.replace('__', '/')}.xml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("difficult", "expected"), [(None, [-1, 1]), ("present", [1, 1]), ("absent", [0, 1])]
)
def test_a_label_is_doubtful_if_all_its_objects_are_difficult(write, difficult, expected):
    objects = [("cat", 1), ("dog", 1), ("dog", 0)]
    source = write(Annotations__a=annotation(*objects), Annotations__b=annotation())
    options = ReadOptions(difficult=difficult)
    rows = read_annotations(source, labels_only=True, options=options)
    assert (rows.format, rows.names) == ("voc-xml", ("cat", "dog"))
    assert rows.targets.tolist() == [expected, [0, 0]]


def test_a_photo_is_called_as_its_file_with_the_ending_that_stands_in_it(write):
    rows = read_annotations(write(a=annotation(("cat", 0))), labels_only=True)
    assert [path.name for path in rows.paths] == ["a.png"]


def test_folders_are_splits_and_lists_are_too(write, caplog):
    source = write(train__a=annotation(("cat", 0)), valid__b=annotation(("dog", 0)))
    rows = read_annotations(source, labels_only=True)
    assert rows.splits == ("train", "val")
    assert [path.relative_to(source).as_posix() for path in rows.paths] == [
        "train/a.png",
        "valid/b.png",
    ]
    source = write(
        Annotations__a=annotation(("cat", 0)),
        Annotations__b=annotation(("dog", 0)),
        Annotations__c=annotation(("cow", 0)),
    )
    main = source / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (main / "trainval.txt").write_text("a\n")
    (main / "test.txt").write_text("b\n")
    assert read_annotations(source, labels_only=True).splits == ("train", "test")
    assert "1 file left out, which no list in ImageSets names" in caplog.text


def test_endings_folders_and_words_may_be_written_otherwise(write, tmp_path):
    write(Annotations__x__a=annotation(("cat", "True")), Annotations__y__b=annotation(("dog", 0)))
    (tmp_path / "Annotations/y/b.xml").rename(tmp_path / "Annotations/y/b.XML")
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[-1, 0], [0, 1]])
    assert rows.relative_names == ("x/a.png", "y/b.png")


def test_an_object_that_was_deleted_is_none(write):
    gone = "<object><name>dog</name><deleted>1</deleted></object></annotation>"
    text = annotation(("cat", 0)).replace("</annotation>", gone)
    rows = read_annotations(write(a=text), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("cat",), [[1]])


def test_lists_may_name_photos_with_any_ending(write, tmp_path):
    write(Annotations__a=annotation(("cat", 0)), Annotations__b=annotation(("dog", 0)))
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for split, photo in (("train", "a.png"), ("val", "b.JPEG")):
        (tmp_path / "ImageSets" / "Main" / f"{split}.txt").write_text(f"{photo}\n")
    assert read_annotations(tmp_path, labels_only=True).splits == ("train", "val")


@pytest.mark.parametrize("photos", ["JPEGImages", "."])
def test_photos_without_a_file_are_counted(write, photos, caplog):
    caplog.set_level("INFO")
    source = write(**{"Annotations__a" if photos == "JPEGImages" else "a": annotation(("cat", 0))})
    (source / photos).mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg", "c.PNG", "notes.txt"):
        (source / photos / name).touch()
    assert read_annotations(source, labels_only=True).names == ("cat",)
    assert "2 photos without a file of objects left out" in caplog.text
