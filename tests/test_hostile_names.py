"""Label names that look like markup, commands, paths or formulas, in every kind of output.

One law for all: the output is well-formed, executes nothing, stays in its folder, and has the name.
"""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from channels import corner
from contest import a_result
from fastapi.testclient import TestClient
from markdown_it import MarkdownIt
from PIL import Image
from tiny import tiny_system
from tiny_run import tiny_recipe

from tagsight.checkpoint.card import model_card
from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.cli import main
from tagsight.data.source import clean_name
from tagsight.errors import DataError
from tagsight.experiments.comparison import Progress
from tagsight.experiments.comparison_tables import write_tables
from tagsight.experiments.plots import write_plot
from tagsight.experiments.summary import Summary, summarise
from tagsight.experiments.tables import Table, latex, markdown
from tagsight.inference.exporting import ENDINGS, delivering, written_onnx
from tagsight.inference.recognizer import Recognizer
from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.runtime.escaping import csv_content, csv_line, printable
from tagsight.search.expression import LONGEST, Has, parse
from tagsight.search.index import Hit
from tagsight.search.page import results_page
from tagsight.server.app import create_app
from tagsight.server.service import Service
from tagsight.visualize.explanation import explain_photos
from tagsight.visualize.graph_drawing import draw_graph
from tagsight.visualize.graph_report import graph_report

