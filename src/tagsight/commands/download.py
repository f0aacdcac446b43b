"""``tagsight download``: collections that papers evaluate on, from their publishers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagsight.commands.output import print_info, print_result
from tagsight.runtime.progress import progress


def download(
    collection: Literal["voc2007", "coco2014", "mirflickr25k", "nus-wide"], /, *, out: Path
) -> None:
    """Fetch a collection from its publisher, verify it and unpack it.

    ```console
    tagsight download voc2007 --out data
    ```

    Files that were fetched are kept: after a broken connection the same command resumes, and a
    complete collection is not fetched again. Without a network, the command prints which files to
    put where.

    Args:
        collection: PASCAL VOC 2007, COCO 2014 or MIRFLICKR-25K; for NUS-WIDE, which may not be
            distributed, the command prints how to obtain it.
        out: Folder for archives and photos.
    """
    from tagsight.data.literature.collections import DOWNLOADS, NOT_DISTRIBUTED, by_hand
    from tagsight.data.literature.collections import download as bring
    from tagsight.data.literature.download import UnreachableError
    from tagsight.errors import DataError

    if collection in NOT_DISTRIBUTED:
        for line in NOT_DISTRIBUTED[collection]:
            print_info(line)
        msg = f"expected a collection that may be distributed, got {collection}"
        raise DataError(msg)
    print_info(DOWNLOADS[collection].description)
    try:
        print_result(bring(collection, out, progress))
    except UnreachableError:
        for line in by_hand(collection, out):
            print_info(line)
        raise
