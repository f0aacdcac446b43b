"""A collection of photos indexed and searched: what the commands ``index`` and ``search`` do."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.data.photos.finding import find_photos
from tagsight.data.remote.places import place
from tagsight.errors import DataError
from tagsight.inference.recognizer import load
from tagsight.runtime.claims import claimed
from tagsight.runtime.progress import TerminalLog
from tagsight.search.expression import parse
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import digest_of, forget_missing, index_photos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.run import Run
    from tagsight.search.index import Hit
    from tagsight.search.indexing import Indexed, PhotoEmbedder

Region = tuple[float, float, float, float]
"""Left, top, width and height of a part of a photo, in pixels."""

CLAIM = "claim"
"""File in the folder of an index that the run holds which writes to it."""


def index(
    model: str | Path | Recognizer | Run,
    photos: str | Path | Iterable[str | Path],
    *,
    out: str | Path,
    by: PhotoEmbedder | None = None,
    on_problem: Callable[[Path, str], object] | None = None,
    progress: bool = True,
) -> Indexed:
    """Make an index of photos, or bring one up to date.

    Photos that are known and have not changed are not opened; moved ones are found again by their
    content, and those that are gone from the given folders are forgotten. Ctrl-C ends it; the same
    call goes on.

    Args:
        model: A model folder, an exported file, a `Run` or a `Recognizer`.
        photos: Photos, folders of photos, and tars of photos.
        out: Folder of the index.
        by: Recognises the photos by the same model, such as a `RayRecognizer` on other machines; by
            default the model itself does, here.
        on_problem: Called with a photo that cannot be read, which is left out, and why.
        progress: Whether progress is shown.

    Raises:
        DataError: If the model cannot be used, or ``out`` holds the index of another model or
            something else, or another run writes to it.

    Example:
        >>> import tagsight as ts
        >>> indexed = ts.index("runs/first/model", "photos", out="index", progress=False)
        >>> indexed.photos
        24
        >>> hits = ts.search("index", like="photos/dog.jpg", top=3)
        >>> [hit.path.suffix for hit in hits]
        ['.jpg', '.jpg', '.jpg']
    """
    log, recognizer = TerminalLog(shown=progress), load(model)
    paths = [Path(photo) for photo in ([photos] if isinstance(photos, str | Path) else photos)]
    facts = Facts(
        folder=str((recognizer.network.place or Path()).resolve()),
        model=recognizer.info.model,
        names=recognizer.labels,
        thresholds=tuple(recognizer.decision.thresholds.tolist()),
        length=recognizer.info.embedding_size,
    )
    is_new = not Path(out).exists()
    opened = SearchIndex.create(Path(out), facts)
    tell = on_problem or _nothing
    refusal = (
        f"expected one run at a time to write the index {out}, got another that has not ended: "
        "wait for it, or choose another `out`"
    )
    with claimed(opened.folder / CLAIM, refusal):
        total = sum(1 for _ in find_photos(paths, on_problem=_nothing))
        with log.work("indexing", total) as advance:
            done = count(1)
            indexed = index_photos(
                by or recognizer,
                find_photos(paths, on_problem=tell),
                opened,
                on_photo=lambda _: advance(next(done)),
                on_problem=tell,
            )
        if not indexed.interrupted:
            indexed.gone = forget_missing(opened, paths)
            opened.tidy(unread=is_new, removed=indexed.gone)
            if (recall := opened.speed_up()) is not None:
                log.note(
                    f"searches are approximate and find {recall:.1%} of the ten nearest photos"
                )
        indexed.photos = len(opened)
    return indexed


def search(
    index: str | Path | SearchIndex,
    *,
    like: str | Path | None = None,
    where: str | None = None,
    region: Region | None = None,
    top: int = 20,
    exact: bool = False,
    model: str | Path | Recognizer | Run | None = None,
) -> list[Hit]:
    """Find photos of an index that look like one, that have labels, or both.

    Args:
        index: Folder of the index, or one that is open.
        like: A photo; the photos that are most like it come first.
        where: Labels that photos must have, such as ``dog and not (person or cat >= 0.9)``.
        region: The part of ``like`` to search by, in pixels of the upright photo.
        top: How many photos at most.
        exact: Whether all photos are compared, also where the index is large.
        model: The model, if it has moved since the index was made, or a file exported of it.

    Raises:
        DataError: If neither ``like`` nor ``where`` is given, the expression or a photo cannot be
            read, or the model is not that of the index.

    Example:
        >>> import tagsight as ts
        >>> ts.index("runs/first/model", "photos", out="runs/index", progress=False).photos
        24
        >>> len(ts.search("runs/index", like="photos/dog.jpg", top=3))
        3
        >>> len(ts.search("runs/index", where="dog or not dog", top=5))
        5
    """
    check_query(like=like, where=where, region=region)
    opened = index if isinstance(index, SearchIndex) else SearchIndex.open(Path(index))
    expression = None if where is None else parse(where, opened.facts.names)
    if like is None:
        assert expression is not None  # it was checked
        return opened.having(expression, top)
    photo, recognizer = place(like), _recognizer(opened.facts, model)
    if region is None:
        embedding, without = recognizer(photo).embedding, digest_of(photo)
    else:
        embedding, without = recognizer.embed_region(photo, region), None
    return opened.like(embedding, top, expression=expression, without=without, exact=exact)


def check_query(*, like: object, where: object, region: object) -> None:
    """Refuse a query that asks for nothing.

    Raises:
        DataError: If it does.

    Example:
        >>> check_query(like=None, where="dog", region=None)
    """
    if like is None and where is None:
        msg = "expected `like` with a photo, `where` with labels, or both, got neither"
        raise DataError(msg)
    if region is not None and like is None:
        msg = "expected `like` with the photo that `region` is a part of, got none"
        raise DataError(msg)


def _recognizer(facts: Facts, model: str | Path | Recognizer | Run | None) -> Recognizer:
    place = model or Path(facts.folder)
    missing = isinstance(place, str | Path) and not Path(place).exists()
    recognizer = None if missing else load(place)
    if recognizer is None or recognizer.info.model != facts.model:
        got = f"none at {place}"
        if recognizer is not None:
            got = f"another at {recognizer.network.place}"
        msg = f"expected the model that made the index, got {got}: say with `model` where it is"
        raise DataError(msg)
    return recognizer


def _nothing(*_: object) -> None:
    return None
