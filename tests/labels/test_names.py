import pytest

from tagsight.errors import DataError
from tagsight.labels.names import named_labels


@pytest.mark.parametrize(("order", "labels"), [("coco", 80), ("voc", 20), ("nus", 81)])
def test_known_orders_are_alphabetical(order, labels):
    names = named_labels(order)
    assert len(set(names)) == labels
    assert list(names) == sorted(names)


def test_names_come_with_commas_or_a_line_each(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("\ufeffcat\n\n dining   table \n", encoding="utf-8")
    assert named_labels(str(file)) == named_labels("cat, dining table") == ("cat", "dining table")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected UTF-8 text with one label per line"):
        named_labels(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat,dog,cat", r"expected each label once, got \['cat'\] in 'cat,dog,cat'"),
        (",", "expected each label once, got none in ','"),
        ("none.txt", "expected labels as coco, voc, nus, a file with one name per line, or names"),
        ("a\x1b,b", "without control characters"),
    ],
)
def test_names_that_are_none_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        named_labels(text)
