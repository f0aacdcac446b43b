"""``tagsight data``: what was understood of a collection."""

from __future__ import annotations

from pathlib import Path

from cyclopts.types import ExistingPath

from tagsight.commands.options import Reading
from tagsight.commands.output import STANDARD_OUTPUT, say, write_json
from tagsight.runlog import progress


def data(data: ExistingPath, /, *, reading: Reading = Reading(), json: Path | None = None) -> None:
    """Read labels, open every photo, and print what was understood.

    Args:
        data: Labels: a file or a folder of a known format.
        json: File for the same as JSON; without a name it goes to standard output.
    """
    from tagsight.data.check import check_photos
    from tagsight.data.description import describe
    from tagsight.runtime import Runtime

    annotations = reading.read(data)
    workers = Runtime.choose("cpu").workers
    with progress("checking photos", len(annotations)) as advance:
        check = check_photos(annotations.paths, workers=workers, progress=advance)
    description = describe(annotations, check)
    if json != STANDARD_OUTPUT:
        say(description.lines())
    if json is not None:
        write_json(description.as_dict(), json)
