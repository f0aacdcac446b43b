from pathlib import Path

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import FORMATS, read_annotations
from tagsight.errors import DataError


def targets(folder: Path, **texts: str | bytes) -> dict[str, set[str] | None]:
    """The tags of each photo, None if all are unknown; a text is the file beside its photo."""
    for name, content in texts.items():
        stem, _, ending = name.partition("_")
        (folder / f"{stem}.jpg").touch()
        file = folder / f"{stem}.{ending or 'txt'}"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    rows = read_annotations(folder, format="text-tags")
    return {
        path.stem: {name for name, value in zip(rows.names, row, strict=True) if value == 1}
        if 0 in row or 1 in row
        else None
        for path, row in zip(rows.paths, rows.targets.tolist(), strict=True)
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("dog, blue sky", "dog;blue sky"),
        ("dog, blue sky,\r\n", "dog;blue sky"),
        ("dog\nblue sky\n", "dog;blue sky"),
        ("dog, blue sky, beach.", "dog;blue sky;beach"),
        ("dog BREAK blue sky, sea", "dog;blue sky;sea"),
        ("dog, sky\nNegative prompt: ugly, wet\nSteps: 20, Sampler: Euler", "dog;sky"),
        ("dog, St. Bernard, St., U.S.", "dog;St. Bernard;St.;U.S."),
        ("dog,\n,blue  sky", "dog;blue sky"),
        ("dog; blue sky", "dog;blue sky"),
        ("dog|blue sky", "dog;blue sky"),
        ("\ufeffdog", "dog"),
        ("größe, dog".encode("utf-16"), "größe;dog"),
        ("größe, dog".encode("utf-16-le"), "größe;dog"),
        ("größe, dog".encode("utf-16-be"), "größe;dog"),
        ("größe, dog".encode("utf-32"), "größe;dog"),
        ("dog\tblue sky", "dog;blue sky"),
        ("红色，狗、天", "红色;狗;天"),  # noqa: RUF001 - the separators are the point
        ("- dog\n* sky\n3) sea\n", "dog;sky;sea"),
        ("#dog #sky", "dog;sky"),
        ('"dog", "sky, blue"', "dog;sky, blue"),
        ("dog\u200b, \ufeffsky\u00ad", "dog;sky"),
        (r"(dog:1.2), [sky], ((sea)), {a b}, (tree \(old\):0.8)", "dog;sky;sea;a b;tree (old)"),
        ("(dog, sky:1.3), x", "dog;sky;x"),
        ("dog:0.95, sky (0.3)", "dog;sky"),
        ("16:9, f/2.8, :), :d, cat (big), #1", "16:9;f/2.8;:);:d;cat (big);#1"),
        ("A cat, a mouse and a tree are here.\ndog", "dog"),
        ("A red, red rose.\ndog", "dog"),
        ("dog, the grass is green.", "dog"),
        ("größe, dog".encode("cp1252"), "größe;dog"),
        (r"dog \(small\), k-on!, St. Bernard", "dog (small);k-on!;St. Bernard"),
        ("A small dog sits on the grass. dog, grass", "dog;grass"),
        ("a dog that sits on the green grass, dog", "dog"),
        ("guide_dog, sea", "guide_dog;sea"),
    ],
)
def test_tags_are_read_however_programs_write_them(tmp_path, content, expected):
    found = targets(tmp_path, a=content, b="tree", c="", d_caption="tree")
    assert FORMATS["text-tags"].recognises(tmp_path)
    assert found == {"a": set(expected.split(";")), "b": {"tree"}, "c": None, "d": {"tree"}}


@pytest.mark.parametrize("lines", ["a.jpg\nb.jpg\n", "a.jpg 1\nb.jpg -1\n"])
def test_a_list_of_photos_is_no_tags_of_a_photo_called_so(tmp_path, caplog, lines):
    for name, text in {"a": "cat", "b": "cow, cat", "dog": lines}.items():
        (tmp_path / f"{name}.jpg").touch()
        (tmp_path / f"{name}.txt").write_text(text)
    rows = read_annotations(tmp_path, format="text-tags")
    assert (rows.names, rows.targets.tolist()) == (("cat", "cow"), [[1, 0], [1, 1], [-1, -1]])
    assert "1 file left out that list photos" in caplog.text


