import codecs
import shutil

import pytest
from programs import ended

from tagsight.data.tags.xmp import OURS, Record, read_keywords
from tagsight.tagging.sidecars.edit import Edit, Stamp, Tag
from tagsight.tagging.sidecars.xmp import (
    add_keywords,
    confirm_keywords,
    keywords,
    remove_keywords,
)

START = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-\
syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
END = "</rdf:Description></rdf:RDF></x:xmpmeta>"
BAG = "<dc:subject>\n<rdf:Bag><rdf:li>Größe</rdf:li></rdf:Bag></dc:subject>"


def sidecar(inside: str, attributes: str = "") -> str:
    return f"{START}{attributes}>{inside}{END}"


def added(content: bytes, *names: str) -> Edit:
    edit = add_keywords(content, [Tag(name, 0.9) for name in names], Stamp("model", "2026-11-29"))
    assert edit is not None
    return edit


@pytest.mark.parametrize(
    ("mark", "encoding", "declared"),
    [
        (b"", "utf-8", "utf8"),
        (b"", "utf-8", "UTF-16"),  # as programs write that convert a text and not its first line
        (codecs.BOM_UTF8, "utf-8", "UTF-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
        (b"", "utf-16-le", "UTF-16"),
        (b"", "utf-16-be", "UTF-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
        (b"", "utf-32-be", "UTF-32"),
        (b"", "latin-1", "ISO-8859-1"),
        (b"", "cp1252", "windows-1252"),
    ],
)
def test_a_sidecar_keeps_its_encoding(mark, encoding, declared):
    for head in (f'<?xml version="1.0" encoding="{declared}"?>\n', ""):
        if not head and encoding in {"latin-1", "cp1252"}:
            continue
        before = mark + (head + sidecar(BAG)).encode(encoding)
        edit = added(before, "dog", "猫")
        utf_8 = added(sidecar(BAG).encode(), "dog", "猫").content.decode()
        expected = utf_8.encode(encoding, "xmlcharrefreplace")
        assert edit.content == mark + head.encode(encoding) + expected
        for read in (keywords(edit.content), read_keywords(edit.content).words):
            assert [*read] == ["Größe", "dog", "猫"]
        assert add_keywords(edit.content, [Tag("dog", 0.9)], Stamp("model", "2026")) is None
        assert remove_keywords(edit.content, edit.additions) == before


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        ("<dc:subject> cats &amp; mice </dc:subject>", ""),
        ("<dc:subject><![CDATA[cats & mice]]></dc:subject>", ""),
        ("", ' dc:format="a > b"\n dc:subject = "cats &amp; mice" dc:title="c"'),
        ("", " xmlns:d='http://purl.org/dc/elements/1.1/' d:subject='cats &amp; mice'"),
    ],
    ids=["text", "CDATA", "attribute", "attribute of another prefix"],
)
def test_a_keyword_that_stands_alone_becomes_the_first_of_an_array(inside, attributes):
    kind = '<dc:type xml:lang="en">photo</dc:type>'
    before = sidecar(inside + kind, attributes).encode()
    assert read_keywords(before).words == ("cats & mice",)
    edit = added(before, "dog")
    assert read_keywords(edit.content).words == ("cats & mice", "dog")
    assert read_keywords(remove_keywords(edit.content, edit.additions)).words == ("cats & mice",)
    kept = [part for part in ('dc:format="a > b"', 'dc:title="c"') if part in attributes]
    assert [part for part in (*kept, kind) if part not in edit.content.decode()] == []
    assert add_keywords(before, [Tag("Cats & mice", 0.9)], Stamp("model", "2026")) is None


def test_an_empty_array_has_what_is_added_and_nothing_else():
    before = sidecar("<dc:subject><rdf:Bag></rdf:Bag></dc:subject>").encode()
    assert b"<rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>" in added(before, "dog").content


