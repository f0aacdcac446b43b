import re
import shutil
import time
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from programs import ended

from tagsight.data.tags import xmp_tree
from tagsight.data.tags.xmp import REPEATED, Keywords, Record, read_keywords
from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Addition, Edit, Stamp, Tag
from tagsight.tagging.sidecars.packet import BLANK, Packet
from tagsight.tagging.sidecars.xmp import (
    PROPERTIES,
    RECORD,
    add_keywords,
    confirm_keywords,
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
DC = b'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def holding(element: bytes) -> bytes:
    """The sidecar in one line with an element in its description."""
    return ONE_LINE.replace(b"/></r:RDF>", b">" + element + b"</r:Description></r:RDF>")


INSIDE = (b"", b"\n  ", b"<!-- none -->", b"<r:Bag/>", b"<r:Seq></r:Seq>", b"<r:Bag>\n</r:Bag>")
EMPTIES = (
    b"<dc:subject " + DC + b"/>",
    *(b"<dc:subject " + DC + b">" + inside + b"</dc:subject>" for inside in INSIDE),
    b'<l:hierarchicalSubject xmlns:l="http://ns.adobe.com/lightroom/1.0/"/>',
)
SIDECARS = {
    "none": None,
    "darktable": DARKTABLE,
    "with mark": b"\xef\xbb\xbf" + DARKTABLE,
    "with carriage returns": DARKTABLE.replace(b"\n", b"\r\n"),
    "one line": ONE_LINE,
    "empty RDF": EMPTY_RDF,
    **{f"empty {number}": holding(element) for number, element in enumerate(EMPTIES)},
}
every_sidecar = pytest.mark.parametrize("before", SIDECARS.values(), ids=SIDECARS)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12).filter(
    lambda name: name.rpartition("/")[2].strip() and "/" not in (name[0], name[-1])
)


def tag_of(name: str) -> bytes:
    """An array with a keyword of a person."""
    space, local = PROPERTIES[name].namespace, name.partition(":")[2]
    bag = "<r:Bag><r:li>mine</r:li></r:Bag>"
    return f'<n:{local} xmlns:n="{space}">{bag}</n:{local}>'.encode()


def edited(before: bytes | None, *names: str, **options: object) -> Edit:
    edit = add_keywords(before, [Tag(name, 0.9) for name in names], STAMP, **options)
    assert edit is not None
    return edit


def added(before: bytes | None, *names: str, **options: object) -> bytes:
    return edited(before, *names, **options).content


def unchanged(before: bytes, *names: str) -> bool:
    return add_keywords(before, [Tag(name, 0.4) for name in names], STAMP) is None


def values(content: bytes, name: str) -> list[str]:
    """The items of an array, read by another parser."""
    root = ElementTree.fromstring(content)
    namespace, local = PROPERTIES[name].namespace, name.partition(":")[2]
    (found,) = root.iter(f"{{{namespace}}}{local}")
    (array,) = found
    return [item.text or "" for item in array]


CAT = {
    "dc:subject": "cat",
    "lr:hierarchicalSubject": "animal|cat",
    "digiKam:TagsList": "animal/cat",
    "MicrosoftPhoto:LastKeywordXMP": "animal/cat",
}
"""How each array has the label ``animal/cat``."""


@every_sidecar
def test_labels_come_once_in_all_four_arrays_or_behind_the_keywords_there(before):
    content = added(before, "animal/cat", "a < b & c")
    places = ["dc:subject"] if before is not None and b"holiday" in before else CAT
    for name in places:
        assert values(content, name)[-2:] == [CAT[name], "a < b & c"]
    assert len(re.findall(rb"a &lt; b &amp; c", content)) == len(places) + 1  # and our record
    assert unchanged(content, "animal/cat", "a < b & c")


@pytest.mark.parametrize("there", [set(some) for n in (1, 2, 3) for some in combinations(CAT, n)])
def test_a_program_that_takes_the_first_array_it_knows_still_sees_what_it_saw(there):
    before = holding(b"".join(map(tag_of, there)))
    content = added(before, "animal/cat")
    for name, cat in CAT.items():
        if name in there:
            assert values(content, name) == ["mine", cat]
        elif name != "dc:subject":  # which says whether ours are still there
            assert name.partition(":")[2].encode() not in content