def test_one_tag_written_in_two_ways_is_one_label(tmp_path):
    found = targets(tmp_path, a="guide_dog, big_tree", b="guide dog", c="guide dog, x_y")
    assert found == {"a": {"guide dog", "big_tree"}, "b": {"guide dog"}, "c": {"guide dog", "x_y"}}


def test_words_between_blanks_are_tags_where_no_file_has_another_separator(tmp_path, caplog):
    texts = {"a": "1girl long_hair", "b": "sky blue_sky", "c": "solo"}
    caplog.set_level("INFO")
    expected = {"a": {"1girl", "long_hair"}, "b": {"sky", "blue_sky"}, "c": {"solo"}}
    assert targets(tmp_path, **texts) == expected
    assert "no separators in the files, and words with _" in caplog.text
    assert targets(tmp_path, c="solo, sky")["a"] == {"1girl long_hair"}


def test_files_in_windows_1252_are_told(tmp_path, caplog):
    targets(tmp_path, a="größe".encode("cp1252"), b="dog")
    assert "1 file not UTF-8, read as Windows-1252, the first being a.txt" in caplog.text


def test_captions_are_told_and_alone_they_are_refused(tmp_path, caplog):
    assert targets(tmp_path, a="A dog sits.", b="dog") == {"a": None, "b": {"dog"}}
    assert "sentences in the files of 1 photo are no tags and left out, such as 'A dog sits.'" in (
        caplog.text
    )
    with pytest.raises(DataError, match=r"got sentences only, such as 'A dog sits\.'"):
        targets(tmp_path, b="The sea is blue.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 0.5 0.5 0.1 0.25\n", "got boxes of numbers, as in label files of YOLO"),
        (f"gsd:0.1\n{'7.0 ' * 8}plane 0\n", "got boxes of numbers, .* DOTA"),
        (f"Car {'0.5 ' * 14}\nDontCare -1 -1 -10 {'5.0 ' * 11}\n", "got boxes .* KITTI"),
        (b"dog\0\0\0", "expected tags in UTF-8, got other bytes: save the file as UTF-8"),
        ("красный".encode("cp1251"), "save the file as UTF-8"),
        ("红色, 猫".encode("gbk"), "save the file as UTF-8"),
        ('{"tags": ["dog"]}', "expected tags, got JSON"),
        ("<!DOCTYPE html><title>404</title>", "expected tags, got XML or a web page"),
        (b"x" * (2**20 + 1), "expected tags, got a file of more than 1,048,576 bytes"),
    ],
)
def test_files_with_something_else_than_tags_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        targets(tmp_path, a=content)
    assert not FORMATS["text-tags"].recognises(tmp_path)


def test_an_encoding_may_be_named(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.txt").write_bytes("红色, 猫".encode("gbk"))
    options = ReadOptions(columns=Columns(encoding="gb18030"))
    rows = read_annotations(tmp_path, options=options, labels_only=True)
    assert set(rows.names) == {"红色", "猫"}
    assert rows.origin.options.columns.encoding == "gb18030"


@pytest.mark.parametrize("texts", ["labels", "captions", "elsewhere"])
def test_files_may_be_in_a_folder_for_the_photos_of_another(tmp_path, texts):
    for name, text in {"a": "dog, sky", "b": "sky"}.items():
        for folder, ending, content in (("images", "jpg", ""), (texts, "txt", text)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.{ending}").write_text(content)
    found = read_annotations(tmp_path / texts, images=tmp_path / "images")
    assert (found.format, found.names, found.targets.tolist()) == (
        "text-tags",
        ("dog", "sky"),
        [[1, 1], [0, 1]],
    )
    if texts != "elsewhere":
        assert read_annotations(tmp_path).targets.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("line", ["a.jpg", "a"])
def test_lists_of_photos_beside_files_of_tags_are_told(tmp_path, caplog, line):
    for name, text in {"a.txt": "dog, sky", "b.txt": "sky", "cat.txt": f"{line}\n"}.items():
        (tmp_path / name).write_text(text)
    for photo in ("a.jpg", "b.jpg"):
        (tmp_path / photo).touch()
    assert read_annotations(tmp_path).names == ("dog", "sky")
    assert "cat.txt not read, which list photos instead of tags" in caplog.text
