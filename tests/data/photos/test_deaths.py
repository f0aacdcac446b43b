"""A photo that ends the process which decodes it is named at the next start, and left out."""

import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from channels import channels_recognizer, corner
from collection import TINY_OPTIONS
from forks import FORKS
from labelled import ColourCells, encoder_of
from PIL.PngImagePlugin import PngInfo
from shared_model import shared_model

from tagsight.cli import COMMANDS as ALL
from tagsight.cli import main
from tagsight.data.photos import deaths
from tagsight.data.photos.check import check_photos
from tagsight.data.photos.deaths import watched
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import index_photos
from tagsight.tagging.labelling.background import Background
from tagsight.tagging.labelling.features import Features
from tagsight.tagging.labelling.project import Project
from tagsight.tagging.labelling.thumbnails import Thumbnails
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.writing import Manner, Writer
from tagsight.tagging.tagging import Lines, Selection, tag_photos, tag_sidecars

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes die of no signals here")

FATAL, COLOURS = "05.png", ("red", "green", "blue")

FAULTY = """
import signal
from PIL import Image, PngImagePlugin

class Faulty(PngImagePlugin.PngImageFile):
    def load(self):
        if "fatal" in self.info:
            signal.raise_signal(getattr(signal, self.info["fatal"]))
        return super().load()

Image.OPEN["PNG"] = Faulty, Image.OPEN["PNG"][1]
"""
"""A module that every Python imports: its decoder of PNG has a fault, as one in C would have."""


def draw(folder: Path, death: str) -> Path:
    photos = folder / "photos"
    photos.mkdir()
    rows = []
    for number in range(12):
        colour, split = COLOURS[number % 3], "train" if number < 8 else "val"
        photo = corner(colour)
        photo.putpixel((60, 40), (number, 0, 0))  # no two are copies
        photo.save(photos / f"{number:02}.png")
        rows.append(f"photos/{number:02}.png,{split},{colour}\n")
    (folder / "labels.csv").write_text("image,split,labels\n" + "".join(rows))
    comment = PngInfo()
    comment.add_text("fatal", death)
    corner("red").save(photos / FATAL, pnginfo=comment)
    (folder / "decoders").mkdir()
    (folder / "decoders" / "sitecustomize.py").write_text(FAULTY)
    return folder


def tag(folder: Path, tell) -> list[str]:
    out, recognizer = folder / "tags.jsonl", channels_recognizer(batch_size=4)
    given = find_photos([folder / "photos"])
    tag_photos(recognizer, given, out, Lines("jsonl"), on_problem=lambda one: tell(one.reason))
    return [Path(line.split('"')[3]).name for line in out.read_text().splitlines()]


def tag_beside(folder: Path, tell) -> list[str]:
    photos = folder / "photos"
    with Journal(folder / "journal.sqlite") as journal:
        writer = Writer(Manner("txt"), Places(".txt", None, [photos]), "model", journal)
        given, noted = find_photos([photos]), {"on_problem": lambda one: tell(one.reason)}
        tag_sidecars(channels_recognizer(batch_size=4), given, writer, Selection(), **noted)
    return sorted(path.with_suffix(".png").name for path in photos.glob("*.txt"))


def index(folder: Path, tell) -> list[str]:
    recognizer = channels_recognizer(batch_size=4)
    names, length = recognizer.labels, recognizer.info.embedding_size
    facts = Facts("model", recognizer.info.model, names, (0.5,) * len(names), length)
    opened = SearchIndex.create(folder / "index", facts)
    given = find_photos([folder / "photos"])
    index_photos(recognizer, given, opened, on_problem=lambda _, reason: tell(reason))
    return sorted(Path(path).name for path in opened.paths())


def check(folder: Path, tell) -> list[str]:
    done = check_photos([*find_photos([folder / "photos"])], workers=2)
    for problem in done.problems:
        tell(f"{problem.path}: {problem.reason}")
    return sorted(path.name for path in done.hashes)


def label(folder: Path, tell) -> list[str]:
    encoder = encoder_of(ColourCells())
    with Project(folder / "project", folder / "photos") as project:
        features = Features(project.database, project.folder, encoder.name(), encoder.dimensions)
        with Thumbnails(project.folder) as thumbnails:
            background = Background(project, encoder, features, thumbnails, lambda _: None)
            background.start()
            background.finish()
        for name, problem in project.photos.left_out(9):
            tell(f"{folder / 'photos' / name}: {problem}")
        photos = project.photos.rows(project.photos.there().tolist())
        assert background.progress.encoded == len(photos)
        return sorted(photo.path for photo in photos)


WORK = {work.__name__: work for work in (tag, tag_beside, index, check, label)}

