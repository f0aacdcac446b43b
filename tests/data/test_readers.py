"""What every reader promises; a new one joins by its line in `READERS` and its example."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_collections import EXAMPLES, PHOTOS

from tagsight.data.readers import READERS, read_annotations
from tagsight.errors import DataError


def test_the_content_alone_tells_the_format(example) -> None:
    fitting = [name for name, reader in READERS.items() if reader.recognises(example.source)]
    assert fitting == [example.format]
    assert read_annotations(example.source).format == example.format


def test_links_in_a_circle_beside_the_labels_change_nothing(example) -> None:
    before = read_annotations(example.source)
    folders = {example.photos, *(file.parent for file in example.label_files)}
    for folder in folders:
        for name in ("latest", "0.jpg", "notes.txt", "old.tar.gz"):
            if folder.is_dir():
                (folder / name).symlink_to(name)
    after = read_annotations(example.source)
    assert after.paths == before.paths
    assert after.targets.equal(before.targets)


def test_names_targets_splits_and_photos_survive(example) -> None:
    annotations = read_annotations(example.source)
    rows = dict(zip(annotations.paths, annotations.targets.tolist(), strict=True))
    written = dict(zip(example.files, map(list, example.targets), strict=True))
    assert annotations.names == example.names
    assert rows == {example.path_of(name): row for name, row in written.items()}
    if example.splits is None:
        assert annotations.splits is None
    else:
        splits = dict(zip((p.name for p in annotations.paths), annotations.splits, strict=True))
        assert splits == dict(zip(example.files, example.splits, strict=True))


def test_labels_are_read_without_photos_if_nobody_needs_them(bare_example) -> None:
    example = bare_example()
    annotations = read_annotations(example.source, labels_only=True)
    assert annotations.names == example.names
    rows = dict(zip(annotations.paths, annotations.targets.tolist(), strict=True))
    assert {path.name: tuple(row) for path, row in rows.items()} == dict(
        zip(example.files, example.targets, strict=True)
    )


def test_photos_without_a_label_are_kept_or_dropped_as_the_user_says(write_example) -> None:
    example = write_example()
    labelled = {file for file, row in zip(example.files, example.targets, strict=True) if 1 in row}
    for unlabelled, expected in (("keep", set(example.files)), ("drop", labelled)):
        rows = read_annotations(example.source, labels_only=True, unlabelled=unlabelled)
        assert {path.name for path in rows.paths} == expected
    assert labelled < set(example.files)


def test_photos_are_found_in_another_folder_when_told(example_of_files, tmp_path) -> None:
    example = example_of_files
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for photo in list(example.photos.glob("*.jpg")):
        photo.rename(elsewhere / photo.name)
    annotations = read_annotations(example.source, images=elsewhere)
    assert {path.parent for path in annotations.paths} == {elsewhere}


def test_the_hash_does_not_tell_where_the_data_lie(write_example, tmp_path) -> None:
    example = write_example()
    shutil.copytree(tmp_path / "data", tmp_path / "copy" / "deeper")
    copy = tmp_path / "copy" / "deeper" / example.source.relative_to(tmp_path / "data")
    assert read_annotations(copy).hash() == read_annotations(example.source).hash()


def test_a_missing_photo_is_no_matter_of_the_reader(example_of_files) -> None:
    example = example_of_files
    (example.photos / example.files[0]).unlink()
    (example.photos / example.files[4]).unlink()
    assert len(read_annotations(example.source)) == len(example.files)


def test_photos_that_are_all_missing_are_named_with_the_folders_tried(bare_example) -> None:
    example = bare_example()
    with pytest.raises(DataError, match="found none") as caught:
        read_annotations(example.source)
    assert str(example.photos) in str(caught.value)
    assert "give their folder as `images`" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "a\x1b[2J.jpg"],
)
def test_malicious_paths_out_of_the_folder_are_refused(renamed_example, name) -> None:
    example = renamed_example([name, *PHOTOS[1:]])
    with pytest.raises(DataError, match="inside the folder of the photos"):
        read_annotations(example.source)


def test_names_that_are_too_long_for_a_file_system_are_missing_photos(renamed_example) -> None:
    example = renamed_example([f"{letter * 5000}.jpg" for letter in "abcde"])
    with pytest.raises(DataError, match="found none"):
        read_annotations(example.source)


def test_empty_files_are_refused(example) -> None:
    for file in example.label_files:
        file.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        READERS[example.format].read(example.source)


@pytest.mark.parametrize("format_", READERS)
def test_a_source_of_another_kind_is_refused(tmp_path, format_) -> None:
    file = tmp_path / "note.md"
    file.write_text("Nothing of the kind.\n")
    assert not READERS[format_].recognises(file)
    with pytest.raises(DataError):
        READERS[format_].read(file)
    assert not READERS[format_].recognises(tmp_path / "nothing")
    assert not READERS[format_].recognises(tmp_path)
    with pytest.raises(DataError):
        READERS[format_].read(tmp_path)


@pytest.mark.parametrize("format_", READERS)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(min_size=1), keep=st.integers(0, 200))
def test_malicious_bytes_after_a_sound_beginning_are_refused_with_a_message(
    tmp_path_factory, format_, content, keep
) -> None:
    example = EXAMPLES[format_](tmp_path_factory.mktemp("damaged"), PHOTOS)
    for file in example.label_files:
        file.write_bytes(file.read_bytes()[:keep] + content)
    for reader in READERS.values():
        reader.recognises(example.source)
    with pytest.raises(DataError):
        READERS[format_].read(example.source, images=Path("/nowhere"))


@pytest.mark.parametrize("format_", READERS)
def test_a_reader_takes_the_options_that_its_line_names(format_) -> None:
    reader = READERS[format_]
    taken = set(inspect.signature(reader.read).parameters)
    assert taken == {"source", "images", *reader.options}


def test_an_unknown_meaning_of_unlabelled_is_refused(bare_example) -> None:
    with pytest.raises(DataError, match=r"expected `unlabelled` to be one of .* got 'hide'"):
        read_annotations(bare_example().source, unlabelled="hide")


def test_an_unknown_format_is_named_with_the_known_ones(example) -> None:
    with pytest.raises(DataError, match=r"expected a format among \['csv-columns', .*, got 'xml'"):
        read_annotations(example.source, format="xml")


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


def test_a_folder_that_fits_no_format_is_shown_with_what_it_holds(tmp_path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError, match="is a folder with holiday"):
        read_annotations(tmp_path)


def test_a_folder_that_fits_two_formats_must_be_told_which(tmp_path) -> None:
    for format_ in ("coco", "voc"):
        EXAMPLES[format_](tmp_path, PHOTOS)
    with pytest.raises(DataError, match=r"got \['coco', 'voc'\]; choose one with `format`"):
        read_annotations(tmp_path)


def test_a_photo_anywhere_in_the_list_shows_the_folder(tmp_path) -> None:
    rows = "".join(f"{index}.jpg,1,0\n" for index in range(50))
    (tmp_path / "labels.csv").write_text(f"image,cat,dog\n{rows}")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "40.jpg").touch()
    annotations = read_annotations(tmp_path / "labels.csv")
    assert annotations.paths[0] == tmp_path / "images" / "0.jpg"


def test_an_empty_file_fits_no_format(tmp_path) -> None:
    (tmp_path / "labels.csv").touch()
    with pytest.raises(DataError, match="is an empty file"):
        read_annotations(tmp_path / "labels.csv")


def test_sources_and_folders_that_do_not_exist_are_named(example, tmp_path) -> None:
    with pytest.raises(DataError, match=r"labels at .*nothing, which does not exist"):
        read_annotations(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"a folder of photos as `images`, got .*nothing"):
        read_annotations(example.source, images=tmp_path / "nothing")
