"""``tagsight confirm``: makes tags that tagsight wrote those of a person."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagsight.commands.options import PhotoPaths, journal_file
from tagsight.commands.output import FAILED, print_info, print_result
from tagsight.commands.problems import listed, no_photo_found
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

PART = 256
"""Photos whose sidecars are read before any of them is written."""


def confirm(
    *paths: PhotoPaths,
    dry_run: bool = False,
    sidecar_dir: Path | None = None,
    sidecar_name: Literal["stem", "full"] | None = None,
    embed: bool = False,
    journal: Path | None = None,
) -> int:
    """Confirm the tags that tagsight wrote into XMP sidecars: training learns from them then.

    ```console
    tagsight confirm photos --dry-run
    tagsight confirm photos
    ```

    Look through the tags before, in any photo manager, and remove the wrong ones. What you removed
    stays recorded as absent. 'tagsight undo' reverts a confirmation.

    Args:
        paths: Photos, and folders of photos.
        dry_run: Print what would be confirmed, without writing anything.
        sidecar_dir: Folder of the sidecars; by default they are beside the photos.
        sidecar_name: Sidecar name, as for 'tagsight tag'.
        embed: Confirm the tags inside photos, which 'tagsight tag --embed' wrote.
        journal: Journal file; by default the one for all your runs.
    """
    from tagsight.data.photos.finding import find_photos
    from tagsight.runtime.threads import batched
    from tagsight.tagging.embedding.embedder import EmbeddedConfirmer
    from tagsight.tagging.embedding.exiftool import ExifTool, require_exiftool
    from tagsight.tagging.sidecars.journal import Journal
    from tagsight.tagging.sidecars.places import XMP, Places
    from tagsight.tagging.sidecars.writing import Confirmer

    if embed:
        _check_embed(sidecar_dir, sidecar_name)
        require_exiftool()

    file = journal_file(journal)
    if dry_run and not file.exists():
        file = Path(":memory:")
    found = files = tags = 0
    confirmer: Confirmer | EmbeddedConfirmer
    with Journal(file) as opened, ExifTool() as exiftool, listed(None) as left_out:
        if embed:
            confirmer = EmbeddedConfirmer(exiftool, opened, dry_run=dry_run)
        else:
            places = Places(XMP, sidecar_dir, paths, sidecar_name)
            confirmer = Confirmer(places, opened, dry_run=dry_run)
        for photos in batched(find_photos(paths, on_problem=left_out.append), PART):
            found += len(photos)
            for outcome in confirmer.confirm(photos):
                if outcome.problem:
                    left_out.append(outcome.photo, f"{outcome.photo}: {outcome.problem}")
                elif outcome.added:
                    files, tags = files + 1, tags + len(outcome.added)
                    if dry_run:
                        print_result([f"{outcome.sidecar}: {', '.join(outcome.added)}"])
    left_out.print_first()
    would = "would be confirmed" if dry_run else "confirmed"
    back = "" if confirmer.run is None else f"; 'tagsight undo {confirmer.run}' takes it back"
    where = amount(files, "photo" if embed else "sidecar")
    print_info(f"{amount(tags, 'tag')} in {where} {would}{back}")
    if not (found or left_out.count):
        return no_photo_found(paths)
    return FAILED if left_out.count else 0


def _check_embed(sidecar_dir: Path | None, sidecar_name: str | None) -> None:
    if sidecar_dir is not None or sidecar_name is not None:
        msg = "expected --embed, or --sidecar-dir and --sidecar-name for sidecars, got both"
        raise DataError(msg)
