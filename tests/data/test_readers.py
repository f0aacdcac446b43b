"""What every reader promises; a new one joins by its line in `FORMATS` and its example."""

import shutil
from functools import cache
from pathlib import Path

import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_collections import EXAMPLES, PHOTOS, PHOTOS_INSIDE

from tagsight.data.format import DEFAULTS, Columns, ReadOptions
from tagsight.data.readers import FORMATS, read_annotations
from tagsight.data.source import photo_name
from tagsight.errors import DataError


def test_names_targets_splits_and_photos_survive(complete_example):
    source, files = complete_example.source, complete_example.files
    fitting = [name for name, reader in FORMATS.items() if reader.recognises(source)]
    rows = read_annotations(str(source))
    assert fitting == [rows.format] == [complete_example.format]
    assert rows.names == complete_example.names
    splits = complete_example.splits or [None] * len(files)
    assert {
        path: (target, split)
        for path, target, split in zip(
            rows.paths, rows.targets.tolist(), rows.splits or [None] * len(files), strict=True
        )
    } == {
        complete_example.path_of(file): (list(target), split)
        for file, target, split in zip(files, complete_example.targets, splits, strict=True)
    }


def test_links_in_a_circle_beside_the_labels_change_nothing(complete_example):
    before = read_annotations(complete_example.source)
    for folder in {
        complete_example.photos,
        *(file.parent for file in complete_example.label_files),
    }:
        for name in ("latest", "0.jpg", "notes.txt", "old.tar.gz"):
            if folder.is_dir():
                (folder / name).symlink_to(name)
    after = read_annotations(complete_example.source)
    assert (after.paths, after.hash()) == (before.paths, before.hash())


def test_photos_without_a_label_are_kept_or_dropped_as_the_user_says(complete_example):
    rows = zip(complete_example.files, complete_example.targets, strict=True)
    labelled = {file for file, row in rows if 1 in row}
    for unlabelled, expected in (("keep", set(complete_example.files)), ("drop", labelled)):
        rows = read_annotations(
            complete_example.source, labels_only=True, options=ReadOptions(unlabelled=unlabelled)
        )
        assert {path.name for path in rows.paths} == {Path(file).name for file in expected}


def test_photos_are_found_in_another_folder_when_told_and_may_be_missing(
    complete_example, tmp_path
):
    if complete_example.format in PHOTOS_INSIDE:
        return
    complete = read_annotations(complete_example.source)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in (complete_example.files[0], complete_example.files[: len(PHOTOS)][-1]):
        complete_example.path_of(name).rename(elsewhere / name)
    assert read_annotations(complete_example.source).paths == complete.paths
    rows = read_annotations(complete_example.source, images=str(elsewhere))
    assert {path.parent for path in rows.paths} == {elsewhere}
    assert rows.targets.equal(complete.targets)


def test_the_hash_does_not_tell_where_the_data_lie(complete_example, tmp_path):
    source = complete_example.source
    shutil.copytree(tmp_path / "data", tmp_path / "copy" / "deeper")
    copy = tmp_path / "copy" / "deeper" / source.relative_to(tmp_path / "data")
    assert read_annotations(copy).hash() == read_annotations(source).hash()


def test_photos_that_are_all_missing_are_named_with_the_folders_tried(bare_example):
    message = rf"found none of .*{bare_example.photos}.*; give their folder as `images`"
    with pytest.raises(DataError, match=message):
        read_annotations(bare_example.source)
    assert read_annotations(bare_example.source, labels_only=True).names == bare_example.names


