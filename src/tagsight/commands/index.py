"""``tagsight index``: a collection, to be searched."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from tagsight.commands.options import Hardware, PhotoPath
from tagsight.commands.output import FAILED, INTERRUPTED, print_info
from tagsight.commands.problems import listed
from tagsight.runtime.amounts import amount
from tagsight.runtime.progress import progress


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

    from tagsight.data.photo_files import find_photos
    from tagsight.search.facts import Facts
    from tagsight.search.index import SearchIndex
    from tagsight.search.indexing import forget_missing, index_photos

    recognizer = hardware.recognizer(model)
    facts = Facts(
        folder=str(model.resolve()),
        model=recognizer.info.model,
        names=recognizer.labels,
        thresholds=tuple(recognizer.decision.thresholds.tolist()),
        length=recognizer.info.embedding_size,
    )
    opened = SearchIndex.create(out, facts)
    total = sum(1 for _ in find_photos(paths, on_problem=lambda *_: None))
    with progress("indexing", total) as advance, listed(problems) as left_out:
        done = count(1)
        indexed = index_photos(
            recognizer,
            find_photos(paths, on_problem=left_out.append),
            opened,
            on_photo=lambda _: advance(next(done)),
            on_problem=left_out.append,
        )
    if not indexed.interrupted:
        indexed.gone = forget_missing(opened, paths)
        opened.tidy()
        if (recall := opened.speed_up()) is not None:
            print_info(
                f"searches go by short forms, and find {recall:.1%} of the ten nearest photos"
            )
    left_out.tell()
    print_info(
        f"{amount(len(opened), 'photo')} in the index: "
        f"{indexed.new:,} new, {indexed.known:,} known, "
        f"{indexed.moved:,} moved, {indexed.gone:,} gone, {left_out.count:,} left out"
    )
    if indexed.interrupted:
        return INTERRUPTED
    return FAILED if left_out.count else 0
