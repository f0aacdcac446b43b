from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from tiny_collections import SUBJECT

from tagsight.data.format import ReadOptions
from tagsight.data.readers import FORMATS, read_annotations
from tagsight.data.tags.xmp import Keywords, read_keywords
from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Stamp, Tag
from tagsight.tagging.sidecars.xmp import add_keywords

STAMP = Stamp("first 1a2b", "2026-11-25T08:00:00+00:00")
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/" '
    'xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:tagsight="urn:tagsight:xmp:1.0/"'
)


def packet(*descriptions: str) -> bytes:
    """XMP with descriptions, each its attributes and its properties, separated by ``>``."""
    parts = (one if ">" in one else f"{one}>" for one in descriptions)
    inside = "".join(f"<rdf:Description {NAMESPACES} {one}</rdf:Description>" for one in parts)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        f'"http://www.w3.org/1999/02/22-rdf-syntax-ns#">{inside}</rdf:RDF></x:xmpmeta>'
    ).encode()


def array(name: str, kind: str, *items: str) -> str:
    listed = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{listed}</rdf:{kind}></{name}>"


SUBJECTS = {
    "Bag": packet(">" + array("dc:subject", "Bag", "cat", "sea")),
    "Seq": packet(">" + array("dc:subject", "Seq", "cat", "sea")),
    "Alt": packet(">" + array("dc:subject", "Alt", "cat", "sea")),
    "two descriptions": packet(
        "xmp:Rating='3'",
        ">" + array("dc:subject", "Bag", "cat"),
        ">" + array("dc:subject", "Bag", "sea"),
    ),
    "plain and attribute": packet("dc:subject='cat'", "><dc:subject>sea</dc:subject>"),
    "qualified": packet(
        "><dc:subject><rdf:Bag><rdf:li>cat</rdf:li><rdf:li rdf:parseType='Resource'>"
        "<rdf:value>sea</rdf:value></rdf:li></rdf:Bag></dc:subject>"
    ),
    "blanks": packet(">" + array("dc:subject", "Bag", " cat ", "", "sea\n", "sea")),
    "UTF-16": (
        '<?xml version="1.0" encoding="UTF-16"?>'
        + packet(">" + array("dc:subject", "Bag", "cat", "sea")).decode()
    ).encode("utf-16"),
    "UTF-16 without mark": packet(">" + array("dc:subject", "Bag", "cat", "sea"))
    .decode()
    .encode("utf-16-be"),
}


def photo(folder: Path, name: str, sidecar: bytes | None = None, ending: str = ".xmp") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (8, 6), "#204060").save(path)
    if sidecar is not None:
        Path(f"{path}{ending}").write_bytes(sidecar)
    return path


def written(*names: str, of: bytes | None = None) -> bytes:
    """A sidecar to which tagsight has added labels."""
    edit = add_keywords(of, [Tag(name, 0.9) for name in names], STAMP)
    assert edit is not None
    return edit.content


def given(*names: str) -> bytes:
    return SUBJECT.format("".join(f"<rdf:li>{name}</rdf:li>" for name in names)).encode()


def targets(folder: Path, **options: object) -> dict[str, dict[str, int]]:
    rows = read_annotations(folder, format="photo-tags", options=ReadOptions(**options))
    return {
        path.name: dict(zip(rows.names, row, strict=True))
        for path, row in zip(rows.paths, rows.targets.tolist(), strict=True)
    }


