"""``tagsight demo``: all steps on drawn photos."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Hardware
from tagsight.commands.output import print_info, print_result


def demo(*, out: Path = Path("demo"), seed: int = 0, hardware: Hardware = Hardware()) -> None:
    """Draw photos, train, evaluate and explain, in a few minutes.

    ```console
    tagsight demo
    tagsight demo --out trial --seed 1
    ```

    The folder then holds a collection, two models to try the other commands on, and a summary.

    Args:
        out: Folder for photos, models, metrics and heatmaps.
        seed: Random seed of the photos and of training.
    """
    print_info(f"making {out}")

    from tagsight.demo.demo import run_demo

    print_result(run_demo(out, hardware.runtime(), seed=seed))
