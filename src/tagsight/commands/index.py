"""``tagsight index``: a collection, to be searched."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Hardware, PhotoPath
from tagsight.commands.output import FAILED, INTERRUPTED, print_info
from tagsight.commands.problems import listed
from tagsight.runtime.amounts import amount


def index(
    model: Path,
    paths: list[PhotoPath],
    /,
    *,
    out: Path,
    problems: Path | None = None,
    hardware: Hardware = Hardware(),
) -> int:
    """Make an index of photos, or bring one up to date.

    Photos that are known and have not changed are not opened; moved ones are found again by their
    content, and those that are gone from the given folders are forgotten. The exit code is 1 if a
    photo could not be read.

    Args:
        model: The model folder, or a file that 'tagsight export' wrote.
        paths: Photos, folders of photos, and tars of photos.
        out: Folder of the index.
        problems: File for a table of the photos that were left out, and why.
    """
    print_info(f"loading {model}")

    from tagsight.search.collection import index as index_photos

    with listed(problems) as left_out:
        indexed = index_photos(
            hardware.recognizer(model), paths, out=out, on_problem=left_out.append
        )
    left_out.tell()
    print_info(
        f"{amount(indexed.photos, 'photo')} in the index: "
        f"{indexed.new:,} new, {indexed.known:,} known, "
        f"{indexed.moved:,} moved, {indexed.gone:,} gone, {left_out.count:,} left out"
    )
    if indexed.interrupted:
        return INTERRUPTED
    return FAILED if left_out.count else 0
