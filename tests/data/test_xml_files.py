import pytest

from tagsight.data import xml_files
from tagsight.data.xml_files import elements, root_name
from tagsight.errors import DataError

BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a><d>&c;</d></a>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "document type, which is not read: remove"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ("<a>" * 40, "more than 32 elements within one another"),
        ("<a><b>" + "<c/>" * 60, "more than 50 elements, attributes and texts in one element"),
        ("<a><b></a>", "well-formed XML, got: mismatched tag"),
        ("", "got an empty file"),
        ("<a>" + " " * 2000 + "</a>", "at most 1,000 bytes"),
    ],
)
def test_hostile_xml_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(xml_files, "MOST_ELEMENTS", 50)
    file = tmp_path / "a.xml"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        list(elements(file, largest=1000))
    assert root_name(file) in {"a", None}


def test_elements_come_one_by_one_with_all_below_them(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_files, "CHUNK", 7)
    file = tmp_path / "a.xml"
    file.write_text('<?xml version="1.0"?>\n<a>x<b n="1"> hi <c>there</c> </b><b n="2"/></a>')
    first, second = elements(file, largest=1000)
    assert (first.attributes, first.text, first.child_text("c")) == ({"n": "1"}, "hi", "there")
    assert (second.name, second.attributes, second.child_text("c")) == ("b", {"n": "2"}, "")
