"""From tags to a model, to tags for the other photos, corrected, and to the next model."""

import csv
from pathlib import Path

import pytest
from collection import TINY_OPTIONS, write_collection

from tagsight.cli import main
from tagsight.data.format import EVERY_LABEL
from tagsight.data.readers import read_annotations
from tagsight.tagging.sidecars.xmp import keywords

NAMES = ("boat", "dog", "grass", "sea", "sky")
TAGGED = 40
SIDECAR = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
  xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>
"""


def subjects(*names: str) -> str:
    return SIDECAR.format("".join(f"<rdf:li>{name}</rdf:li>" for name in names))


def targets(folder: Path) -> dict[str, dict[str, int]]:
    rows = read_annotations(folder, options=EVERY_LABEL)
    return {
        path.name: dict(zip(rows.names, row, strict=True))
        for path, row in zip(rows.paths, rows.targets.tolist(), strict=True)
    }


@pytest.fixture
def archive(tmp_path) -> Path:
    """Photos of which most have keywords, one of them a keyword that no other has."""
    table = write_collection(tmp_path / "photos", names=NAMES)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    table.unlink()
    for place, row in enumerate(rows[:TAGGED]):
        given = [name for name in NAMES if row[name] == "1"] + ["once"] * (place == 0)
        (tmp_path / "photos" / f"{row['image']}.xmp").write_text(subjects(*given))
    return tmp_path / "photos"


@pytest.mark.slow
def test_what_tagsight_wrote_is_learned_when_a_person_has_confirmed_it(
    archive, tmp_path, capsys, caplog
):
    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().err + caplog.text

    model, journal = tmp_path / "run" / "model", tmp_path / "journal"
    options = ["--min-photos", "2", *TINY_OPTIONS]
    said = run("train", archive, "--out", tmp_path / "run", *options)
    assert "1 label left out, with fewer than 2 photos: 'once' 1" in said
    known = sum(1 in row.values() for row in targets(archive).values())
    assert f"{known} of 48 photos have tags by a person, 0 only tags that tagsight wrote" in said
    assert f"{48 - known} photos left out, of which no label is known" in said
    before = targets(archive)
    run("tag", model, archive, "--write", "xmp", "--top", 2, "--journal", journal)
    # Nothing that was known has changed, and nothing that tagsight wrote is known.
    after = targets(archive)
    for photo, row in before.items():
        assert all(after[photo][name] in {-1, value} for name, value in row.items())
        assert {name for name, value in after[photo].items() if value == 1} == {
            name for name, value in row.items() if value == 1
        }
    rest = sorted(archive.glob("*.png"))[TAGGED:]
    first, second = (Path(f"{photo}.xmp") for photo in rest[:2])
    wrong, right = keywords(first.read_bytes())
    first.write_text(first.read_text().replace(f"<rdf:li>{wrong}</rdf:li>", ""))
    assert targets(archive)[rest[0].name] == dict.fromkeys(NAMES, -1) | {"once": -1, wrong: 0}
    said = run("confirm", rest[0], rest[1], "--journal", journal)
    assert "3 tags in 2 sidecars confirmed; 'tagsight undo 2' takes it back" in said
    learned = targets(archive)
    assert {name for name, value in learned[rest[0].name].items() if value == 1} == {right}
    assert learned[rest[0].name][wrong] == 0
    both = set(keywords(second.read_bytes()))
    assert {name for name, value in learned[rest[1].name].items() if value == 1} == both
    # Undo of the tagging run leaves what a person has confirmed.
    run("undo", 1, "--journal", journal)
    assert targets(archive)[rest[1].name] == learned[rest[1].name]
    assert set(targets(archive)[rest[2].name].values()) == {-1}
    run("train", archive, "--out", tmp_path / "second", *TINY_OPTIONS)
