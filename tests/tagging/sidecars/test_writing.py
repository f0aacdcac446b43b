import os
import sqlite3
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tagsight.data.format import DEFAULTS
from tagsight.data.formats import photo_tags
from tagsight.data.tags.xmp import read_keywords
from tagsight.errors import DataError
from tagsight.tagging.sidecars.changes import digest
from tagsight.tagging.sidecars.edit import Stamp, Tag
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.text import tags_of
from tagsight.tagging.sidecars.writing import Confirmer, Manner, Outcome, Writer
from tagsight.tagging.sidecars.xmp import add_keywords, confirm_keywords, keywords
from tagsight.tagging.undo import undo

STAMP = Stamp("model 1", "2026-11-25T08:00:00+00:00")
FORMS = pytest.mark.parametrize("form", ["xmp", "txt"])


class World:
    """A folder of photos, which need not be any, and a journal."""

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.journal = Journal(folder / "journal.sqlite")

    def photo(self, name: str = "a.jpg") -> Path:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a photo that nobody writes to")
        return path

    def write(
        self, *photos: Path, form="xmp", names="dog cat", folder=None, dry_run=False, **manner
    ) -> list[Outcome]:
        places = Places(f".{form}", folder, [self.photos])
        writer = Writer(Manner(form, **manner), places, "model 1", self.journal, dry_run=dry_run)
        return writer.write([(p, [Tag(n, 0.9) for n in names.split()]) for p in photos])

    def added(self, *photos: Path, **options: object) -> list[str]:
        return [" ".join(outcome.added) for outcome in self.write(*photos, **options)]

    def undo(self, run: int = 0) -> list[Outcome]:
        found = [r for r in self.journal.runs() if r.undone is None and run in {0, r.id}]
        return list(undo(self.journal, found[0]))

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.photos).as_posix(): path.read_bytes()
            for path in self.photos.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.journal.close()


@FORMS
def test_a_second_run_changes_nothing_and_is_not_noted(world, form):
    photo = world.photo()
    assert world.added(photo, photo, form=form, dry_run=True) == ["dog cat", ""]
    assert (set(world.files()), list(world.journal.runs())) == ({"a.jpg"}, [])
    assert world.added(photo, photo, form=form) == ["dog cat", ""]
    before = world.files()
    assert world.added(photo, form=form) == [""]
    assert world.files() == before
    assert len(list(world.journal.runs())) == 1


@FORMS
def test_undo_gives_back_every_byte(world, form):
    photos = [world.photo(f"{i}.jpg") for i in range(3)]
    world.write(photos[0], form=form, names="horse")
    (world.photos / "1.txt").write_bytes(b"by  hand\r\n")
    before = world.files()
    world.write(*photos, form=form)
    assert world.files() != before
    assert [len(outcome.added) for outcome in world.undo()] == [2, 2, 2]
    assert world.files() == before
    assert world.undo() != []
    assert set(world.files()) == {"0.jpg", "1.jpg", "2.jpg", "1.txt"}
    assert world.added(photos[0], form=form, names="horse") == ["horse"]


@FORMS
def test_undo_of_an_earlier_run_leaves_what_a_later_one_added(world, form):
    photo = world.photo()
    world.write(photo, form=form, names="dog")
    (outcome,) = world.write(photo, form=form, names="dog cat")
    world.undo(min(run.id for run in world.journal.runs()))
    left = outcome.sidecar.read_bytes()
    assert (b"cat" in left, b"dog" in left) == (True, False)
    world.undo()
    assert set(world.files()) == {"a.jpg"}


@pytest.mark.parametrize("earlier", [False, True], ids=["later run first", "earlier run first"])
def test_a_new_sidecar_repeats_the_keywords_inside_the_photo_and_undo_deletes_it(world, earlier):
    photo = world.photo()
    exif = Image.Exif()
    exif[0x9C9E] = "sea;cat".encode("utf-16-le")  # keywords of Windows
    inside = add_keywords(None, [Tag("plant/tree", 0.9)], STAMP)
    confirmed = confirm_keywords(inside.content, STAMP.date).content
    Image.new("RGB", (8, 6)).save(photo, exif=exif, xmp=confirmed)
    before = world.files()
    assert world.added(photo, names="animal/dog cat") == ["animal/dog"]
    assert world.added(photo, names="cat sky tree") == ["sky"]
    sidecar = read_keywords(world.files()["a.jpg.xmp"])
    assert sidecar.words == ("sea", "cat", "tree", "dog", "sky")
    assert set(sidecar.paths) == {"plant/tree", "sea", "cat", "animal/dog", "sky"}
    assert [record.name for record in sidecar.recorded] == ["animal/dog", "sky"]
    assert set(sidecar.repeated) == {"plant/tree", "sea", "cat", "tree"}
    (rows,) = photo_tags.read(world.photos, DEFAULTS)
    assert (rows.names, rows.targets.tolist()) == (("cat", "plant/tree", "sea"), [[1, 1, 1]])
    world.undo(min(run.id for run in world.journal.runs()) if earlier else 0)
    assert set(read_keywords(world.files()["a.jpg.xmp"]).words) > {"tree", "sea", "cat"}
    world.undo()
    assert world.files() == before


