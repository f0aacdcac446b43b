"""``tagsight index``: indexes a collection for search."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tagsight.commands.options import Engine, PhotoPaths, RecognitionHardware
from tagsight.commands.output import FAILED, INTERRUPTED, print_info
from tagsight.commands.problems import listed, no_photo_found
from tagsight.runtime.amounts import amount


def index(
    model: Path,
    /,
    *paths: PhotoPaths,
    out: Path,
    problems: Path | None = None,
    hardware: RecognitionHardware = RecognitionHardware(),
    engine: Engine = "plain",
) -> int:
    """Create or update a search index of photos.

    ```console
    tagsight index runs/first/model photos --out photos-index
    ```

    Unchanged photos are not opened again, moved photos are recognised by their content, and photos
    deleted from the given folders are removed. The exit code is 1 if a photo could not be read.

    Args:
        model: Model folder, or a file written by 'tagsight export'.
        paths: Photos, folders of photos, or tar files of photos.
        out: Index folder.
        problems: CSV file for the photos that were left out, with reasons.
        engine: Recognise photos in this process (plain), or in the processes of a Ray cluster: that
            of RAY_ADDRESS in the environment, or one started here for the duration of the command.
    """
    print_info(f"loading {model}")

    from tagsight.data.photos.finding import find_photos
    from tagsight.inference.cluster import RayRecognizer
    from tagsight.search.collection import index as index_photos

    if engine == "plain":
        found = find_photos(paths, on_problem=_nothing)
        recognizer, by = hardware.fast_recognizer(model, found), None
    else:
        load = partial(hardware.fast_recognizer, model.absolute())
        recognizer = load()
        by = RayRecognizer(load, recognizer, workers=hardware.workers)
    with listed(problems) as left_out:
        indexed = index_photos(recognizer, paths, out=out, by=by, on_problem=left_out.append)
    left_out.print_first()
    print_info(
        f"{amount(indexed.photos, 'photo')} in the index: "
        f"{indexed.new:,} new, {indexed.known:,} known, "
        f"{indexed.moved:,} moved, {indexed.gone:,} gone, {left_out.count:,} left out"
    )
    if indexed.interrupted:
        return INTERRUPTED
    if not (indexed.new or indexed.known or indexed.moved or indexed.gone or left_out.count):
        return no_photo_found(paths)
    return FAILED if left_out.count else 0


def _nothing(*_: object) -> None:
    pass
