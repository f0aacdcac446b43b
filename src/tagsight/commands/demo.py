"""``tagsight demo``: the whole journey on drawn photos."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Machine
from tagsight.commands.output import remark, say


def demo(*, out: Path = Path("demo"), seed: int = 0, machine: Machine = Machine()) -> None:
    """Draw photos, train on them, measure, explain and sum up, in under five minutes.

    Args:
        out: Folder for photos, model, metrics and pictures.
        seed: Decides the photos and everything random in training.
    """
    remark(f"making {out}")

    from tagsight.demo.demo import run_demo

    say(run_demo(out, machine.runtime(), seed=seed))