@pytest.mark.parametrize("content", SUBJECTS.values(), ids=SUBJECTS)
def test_keywords_are_read_however_programs_write_them(tmp_path, content):
    photo(tmp_path, "a.jpg", content)
    photo(tmp_path, "b.jpg", given("R&amp;D", "sea"))
    photo(tmp_path, "c.jpg", packet("><dc:subject><rdf:Bag/></dc:subject><dc:subject/>"))
    photo(tmp_path, "d.jpg")
    assert FORMATS["photo-tags"].recognises(tmp_path)
    assert targets(tmp_path) == {
        "a.jpg": {"R&D": 0, "cat": 1, "sea": 1},
        "b.jpg": {"R&D": 1, "cat": 0, "sea": 1},
        "c.jpg": dict.fromkeys(("R&D", "cat", "sea"), -1),
        "d.jpg": dict.fromkeys(("R&D", "cat", "sea"), -1),
    }


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (array("lr:hierarchicalSubject", "Bag", "animal|dog"), ["animal/dog"]),
        (array("digiKam:TagsList", "Seq", "animal/dog", "sea"), ["animal/dog", "sea"]),
        (
            array("dc:subject", "Bag", "animal", "dog", "fun")
            + array("lr:hierarchicalSubject", "Bag", "animal", "animal|dog", "fun"),
            ["animal/dog", "fun"],
        ),
        (array("dc:subject", "Bag", "animal|dog"), ["animal/dog"]),
        (
            array("dc:subject", "Bag", "AC/DC")
            + array("lr:hierarchicalSubject", "Bag", "music|AC/DC"),
            ["music/AC/DC"],
        ),
        (
            array("lr:hierarchicalSubject", "Bag", "darktable|format|jpg", "tree"),
            ["tree"],
        ),
        (
            array("dc:subject", "Bag", "darktable", "format", "jpg", "tree")
            + array("lr:hierarchicalSubject", "Bag", "darktable|format|jpg", "tree"),
            ["tree"],
        ),
        (array("digiKam:TagsList", "Seq", "_Digikam_root_tag_/animal/dog"), ["animal/dog"]),
    ],
)
def test_hierarchies_become_paths_and_their_levels_are_not_counted_twice(
    tmp_path, properties, expected
):
    photo(tmp_path, "a.jpg", packet(">" + properties))
    assert list(targets(tmp_path)["a.jpg"]) == expected
    leaves = {name.rpartition("/")[2] for name in expected}
    assert set(targets(tmp_path, level="leaf")["a.jpg"]) == leaves
    roots = {name.partition("/")[0] for name in expected}
    assert set(targets(tmp_path, level=1)["a.jpg"]) == roots


def test_what_tagsight_wrote_is_unknown_until_a_person_confirms_it(tmp_path):
    person = given("dog")
    photo(tmp_path, "all.jpg", given("dog", "sea", "tree", "sky"))
    photo(tmp_path, "both.jpg", written("dog", "sea", "plant/tree", of=person))
    photo(tmp_path, "ours.jpg", written("dog", "sea"))
    corrected = written("sea", "tree").replace(b"<rdf:li>sea</rdf:li>", b"")
    photo(tmp_path, "corrected.jpg", corrected)
    confirmed = corrected.replace(
        b"</tagsight:Date>", b"</tagsight:Date><tagsight:Confirmed>2026</tagsight:Confirmed>"
    )
    photo(tmp_path, "confirmed.jpg", confirmed)
    read = {name: tuple(row.values()) for name, row in targets(tmp_path).items()}
    assert list(targets(tmp_path)["all.jpg"]) == ["dog", "sea", "sky", "tree"]
    assert read == {
        "all.jpg": (1, 1, 1, 1),
        "both.jpg": (1, -1, 0, 0),
        "ours.jpg": (-1, -1, -1, -1),
        "corrected.jpg": (-1, 0, -1, -1),
        "confirmed.jpg": (0, 0, 0, 1),
    }


def test_programs_that_add_the_levels_above_our_keyword_confirm_nothing(tmp_path):
    photo(tmp_path, "a.jpg", given("animal", "dog"))
    ours = written("animal/dog")
    for name, level in (("dog", "animal"), ("animal|dog", "animal")):
        item = f"<rdf:li>{name}</rdf:li>".encode()
        ours = ours.replace(item, item + f"<rdf:li>{level}</rdf:li>".encode())
    photo(tmp_path, "b.jpg", ours)
    assert read_keywords(ours).words == ("dog", "animal")
    assert targets(tmp_path)["b.jpg"] == {"animal": -1, "dog": -1}


def test_keywords_inside_a_photo_count_unless_its_sidecar_lacks_them(tmp_path, caplog):
    for name in ("alone", "same", "other", "ours", "rejected", "confirmed"):
        photo(tmp_path, f"{name}.jpg")
        with Image.open(tmp_path / f"{name}.jpg") as opened:
            opened.save(tmp_path / f"{name}.jpg", xmp=given("dog"))
    Path(tmp_path / "same.xmp").write_bytes(
        packet(">" + array("lr:hierarchicalSubject", "Bag", "animal|dog"))
    )
    Path(tmp_path / "other.xmp").write_bytes(given("sea"))
    Path(tmp_path / "ours.xmp").write_bytes(written("sea"))
    end, by_a_person = b"</tagsight:Date>", b"<tagsight:Confirmed>2026</tagsight:Confirmed>"
    confirmed = written("sea").replace(end, end + by_a_person)  # tagsight made this sidecar
    Path(tmp_path / "confirmed.xmp").write_bytes(confirmed)
    rejected = written("dog", "sea").replace(b"<rdf:li>dog</rdf:li>", b"", 1)
    Path(tmp_path / "rejected.xmp").write_bytes(rejected)
    read = {name: tuple(row.values()) for name, row in targets(tmp_path).items()}
    assert read == {
        "alone.jpg": (1, 0),
        "same.jpg": (1, 0),
        "other.jpg": (-1, 1),
        "ours.jpg": (1, -1),
        "rejected.jpg": (-1, -1),
        "confirmed.jpg": (1, 1),
    }
    assert "tags inside 2 photos are not in the sidecar, such as 'dog'" in caplog.text