@pytest.mark.parametrize("name", ["../x.jpg", "a\x1b[2J.jpg", "x" * 5000 + ".jpg"])
def test_malicious_paths_are_refused_or_missing(renamed_example, name):
    with pytest.raises(
        DataError, match=r"inside the folder|found none|well-formed XML|control char"
    ):
        read_annotations(renamed_example([name, *PHOTOS[1:]]).source)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg"],
)
def test_names_that_lead_out_of_the_folder_are_refused(name):
    with pytest.raises(DataError, match=r"^labels.csv:3: expected a photo's path inside"):
        photo_name(name, "labels.csv:3")
    assert photo_name(" ./a//b.jpg ", "here") == "a/b.jpg"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_source_of_another_kind_is_refused(tmp_path, format_):
    reader = FORMATS[format_]
    file = tmp_path / "note.md"
    file.write_text("Nothing of the kind.\n")
    for source in (file, tmp_path, tmp_path / "nothing"):
        assert not reader.recognises(source)
        with pytest.raises(DataError):
            reader.read(source, DEFAULTS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The source of an example of a format, the content of its label files, an empty folder."""

    @cache
    def of(format_: str) -> tuple[Path, dict[Path, bytes], Path]:
        example = EXAMPLES[format_](tmp_path_factory.mktemp("damaged"), PHOTOS)
        files = {file: file.read_bytes() for file in example.label_files}
        return example.source, files, tmp_path_factory.mktemp("empty")

    return of


@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=10)
@given(content=st.binary(), keep=st.integers(0, 200))
@example(content=b"", keep=0)
@example(content=b"\0\0\0{\0", keep=0)
def test_malicious_bytes_after_a_sound_beginning_are_refused_with_a_message(
    sound, format_, content, keep
):
    source, files, empty = sound(format_)
    for file, whole in files.items():
        file.write_bytes(whole[:keep] + content)
    for reader in FORMATS.values():
        reader.recognises(source)
    with pytest.raises(DataError):
        read_annotations(source, format=format_, images=empty)


@pytest.mark.parametrize(
    ("name", "content", "expected", "others"),
    [
        ("labels.xml", "<labels/>", "begins with b'<labels/>'; 'tagsight formats' lists", " as "),
        ("a.csv", "x,y\n1,2\n", "as a table: expected a header with a column 'image'", "coco"),
        (
            "a.csv",
            "lesion,photo,dx,dx_type,age\nl1,a.jpg,nevus,histo,8\n",
            "as a table: expected one column of labels beside the photo and the split, got "
            "'lesion', 'dx', 'dx_type', 'age'; name it with `labels_column`",
            "expected 1, 0",
        ),
        ("a.json", "[]", "as coco: expected an object with 'images'", "csv"),
    ],
)
def test_a_source_of_no_format_is_told_what_the_nearest_one_lacks(
    tmp_path, name, content, expected, others
):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        read_annotations(tmp_path / name)
    told = str(caught.value)
    assert expected in told
    assert others not in told
    assert "\n" not in told  # a line break would be escaped on the terminal


@pytest.mark.parametrize("place", ["images", "photos", "img", "JPEGImages"])
@pytest.mark.parametrize("format_", ["csv-list", "json-records", "label-studio", "mmpretrain"])
def test_photos_are_in_the_usual_folders_beside_a_file_of_any_format(tmp_path, format_, place):
    source = EXAMPLES[format_](tmp_path, PHOTOS).source
    for photo in PHOTOS:
        (tmp_path / place / photo).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place / photo).touch()
    found = read_annotations(source)
    assert {path.name for path in found.paths} == set(PHOTOS)
    assert all(path.is_file() for path in found.paths)


@pytest.mark.parametrize("beside", [None, "notes.txt", "settings.json", "a.caption"])
def test_a_folder_of_photos_without_labels_is_told_what_to_do(tmp_path, beside):
    (tmp_path / "a.jpg").touch()
    if beside:
        (tmp_path / beside).write_text("A dog sits on the grass.")
    ways = r"--template labels.csv' begins, or .* 'tagsight label FOLDER'"
    with pytest.raises(DataError, match=rf"beside the 1 photo in .* {ways}") as caught:
        read_annotations(tmp_path)
    assert "expected a file at" not in str(caught.value)
    assert ("sentences only" in str(caught.value)) == (beside == "a.caption")


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("nothing", {}, "labels at .*nothing, which does not exist"),
        ("two", {"images": "nothing"}, "a folder of photos as `images`, got nothing"),
        ("two", {"format": "xml"}, r"a format among \['csv-columns', .*, got 'xml'"),
        ("two", {}, r"got \['coco', 'voc'\]; choose one with `format`"),
        ("none", {}, "is a folder with holiday"),
        ("empty.csv", {}, "is an empty file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, source, arguments, message):
    for name in ("two", "none/holiday"):
        (tmp_path / name).mkdir(parents=True)
    for format_ in ("coco", "voc"):
        EXAMPLES[format_](tmp_path / "two", PHOTOS)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path / source, **arguments)


@pytest.mark.parametrize("format_", ["coco", "voc", "yolo", "split-folders"])
def test_keywords_of_photos_do_not_hide_what_a_file_says_of_them(tmp_path, format_):
    source = EXAMPLES[format_](tmp_path, PHOTOS).source
    for photo in (*source.rglob("*.jpg"), source / "a.jpg"):
        photo.touch()
        photo.with_suffix(".xmp").write_text("<x/>")
    assert FORMATS["photo-tags"].recognises(source)
    assert read_annotations(source, labels_only=True).format == format_


def test_a_photo_anywhere_in_the_list_shows_the_folder(tmp_path):
    rows = "".join(f"{index}.jpg,1,0\n" for index in range(50))
    (tmp_path / "labels.csv").write_text(f"image,cat,dog\n{rows}")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "40.jpg").touch()
    rows = read_annotations(tmp_path / "labels.csv")
    assert rows.paths[0] == tmp_path / "images" / "0.jpg"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train.tfrecord-00000-of-00010", "TFRecord, .*: write the photos to a folder"),
        ("labels.pkl", "a pickle, which could run code"),
    ],
)
def test_files_that_pack_photos_are_refused_with_what_to_do(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"\x0a\x00\x00\x00packed")
    for source in [tmp_path / name, *([tmp_path] if "tfrecord" in name else [])]:
        with pytest.raises(DataError, match=message):
            read_annotations(source)


def test_columns_are_named_where_there_are_some_and_refused_with_the_reason_elsewhere(
    complete_example,
):
    format_ = FORMATS[complete_example.format]
    options = ReadOptions(columns=Columns(image_column="nowhere"))
    reason = "'nowhere'" if format_.has_columns else "which has no columns"
    if complete_example.format in {*PHOTOS_INSIDE, "label-studio"}:  # of which tables have some
        reason = "no columns"
    with pytest.raises(DataError, match=reason):
        read_annotations(complete_example.source, options=options)


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_a_column_of_any_name_is_the_photo_if_it_is_named(tmp_path, ending):
    rows = pandas.DataFrame({"shot": ["a.jpg", "b.jpg"], "seen": ["dog|sky", "sky"], "n": [3, 4]})
    file = tmp_path / f"rows.{ending}"
    if ending.startswith("json"):
        rows.to_json(file, orient="records", lines=ending == "jsonl")
    elif ending == "csv":
        rows.to_csv(file)
    else:
        rows.to_parquet(file)
    columns = Columns(image_column="shot", labels_column="seen")
    found = read_annotations(file, labels_only=True, options=ReadOptions(columns=columns))
    assert (found.names, found.targets.tolist()) == (("dog", "sky"), [[1, 1], [0, 1]])
    assert [path.name for path in found.paths] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("place", ["", "set/data/"])
def test_splits_are_those_of_the_folders_if_nothing_else_says_them(tmp_path, caplog, place):
    names = [f"{place}{name}" for name in ("Train/a.jpg", "Train/x/b.jpg", "validation/a.jpg")]
    rows = "".join(f"{name},sky\n" for name in names)
    (tmp_path / "labels.csv").write_text(f"image,labels\n{rows}")
    with caplog.at_level("INFO"):
        annotations = read_annotations(tmp_path / "labels.csv", labels_only=True)
    assert annotations.splits == ("train", "train", "val")
    assert "the splits are those of the folders train, validation" in caplog.text
    told = "".join(f"{name},sky,test\n" for name in names)
    (tmp_path / "labels.csv").write_text(f"image,labels,split\n{told}")
    assert set(read_annotations(tmp_path / "labels.csv", labels_only=True).splits) == {"test"}


@pytest.mark.parametrize("names", [["train/a.jpg"], ["train/a.jpg", "x/a.jpg"], ["train.jpg"]])
def test_a_folder_alone_makes_no_split(tmp_path, names):
    rows = "".join(f"{name},sky\n" for name in names)
    (tmp_path / "labels.csv").write_text(f"image,labels\n{rows}")
    assert read_annotations(tmp_path / "labels.csv", labels_only=True).splits is None