@pytest.mark.parametrize("name", ["darktable", "with mark", "with carriage returns"])
def test_what_was_there_is_there_to_the_byte(name):
    before, edit = SIDECARS[name], edited(SIDECARS[name], "cat")
    assert remove_keywords(edit.content, edit.additions) == before
    lines = edit.content.splitlines(keepends=True)
    assert [line for line in before.splitlines(keepends=True) if line not in lines] == []


def test_a_keyword_of_a_person_is_not_doubled_and_not_recorded_as_ours():
    assert unchanged(DARKTABLE, "animal/dog")
    content = added(DARKTABLE, "dog", "cat")
    assert values(content, "dc:subject") == ["holiday", "Dog", "cat"]
    assert b"<tagsight:Name>cat<" in content
    assert b"<tagsight:Name>dog<" not in content


def test_a_keyword_that_a_person_took_out_or_declined_is_not_put_back():
    without = added(DARKTABLE, "cat", "bird").replace(b"\n     <rdf:li>cat</rdf:li>", b"")
    assert keywords(without) == ["holiday", "Dog", "bird"]
    assert unchanged(without, "cat", "bird")
    assert edited(without, "cat", "horse").names == ("horse",)
    assert keywords(added(None, "cat", "dog", declined=("Cat",))) == ["dog"]


@pytest.mark.parametrize(
    "there",
    [
        b'<lr:hierarchicalSubject xmlns:lr="http://ns.adobe.com/lightroom/1.0/">Tiere|Dog',
        b'<digiKam:TagsList xmlns:digiKam="http://www.digikam.org/ns/1.0/">Tiere/Hunde/dog',
        b'<m:LastKeywordXMP xmlns:m="http://ns.microsoft.com/photo/1.0/">dog',
    ],
)
def test_a_label_that_is_the_last_of_a_path_there_is_there(there):
    start, _, value = there.partition(b">")
    name = start.split()[0]
    array = start + b"><r:Bag><r:li>" + value + b"</r:li></r:Bag></" + name[1:] + b">"
    content = holding(array)
    assert unchanged(content, "dog")
    assert unchanged(content, "animal/dog")
    edit = edited(content, "dog", "cat")
    assert edit.names == ("cat",)
    assert edit.content.lower().count(b"dog<") == content.lower().count(b"dog<")


@settings(max_examples=30)
@given(st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: name.casefold()))
def test_any_name_is_read_back_as_it_is(names):
    there = {word.casefold() for word in keywords(added(DARKTABLE, *names))}
    assert there >= {name.rpartition("/")[2].casefold() for name in names}


def test_what_came_since_stays_when_ours_is_taken_out():
    edit = edited(DARKTABLE, "cat", "bird")
    bird = b"<rdf:li>bird</rdf:li>"
    since = edit.content.replace(bird, bird + b"<rdf:li>me</rdf:li>")
    left = remove_keywords(since, edit.additions)
    assert keywords(left) == ["holiday", "Dog", "me"]
    assert RECORD.encode() not in left
    # Of two equal keywords the one that came since stays.
    twice = edit.content.replace(bird, bird * 2, 1)
    assert keywords(remove_keywords(twice, edit.additions)) == ["holiday", "Dog", "bird"]


def test_of_a_file_of_ours_nothing_is_left_but_what_somebody_wrote():
    edit = edited(None, "cat")
    assert is_blank(remove_keywords(edit.content, edit.additions))
    assert not is_blank(edit.content)
    assert remove_keywords(edit.content, [Addition("dc:subject", "dog")]) == edit.content
    noted = edit.content.replace(b"<rdf:Bag>", b"<rdf:Bag><!-- mine -->", 1)
    assert b"<!-- mine -->" in remove_keywords(noted, edit.additions)