@pytest.mark.parametrize("end", ["/>", "></rdf:li>", " />"])
def test_what_is_recorded_in_attributes_is_confirmed_by_one_more(end):
    item = f'<rdf:li t:Name="dog" t:Score="0.9"{end}'
    record = f'<t:Labels xmlns:t="{OURS}"><rdf:Bag>{item}</rdf:Bag></t:Labels>'
    confirmed = confirm_keywords(sidecar(BAG.replace("Größe", "dog") + record).encode(), "2026")
    assert read_keywords(confirmed.content).recorded == (Record("dog", confirmed=True),)


def test_an_empty_attribute_makes_room_for_an_array():
    edit = added(sidecar("", ' dc:subject=""').encode(), "dog")
    assert keywords(edit.content) == ["dog"]
    assert b'dc:subject=""' not in edit.content


@pytest.mark.parametrize(
    "item",
    [
        '<rdf:li rdf:parseType="Resource"><rdf:value>dog</rdf:value><dc:by>me</dc:by></rdf:li>',
        "<rdf:li><rdf:Description><rdf:value>dog</rdf:value></rdf:Description></rdf:li>",
        '<rdf:li><rdf:Description rdf:value="dog" dc:by="me"/></rdf:li>',
        '<rdf:li xml:lang="x-default">\n  dog\n</rdf:li>',
        "<rdf:li><!-- no cat --><![CDATA[dog]]></rdf:li>",
        "<rdf:li>&#100;o&#x67;</rdf:li>",
    ],
)
def test_a_keyword_is_the_same_however_an_item_is_written(item):
    before = sidecar(f"<dc:subject><rdf:Bag>{item}</rdf:Bag></dc:subject>").encode()
    assert read_keywords(before).words == ("dog",)
    assert add_keywords(before, [Tag("animal/dog", 0.9)], Stamp("model", "2026")) is None
    edit = added(before, "cat")
    assert remove_keywords(edit.content, edit.additions) == before


def test_several_keywords_in_one_text_are_read_apart():
    for before in (
        sidecar("<dc:subject>dog; sky,  sea</dc:subject>"),
        sidecar("", ' dc:subject="dog, sky,sea"'),
    ):
        assert read_keywords(before.encode()).words == ("dog", "sky", "sea")
    assert read_keywords(sidecar(BAG.replace("Größe", "dog, sky")).encode()).words == ("dog, sky",)


@pytest.mark.parametrize("path", ["animal|dog", "animal/dog"])
@pytest.mark.parametrize("name", ["lr:hierarchicalSubject", "digiKam:TagsList"])
def test_the_last_level_counts_whatever_separates_levels(name, path):
    uris = {"lr": "http://ns.adobe.com/lightroom/1.0/", "digiKam": "http://www.digikam.org/ns/1.0/"}
    uri = uris[name.partition(":")[0]]
    array = (
        f"<p:{name.partition(':')[2]} xmlns:p='{uri}'><rdf:Bag><rdf:li>{path}</rdf:li></rdf:Bag>"
    )
    before = sidecar(f"{array}</p:{name.partition(':')[2]}>").encode()
    assert add_keywords(before, [Tag("dog", 0.9)], Stamp("model", "2026")) is None
    assert add_keywords(before, [Tag("animal", 0.9)], Stamp("model", "2026")) is not None


def test_zeros_behind_xmp_are_filling_that_stays():
    before = sidecar(BAG).encode() + bytes(100)
    edit = added(before, "dog")
    assert keywords(edit.content) == ["Größe", "dog"]
    assert edit.content.endswith(bytes(100))
    assert remove_keywords(edit.content, edit.additions) == before


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_every_encoding_that_is_written(tmp_path):
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be"):
        file = tmp_path / f"{encoding}.xmp"
        packet = f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{sidecar(BAG)}'
        file.write_bytes(added(packet.encode(encoding), "dog").content)
        read = ended("exiftool", "-b", "-XMP-dc:Subject", file)
        assert read.stdout.split("\n") == ["Größe", "dog"], encoding
