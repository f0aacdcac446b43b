"""What every reader promises; a new one joins by its line in `READERS` and its example."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_collections import EXAMPLES, PHOTOS

from tagsight.data.readers import READERS, read_annotations
from tagsight.data.source import photo_name
from tagsight.errors import DataError


def test_links_in_a_circle_beside_the_labels_change_nothing(complete_example) -> None:
    before = read_annotations(complete_example.source)
    folders = {complete_example.photos, *(file.parent for file in complete_example.label_files)}
    for folder in folders:
        for name in ("latest", "0.jpg", "notes.txt", "old.tar.gz"):
            if folder.is_dir():
                (folder / name).symlink_to(name)
    after = read_annotations(complete_example.source)
    assert after.paths == before.paths
    assert after.targets.equal(before.targets)


def test_names_targets_splits_and_photos_survive(complete_example) -> None:
    fitting = [
        name for name, reader in READERS.items() if reader.recognises(complete_example.source)
    ]
    assert fitting == [complete_example.format]
    annotations = read_annotations(str(complete_example.source))
    rows = dict(zip(annotations.paths, annotations.targets.tolist(), strict=True))
    written = dict(zip(complete_example.files, map(list, complete_example.targets), strict=True))
    assert annotations.format == complete_example.format
    assert annotations.names == complete_example.names
    assert rows == {complete_example.path_of(name): row for name, row in written.items()}
    if complete_example.splits is None:
        assert annotations.splits is None
    else:
        splits = dict(zip((p.name for p in annotations.paths), annotations.splits, strict=True))
        assert splits == dict(zip(complete_example.files, complete_example.splits, strict=True))


def test_photos_without_a_label_are_kept_or_dropped_as_the_user_says(write_example) -> None:
    example = write_example()
    labelled = {file for file, row in zip(example.files, example.targets, strict=True) if 1 in row}
    for unlabelled, expected in (("keep", set(example.files)), ("drop", labelled)):
        rows = read_annotations(example.source, labels_only=True, unlabelled=unlabelled)
        assert {path.name for path in rows.paths} == expected
    assert labelled < set(example.files)


def test_photos_are_found_in_another_folder_when_told_and_may_be_missing(
    example_of_files, tmp_path
) -> None:
    example = example_of_files
    complete = read_annotations(example.source)
    (tmp_path / "elsewhere").mkdir()
    for name in (example.files[0], example.files[4]):
        (example.photos / name).rename(tmp_path / "elsewhere" / name)
    assert read_annotations(example.source).paths == complete.paths
    annotations = read_annotations(example.source, images=str(tmp_path / "elsewhere"))
    assert {path.parent for path in annotations.paths} == {tmp_path / "elsewhere"}
    assert annotations.targets.equal(complete.targets)


def test_the_hash_does_not_tell_where_the_data_lie(write_example, tmp_path) -> None:
    example = write_example()
    shutil.copytree(tmp_path / "data", tmp_path / "copy" / "deeper")
    copy = tmp_path / "copy" / "deeper" / example.source.relative_to(tmp_path / "data")
    assert read_annotations(copy).hash() == read_annotations(example.source).hash()


def test_photos_that_are_all_missing_are_named_with_the_folders_tried(bare_example) -> None:
    example = bare_example()
    with pytest.raises(
        DataError, match=r"found none of .*; give their folder as `images`"
    ) as caught:
        read_annotations(example.source)
    assert str(example.photos) in str(caught.value)
    assert read_annotations(example.source, labels_only=True).names == example.names


@pytest.mark.parametrize("name", ["../x.jpg", "a\x1b[2J.jpg", "x" * 5000 + ".jpg"])
def test_malicious_paths_are_refused_or_missing(renamed_example, name) -> None:
    example = renamed_example([name, *PHOTOS[1:]])
    with pytest.raises(DataError, match=r"inside the folder of the photos|found none"):
        read_annotations(example.source)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "a\x1b"],
)
def test_names_that_lead_out_of_the_folder_are_refused(name) -> None:
    with pytest.raises(DataError, match=r"^labels.csv:3: expected a photo's path inside"):
        photo_name(name, "labels.csv:3")
    assert photo_name(" ./a//b.jpg ", "here") == "a/b.jpg"


@pytest.mark.parametrize("format_", READERS)
def test_a_source_of_another_kind_is_refused(tmp_path, format_) -> None:
    reader = READERS[format_]
    assert set(inspect.signature(reader.read).parameters) == {"source", "images", *reader.options}
    file = tmp_path / "note.md"
    file.write_text("Nothing of the kind.\n")
    for source in (file, tmp_path):
        assert not reader.recognises(source)
        with pytest.raises(DataError):
            reader.read(source)
    assert not reader.recognises(tmp_path / "nothing")


@pytest.mark.parametrize("format_", READERS)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(), keep=st.integers(0, 200))
@example(content=b"", keep=0)
def test_malicious_bytes_after_a_sound_beginning_are_refused_with_a_message(
    tmp_path_factory, format_, content, keep
) -> None:
    written = EXAMPLES[format_](tmp_path_factory.mktemp("damaged"), PHOTOS)
    for file in written.label_files:
        file.write_bytes(file.read_bytes()[:keep] + content)
    for reader in READERS.values():
        reader.recognises(written.source)
    with pytest.raises(DataError):
        READERS[format_].read(written.source, images=Path("/nowhere"))


def test_what_fits_no_format_is_shown_beside_what_every_format_expects(tmp_path) -> None:
    file = tmp_path / "labels.xml"
    file.write_text("<labels/>")
    with pytest.raises(DataError, match="begins with b'<labels/>'") as caught:
        read_annotations(file)
    told = str(caught.value)
    assert "\n" not in told  # a line break would be escaped on the terminal
    places = [told.index(f"; {name}: ") for name in READERS]
    assert places == sorted(places)
    assert "expected a header with a column 'image'" in told[places[0] : places[1]]
    assert "expected JSON" in told[places[2] :]


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("nothing", {}, "labels at .*nothing, which does not exist"),
        ("two", {"images": "nothing"}, "a folder of photos as `images`, got nothing"),
        ("two", {"unlabelled": "hide"}, "expected `unlabelled` to be one of .* got 'hide'"),
        ("two", {"format": "xml"}, r"a format among \['csv-columns', .*, got 'xml'"),
        ("two", {}, r"got \['coco', 'voc'\]; choose one with `format`"),
        ("none", {}, "is a folder with holiday"),
        ("empty.csv", {}, "is an empty file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, source, arguments, message) -> None:
    for name in ("two", "none/holiday"):
        (tmp_path / name).mkdir(parents=True)
    for format_ in ("coco", "voc"):
        EXAMPLES[format_](tmp_path / "two", PHOTOS)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path / source, **arguments)


def test_a_photo_anywhere_in_the_list_shows_the_folder(tmp_path) -> None:
    rows = "".join(f"{index}.jpg,1,0\n" for index in range(50))
    (tmp_path / "labels.csv").write_text(f"image,cat,dog\n{rows}")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "40.jpg").touch()
    annotations = read_annotations(tmp_path / "labels.csv")
    assert annotations.paths[0] == tmp_path / "images" / "0.jpg"