MARKUP = st.recursive(
    st.sampled_from([b"", b" ", b"\n  ", b"text", b"&amp;", b"<!-- a > b -->", b"<?pi >?>"]),
    lambda inner: st.tuples(
        st.sampled_from([b"a", b"n:b", b"dc:title", b"r:li", b"r:Bag"]),
        st.sampled_from([b"", b' c="d>e"', b" n:f='\"' ", b' xmlns:q="urn:q" q:g="" ']),
        st.lists(inner, max_size=3),
    ).map(
        lambda element: (
            b"<%b%b>%b</%b>" % (*element[:2], b"".join(element[2]), element[0])
            if element[2]
            else b"<%b%b/>" % element[:2]
        )
    ),
    max_leaves=12,
)
SUBJECTS = st.lists(st.sampled_from([b"sea", b"Dog", b"a &lt; b"]), max_size=3).map(
    lambda words: (
        b"<dc:subject><r:Bag>%b</r:Bag></dc:subject>"
        % b"".join(b"<r:li>%b</r:li>" % word for word in words)
    )
)


@settings(max_examples=100)
@given(MARKUP, st.one_of(st.just(b""), SUBJECTS), MARKUP, st.sampled_from(["\n", "\r\n"]))
def test_whatever_else_a_sidecar_has_stays_to_the_byte(before, subject, after, line):
    start = b'<r:RDF xmlns:r="%b" xmlns:dc="%b" xmlns:n="urn:n"><r:Description>' % (
        RDF[1:-1].encode(),
        PROPERTIES["dc:subject"].namespace.encode(),
    )
    content = start + before + subject + after + b"</r:Description></r:RDF>"
    content = content.replace(b"\n", line.encode())
    edit = edited(content, "cat", "animal/bird")
    ElementTree.fromstring(edit.content)
    assert keywords(edit.content)[-2:] == ["cat", "bird"]
    left = remove_keywords(edit.content, edit.additions)
    # White space aside; and an empty array goes with the last keyword of ours.
    emptied = content.replace(b"<dc:subject><r:Bag></r:Bag></dc:subject>", b"")
    assert b"".join(left.split()) in {b"".join(text.split()) for text in (content, emptied)}


LITERAL = b"<dc:subject " + DC + b' r:parseType="Literal"><r:Bag/></dc:subject>'
BOMB = b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file: delete it"),
        (b"\0\0", "got an empty file: delete it"),
        (b"just text", "expected XML, got something else"),
        (DARKTABLE[:-20], "expected well-formed XML"),
        (DARKTABLE.replace(b"UTF-8", b"UTF-7"), "expected XML in UTF-8, got UTF-7"),
        (DARKTABLE.decode().encode("utf-16")[:-3], "expected XML in UTF-16-LE, got something else"),
        (BOMB, "got XML with a document type"),
        (b"<a>" * 200 + b"</a>" * 200, "at most 100 elements within one another"),
        (b"<svg/>", "with one rdf:RDF, got 0"),
        (DARKTABLE.replace(b"xmp:Rating", b"dc:subject"), "dc:subject once, got it 2 times"),
        (
            ONE_LINE.replace(b'a:b="x', DC + b' dc:subject="x, y'),
            "dc:subject as .* got several",
        ),
        (
            holding(b"<dc:subject " + DC + b">x; y</dc:subject>"),
            "dc:subject as .* got several",
        ),
        (
            holding(b"<dc:subject " + DC + b">x<r:Bag/></dc:subject>"),
            "dc:subject as .* got something",
        ),
        (holding(LITERAL), "dc:subject as a Bag or Seq"),
        (DARKTABLE.replace(b"rdf:li>", b"rdf:_1>"), "dc:subject as a Bag or Seq"),
        (DARKTABLE.replace(b"rdf:Seq>", b"rdf:Any>"), "dc:subject as a Bag or Seq"),
        (b"<" + b" " * 2**24, "at most 16,777,216 bytes"),
        (b"<a/>" * 100_001, "at most 100,000 tags"),
        (b"<a " + b'b=""' * 200_001 + b"/>", "at most 200,000 attributes"),
        (EMPTY_RDF.replace(b"/>", b" xmlns:x='" + b"u" * 257 + b"'/>"), "namespace of at most 256"),
        (EMPTY_RDF.replace(b"/>", b" x:y='1'/>"), "the prefix 'x' without a namespace"),
    ],
)
def test_what_is_no_xmp_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        added(content, "cat")


