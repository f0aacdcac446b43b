"""``tagsight demo``: the whole journey on drawn photos."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Hardware
from tagsight.commands.output import print_info, print_result


def demo(*, out: Path = Path("demo"), seed: int = 0, hardware: Hardware = Hardware()) -> None:
    """Draw photos, train on them, measure, explain and sum up, in under five minutes.

    Args:
        out: Folder for photos, model, metrics and pictures.
        seed: Decides the photos and everything random in training.
    """
    print_info(f"making {out}")

    from tagsight.demo.demo import run_demo

    print_result(run_demo(out, hardware.runtime(), seed=seed))