@pytest.mark.parametrize(
    ("inside", "sidecar", "expected"),
    [
        ("dog sea", "dog sea", {"dog": 1, "sea": 1}),
        ("dog sea sky", "dog sea", {"dog": 1, "sea": 1, "sky": 1}),
        ("dog", "dog sea", {"dog": 1, "sea": -1}),
        ("dog sea", "dog", {"dog": 1, "sea": -1}),
        ("dog sea", "dog sky", {"dog": 1, "sea": -1, "sky": 1}),
        ("dog sea sun", "dog sea sky", {"dog": 1, "sea": 1, "sky": 1, "sun": 1}),
    ],
)
def test_what_changed_since_a_sidecar_repeated_keywords_tells_which_hold(
    tmp_path, inside, sidecar, expected
):
    path = photo(tmp_path, "a.jpg")
    Image.new("RGB", (8, 6)).save(path, xmp=given(*inside.split()))
    edit = add_keywords(None, [Tag("cat", 0.9)], STAMP, inside=Keywords(("dog", "sea")))
    keywords, record, repeated = edit.content.partition(b"<tagsight:Labels")
    for word in {"dog", "sea"} - {*sidecar.split()}:
        keywords = keywords.replace(f"<rdf:li>{word}</rdf:li>".encode(), b"")
    for word in {*sidecar.split()} - {"dog", "sea"}:
        item = f"<rdf:li>cat</rdf:li><rdf:li>{word}</rdf:li>".encode()
        keywords = keywords.replace(b"<rdf:li>cat</rdf:li>", item)
    Path(f"{path}.xmp").write_bytes(keywords + record + repeated)
    photo(tmp_path, "all.jpg", given("dog", "sea", "sky", "sun"))
    read = targets(tmp_path)["a.jpg"]
    assert {name: read[name] for name in expected} == expected


def test_a_damaged_sidecar_makes_one_photo_unknown_and_is_told(tmp_path, caplog):
    photo(tmp_path, "a.jpg", given("dog"))
    photo(tmp_path, "b.jpg", b"<x><y></x>")
    photo(tmp_path, "c.jpg", given("dog\x9b"))
    assert {name: row["dog"] for name, row in targets(tmp_path).items()} == {
        "a.jpg": 1,
        "b.jpg": -1,
        "c.jpg": -1,
    }
    assert "the tags of 2 photos are unknown" in caplog.text
    assert "b.jpg.xmp: expected well-formed XML" in caplog.text


def test_sidecars_may_lie_in_another_folder_than_the_photos(tmp_path):
    for name in ("2024/a.jpg", "b.jpg"):
        photo(tmp_path / "photos", name)
    (tmp_path / "sidecars" / "2024").mkdir(parents=True)
    (tmp_path / "sidecars" / "2024" / "a.jpg.xmp").write_bytes(given("dog"))
    rows = read_annotations(tmp_path / "sidecars", format="photo-tags", images=tmp_path / "photos")
    assert dict(zip(rows.relative_names, rows.targets.tolist(), strict=True)) == {
        "2024/a.jpg": [1],
        "b.jpg": [-1],
    }


def test_only_our_own_tags_are_nothing_to_learn(tmp_path):
    photo(tmp_path, "a.jpg", written("dog"))
    with pytest.raises(
        DataError, match="1 photo has tags that nobody confirmed: 'tagsight confirm'"
    ):
        targets(tmp_path)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize(
    ("ending", "iptc"), [(".jpg", True), (".tif", True), (".png", False), (".webp", False)]
)
def test_keywords_that_exiftool_wrote_into_photos_are_read(tmp_path, ending, iptc):
    path = photo(tmp_path, f"a{ending}")
    options = [
        *("-XMP-dc:Subject=größe", "-XMP-lr:HierarchicalSubject=animal|dog"),
        *("-EXIF:XPKeywords=sea;blue sky", *(["-IPTC:Keywords=süß"] if iptc else [])),
    ]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *options, path], check=True)
    expected = {"animal/dog", "blue sky", "größe", "sea", *(["süß"] if iptc else [])}
    assert FORMATS["photo-tags"].recognises(tmp_path)
    assert set(targets(tmp_path)[path.name]) == expected