@FORMS
def test_undo_leaves_alone_what_others_have_spoiled_or_deleted(world, form):
    spoiled, gone = world.write(world.photo("a.jpg"), world.photo("b.jpg"), form=form)
    spoiled.sidecar.write_bytes(b"\x00\xff")
    gone.sidecar.unlink()
    outcomes = world.undo()
    assert [(bool(one.problem), one.added) for one in outcomes] == [(False, ()), (True, ())]
    assert spoiled.sidecar.read_bytes() == b"\x00\xff"
    assert not gone.sidecar.exists()


@FORMS
def test_a_tag_that_a_person_took_out_is_not_added_again(world, form):
    photo = world.photo()
    world.write(photo, form=form, names="dog")
    (outcome,) = world.write(photo, form=form)
    content = outcome.sidecar.read_bytes()
    for ours in (b", cat", b"\n     <rdf:li>cat</rdf:li>"):
        content = content.replace(ours, b"")
    outcome.sidecar.write_bytes(content)
    assert world.added(photo, form=form) == [""]
    assert world.added(photo, form=form, names="dog cat bird") == ["bird"]


def test_files_that_are_no_sidecars_are_listed_and_left_alone(world):
    good, bad, link, huge = (world.photo(f"{name}.jpg") for name in "abcd")
    (world.photos / "b.jpg.xmp").write_bytes(b"<broken")
    (world.photos / "c.jpg.xmp").symlink_to(world.photos / "elsewhere")
    (world.photos / "d.jpg.xmp").touch()
    os.truncate(world.photos / "d.jpg.xmp", 2**40)  # takes no room
    outcomes = world.write(good, bad, link, huge)
    assert [bool(outcome.problem) for outcome in outcomes] == [False, True, True, True]
    assert "expected a sidecar of at most 16,777,216 bytes" in outcomes[3].problem
    assert (world.photos / "b.jpg.xmp").read_bytes() == b"<broken"
    assert not (world.photos / "elsewhere").exists()


def test_files_that_are_kept_are_no_problem_whatever_they_are(world):
    photo = world.photo()
    (world.photos / "a.txt").write_bytes(b"a poem\nof two lines\xff")
    (outcome,) = world.write(photo, form="txt", existing="keep")
    assert (outcome.added, outcome.problem) == ((), "")


def test_another_folder_holds_sidecars_as_the_photos_lie(world, tmp_path):
    world.write(world.photo("2024/a.jpg"), world.photo("2025/a.jpg"), folder=tmp_path / "beside")
    found = sorted(p.relative_to(tmp_path / "beside") for p in (tmp_path / "beside").rglob("*.xmp"))
    assert found == [Path("2024/a.jpg.xmp"), Path("2025/a.jpg.xmp")]
    assert set(world.files()) == {"2024/a.jpg", "2025/a.jpg"}


def test_names_are_those_that_are_asked_for_and_the_mode_of_a_sidecar_stays(world):
    (world.photos / "a.txt").write_bytes(b"red")
    (world.photos / "a.txt").chmod(0o600)
    world.write(world.photo(), form="txt", names="dog", renamed={"dog": "animal/canine"})
    assert world.files()["a.txt"] == b"red, animal/canine"
    assert (world.photos / "a.txt").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_told_and_the_rest_goes_on(world, monkeypatch):
    photos = [world.photo("a.jpg"), world.photo("b.jpg")]
    world.write(photos[0], form="txt", names="dog")

    def failing(path: Path) -> None:
        if path.name.startswith(".a.txt."):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tagsight.runtime.drafts.sync", failing)
    problems = [outcome.problem for outcome in world.write(*photos, form="txt")]
    assert problems == ["No space left on device", ""]
    assert world.files()["a.txt"] == b"dog"
    monkeypatch.undo()
    assert world.added(*photos, form="txt") == ["cat", ""]


@pytest.mark.parametrize(
    ("form", "existing", "together"),
    [("xmp", "append", True), ("txt", "replace", True), ("txt", "replace", False)],
)
def test_a_raw_file_and_its_jpeg_share_a_sidecar_with_both_labels(world, form, existing, together):
    places = Places(f".{form}", None, [world.photos], "stem")
    raw, jpeg = world.photo("a.nef"), world.photo("a.jpg")
    writer = Writer(Manner(form, existing=existing), places, "model", world.journal)
    tagged = [(raw, [Tag("dog", 0.9)]), (jpeg, [Tag("cat", 0.8), Tag("dog", 0.7)])]
    parts = [tagged] if together else [tagged[:1], tagged[1:]]
    assert [o.problem for part in parts for o in writer.write(part)] == ["", ""]
    content = world.files()[f"a.{form}"]
    words = keywords(content) if form == "xmp" else content.decode().split(", ")
    assert words == ["dog", "cat"]
    world.undo()
    assert set(world.files()) == {"a.nef", "a.jpg"}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["append", "replace"]),
        st.sampled_from(["dog", "dog cat", "bird", "sea"]),
        st.sampled_from([b"", b", mine", b" A bird flies by."]),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=20)
