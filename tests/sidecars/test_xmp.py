from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.errors import DataError
from tagsight.sidecars.edit import Addition, Stamp, Tag
from tagsight.sidecars.xmp import (
    PROPERTIES,
    RECORD,
    add_keywords,
    is_blank,
    keywords,
    remove_keywords,
)

STAMP = Stamp("first 1a2b", "2026-11-25T08:00:00+00:00")
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

DARKTABLE = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="3"
   darktable:note="a > b, 'c'">
   <dc:subject>
    <rdf:Seq>
     <rdf:li>holiday</rdf:li>
     <rdf:li>Dog</rdf:li>
    </rdf:Seq>
   </dc:subject>
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
ONE_LINE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-'
    b'ns#"><r:Description r:about="" a:b="x>y" xmlns:a="urn:a"/></r:RDF></x:xmpmeta>'
)
EMPTY_RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
EMPTY_BAG = ONE_LINE.replace(
    b"/></r:RDF>",
    b'><dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/"><r:Bag/></dc:subject>'
    b"</r:Description></r:RDF>",
)
MARKED = b"\xef\xbb\xbf" + DARKTABLE
SIDECARS = {
    "none": None,
    "darktable": DARKTABLE,
    "with mark": MARKED,
    "with carriage returns": DARKTABLE.replace(b"\n", b"\r\n"),
    "one line": ONE_LINE,
    "empty RDF": EMPTY_RDF,
    "empty bag": EMPTY_BAG,
}
every_sidecar = pytest.mark.parametrize("before", SIDECARS.values(), ids=SIDECARS)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12).filter(
    lambda name: name.rpartition("/")[2].strip() and "/" not in (name[0], name[-1])
)


def added(before: bytes | None, *names: str, declined: tuple[str, ...] = ()) -> bytes:
    edit = add_keywords(before, [Tag(name, 0.9) for name in names], STAMP, declined=declined)
    assert edit is not None
    return edit.content


def values(content: bytes, name: str) -> list[str]:
    """The items of an array, read by another parser."""
    root = ElementTree.fromstring(content)
    namespace, local = PROPERTIES[name].namespace, name.partition(":")[2]
    (found,) = root.iter(f"{{{namespace}}}{local}")
    (array,) = found
    return [item.text or "" for item in array]


@every_sidecar
def test_labels_come_behind_what_is_there_in_all_four_arrays(before: bytes | None):
    content = added(before, "animal/cat", "a < b & c")
    for name, cat in {
        "dc:subject": "cat",
        "lr:hierarchicalSubject": "animal|cat",
        "digiKam:TagsList": "animal/cat",
        "MicrosoftPhoto:LastKeywordXMP": "animal/cat",
    }.items():
        assert values(content, name)[-2:] == [cat, "a < b & c"]


def test_microsofts_array_is_found_under_both_its_names():
    content = added(None, "cat").replace(b'/photo/1.0"', b'/photo/1.0/"')
    assert added(content, "dog").count(b"<MicrosoftPhoto:LastKeywordXMP") == 1


def test_new_arrays_are_of_the_kinds_that_photo_managers_expect():
    text = added(None, "cat").decode()
    root = ElementTree.fromstring(text)
    kinds = {
        name: next(iter(next(root.iter(f"{{{p.namespace}}}{name.partition(':')[2]}")))).tag
        for name, p in PROPERTIES.items()
    }
    assert kinds.pop("digiKam:TagsList") == RDF + "Seq"
    assert set(kinds.values()) == {RDF + "Bag"}


def test_the_record_has_name_score_model_and_date():
    text = added(None, "animal/cat").decode()
    assert (
        "<tagsight:Name>animal/cat</tagsight:Name><tagsight:Score>0.9000</tagsight:Score>"
        "<tagsight:Model>first 1a2b</tagsight:Model>"
        "<tagsight:Date>2026-11-25T08:00:00+00:00</tagsight:Date>"
    ) in text


@pytest.mark.parametrize("name", ["darktable", "with mark", "with carriage returns"])
def test_what_was_there_is_there_to_the_byte(name: str):
    before = SIDECARS[name]
    assert before is not None
    edit = add_keywords(before, [Tag("cat", 0.9)], STAMP)
    assert edit is not None
    assert remove_keywords(edit.content, edit.additions) == before
    lines = edit.content.splitlines(keepends=True)
    assert [line for line in before.splitlines(keepends=True) if line not in lines] == []


