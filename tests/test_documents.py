"""The documents against the program: links, commands, code, generated pages."""

import contextlib
import io
import re
import shlex
import socket
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import test_contract
from collection import TINY_OPTIONS, TINY_SETTINGS, write_collection
from cyclopts import ValidationError
from PIL import Image
from small_demo import small_demo

import tagsight
from tagsight.cli import COMMANDS, app, main, with_standard_output
from tagsight.data.format import DEFAULTS
from tagsight.data.literature.protocols import PROTOCOLS
from tagsight.data.readers import FORMATS, read_annotations
from tagsight.systems.catalogue import HOMES
from tagsight.systems.page import systems_page
from tagsight.tagging.sidecars.edit import Stamp, Tag
from tagsight.tagging.sidecars.xmp import add_keywords
from tagsight.workflows import train

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "tests", "docs", "benchmarks", "examples", ".ci")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
)
FILES = [
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.*"), *(p for d in FOLDERS for p in (ROOT / d).rglob("*.*"))]
]
RUN_HERE = (
    *("README.md", "docs/tutorial.md"),
    *("docs/how-to/own-data.md", "docs/how-to/compare-systems.md"),
    *(
        "docs/how-to/ablations.md",
        "docs/how-to/label-rules.md",
        "docs/how-to/new-labels.md",
        "docs/how-to/tag-a-collection.md",
    ),
    *("docs/how-to/search-a-collection.md", "docs/how-to/export-a-model.md"),
    *("docs/how-to/serve-a-model.md", "docs/how-to/use-from-python.md"),
    "docs/how-to/your-tags.md",
)
"""Pages whose commands and code are run one after another; those of other pages are parsed."""
GENERATED = ("docs/systems.md", "docs/results/")
THEIRS = {
    "data.toml",
    "labels.txt",
    "label_list.txt",
    "classes.txt",
    "my.toml",
    "labels.toml",
    "variants.toml",
    "table.md",
    "photo.txt",
    "a.txt",
    "train.txt",
    "train_val_list.txt",
    "test_list.txt",
    "list_category_img.txt",
    "list_attr_img.txt",
    "Anno/list_attr_img.txt",
    "list_eval_partition.txt",
    "occurrence.txt",
    "multimedia.txt",
}
"""Files that a page tells its reader to write, or that other programs do."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """The commands of a page's console blocks, as words."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    split = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    bare = [[w for w in words if not re.match(r"[A-Z_]+=", w) and w != "&"] for words in split]
    return [words for words in bare if words and words != ["wait"]]


def anchors(page: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading).strip() for heading in headings]
    return {heading.lower().replace(" ", "-") for heading in words}


def dead_links(page: str) -> Iterator[str]:
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text_of(page)):
        file, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / file if file else ROOT / page).resolve()
        if not target.exists() or (
            anchor and anchor not in anchors(target.relative_to(ROOT).as_posix())
        ):
            yield link


def missing_files(page: str) -> Iterator[str]:
    for name in re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|md|toml|txt))`", text_of(page)):
        if name in THEIRS or re.search(r"\b(NAME|ROOM)\b|_MODULE", name):
            continue
        if not any(f"/{file}".endswith(f"/{name}") for file in FILES):
            yield name


def machine_paths(page: str) -> Iterator[str]:
    for found in re.finditer(r"(?:^|[\s`(])/(?:work|home|root|tmp|opt)/", text_of(page)):
        yield found[0]


def long_lines(page: str) -> Iterator[str]:
    """Lines of prose over 100 characters, in pages that people write."""
    if page.startswith(GENERATED):
        return
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        if len(line) > 100 and not line.startswith("|") and not re.search(r"\]\(|https?://", line):
            yield line


