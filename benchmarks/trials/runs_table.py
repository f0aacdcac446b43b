"""Measure finished runs on one split and print them as a table.

    python benchmarks/trials/runs_table.py labels.csv runs/* --boxes boxes.json

With ``--grad-cam`` the evidence is Grad-CAM's instead of the systems' own. Minutes are those from
the first to the last line of each run's log.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path

from tagsight import Runtime, read_annotations
from tagsight.checkpoint.folder import load_model
from tagsight.data.boxes import read_boxes
from tagsight.evaluation.evaluate import evaluate
from tagsight.evaluation.evidence_report import find_pairs, measure_evidence

COLUMNS = (
    "run",
    "recipe",
    "seed",
    "mAP",
    "95 % interval",
    "CF1",
    "OF1",
    "pointing",
    "energy in box",
    "error: flip / scale / quarter turn",
    "minutes",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--boxes", type=Path)
    parser.add_argument("--grad-cam", action="store_true")
    given = parser.parse_args()

    runtime = Runtime.choose()
    rows = read_annotations(given.data, images=given.images).rows(given.split)
    boxes = read_boxes(given.boxes) if given.boxes else None
    source = "grad-cam" if given.grad_cam else "maps"
    print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
    for run in given.runs:
        model = load_model(run / "model", runtime.device)
        split = rows.matched_to(model.labels.names)
        pairs = find_pairs(split, boxes) if boxes else None
        report = evaluate(model, split, runtime)
        found = measure_evidence(model, split, runtime, pairs=pairs, source=source)
        low, high = report["mAP_interval"]
        errors = " / ".join(f"{error:.1f}" for error in found["consistency"].values())
        cells = (
            run.name,
            report["recipe"],
            report["seed"],
            f"{report['mAP']:.1f}",
            f"{low:.1f} to {high:.1f}",
            f"{report['all_at_thresholds']['CF1']:.1f}",
            f"{report['all_at_thresholds']['OF1']:.1f}",
            f"{found['pointing']:.1f}" if boxes else "-",
            f"{found['energy_in_box']:.1f}" if boxes else "-",
            errors,
            f"{_minutes(run / 'run.jsonl'):.1f}",
        )
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if boxes:
        print(f"\nchance: pointing and energy {found['chance']:.1f}; {found['pairs']} pairs")


def _minutes(log: Path) -> float:
    lines = log.read_text().splitlines()
    first, last = (datetime.fromisoformat(json.loads(lines[i])["time"]) for i in (0, -1))
    return (last - first).total_seconds() / 60


if __name__ == "__main__":
    main()