@pytest.mark.slow
@pytest.mark.parametrize(
    "inside",
    [
        b"<a/>" * 99_000,
        b"<a " + b" ".join(b'b%d=""' % i for i in range(190_000)) + b"/>",
        b"<a>" + b"x\n&amp;" * 2**21 + b"</a>",
        b"<a b='" + b"x" * 15_000_000 + b"'/>",
        b"<a>" + b"= " * 7_000_000 + b"</a>",
        b"<a>" * 90 + b'<b xmlns:c="d"/>' * 40_000 + b"</a>" * 90,
        b"<!--" + b"-x" * 7_000_000 + b"-->",
    ],
    ids=["elements", "attributes", "text", "value", "equals", "namespaces", "comment"],
)
def test_the_largest_sidecar_is_edited_in_seconds(inside):
    """In processor time, generously: what grew with the square took minutes."""
    content = DARKTABLE.replace(b"<darktable:history>", inside + b"<darktable:history>")
    before = time.process_time()
    edit = edited(content, "cat")
    assert remove_keywords(edit.content, edit.additions) == content
    assert time.process_time() - before < 5


def test_a_sidecar_that_could_not_be_read_again_is_not_written(monkeypatch):
    monkeypatch.setattr(xmp_tree, "MOST_TAGS", 60)
    full = EMPTY_RDF.replace(b"/>", b">" + b"<a/>" * 50 + b"</rdf:RDF>")
    with pytest.raises(DataError, match="expected a sidecar of at most 60 tags"):
        added(full, "cat")


@pytest.mark.parametrize("name", ["a\x01", "\ufffe", "\udcff", "animal/", "a\nb"])
def test_a_name_that_xml_cannot_hold_is_refused(name):
    with pytest.raises(DataError, match=r"expected a label with words .* got .*`replace`"):
        added(None, name)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@every_sidecar
def test_exiftool_finds_nothing_wrong(before, tmp_path):
    file = tmp_path / "photo.jpg.xmp"
    file.write_bytes(added(before, "animal/cat", "a < b"))
    shown = ("-validate", "-warning", "-error", "-a", "-Subject", "-TagsList")
    told = ended("exiftool", *shown, file).stdout
    assert "Validate                        : OK" in told, told
    assert "cat, a < b" in told