@pytest.mark.parametrize("problems", [dead_links, missing_files, machine_paths, long_lines])
def test_no_page_has(problems):
    found = {page: list(problems(page)) for page in PAGES}
    assert not {page: problem for page, problem in found.items() if problem}


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_commands_in_the_documents_exist_with_their_options(page):
    targets = set(re.findall(r"^([\w-]+):", text_of("Makefile"), re.MULTILINE))
    for words in commands(page):
        if words[0] == "make":
            assert set(words[1:]) <= targets
        elif words[0] == "tagsight":
            arguments = with_standard_output(words[1 : words.index(">") if ">" in words else None])
            try:
                app.parse_args(arguments, exit_on_error=False, print_error=False)
            except ValidationError as error:
                if "does not exist" not in str(error):  # as photos and labels of a page do not
                    raise


OTHER_TABLES = {
    "list.csv": "id,keywords\nphotos/000,dog#sky\nphotos/001,sky\n",
    "table.csv": "image,part,weather,dog,sky\n"
    "photos/000.png,train,rain,1,0\nphotos/001.png,test,sun,0,1\n",
}


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """The folder that the pages speak of: tables of labels, and ``photos`` with a dog."""
    monkeypatch.chdir(tmp_path)
    names = ("dog", "frisbee", "person", "grass", "sky")
    labels = write_collection(tmp_path / "photos", names=names)
    head, *rows = labels.read_text().splitlines()
    labels.unlink()
    lines = [head, *(f"photos/{row}" for row in rows)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    with Image.open(tmp_path / "photos" / "000.png") as photo:
        photo.save(tmp_path / "photos" / "dog.jpg")
    for name, text in OTHER_TABLES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def give_tags(folder: Path) -> None:
    """Write the labels of most photos as a photo manager writes keywords."""
    head, *rows = (line.split(",") for line in (folder / "labels.csv").read_text().splitlines())
    for photo, _, *marks in rows[:40]:
        tags = [Tag(name, 1) for name, mark in zip(head[2:], marks, strict=True) if mark == "1"]
        if edit := add_keywords(None, tags, Stamp("nobody", "2026-11-28")):
            theirs = re.sub(rb"(?s)<tagsight:Labels.*?</tagsight:Labels>", b"", edit.content)
            (folder / f"{photo}.xmp").write_bytes(theirs)


def serve(words: list[str]) -> None:
    """Run a server of a page until it listens; at a free port, and for this machine alone."""
    Path("token").write_text("correct horse battery staple")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = ["127.0.0.1" if word == "0.0.0.0" else word for word in words[1:]]
    if "--port" in arguments:
        place = arguments.index("--port")
        del arguments[place : place + 2]
    command = [sys.executable, str(ROOT / "tests" / "tiny.py"), *arguments, "--port", port]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next((line for line in process.stderr if "listening" in line), None)
        process.terminate()
    assert said is not None, words


def run(words: list[str]) -> None:
    """Run a command of a page; what it trains is small."""
    if words[1] == "serve":
        serve(words)
        return
    if words[1] == "demo":
        with small_demo():
            assert main([*words[1:], "--workers", "1", "--device", "cpu"]) == 0
        return
    arguments, _, target = (" ".join(map(shlex.quote, words[1:]))).partition(" '>' ")
    options = TINY_OPTIONS if words[1] in {"train", "compare"} else []
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main([*shlex.split(arguments), *options]) == 0, words
    if target:
        Path(target).write_text(output.getvalue(), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("page", RUN_HERE)
def test_what_the_page_says_runs_from_top_to_bottom(page, monkeypatch, traced_once):
    if any("--embed" in words for words in commands(page)) and not which("exiftool"):
        pytest.skip("exiftool is not installed")
    if page.endswith("your-tags.md"):
        give_tags(Path())
    for block in blocks(page, "toml"):  # its first line names the file
        Path(block.split()[1]).write_text(block, encoding="utf-8")
    with traced_once():
        for words in commands(page):
            if words[0] == "tagsight":
                run(words)
    monkeypatch.setattr(tagsight, "train", train_small)
    for block in blocks(page, "python"):
        execute(block)


def train_small(*arguments: Any, settings: Mapping[str, object], **options: Any) -> tagsight.Run:
    return train(*arguments, settings={**settings, **TINY_SETTINGS}, **options)


def execute(code: str) -> types.ModuleType:
    """Run a block as a module, which dataclasses and pydantic want their classes to be in."""
    module = types.ModuleType("page")
    sys.modules["page"] = module
    try:
        exec(compile(code, "page", "exec"), module.__dict__)  # our own pages
    finally:
        del sys.modules["page"]
    return module


def test_the_format_of_the_how_to_reads_what_it_says(tmp_path):
    (block,) = blocks("docs/how-to/add-a-data-format.md", "python")
    reader = execute(block)
    assert not reader.recognises(tmp_path)
    for name, labels in {"a": "dog\n  red  kite\n", "b": "\n", "c": "dog"}.items():
        (tmp_path / f"{name}.txt").write_text(labels)
        (tmp_path / f"{name}.jpg").touch()
    assert reader.recognises(tmp_path)
    (annotations,) = reader.read(tmp_path, DEFAULTS)
    assert annotations.names == ("dog", "red kite")
    assert list(annotations.photos) == ["a.jpg", "b.jpg", "c.jpg"]
    assert annotations.targets.tolist() == [[1, 1], [0, 0], [1, 0]]


@pytest.mark.usefixtures("world")
def test_the_shards_of_the_how_to_are_read():
    (block,) = blocks("docs/how-to/shards.md", "python")
    execute(block)
    annotations = read_annotations(Path("shards"))
    assert annotations.names == ("dog", "person", "sky")
    assert annotations.targets.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert annotations.split_sizes == {"train": 2}
    assert [path.name for path in Path("shards").iterdir()] == ["train-000.tar"]


@pytest.mark.parametrize(
    "law",
    [
        test_contract.test_photos_of_a_batch_do_not_influence_one_another,
        test_contract.test_every_parameter_is_trained_and_gets_a_gradient,
        test_contract.test_saved_weights_give_the_same_answer_bit_for_bit,
        test_contract.test_sixteen_photos_are_learned,
    ],
)
def test_the_system_of_the_how_to_keeps_to_the_contract(law, monkeypatch):
    (block,) = blocks("docs/how-to/add-a-system.md", "python")
    monkeypatch.setitem(sys.modules, "direction", execute(block))
    monkeypatch.setitem(HOMES, "direction", "direction:Direction")
    law("direction")


def test_every_format_and_protocol_is_in_the_table_of_its_how_to():
    first = text_of("docs/how-to/own-data.md").partition("\n## 2")[0]
    formats = re.findall(r"^\| `(\w[\w-]*)` \|", first, re.MULTILINE)
    assert formats == list(FORMATS)
    protocols = re.findall(
        r"^\| `([\w-]+)` \| ([\d,]+).*? \| ([\d,]+).*? \| (\d+) \| ([\d.]+|-).* \|$",
        text_of("docs/how-to/paper-data-sets.md"),
        re.MULTILINE,
    )
    assert [name for name, *_ in protocols] == list(PROTOCOLS)
    for name, *told in protocols:
        counts = PROTOCOLS[name].counts
        photos = [f"{counts[split].photos:,}" for split in ("train", "test")]
        means = [f"{one.labels_per_photo:.2f}" for one in counts.values() if one[1] is not None]
        assert told == [*photos, str(PROTOCOLS[name].labels), (means or ["-"])[0]]


def test_every_command_is_shown_in_a_document():
    shown = {words[1] for page in PAGES for words in commands(page) if words[0] == "tagsight"}
    made = {"demo"}  # by `make demo`
    assert shown | made | {"systems"} >= {command.__name__ for command in COMMANDS}


def test_the_page_of_systems_is_what_make_docs_writes():
    assert text_of("docs/systems.md") == systems_page()


def test_what_the_notation_names_is_where_it_says():
    named = re.findall(r"`([\w/]+\.py)`: `(\w+)", text_of("docs/notation.md"))
    assert len(named) > 5
    for file, name in named:
        assert re.search(rf"^(def|class) {name}\b", text_of(f"src/tagsight/{file}"), re.MULTILINE)
