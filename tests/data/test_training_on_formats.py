"""From photos and labels to a graph, a model, its evaluation and tags, of each kind of format.

What each format gives is tested in `test_readers.py`, and that it is read again from `data.toml` in
`test_data_file.py`: here is one format for each way from there to training.
"""

import csv
import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import tiny_collections
from collection import TINY_OPTIONS
from tiny import COLOURS, drawn, saved_photos
from tiny_collections import EXAMPLES, Example, write_shard

from tagsight.cli import main

NAMES = ("blue", "green", "red")
COUNT, HELD_OUT = 24, 3
FORMS = {
    "csv-columns": "splits, and targets that are unknown",
    "csv-long": "no splits",
    "coco": "boxes",
    "split-folders": "photos in the folders of their splits",
    "label-folders": "photos in the folders of their labels, some of them twice",
    "shards": "photos inside the files of labels",
    "photo-tags": "photos that nobody has labelled",
    "label-project": "a database",
    "megadetector": "labels of a model, which are read only if they are asked for",
}
"""A format of each kind, and what is special about it in training."""


@pytest.fixture
def drawings(tmp_path, monkeypatch) -> dict[str, bytes]:
    """Drawn photos by their names; the tiny collection is of these."""
    images, targets = drawn(COUNT)
    files = saved_photos(tmp_path, images)
    columns = targets[:, [list(COLOURS).index(name) for name in NAMES]]
    rows = tuple(map(tuple, columns.tolist()))
    photos = tuple(f"{file.stem}.jpg" for file in files)
    splits = tuple("train" if row % HELD_OUT else "val" for row in range(COUNT))
    parts = {
        part: tuple(i for i, it in enumerate(splits) if it == part) for part in ("train", "val")
    }
    present = [[name for name, it in zip(NAMES, row, strict=True) if it] for row in rows]
    untagged = tuple(row if any(row) else (-1,) * len(NAMES) for row in rows)
    replaced = {"NAMES": NAMES, "TARGETS": rows, "UNKNOWN_AS_ABSENT": rows, "PRESENT": present}
    replaced |= {"SPLITS": splits, "ROWS": parts, "PHOTOS": photos, "UNTAGGED": untagged}
    for name, value in replaced.items():
        monkeypatch.setattr(tiny_collections, name, value)
    return {photo: file.read_bytes() for photo, file in zip(photos, files, strict=True)}


def lay(example: Example, drawings: dict[str, bytes]) -> None:
    """Write the photos of an example to where it has them."""
    for tar in example.source.glob("*.tar"):
        with tarfile.open(tar) as opened:
            inside = {one.name: opened.extractfile(one).read() for one in opened}
        tar.unlink()
        write_shard(tar, {name: drawings.get(name, content) for name, content in inside.items()})
    if example.format == "label-folders":
        for file in example.photos.rglob("*.jpg"):
            file.write_bytes(drawings[file.name])
    elif example.format != "shards":
        for name, content in drawings.items():
            file = example.path_of(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def of_names(values: dict[str, str], kept: dict[str, bytes]) -> dict[str, str]:
    """Return what is said of each photo, by its name alone."""
    return {Path(name).name: value for name, value in values.items() if Path(name).name in kept}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_trained_measured_and_used_on_labels_of_every_kind_of_format(
    tmp_path, monkeypatch, drawings, form
):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    example = EXAMPLES[form](Path("data").absolute(), tuple(drawings))
    lay(example, drawings)
    reading = [str(example.source)]
    reading += ["--format", form] if form == "megadetector" else []

    def run(command: str, *arguments: str) -> None:
        assert main([command, *arguments]) == 0

    run("graph", *reading)
    run("train", *reading, "--out", "run", "--recipe", "resnet-cpu", *TINY_OPTIONS)
    with Path("run/split.csv").open(newline="") as file:
        recorded = of_names(dict(csv.reader(file)), drawings)
    stated = dict(zip(drawings, tiny_collections.SPLITS, strict=True))
    if example.splits is not None and "test" not in example.splits:
        assert recorded == {name: stated[name] for name in recorded}
    part = "test" if "test" in recorded.values() else "val"
    for place, again in enumerate((reading, ["run/data.toml"])):
        run("evaluate", "run/model", *again, "--split", part, "--json", f"{place}.json")
    first, second = (json.loads(Path(f"{place}.json").read_text()) for place in range(2))
    assert first["photos"] == Counter(recorded.values())[part]
    assert (first["mAP"], [*first["per_label"]]) == (second["mAP"], [*NAMES])
    run("tag", "run/model", str(example.photos), "--write", "csv", "--out", "tags.csv")
    with Path("tags.csv").open(newline="") as file:
        tagged = {Path(row[0].rpartition("!")[2]).name for row in csv.reader(file)}
    assert recorded.keys() <= tagged
