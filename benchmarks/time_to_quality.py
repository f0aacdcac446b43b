"""Minutes until G-CAM is as good as the plain baseline ends up, against the baseline's minutes.

    python benchmarks/time_to_quality.py labels.csv --images JPEGImages

Both recipes for a CPU are trained by the command line from an empty cache; time runs from the start
of the command, so that checking photos and frozen stages are counted. Minutes are those of the
first epoch whose validation mAP reaches the baseline's last. Without DATA nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from table import HEADER, row

BASELINE, OURS = "resnet-cpu", "gcam-cpu"


class Epoch(NamedTuple):
    """Minutes from the start of the command, and the validation mAP in percent."""

    minutes: float
    quality: float


def epochs(recipe: str, arguments: argparse.Namespace) -> list[Epoch]:
    with TemporaryDirectory() as temporary:
        out, cache = Path(temporary) / "run", Path(temporary) / "cache"
        command = [sys.executable, "-m", "tagsight", "train", str(arguments.data)]
        command += ["--recipe", recipe, "--out", str(out), "--cache", str(cache)]
        command += ["--seed", str(arguments.seed)]
        if arguments.epochs is not None:
            command += ["--epochs", str(arguments.epochs)]
        if arguments.images is not None:
            command += ["--images", str(arguments.images)]
        started = datetime.now(UTC)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        lines = (out / "run.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line) for line in lines]
    return [
        Epoch((datetime.fromisoformat(one["time"]) - started).total_seconds() / 60, one["mAP"])
        for one in said
        if one["kind"] == "epoch"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="labels, with a split 'val'")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="fewer than the recipes', to try the script")
    arguments = parser.parse_args()
    if arguments.data is None:
        print("skipped: it needs a labels file, as in: make bench DATA=labels.csv")
        return
    baseline, ours = epochs(BASELINE, arguments), epochs(OURS, arguments)
    wanted = baseline[-1]
    print(f"{BASELINE}: mAP {wanted.quality:.2f} after {wanted.minutes:.2f} minutes")
    print(
        *(f"{OURS}: {minutes:.2f} minutes, mAP {quality:.2f}" for minutes, quality in ours),
        sep="\n",
    )
    reached = [epoch.minutes for epoch in ours if epoch.quality >= wanted.quality]
    print(HEADER)
    row(
        f"{OURS} to the last mAP of {BASELINE}",
        f"{reached[0]:.2f} min" if reached else f"never ({max(e.quality for e in ours):.1f})",
        f"{wanted.minutes:.2f} min (mAP {wanted.quality:.1f})",
        (reached[0] if reached else float("inf")) / wanted.minutes,
    )


if __name__ == "__main__":
    main()