COMMANDS = {
    "train": ("labels.csv", "--out", "run", *TINY_OPTIONS),
    "compare": ("labels.csv", "--out", "runs", "--systems", "gcam", "--seeds", "1", *TINY_OPTIONS),
    "data": ("labels.csv", "--html", "data.html"),
    "evaluate": ("model", "labels.csv", "--split", "train"),
    "calibrate": ("model", "labels.csv", "--split", "train"),
    "tag": ("model", "photos", "--out", "tags.csv"),
    "explain": ("model", "photos", "--out", "sheets"),
    "index": ("model", "photos", "--out", "index"),
    "search": ("others", "--like", f"photos/{FATAL}"),
    "export": ("model", "photos", "--out", "model.onnx"),
}
"""Commands that decode photos, with what they are given here."""

NEEDED = {"index": "lancedb", "search": "lancedb", "export": "onnx"}

WITHOUT_PHOTOS = {
    *("doctor", "systems", "recipes", "encoders", "formats", "download", "graph", "vectors"),
    *("convert", "confirm", "runs", "undo", "push", "pull"),
    *("demo", "reproduce"),  # they train, as the commands above do
    *("label", "serve"),  # they go on: the first is `label` above, the second decodes elsewhere
}
"""Commands that decode no photos of a user in their own process, or as another does."""


def carry_out(name: str, folder: Path, *, faulty: bool = True, lasting: bool = True) -> None:
    """Work on photos, with a faulty decoder, which other processes have as well if it lasts."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    if faulty:
        exec(FAULTY, {})
    if lasting:
        sys.path.insert(0, str(folder / "decoders"))
    with (folder / "told").open("w") as told:
        names = WORK[name](folder, lambda reason: print(reason, file=told))
    (folder / "names").write_text(" ".join(names))


def command(name: str, folder: Path) -> None:
    """Run a command, with a faulty decoder, and write what it prints to a file."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.chdir(folder)
    exec(FAULTY, {})
    sys.path.insert(0, str(folder / "decoders"))
    with Path("told").open("w") as told, redirect_stdout(told), redirect_stderr(told):
        main([name, *COMMANDS[name]])


def run(work, *arguments, **options) -> int | None:
    process = FORKS.Process(target=work, args=arguments, kwargs=options)
    process.start()
    process.join(timeout=300)
    return process.exitcode


@pytest.mark.parametrize(
    ("name", "death"),
    [
        ("tag", "SIGABRT"),
        ("tag_beside", "SIGSEGV"),
        ("index", "SIGABRT"),
        ("check", "SIGSEGV"),
        ("label", "SIGABRT"),
    ],
)
def test_a_photo_that_ends_the_process_is_named_and_left_out_from_the_next_start_on(
    tmp_path, name, death
):
    folder = draw(tmp_path, death)
    assert run(carry_out, name, folder) == -getattr(signal, death)
    others = [f"{number:02}.png" for number in range(12) if f"{number:02}.png" != FATAL]
    for _ in range(2):
        assert run(carry_out, name, folder) == 0
        (told,) = (folder / "told").read_text().splitlines()
        assert told.startswith(f"{folder / 'photos' / FATAL}: expected a photo that no process")
        assert f"({death})" in told
        assert (folder / "names").read_text().split() == others
    # Another photo of that name is another photo.
    corner("red").save(folder / "photos" / FATAL)
    assert run(carry_out, name, folder) == 0
    assert FATAL in (folder / "names").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_names_and_leaves_out_a_photo_over_which_it_died(tmp_path, name):
    folder = draw(tmp_path, "SIGABRT")
    shared_model(folder / "model")
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    if name == "search":
        other = str(folder / "photos" / "00.png")
        assert main(["index", str(folder / "model"), other, "--out", str(folder / "others")]) == 0
    assert run(command, name, folder) == -signal.SIGABRT
    assert run(command, name, folder) == 0
    assert f"{FATAL}: expected a photo that no process dies of" in (folder / "told").read_text()


def test_what_each_command_does_with_photos_is_known():
    assert {one.__name__ for one in ALL} == COMMANDS.keys() | WITHOUT_PHOTOS


def test_a_photo_over_which_a_process_was_killed_by_chance_is_decoded_as_usual(tmp_path):
    folder = draw(tmp_path, "SIGKILL")
    assert run(carry_out, "tag", folder, lasting=False) == -signal.SIGKILL
    assert run(carry_out, "tag", folder, faulty=False, lasting=False) == 0
    assert (folder / "told").read_text() == ""
    assert len((folder / "names").read_text().split()) == 12
    assert not [*(folder / "cache").rglob("*.*")]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(deaths, "default_cache", lambda: tmp_path / "file")
    corner("red").save(tmp_path / "a.png")
    with watched():
        assert open_photo(tmp_path / "a.png").size == (64, 64)
