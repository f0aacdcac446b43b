"""``tagsight tag``: labels for a collection, a line each photo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from tagsight.commands.options import Machine
from tagsight.commands.output import STANDARD_OUTPUT, remark
from tagsight.runlog import progress

INTERRUPTED = 130


def tag(
    model: Path,
    /,
    *paths: Path,
    json: Path | None = None,
    csv: Path | None = None,
    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    all_scores: bool = False,
    machine: Machine = Machine(),
) -> int:
    """Tag photos and whole folders, a line each photo. Photos that cannot be read are listed.

    Args:
        model: The model folder.
        paths: Photos and folders of photos.
        json: File for one JSON object a line; without a name they go to standard output.
        csv: File for a table.
        top: Take so many labels of every photo, whatever their thresholds.
        all_scores: Give the score of every label as well.
    """
    from tagsight.checkpoint import load_model
    from tagsight.errors import DataError
    from tagsight.recognizer import Recognizer
    from tagsight.tagging import Lines, tag_photos

    if json is not None and csv is not None:
        msg = "expected --json or --csv, got both"
        raise DataError(msg)
    if not paths:
        msg = "expected photos or folders of photos after the model, got none"
        raise DataError(msg)
    form = "json" if json is not None else "csv" if csv is not None else "text"
    file = json or csv or STANDARD_OUTPUT
    runtime = machine.runtime()
    recognizer = Recognizer(load_model(model, runtime.device), runtime)
    to_screen = file == STANDARD_OUTPUT and sys.stdout.isatty()
    with progress("tagging", console=Console(stderr=True, quiet=to_screen)) as advance:
        tagged = tag_photos(
            recognizer,
            paths,
            sys.stdout if file == STANDARD_OUTPUT else file,
            Lines(form, top, all_scores),
            on_photo=_counting(advance),
        )
