"""A run that is killed again and again, against one that is left alone: digests of their models.

    python benchmarks/trials/killed_and_resumed.py labels.csv [-- --images photos --epochs 2 ...]

SIGKILL comes at random moments, `--resume` follows each. What stands after ``--`` goes to
``tagsight train``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

KILLS = 4
STEP = re.compile(r'"step": (\d+)')


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def steps(run: Path) -> int:
    """The last step in a log."""
    log = run / "run.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return max((int(step) for line in lines for step in STEP.findall(line)), default=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("options", nargs="*", help="of tagsight train")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    train = [sys.executable, "-m", "tagsight", "train", str(arguments.data), *arguments.options]
    with TemporaryDirectory() as temporary:
        whole, parts = Path(temporary) / "whole", Path(temporary) / "parts"
        subprocess.run([*train, "--out", str(whole)], check=True)
        moments = sorted(chance.sample(range(1, steps(whole)), KILLS))
        resume = [*train, "--out", str(parts), "--resume", "--state-every", "0.05"]
        for step in moments:
            with subprocess.Popen(resume) as process:
                while steps(parts) < step:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.5))
                process.kill()
            print(f"killed at step {steps(parts)} of {steps(whole)}", flush=True)
        subprocess.run([*train, "--out", str(parts), "--resume"], check=True)
        left_alone, resumed = digest(whole), digest(parts)
    print(f"left alone          {left_alone}\nkilled and resumed  {resumed}")
    return 0 if left_alone == resumed else 1


if __name__ == "__main__":
    sys.exit(main())
