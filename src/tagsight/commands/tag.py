"""``tagsight tag``: labels for a collection, a line each photo."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from tagsight.commands.options import Additions, Machine, PhotoPath
from tagsight.commands.output import INTERRUPTED, STANDARD_OUTPUT, remark
from tagsight.errors import DataError
from tagsight.runlog import progress

if TYPE_CHECKING:
    from tagsight.tagging import Form


def tag(
    model: Path,
    paths: list[PhotoPath],
    /,
    *,
    json: Path | None = None,
    csv: Path | None = None,
    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    all_scores: bool = False,
    additions: Additions = Additions(),
    machine: Machine = Machine(),
) -> int:
    """Tag photos and whole folders, a line each photo. Photos that cannot be read are listed.

    Args:
        model: The model folder.
        paths: Photos, folders of photos, and tars of photos.
        json: File for one JSON object a line; without a name they go to standard output.
        csv: File for a table.
        top: Take so many labels of every photo, whatever their thresholds.
        all_scores: Give the score of every label as well.
    """
    if json is not None and csv is not None:
        msg = "expected --json or --csv, got both"
        raise DataError(msg)
    form: Form = "json" if json is not None else "csv" if csv is not None else "text"
    file = json or csv or STANDARD_OUTPUT

    from tagsight.checkpoint import load_model
    from tagsight.recognizer import Recognizer
    from tagsight.tagging import Lines, tag_photos

    runtime = machine.runtime()
    recognizer = Recognizer(additions.added_to(load_model(model, runtime.device)), runtime)
    # A bar would be drawn over lines on the same terminal.
    on_screen = file == STANDARD_OUTPUT and sys.stdout.isatty()
    with progress("tagging", console=Console(stderr=True, quiet=on_screen)) as advance:
        done = count(1)
        tagged = tag_photos(
            recognizer,
            paths,
            sys.stdout if file == STANDARD_OUTPUT else file,
            Lines(form, top, all_scores),
            on_photo=lambda _: advance(next(done)),
        )
    for _, reason in tagged.unreadable:
        remark(f"left out: {reason}")
    remark(f"{tagged.photos:,} photos tagged, {len(tagged.unreadable):,} left out")
    return INTERRUPTED if tagged.interrupted else 0