@pytest.mark.parametrize("name", ["one line", "empty RDF"])
def test_an_empty_element_is_opened_and_nothing_else_changes(name: str):
    before = SIDECARS[name]
    assert before is not None
    edit = add_keywords(before, [Tag("cat", 0.9)], STAMP)
    assert edit is not None
    head, _, tail = before.rpartition(b"/>")
    assert edit.content.startswith(head + b">")
    assert edit.content.endswith(tail)


@every_sidecar
def test_a_second_time_changes_nothing(before: bytes | None):
    content = added(before, "cat", "animal/dog bird")
    assert add_keywords(content, [Tag("cat", 0.4), Tag("animal/dog bird", 0.8)], STAMP) is None


def test_a_keyword_of_a_person_is_not_doubled_and_not_recorded_as_ours():
    assert add_keywords(DARKTABLE, [Tag("animal/dog", 0.9)], STAMP) is None
    content = added(DARKTABLE, "dog", "cat")
    assert values(content, "dc:subject") == ["holiday", "Dog", "cat"]
    assert b"<tagsight:Name>cat<" in content
    assert b"<tagsight:Name>dog<" not in content


def test_a_keyword_that_a_person_took_out_is_not_put_back():
    content = added(DARKTABLE, "cat", "bird")
    without = content.replace(b"\n     <rdf:li>cat</rdf:li>", b"")
    assert keywords(without) == ["holiday", "Dog", "bird"]
    assert add_keywords(without, [Tag("cat", 0.9), Tag("bird", 0.9)], STAMP) is None
    edit = add_keywords(without, [Tag("cat", 0.9), Tag("horse", 0.9)], STAMP)
    assert edit is not None
    assert edit.names == ("horse",)


def test_a_label_that_is_declined_is_not_put_there():
    assert keywords(added(None, "cat", "dog", declined=("Cat",))) == ["dog"]


@settings(deadline=None, max_examples=50)
@given(st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: name.casefold()))
def test_any_name_is_read_back_as_it_is(names: list[str]):
    content = added(DARKTABLE, *names)
    ours = [name.rpartition("/")[2] for name in names]
    there = {word.casefold() for word in ("holiday", "Dog")}
    new = list(dict.fromkeys(name for name in ours if name.casefold() not in there))
    assert {w.casefold() for w in keywords(content)} >= {w.casefold() for w in new}


def test_what_came_since_stays_when_ours_is_taken_out():
    edit = add_keywords(DARKTABLE, [Tag("cat", 0.9), Tag("bird", 0.8)], STAMP)
    assert edit is not None
    since = edit.content.replace(
        b"<rdf:li>bird</rdf:li>", b"<rdf:li>bird</rdf:li><rdf:li>me</rdf:li>"
    )
    left = remove_keywords(since, edit.additions)
    assert keywords(left) == ["holiday", "Dog", "me"]
    assert RECORD.encode() not in left


def test_of_a_file_of_ours_nothing_is_left():
    edit = add_keywords(None, [Tag("cat", 0.9)], STAMP)
    assert edit is not None
    assert is_blank(remove_keywords(edit.content, edit.additions))
    assert not is_blank(edit.content)
    assert remove_keywords(edit.content, [Addition("dc:subject", "dog")]) == edit.content


BOMB = b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected XML in UTF-8"),
        (b"just text", "expected XML in UTF-8"),
        (DARKTABLE[:-20], "expected well-formed XML"),
        (DARKTABLE.decode().encode("utf-16"), "expected XML in UTF-8"),
        (DARKTABLE.replace(b"UTF-8", b"ISO-8859-1"), "expected XML in UTF-8, got ISO-8859-1"),
        (BOMB, "got XML with a document type"),
        (b"<a>" * 200 + b"</a>" * 200, "at most 100 elements within one another"),
        (b"<svg/>", "with one rdf:RDF, got 0"),
        (DARKTABLE.replace(b"xmp:Rating", b"dc:subject"), "dc:subject as an array, got it as an"),
        (DARKTABLE.replace(b"rdf:Seq>", b"rdf:Any>"), "dc:subject as a Bag or Seq"),
        (b" " * (2**24 + 1), "at most 16,777,216 bytes"),
    ],
)
def test_what_is_no_xmp_is_refused(content: bytes, message: str):
    with pytest.raises(DataError, match=message):
        add_keywords(content, [Tag("cat", 0.9)], STAMP)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@every_sidecar
def test_exiftool_finds_nothing_wrong(before: bytes | None, tmp_path: Path):
    file = tmp_path / "photo.jpg.xmp"
    file.write_bytes(added(before, "animal/cat", "a < b"))
    told = subprocess.run(
        ["exiftool", "-validate", "-warning", "-error", "-a", "-Subject", "-TagsList", file],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Validate                        : OK" in told, told
    assert "animal/cat" in told