HOSTILE = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>"),
    *("</title></style><b>", "{{7*7}} ${7*7} %s {0}", "[here](javascript:alert(1))"),
    *("![seen](http://evil.example/a.png)", "www.evil.example http://evil.example @someone"),
    *("a|b\\|c\\", "`code` *bold* __init__ ~~gone~~ $x$", "$\\frac{1}{$", "# heading", "- item"),
    *('=HYPERLINK("http://evil.example")', "-rf", "--help", "../../etc/passwd", ".."),
    *("C:\\Windows\\system32", "CON", "'; DROP TABLE photos; --"),
    *('it\'s "quoted" & not; escaped', "and", "not (dog)", "dog\u202egpj.exe", "a\u200bb"),
    *("\u200b", "\ufeffbom", "🐕‍🦺🏳️‍🌈", "كلب", "e\u0301cole", "x" * 10_000, "界" * 300),
    *("<![CDATA[x]]><!DOCTYPE a>", "&lt;b&gt;&#60;", "%00%0d%0aSet-Cookie: a=b"),
    *("\\begin{document}\\input{/etc/passwd}", "x" * 9_999),
)
CLEANED = {"a\u200bb": "ab", "\u200b": "", "\ufeffbom": "bom"}
"""Names with letters that nobody sees, as they are read; a foreign model may have others."""
REFUSED = ("\x1b[2J", "a\x00b", "\ud800", "a\ufffeb", "a\x9bb")
WRITTEN = {
    *("h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "code")
}
"""Elements of which our Markdown consists."""

LABELS = LabelSpace.from_targets(
    HOSTILE,
    torch.ones(25, len(HOSTILE)),
    torch.randn(len(HOSTILE), 7, generator=torch.Generator().manual_seed(0)),
)
DECISION = Decision(np.zeros(len(HOSTILE)))
"""Every label is predicted for every photo."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A trained model with these labels."""
    system = tiny_system("gcam", LABELS)
    said = {"name": "a|b <i>", "source": "<b>", "expectation": "`", "settings": system.config}
    recipe = tiny_recipe("gcam").model_copy(update=said)
    folder = tmp_path_factory.mktemp("hostile") / "model"
    facts = {"data": {"<script>": "</td>"}, "<b>": "[a](javascript:b)"}
    save_model(folder, system, LABELS, DECISION, recipe, facts)
    return folder


@pytest.fixture(scope="module")
def photos(model) -> Path:
    folder = model.parent / "photos"
    folder.mkdir()
    corner("red", (60, 40)).save(folder / "-red.png")
    return folder


class Page(HTMLParser):
    """Tags, attributes and text of HTML, entities resolved."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.texts: list[str] = []
        self.feed(content)
        self.text = "".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def rendered(text: str) -> Page:
    """Markdown as rendered by a site that allows HTML."""
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_only_names_that_every_format_can_hold_are_labels():
    assert [clean_name(name) for name in HOSTILE] == [CLEANED.get(name, name) for name in HOSTILE]
    for name in REFUSED:
        with pytest.raises(DataError, match="control characters"):
            clean_name(name)


@pytest.mark.slow
def test_exported_files_have_the_names(model, tmp_path):
    with written_onnx(load_model(model), squares=True) as graph:
        for ending in ENDINGS.values():
            with delivering(graph, tmp_path / f"exported{ending}"):
                pass
            assert Recognizer.load(tmp_path / f"exported{ending}").labels == HOSTILE


def test_the_model_card_is_inert_markdown(model):
    text = (model / "README.md").read_text(encoding="utf-8")
    loaded = load_model(model)
    assert loaded.labels.names == HOSTILE
    assert text == model_card(
        loaded.system, loaded.labels, loaded.decision, loaded.recipe, loaded.facts
    )
    page = rendered(text)
    assert page.tags <= WRITTEN
    assert not page.attributes.keys() - {"class"}
    assert all(printable(name) in page.text for name in HOSTILE)
    assert "a|b <i>: which of" in page.text


@pytest.fixture(scope="module")
def comparison() -> Summary:
    """Systems with some of these names, compared."""
    return summarise(Progress(tuple(a_result(name, 0) for name in HOSTILE[:12])))


def test_tables_of_comparisons_are_inert_markdown_latex_and_csv(tmp_path, comparison):
    table = Table(HOSTILE[0], ("", *HOSTILE), tuple((name, *HOSTILE) for name in HOSTILE))
    page = rendered(markdown("<b>", [table], HOSTILE))
    assert page.tags <= WRITTEN - {"p", "pre", "code"}
    assert not page.attributes
    assert page.texts.count(printable(HOSTILE[8])) == len(HOSTILE) + 3
    text = latex([table], HOSTILE)
    assert not re.search(r"(?<!\\)(\\\\)*\\(input|frac|write)", text)
    assert text.count(r"\end{document}") == 0
    write_tables(tmp_path, comparison)
    with (tmp_path / "table.csv").open(newline="") as file:
        names = {csv_content(row[0]) for row in csv.reader(file)}
    assert set(HOSTILE[:12]) <= names


def test_plots_are_xml_with_the_names_and_without_formulas(tmp_path, comparison, recwarn):
    write_plot(tmp_path / "plot.svg", comparison)
    tree = ElementTree.parse(tmp_path / "plot.svg")
    texts = {"".join(node.itertext()) for node in tree.iter()}
    assert {name for name in HOSTILE[:12] if len(name) <= 40 and name.isprintable()} <= texts
    assert not {"script", "img"} & {node.tag.rpartition("}")[2] for node in tree.iter()}
    assert not [str(warning.message) for warning in recwarn.list]


def test_graphs_of_many_labels_are_drawn_and_reported():
    names = HOSTILE + tuple(f"{name} {number}" for number, name in enumerate(HOSTILE * 2))[:60]
    labels = LabelSpace.from_targets(names, LABELS.cooccurrence.new_ones(12, len(names)))
    picture = draw_graph(labels, GraphConfig())
    assert max(picture.size) < 6_000
    assert not [line for line in graph_report(labels, GraphConfig()).lines() if "\n" in line]


def test_heatmaps_stay_in_their_folder_and_have_the_names(model, photos, tmp_path):
    recognizer = Recognizer.load(model, precision="float32")
    out = tmp_path / "evidence"
    (done,) = explain_photos(recognizer, sorted(photos.iterdir()), out, labels=HOSTILE)
    assert set(done.shown) == set(HOSTILE)
    files = [done.sheet, *done.heatmaps]
    assert len({file.name.casefold() for file in files}) == len(HOSTILE) + 1
    assert set(out.iterdir()) == set(files)
    assert list(tmp_path.iterdir()) == [out]
    for name, file in zip(done.shown, done.heatmaps, strict=True):
        assert len(file.name.encode()) < 255
        with Image.open(file) as picture:
            assert picture.info["Title"] == name


def test_the_page_of_a_search_is_inert_html(photos):
    (photo,) = photos.iterdir()
    scores = np.linspace(0, 1, len(HOSTILE), dtype=np.float32)
    missing = Path(photos, "\udcff<script>.png")
    hits = [Hit(path, 0.5, HOSTILE, scores, b"") for path in (photo, missing)]
    content = results_page(hits, HOSTILE, like=missing, where=HOSTILE[0])
    page = Page(content.encode().decode())
    known = "html head meta title style body h1 ul li p img bdi figure"
    assert page.tags <= set(known.split())
    assert not {name for name in page.attributes if name.startswith("on")}
    assert all(source.startswith("data:image/jpeg") for source in page.attributes["src"])
    assert set(HOSTILE) <= set(page.texts)
    (spoken,) = {text for text in page.attributes["alt"] if "script" in text}
    assert all(name in spoken for name in HOSTILE)


def test_every_name_can_be_searched_for():
    for place, name in enumerate(HOSTILE):
        if len(name) <= LONGEST - 2:
            for mark in "'\"":
                text = mark + name.replace(mark, 2 * mark) + mark
                assert parse(text, HOSTILE) == Has(place, name)


def run(*arguments: object) -> None:
    assert main([*map(str, arguments)]) == 0


def test_the_commands_write_lines_tables_and_sidecars_with_the_names(model, photos, tmp_path):
    lines, table = tmp_path / "tags.jsonl", tmp_path / "tags.csv"
    run("tag", model, photos, "--write", "jsonl", "--out", lines)
    (line,) = [json.loads(text) for text in lines.read_text(encoding="utf-8").splitlines()]
    assert {label["name"] for label in line["labels"]} == set(HOSTILE)
    run("tag", model, photos, "--write", "csv", "--out", table)
    cells = [cell for row in csv.reader(io.StringIO(table.read_text("utf-8"))) for cell in row]
    assert not [c for c in cells if re.match(r"[=+@\t\r]|-[a-z]", c)]
    where = ("--sidecar-dir", tmp_path / "xmp", "--journal", tmp_path / "journal.sqlite")
    run("tag", model, photos, "--write", "xmp", *where)
    (sidecar,) = (tmp_path / "xmp").rglob("*.xmp")
    texts = {node.text for node in ElementTree.parse(sidecar).iter()}
    assert set(HOSTILE) <= texts
    assert {file.name for file in tmp_path.iterdir()} >= {"xmp", "tags.jsonl", "tags.csv"}


def test_results_have_the_names_as_they_are_even_those_that_look_like_arguments(tmp_path, capsys):
    names = ("`out`", "`training.lr=1` (`seed`)", "`tagsight.train()`")
    rows = [["image", "split", *names], *([f"{row}.jpg", "train", 1, 1, 0] for row in range(3))]
    table = tmp_path / "labels.csv"
    table.write_text("".join(map(csv_line, rows)), encoding="utf-8")
    run("data", table, "--labels-only")
    out = capsys.readouterr().out
    assert all(name in out for name in names)
    run("data", table, "--labels-only", "--json", "-")
    assert set(json.loads(capsys.readouterr().out)["counts"]) == set(names)


def test_an_index_finds_the_names_and_shows_them(model, photos, tmp_path, capsys):
    index = tmp_path / "index"
    run("index", model, photos, "--out", index)
    for name in HOSTILE[:3] + HOSTILE[19:23]:
        where = '"' + name.replace('"', '""') + '"'
        page = tmp_path / "page.html"
        capsys.readouterr()
        run("search", index, "--where", where, "--html", page)
        out = capsys.readouterr().out
        assert "-red.png" in out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e]", out)
        assert name in Page(page.read_text(encoding="utf-8")).texts


def test_the_server_sends_the_names_as_json_and_not_in_metrics(model, photos):
    service = Service(Recognizer.load(model, precision="float32"))
    (photo,) = photos.iterdir()
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        labels = client.get("/v1/model").json()["labels"]
        answer = client.post("/v1/predict?heatmaps=true", files={"photos": photo.read_bytes()})
        text = client.get("/metrics").text
    assert {label["name"] for label in labels} == set(HOSTILE)
    assert answer.headers["content-type"] == "application/json"
    (found,) = answer.json()["photos"]
    assert set(found["scores"]) == set(HOSTILE)
    assert not any(name in text for name in HOSTILE[:8])