@given(st.text(st.sampled_from("ab, .A\n"), max_size=10), CHANGES)
def test_whatever_runs_do_no_word_of_a_person_is_lost(content, changes):
    """Runs that append and replace, what a person adds after each, and then undo of them all."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        photo, sidecar = world.photo(), world.photos / "a.txt"
        sidecar.write_bytes(content.encode())
        by_person = []
        for existing, names, since in changes:
            world.write(photo, form="txt", names=names, existing=existing)
            if since:
                sidecar.write_bytes(sidecar.read_bytes().rstrip(b"\n") + since)
                by_person.append(since)
        try:
            written = tags_of(content.encode())
        except DataError:
            assert sidecar.read_bytes() == content.encode() or by_person
            return
        while any(run.undone is None for run in world.journal.runs()):
            world.undo()
        left = sidecar.read_bytes() if sidecar.exists() else b""
        world.journal.close()
        if not by_person:
            assert left == content.encode()
        for word in [*written, *(b.decode().strip(", ") for b in by_person)]:
            assert word in left.decode()


def edited(world: World, **values: object) -> None:
    with sqlite3.connect(world.journal.file) as database:
        sets = ", ".join(f"{name} = ?" for name in values)
        database.execute(f"UPDATE changes SET {sets}", tuple(values.values()))


@pytest.mark.parametrize(
    ("form", "name", "delete"),
    [
        ("xmp", "victim{}", True),
        ("txt", "victim{}", False),
        ("txt", "photos/victim.conf", True),
        ("xmp", "photos/a.jpg", False),
        ("xmp", "photos/{}", True),
        ("txt", "photos/{}", False),
    ],
)
def test_an_edited_journal_makes_undo_write_nowhere_else(world, form, name, delete):
    """As if the run had written the other file: content and what was before are as they must be."""
    sidecar = world.write(world.photo(), form=form)[0].sidecar
    victim = world.photos.parent / name.format(f".{form}")
    content, before = sidecar.read_bytes(), None if delete else b"evil"
    victim.write_bytes(content)
    packed = None if delete else zlib.compress(b"evil")
    edited(world, sidecar=os.fsencode(victim), before=packed, before_digest=digest(before))
    (outcome,) = world.undo()
    assert "in a folder that run 1 wrote to" in outcome.problem
    assert victim.read_bytes() == content
    assert sidecar.exists()


@pytest.mark.parametrize("before", [b"\xff\xff", b"two\nlines"])
def test_undo_writes_nothing_that_is_no_sidecar(world, before):
    world.write(world.photo(), form="txt")
    edited(world, before=zlib.compress(before), before_digest=digest(before))
    content = (world.photos / "a.txt").read_bytes()
    (outcome,) = world.undo()
    assert "expected" in outcome.problem
    assert (world.photos / "a.txt").read_bytes() == content


@FORMS
def test_undo_follows_no_link_that_has_come_since(world, form, tmp_path):
    outcomes = world.write(world.photo("in/a.jpg"), world.photo("b.jpg"), form=form)
    sidecars = [outcome.sidecar for outcome in outcomes]
    elsewhere = tmp_path / "elsewhere"
    (world.photos / "in").rename(elsewhere)
    (world.photos / "in").symlink_to(elsewhere)
    sidecars[1].rename(tmp_path / "moved")
    sidecars[1].symlink_to(tmp_path / "moved")
    contents = {path: path.read_bytes() for path in sidecars}
    assert [outcome.problem for outcome in world.undo()] == [
        "expected a file where the run wrote it, got a link, which is left unchanged"
    ] * 2
    assert {path: path.read_bytes() for path in sidecars} == contents


def test_a_damaged_change_is_left_alone_and_the_others_are_taken_back(world):
    world.write(world.photo("a.jpg"), world.photo("b.jpg"))
    with sqlite3.connect(world.journal.file) as database:
        database.execute("UPDATE changes SET names = '[' WHERE id = 1")
    assert [bool(outcome.problem) for outcome in world.undo()] == [False, True]
    assert set(world.files()) == {"a.jpg", "b.jpg", "a.jpg.xmp"}


def test_a_confirmation_is_made_once_and_taken_back_byte_for_byte(world):
    photos = [world.photo("a.jpg"), world.photo("b.jpg")]
    world.write(photos[0])
    before = world.files()

    def confirmed(*, dry_run: bool = False) -> list[tuple[str, ...]]:
        places = Places(".xmp", None, [world.photos])
        confirmer = Confirmer(places, world.journal, dry_run=dry_run)
        return [outcome.added for outcome in confirmer.confirm(photos)]

    assert confirmed(dry_run=True) == [("dog", "cat"), ()]
    assert world.files() == before
    assert confirmed() == [("dog", "cat"), ()]
    assert confirmed() == [(), ()]
    assert world.added(photos[0], names="dog cat") == [""]
    world.undo()
    assert world.files() == before
    confirmed()
    world.undo(1)
    assert keywords((world.photos / "a.jpg.xmp").read_bytes()) == ["dog", "cat"]
