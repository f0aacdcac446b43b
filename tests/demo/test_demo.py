import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_demo import PICTURES, SCENES, small_demo

from tagsight.checkpoint.folder import load_model
from tagsight.data.readers import read_annotations
from tagsight.demo.demo import run_demo
from tagsight.runtime.device import Runtime

SEED = 5
SYSTEMS = ("gcam", "resnet")


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("demo")
    with small_demo():
        runtime = Runtime(torch.device("cpu"), "float32", workers=1)
        return out, run_demo(out, runtime, seed=SEED)


@pytest.mark.slow
def test_both_systems_and_chance_are_measured_on_the_same_photos_and_summarised(demo):
    out, lines = demo
    names = {path.name for path in out.iterdir()}
    assert names == {"photos", *SYSTEMS, "evidence", "metrics.json", "summary.md"}
    assert (out / "summary.md").read_text() == "\n".join(lines) + "\n"
    assert f"{SCENES} drawn photos (seed {SEED})" in lines[2]
    metrics = json.loads((out / "metrics.json").read_text())
    ours, baseline = (metrics[system] for system in SYSTEMS)
    assert ours["split_hash"] == baseline["split_hash"]
    assert ours["photos"] == baseline["photos"] < SCENES / 2
    assert ours["evidence"]["pairs"] == baseline["evidence"]["pairs"] > 0
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines if "|" in line}
    for system in SYSTEMS:
        assert load_model(out / system / "model").recipe.name == f"{system}-cpu"
        assert (out / system / "run.jsonl").stat().st_size > 0
        mean, _, _, pointing, energy, _ = rows[system]
        evidence = metrics[system]["evidence"]
        told = [metrics[system]["mAP"], evidence["pointing"], evidence["energy_in_box"]]
        assert [float(mean), float(pointing), float(energy)] == pytest.approx(told, abs=0.05)
    assert float(rows["chance"][3]) == pytest.approx(ours["evidence"]["chance"], abs=0.05)


@pytest.mark.slow
def test_heatmaps_show_the_test_photos_with_the_most_labels(demo):
    out, _ = demo
    test = read_annotations(out / "photos" / "labels.csv").rows("test")
    shown = {path.stem: int(row.sum()) for path, row in zip(test.paths, test.targets, strict=True)}
    pictures = sorted((out / "evidence").iterdir())
    sheets = [path.stem for path in pictures if "." not in path.stem]
    assert sorted(shown[stem] for stem in sheets) == sorted(shown.values())[-PICTURES:]
    assert len(pictures) > PICTURES
    for path in pictures:
        with Image.open(path) as picture:
            picture.verify()
