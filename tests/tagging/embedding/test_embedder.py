"""Keywords inside photos: what programs read, what stays as it was, and what undo restores."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from tagsight.data.format import EVERY_LABEL
from tagsight.data.readers import read_annotations
from tagsight.data.tags.embedded import embedded_tags
from tagsight.data.tags.xmp import Keywords, read_keywords
from tagsight.errors import DataError
from tagsight.tagging.embedding.embedder import EmbeddedConfirmer, Embedder
from tagsight.tagging.embedding.exiftool import ExifTool
from tagsight.tagging.sidecars.edit import Stamp, Tag
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.xmp import add_keywords, keywords
from tagsight.tagging.undo import undo

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is not installed"
)
ENDINGS = pytest.mark.parametrize("ending", [".jpg", ".tif", ".png", ".webp"])
EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010F] = 6, "a camera"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURE = Image.radial_gradient("L").resize((40, 24)).convert("RGB")


TOOL = ExifTool()
"""One process for all tests."""


@pytest.fixture(autouse=True, scope="module")
def _ended() -> Iterator[None]:
    yield
    TOOL.close()


def exiftool(*arguments: object) -> str:
    return TOOL.run("-q", *map(str, arguments)).decode()


class World:
    """A folder of photos, and a journal."""

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.journal = Journal(folder / "journal.sqlite")

    def photo(self, name: str = "a.jpg") -> Path:
        path = self.photos / name
        PICTURE.save(path, exif=EXIF, icc_profile=PROFILE)
        return path

    def write(self, *photos: Path, names: str = "animal/dog cat", dry_run: bool = False):
        writer = Embedder(TOOL, "model 1", self.journal, {}, dry_run=dry_run)
        return writer.write([(p, [Tag(n, 0.9) for n in names.split()]) for p in photos])

    def confirm(self, *photos: Path) -> list[tuple[str, ...]]:
        confirmer = EmbeddedConfirmer(TOOL, self.journal)
        return [outcome.added for outcome in confirmer.confirm(photos)]

    def undo(self, run: int = 0):
        found = [r for r in self.journal.runs() if r.undone is None and run in {0, r.id}]
        return list(undo(self.journal, found[0]))

    def files(self) -> dict[str, bytes]:
        return {os.fsencode(path.name): path.read_bytes() for path in self.photos.iterdir()}


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.journal.close()


def words(photo: Path) -> list[str]:
    packet = embedded_tags(photo).xmp
    return [] if packet is None else keywords(packet)


@ENDINGS
def test_programs_read_the_keywords_and_everything_else_stays(world, ending):
    photo = world.photo(f"a{ending}")
    facts = ("-a", "-G1", "-EXIF:all", "-ICC_Profile:all", "--IFD0:StripOffsets", "-ImageSize")
    told, before, mode = exiftool(*facts, photo), world.files(), photo.stat().st_mode
    with Image.open(photo) as opened:
        pixels = opened.convert("RGB").tobytes()
    (outcome,) = world.write(photo)
    assert (outcome.added, outcome.problem) == (("animal/dog", "cat"), "")
    fields = ("-XMP-dc:Subject", "-XMP-digiKam:TagsList", "-XMP-lr:HierarchicalSubject")
    assert exiftool("-s3", *fields, photo).splitlines() == [
        *("dog, cat", "animal/dog, cat", "animal|dog, cat")
    ]
    with Image.open(photo) as opened:
        assert opened.convert("RGB").tobytes() == pixels
    assert exiftool(*facts, photo) == told
    assert photo.stat().st_mode == mode
    after = world.files()
    assert after.pop(os.fsencode(f"{photo.name}_original")) == before[os.fsencode(photo.name)]
    assert [outcome.added for outcome in world.write(photo)] == [()]
    assert world.files().items() > after.items()
    assert [outcome.added for outcome in world.undo()] == [("animal/dog", "cat")]
    assert world.files() == before


@ENDINGS
def test_what_is_learned_is_what_a_person_gave_or_confirmed(world, ending):
    given, ours = world.photo(f"a{ending}"), world.photo(f"b{ending}")
    exiftool("-overwrite_original", "-XMP-dc:Subject=cat", given)
    world.write(given, ours)

    def targets() -> dict[str, dict[str, int]]:
        rows = read_annotations(world.photos, options=EVERY_LABEL)
        pairs = zip(rows.paths, rows.targets.tolist(), strict=True)
        return {path.name: dict(zip(rows.names, row, strict=True)) for path, row in pairs}

    assert targets() == {given.name: {"cat": 1}, ours.name: {"cat": -1}}
    exiftool("-overwrite_original", *(f"-XMP:{n}-=cat" for n in ("Subject", "TagsList")), ours)
    assert world.confirm(given, ours) == [("animal/dog",), ("animal/dog",)]
    assert targets() == {
        given.name: {"animal/dog": 1, "cat": 1},
        ours.name: {"animal/dog": 1, "cat": 0},
    }
    assert [outcome.added for outcome in world.write(ours)] == [()]
    world.undo(1)
    assert words(ours) == ["dog"]


@pytest.mark.parametrize("charset", [None, "UTF8"])
def test_keywords_of_iptc_are_kept_and_completed(world, charset):
    photo = world.photo()
    marked = [f"-CodedCharacterSet={charset}"] if charset else []
    exiftool("-overwrite_original", *marked, "-IPTC:Keywords=holiday", "-IPTCDigest=new", photo)
    before = world.files()
    (outcome,) = world.write(photo, names=f"holiday größe {'long' * 20} animal/dog")
    assert "holiday" not in outcome.added
    assert words(photo) == ["holiday", "größe", "long" * 20, "dog"]
    inside = embedded_tags(photo).iptc
    assert inside == ("holiday", *(["größe"] if charset else []), "dog")
    digests = exiftool("-s3", "-IPTCDigest", "-CurrentIPTCDigest", photo).split()
    assert len(set(digests)) == 1
    exiftool("-overwrite_original", "-XMP:Rating=5", photo)
    (outcome,) = world.undo()
    assert "its keywords alone were removed: it has changed since, its original" in outcome.notice
    assert (words(photo), embedded_tags(photo).iptc) == (["holiday"], ("holiday",))
    assert world.files()[b"a.jpg_original"] == before[b"a.jpg"]
    assert exiftool("-s3", "-XMP:Rating", photo) == "5\n"


@ENDINGS
def test_undo_without_the_original_removes_the_keywords_alone(world, ending):
    photo = world.photo(f"a{ending}")
    world.write(photo)
    photo.with_name(f"{photo.name}_original").unlink()
    (outcome,) = world.undo()
    assert outcome.notice == "its keywords alone were removed: and its original is gone"
    assert embedded_tags(photo).xmp is None
    assert [len(outcome.added) for outcome in world.write(photo)] == [2]


def test_each_run_keeps_what_it_found_whatever_is_kept_already(world):
    photo = world.photo()
    photo.with_name("a.jpg_original").write_bytes(b"of another program")
    first = world.files()
    world.write(photo, names="dog")
    second = world.files()
    world.write(photo, names="dog cat")
    assert {*world.files()} - {*second} == {b"a.jpg_original3"}
    world.undo()
    assert world.files() == second
    world.undo()
    assert world.files() == first


NAMES = ["-a.jpg", "a\nb.jpg", "ä \udcff.jpg", "@a $x <b>.jpg", " a.jpg", "a.JPEG", "png.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of the names")
def test_no_name_of_a_photo_becomes_an_argument(world):
    photos = [world.photo(name) for name in NAMES]
    PICTURE.save(photos[-1], "PNG")
    before = world.files()
    assert {outcome.problem for outcome in world.write(*photos, names="dog")} == {""}
    assert [words(photo) for photo in photos] == [["dog"]] * len(photos)
    world.undo()
    assert world.files() == before


def test_a_photo_that_cannot_hold_keywords_is_listed_and_left_alone(world, tmp_path):
    link = world.photos / "link.jpg"
    link.symlink_to(world.photo("a.jpg"))
    broken = world.photo("b.jpg")
    broken.write_bytes(broken.read_bytes()[:-100])
    raw = world.photo("c.tif").rename(world.photos / "c.nef")
    extended = world.photo("d.jpg")
    exiftool("-overwrite_original", f"-XMP-dc:Description={'long' * 20_000}", extended)
    bound = world.photo("e.jpg")
    exiftool("-overwrite_original", "-api", "Compact=Shorthand", "-XMP-dc:Subject=red", bound)
    packet = embedded_tags(bound).xmp.replace(b"rdf:Bag>", b"rdf:Odd>")
    other = world.photos.with_name("packet")
    other.write_bytes(packet)
    exiftool("-overwrite_original", f"-XMP<={other}", bound)
    gif = world.photos / "f.gif"
    PICTURE.save(gif)
    before = world.files()
    outcomes = world.write(link, broken, raw, extended, bound, gif, tmp_path / "missing.jpg")
    problems = (
        "got a link, a folder or a device",
        "",
        "expected a JPEG, TIFF, PNG or WebP, got .nef: `write=xmp` writes a sidecar",
        "expected XMP in one packet inside the photo, got it in several",
        "expected dc:subject as a Bag or Seq",
        "expected a JPEG, TIFF, PNG or WebP, got GIF",
        "got a link, a folder or a device",
    )
    assert [bool(outcome.problem) for outcome in outcomes] == [True] * len(problems)
    assert [part for part, one in zip(problems, outcomes, strict=True) if part in one.problem] == [
        *problems
    ]
    assert world.files() == before
    assert world.journal.runs() == []


def test_a_tag_that_was_removed_from_the_sidecar_is_not_written_into_the_photo(world):
    photo = world.photo()
    edit = add_keywords(None, [Tag("cat", 0.9), Tag("sea", 0.9)], Stamp("model", "2026"))
    content = edit.content.replace(b"<rdf:li>cat</rdf:li>", b"")
    photo.with_name("a.jpg.xmp").write_bytes(content)
    assert [outcome.added for outcome in world.write(photo, names="cat dog")] == [("dog",)]


def test_a_dry_run_says_the_same_and_writes_nothing(world):
    photo = world.photo()
    before = world.files()
    assert [o.added for o in world.write(photo, dry_run=True)] == [("animal/dog", "cat")]
    assert (world.files(), world.journal.runs()) == (before, [])


def test_an_edited_journal_makes_undo_replace_nothing_but_photos_by_their_originals(world):
    photo = world.photo()
    world.write(photo)
    notes = world.photos / "notes.txt"
    notes.write_bytes(b"mine")
    outside = world.photos.parent / "b.jpg"
    shutil.copy(photo, outside)
    before = world.files()
    for victim, problem in ((notes, "notes.txt: expected"), (outside, "in a folder that run 1")):
        with sqlite3.connect(world.journal.file) as database:
            database.execute("UPDATE changes SET sidecar = ?", (os.fsencode(victim),))
        (outcome,) = world.undo()
        assert problem in outcome.problem
        with sqlite3.connect(world.journal.file) as database:
            database.execute("UPDATE runs SET undone = NULL")
    assert world.files() == before
    assert outside.read_bytes() == before[b"a.jpg"]


@pytest.mark.skipif(shutil.which("exiv2") is None, reason="exiv2 is not installed")
@ENDINGS
def test_exiv2_reads_the_keywords_and_leaves_our_record(world, ending):
    photo = world.photo(f"a{ending}")
    world.write(photo)
    command = ["exiv2", "-g", "Xmp.dc.subject", "-g", "Xmp.digiKam.TagsList", "-Pt", "print", photo]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.split("\n")[:2] == ["dog, cat", "animal/dog, cat"]
    subprocess.run(["exiv2", "-M", "set Xmp.xmp.Rating 5", "modify", photo], check=True)
    assert [outcome.added for outcome in world.write(photo)] == [()]
    (outcome,) = world.undo()
    assert "its keywords alone were removed" in outcome.notice
    assert words(photo) == []
    assert read_keywords(embedded_tags(photo).xmp) == Keywords()


def test_a_hanging_or_ending_exiftool_is_a_sentence_and_the_next_photo_goes_on(
    world, tmp_path, monkeypatch
):
    good = world.photo()
    for script, message in {
        "sleep 60": "expected exiftool to end within 0.3 s, got no answer",
        "exit 3": "expected an answer of exiftool, got none, as its process has ended",
        "yes": "expected exiftool to print at most",
    }.items():
        program = tmp_path / "exiftool"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        patience = 0.3 if "sleep" in script else 30
        with monkeypatch.context() as patch, ExifTool(patience=patience) as tool:
            patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            for _ in range(2):
                with pytest.raises(DataError, match=message):
                    tool.run("-ver")
    assert [outcome.problem for outcome in world.write(good)] == [""]


def test_a_missing_exiftool_is_a_sentence_that_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match=r"expected the program exiftool .*apt install"):
        ExifTool().run("-ver")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("darktable-cli") is None, reason="darktable is not installed")
def test_darktable_takes_the_keywords_from_the_photo(world, tmp_path):
    photo, copy = world.photo(), tmp_path / "copy.jpg"
    world.write(photo)
    places = ["--core", "--configdir", tmp_path / "settings", "--library", ":memory:"]
    subprocess.run(["darktable-cli", photo, copy, *places], check=True, capture_output=True)
    assert {"dog", "cat"} <= {*read_keywords(embedded_tags(copy).xmp).words}