PROGRAMS = {
    "exiftool": (
        ["exiftool", "-m", "-s3", "-sep", ", ", "-XMP-dc:Subject", "-XMP-digiKam:TagsList"],
        ["exiftool", "-q", "-overwrite_original", "-XMP:Rating=5"],
    ),
    "exiv2": (
        ["exiv2", "-g", "Xmp.dc.subject", "-g", "Xmp.digiKam.TagsList", "-Pt", "print"],
        ["exiv2", "-M", "set Xmp.xmp.Rating 5", "modify"],
    ),
}
"""Commands that print keywords of a sidecar, and that give it a rating."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_other_programs_read_the_keywords_and_keep_our_record(program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    shown, rated = PROGRAMS[program]
    names = ["animal/cat", "größe", "R&D <x>"]
    file = tmp_path / "photo.jpg.xmp"
    nested = tag_of("digiKam:TagsList").replace(b"r:", b"rdf:")
    edit = edited(DARKTABLE.replace(b"</dc:subject>", b"</dc:subject>" + nested), *names)
    file.write_bytes(edit.content)
    done = ended(*shown, file)
    words = re.split(r", |\n", done.stdout.strip())
    assert words == ["holiday", "Dog", "cat", *names[1:], "mine", *names]
    ended(*rated, file)
    rewritten = file.read_bytes()
    assert b"Rating" in rewritten
    assert rewritten != edit.content
    read = read_keywords(rewritten)
    assert read.recorded == tuple(Record(name, confirmed=False) for name in names)
    assert unchanged(rewritten, *names)
    confirmed = confirm_keywords(rewritten, "2026-11-28T08:00:00+00:00")
    assert confirmed is not None
    assert confirmed.names == tuple(names)
    file.write_bytes(confirmed.content)
    ended(*rated, file)  # it is still well-formed RDF
    left = remove_keywords(rewritten, edit.additions)
    assert keywords(left) == ["holiday", "Dog"]
    assert read_keywords(left).recorded == ()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("darktable-cli") is None, reason="darktable is not installed")
def test_darktable_finds_the_sidecar_beside_the_photo_and_takes_its_keywords(tmp_path):
    photo, copy = tmp_path / "photo.jpg", tmp_path / "copy.jpg"
    Image.new("RGB", (64, 48), "#204060").save(photo)
    content = added(None, "animal/cat", "größe")
    Path(f"{photo}.xmp").write_bytes(content)
    places = ["--core", "--configdir", tmp_path / "settings", "--library", ":memory:"]
    ended("darktable-cli", photo, copy, *places)
    with Image.open(copy) as exported:
        assert set(read_keywords(exported.info["xmp"]).words) == {"animal", "cat", "größe"}
    assert Path(f"{photo}.xmp").read_bytes() == content


def test_a_new_sidecar_is_these_bytes():
    def array(name: str, namespace: str, kind: str, item: str) -> str:
        declared = f'{name} xmlns:{name.partition(":")[0]}="{namespace}"'
        return f"   <{declared}>\n    <rdf:{kind}>\n     {item}\n    </rdf:{kind}>\n   </{name}>\n"

    record = (
        '<rdf:li xmlns:tagsight="urn:tagsight:xmp:1.0/" rdf:parseType="Resource">'
        "<tagsight:Name>animal/cat</tagsight:Name><tagsight:Score>0.9000</tagsight:Score>"
        "<tagsight:Model>first 1a2b</tagsight:Model>"
        "<tagsight:Date>2026-11-25T08:00:00+00:00</tagsight:Date></rdf:li>"
    )
    lightroom, microsoft = "http://ns.adobe.com/lightroom/1.0/", "http://ns.microsoft.com/photo/1.0"
    path = "<rdf:li>animal/cat</rdf:li>"
    expected = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about="">\n'
        + array("dc:subject", "http://purl.org/dc/elements/1.1/", "Bag", "<rdf:li>cat</rdf:li>")
        + array("lr:hierarchicalSubject", lightroom, "Bag", "<rdf:li>animal|cat</rdf:li>")
        + array("digiKam:TagsList", "http://www.digikam.org/ns/1.0/", "Seq", path)
        + array("MicrosoftPhoto:LastKeywordXMP", microsoft, "Bag", path)
        + array("tagsight:Labels", "urn:tagsight:xmp:1.0/", "Bag", record)
        + '  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
    )
    edit = edited(None, "animal/cat")
    assert edit.content.decode() == expected
    assert edit.names == ("animal/cat",)
    values = ("cat", "animal|cat", "animal/cat", "animal/cat", "animal/cat")
    assert edit.additions == tuple(map(Addition, PROPERTIES, values))
    other = edit.content.replace(b'/photo/1.0"', b'/photo/1.0/"')  # Microsoft's has two names
    assert added(other, "dog").count(b"<MicrosoftPhoto:LastKeywordXMP") == 1


@given(
    st.lists(
        st.sampled_from(["dog", "animal/dog", "pet/dog", "a & b", "<犬>", "A/ b"]), max_size=9
    ),
    st.sets(st.sampled_from(["dog", "beach & sea", "a & b"])),
)
def test_a_new_sidecar_is_what_an_empty_one_becomes(names, elsewhere):
    """A new one is composed of text; an empty one is parsed and edited, as any other is."""
    tags = [Tag(name, place / 10) for place, name in enumerate(names)]
    new, edited = (
        add_keywords(content, tags, STAMP, elsewhere=elsewhere) for content in (None, BLANK)
    )
    assert new == edited


def test_each_property_of_a_new_sidecar_has_the_person_s_keywords_its_own_way_and_then_ours():
    """A program that has found a sidecar looks no more into the photo, and at one property."""
    inside = Keywords(("beach", "Dog", "Trip|Day one"), ("Animals/Dog",))
    tags = [Tag("dog", 0.9), Tag("plant/grass", 0.8)]
    edit = add_keywords(None, tags, STAMP, inside=inside)
    assert edit.names == ("plant/grass",), "the dog is the person's"
    found = Packet(edit.content)
    person_s = ["Animals/Dog", "beach", "Trip/Day one"]
    assert {name: found.values(name) for name in PROPERTIES} == {
        "dc:subject": ["beach", "Dog", "Trip|Day one", "grass"],
        "lr:hierarchicalSubject": ["Animals|Dog", "beach", "Trip|Day one", "plant|grass"],
        "digiKam:TagsList": [*person_s, "plant/grass"],
        "MicrosoftPhoto:LastKeywordXMP": [*person_s, "plant/grass"],
        RECORD: ["plant/grass"],
        REPEATED: ["Animals/Dog", "beach", "Dog", "Trip|Day one"],
    }
    left = Packet(remove_keywords(edit.content, edit.additions))
    assert left.values("digiKam:TagsList") == person_s


def test_keywords_that_are_outside_the_packet_alone_are_copied_to_it():
    there = edited(None, "dog").content
    edit = add_keywords(there, [Tag("grass", 0.8)], STAMP, elsewhere=["dog", "sea & sand"])
    assert Packet(edit.content).values("dc:subject") == ["dog", "sea & sand", "grass"]


def test_a_description_is_made_where_there_is_none():
    text = added(EMPTY_RDF, "cat").decode()
    assert '#">\n  <rdf:Description rdf:about="">\n   <dc:subject xmlns:dc=' in text
    assert text.endswith("\n   </tagsight:Labels>\n  </rdf:Description></rdf:RDF>")


def test_later_records_are_like_the_first():
    records = added(added(None, "cat"), "dog").decode().split("<rdf:li ")[1:]
    starts = [record.count('rdf:parseType="Resource"><tagsight:Name>') for record in records]
    assert starts == [1, 1]


def test_keywords_may_be_alternatives():
    content = added(DARKTABLE.replace(b"rdf:Seq>", b"rdf:Alt>"), "cat")
    assert values(content, "dc:subject") == ["holiday", "Dog", "cat"]


AS_ATTRIBUTES = (
    b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description '
    + DC
    + b' xmlns:ts="urn:tagsight:xmp:1.0/"><dc:subject><r:Bag><r:li>dog</r:li></r:Bag></dc:subject>'
    b'<ts:Labels><r:Bag><r:li ts:Name="animal/dog" ts:Score="0.9"/></r:Bag></ts:Labels>'
    b"</r:Description></r:RDF>"
)


@pytest.mark.parametrize("content", [added(None, "animal/dog"), AS_ATTRIBUTES])
def test_a_confirmed_keyword_is_recorded_once_and_removed_by_no_undo(content):
    edit = confirm_keywords(content, "2026-11-28T08:00:00+00:00")
    assert edit is not None
    assert edit.names == ("animal/dog",)
    assert read_keywords(edit.content).recorded == (Record("animal/dog", confirmed=True),)
    assert confirm_keywords(edit.content, "2026-11-29T08:00:00+00:00") is None
    further = edited(edit.content, "cat")
    additions = [*edited(None, "animal/dog").additions, *further.additions]
    left = remove_keywords(further.content, additions)
    assert (keywords(left), read_keywords(left).recorded) == (
        ["dog"],
        (Record("animal/dog", confirmed=True),),
    )


def test_a_keyword_that_somebody_removed_is_not_confirmed():
    content = added(None, "dog").replace(b"<rdf:li>dog</rdf:li>", b"", 1)
    assert confirm_keywords(content, "2026-11-28") is None
