"""A check of all photos before a long run: each is decoded once."""

from __future__ import annotations

import stat
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.photos.deaths import noted, watched
from tagsight.data.photos.known import Limits, Sound
from tagsight.data.photos.reading import LEAST_SIDE, MAX_PIXELS, SMALLER, photo_traits
from tagsight.data.photos.tar_members import read_member, tar_of
from tagsight.data.remote.fetching import local_file, read_ahead
from tagsight.data.source import require_text
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.known import KnownPhotos
    from tagsight.data.photos.traits import PhotoTraits

LARGEST_FILE = 2**30
"""Bytes of a photo's file, which is held in memory while it is checked."""

MAX_BAD, MAX_BAD_FEW = 0.01, 5
"""Photos that may be unusable by default: this fraction, or this number if it is more."""


REMEMBERED_AT_ONCE = 1000
"""Sound photos that are stored at a time."""


class Problem(NamedTuple):
    """A photo that cannot be used, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Check:
    """Result of a check of photos.

    Attributes:
        problems: Photos that are missing, too large or damaged.
        hashes: 16 bytes of BLAKE2b of the file, for every usable photo.
        traits: Traits of every usable photo.
    """

    problems: tuple[Problem, ...]
    hashes: dict[Path, bytes]
    traits: dict[Path, PhotoTraits] = field(default_factory=dict)


def check_photos(
    paths: Sequence[Path],
    *,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    max_pixels: int = MAX_PIXELS,
    max_memory: int = MAX_PHOTO_MEMORY,
    known: KnownPhotos | None = None,
) -> Check:
    """Read and decode every photo, in threads; those that are known are not opened.

    Args:
        paths: The photos.
        workers: Number of threads; each holds one photo in memory.
        progress: Called in this thread after each photo with the number done and the total.
        max_pixels: As for `open_photo`.
        max_memory: As for `open_photo`.
        known: Photos of earlier checks, which gets the sound ones of this check.

    Example:
        >>> from pathlib import Path
        >>> check_photos([Path("missing.jpg")], workers=1).problems[0].reason
        'does not exist'
    """

    def examine(path: Path) -> tuple[Sound, bool] | str:
        return _findings_or_reason(path, Limits(max_pixels, max_memory), known)

    problems: list[Problem] = []
    hashes: dict[Path, bytes] = {}
    traits: dict[Path, PhotoTraits] = {}
    with (
        watched(),
        _remembering(known) as remember,
        closing(
            ordered_map(examine, read_ahead(paths), workers=workers, ahead=4 * workers)
        ) as results,
    ):
        for done, (path, result) in enumerate(zip(paths, results, strict=True), 1):
            if isinstance(result, str):
                problems.append(Problem(path, result))
            else:
                photo, is_known = result
                hashes[path], traits[path] = photo.hash, photo.traits
                if not is_known:
                    remember(photo)
            if progress is not None:
                progress(done, len(paths))
    return Check(tuple(problems), hashes, traits)


@contextmanager
def _remembering(known: KnownPhotos | None) -> Iterator[Callable[[Sound], None]]:
    """Store sound photos part by part, also those checked before an interruption."""
    photos: list[Sound] = []

    def remember(photo: Sound) -> None:
        if known is not None:
            photos.append(photo)
            if len(photos) == REMEMBERED_AT_ONCE:
                known.remember(photos)
                photos.clear()

    try:
        yield remember
    finally:
        if known is not None:
            known.remember(photos)


def without_problems(
    annotations: Annotations, check: Check, *, max_bad: float | None = None
) -> Annotations:
    """Drop the rows whose photos cannot be used.

    Args:
        annotations: The rows.
        check: Result of `check_photos`.
        max_bad: Largest fraction of the rows that may be dropped; by default 0.01, or 5 rows if
            that is more.

    Raises:
        DataError: If more are unusable, or all; the message lists the first few.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> a, b = Path("a.jpg"), Path("b.jpg")
        >>> rows = Annotations(("dog",), (a, b), torch.tensor([[1], [0]]), None, "csv-list")
        >>> check = Check((Problem(b, "does not exist"),), {a: content_hash(b"...")})
        >>> len(without_problems(rows, check))
        1
    """
    reasons = dict(check.problems)
    bad = [path for path in annotations.paths if path in reasons]
    if bad and len(bad) == len(annotations):
        msg = f"expected a usable photo, got none of {len(bad):,}, {_first(bad, reasons)}"
        raise DataError(msg)
    if len(bad) > _most_bad(len(annotations), max_bad):
        allowed = "1 %, or 5," if max_bad is None else f"{max_bad:.3g}"
        msg = (
            f"expected at most {allowed} of {amount(len(annotations), 'photo')} to be unusable "
            f"(`max_bad`), got {len(bad):,}, {_first(bad, reasons)}"
        )
        raise DataError(msg)
    return annotations.select(
        [i for i, path in enumerate(annotations.paths) if path not in reasons]
    )


def _most_bad(photos: int, fraction: float | None) -> float:
    return max(MAX_BAD * photos, MAX_BAD_FEW) if fraction is None else fraction * photos


def _first(bad: Sequence[Path], reasons: Mapping[Path, str]) -> str:
    return "the first being " + "; ".join(f"{path}: {reasons[path]}" for path in bad[:3])


def _findings_or_reason(
    path: Path, limits: Limits, known: KnownPhotos | None
) -> tuple[Sound, bool] | str:
    """Return a sound photo and whether its file was known, or why it cannot be used."""
    try:
        require_text(path)
        size, modified = _state(path)
        before = None if known is None else known.of_file(path, size, modified)
        if before is not None:
            return Sound(path, size, modified, *before), True
        content = photo_content(path)
        digest = content_hash(content)
        traits = None if known is None else known.of_content(digest)
        if traits is None:
            within = {"max_pixels": limits.pixels, "max_memory": limits.memory}
            with noted(path, **within, least_side=LEAST_SIDE):
                traits = photo_traits(content, **within)
    except DataError as error:
        return str(error)
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return Sound(path, size, modified, digest, traits), False


def _state(path: Path) -> tuple[int, int]:
    """Return size and time of a photo's file, or of the tar that it is in."""
    inside = tar_of(path)
    status = (local_file(path) if inside is None else inside[0]).stat()
    return status.st_size, status.st_mtime_ns


def photo_content(path: Path) -> bytes:
    """Read the file of a photo, or the member of a tar, within `LARGEST_FILE`.

    Raises:
        DataError: If it is no file, or too large.
        OSError: If it cannot be read.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.jpg").write_bytes(b"...")
        >>> photo_content(Path("a.jpg"))
        b'...'
    """
    if inside := tar_of(path):
        return read_member(*inside)
    path = local_file(path)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        msg = "is a folder or device"
        raise DataError(msg)
    if status.st_size > LARGEST_FILE:
        msg = f"expected at most {LARGEST_FILE:,} bytes, got {status.st_size:,}: {SMALLER}"
        raise DataError(msg)
    return path.read_bytes()


def content_hash(content: bytes) -> bytes:
    """Compute 16 bytes of BLAKE2b of a photo's file.

    Example:
        >>> len(content_hash(b"...")), content_hash(b"...") == content_hash(b"..,")
        (16, False)
    """
    return blake2b(content, digest_size=16).digest()
