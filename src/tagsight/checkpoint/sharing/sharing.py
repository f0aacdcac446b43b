"""Push a model folder to a place, and pull one: ``tagsight.push()``, ``tagsight.pull()``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.checkpoint.config import (
    CARD,
    CONFIG,
    LARGEST_CONFIG,
    WEIGHTS,
    check_replaceable,
    model_folder,
)
from tagsight.checkpoint.folder import load_model
from tagsight.checkpoint.sharing.hub import hub_model, push_to_hub
from tagsight.checkpoint.sharing.metadata import with_metadata
from tagsight.data.remote.asking import PATIENCE
from tagsight.data.remote.fetching import download, exists, names_in, size_at, upload
from tagsight.data.remote.places import is_remote, place, scheme_of, shown
from tagsight.errors import DataError, TooLargeError
from tagsight.runtime.files import replacing_folder, temporary_folder
from tagsight.runtime.progress import TerminalLog

if TYPE_CHECKING:
    from tagsight.checkpoint.folder import LoadedModel

LARGEST = {WEIGHTS: 16 * 2**30, CARD: 2**22, CONFIG: LARGEST_CONFIG}
"""The files that are shared, with their largest sizes in bytes. The config is written last and
names the digest of the weights, so that a half-written model is none."""

SLOWEST = 2**18
"""Bytes per second that a place must at least give or take."""

_EXAMPLES = "hf://owner/name, s3://bucket/model or gs://bucket/model"
_READ_ONLY = {"http", "https"}


def push(
    model: str | Path, to: str, *, public: bool = False, message: str = "", progress: bool = True
) -> str:
    """Write a model folder to the Hugging Face Hub or to another place.

    The weights, the settings and the card are written, the card with metadata that the Hub
    understands; no other file is. The model is checked first, as if it were loaded.

    Args:
        model: A model folder.
        to: ``hf://owner/name`` is a repository of the Hub, which is created if it does not exist;
            any other URL, such as ``s3://bucket/model``, is a folder.
        public: Whether a new repository of the Hub can be read by everybody.
        message: Describes the change, on the Hub.
        progress: Whether progress is shown.

    Returns:
        The place as users write it.

    Raises:
        DataError: If the model cannot be used, or the place cannot be written or has other files.

    Example:
        >>> import tagsight as ts
        >>> ts.push("runs/first/model", "memory://models/first", progress=False)
        'memory://models/first'
    """
    folder, target = Path(model), _place(to)
    loaded = load_model(folder)
    log = TerminalLog(shown=progress)
    with temporary_folder() as temporary:
        card = temporary / CARD
        card.write_text(_card(loaded), encoding="utf-8")
        files = {name: model_folder(folder) / name for name in LARGEST} | {CARD: card}
        log.note(f"writing {shown(target)}")
        if scheme_of(target) == "hf":
            push_to_hub(hub_model(target), files, public=public, message=message)
        else:
            _push_to_folder(target, files)
    return shown(target)


def pull(source: str, out: str | Path, *, progress: bool = True) -> LoadedModel:
    """Fetch a model folder from the Hugging Face Hub or from another place.

    Three files are fetched, whatever else is there, within limits of size and time. They are
    checked as those of any stranger before the folder appears: nothing is unpickled, and weights
    that are damaged, or do not fit their settings, are refused.

    Args:
        source: ``hf://owner/name``, or ``hf://owner/name@revision``; or the URL of a folder.
        out: The model folder to write, which may replace an earlier model.
        progress: Whether progress is shown.

    Returns:
        The model that is now in ``out``.

    Raises:
        DataError: If there is no such model, it cannot be used, or ``out`` has other files.

    Example:
        >>> import tagsight as ts
        >>> _ = ts.push("runs/first/model", "memory://models/second", progress=False)
        >>> ts.pull("memory://models/second", "runs/pulled", progress=False).labels.names
        ('dog', 'sky')
    """
    place_there, folder = _place(source), Path(out)
    if scheme_of(place_there) == "hf":
        hub_model(place_there)
    check_replaceable(folder)
    sizes = {name: _size(place_there / name, name) for name in reversed(LARGEST)}
    log = TerminalLog(shown=progress)
    log.note(f"fetching {sum(sizes.values()):,} bytes from {shown(place_there)}")
    with replacing_folder(folder) as new:
        for name, size in sizes.items():
            seconds = PATIENCE + size / SLOWEST
            download(place_there / name, new / name, most=size, seconds=seconds)
        try:
            load_model(new)
        except DataError as error:
            msg = str(error).replace(str(new), shown(place_there))
            raise DataError(msg) from error
    return load_model(folder)


def _place(given: str) -> Path:
    path = place(given)
    if not is_remote(path):
        msg = f"expected a URL such as {_EXAMPLES}, got {given!r}; a folder here can be copied"
        raise DataError(msg)
    return path


def _card(loaded: LoadedModel) -> str:
    assert loaded.folder is not None
    file = model_folder(loaded.folder) / CARD
    there = file.is_file() and file.stat().st_size <= LARGEST[CARD]
    text = file.read_text(encoding="utf-8", errors="replace") if there else ""
    return with_metadata(text, loaded)


def _push_to_folder(target: Path, files: dict[str, Path]) -> None:
    if scheme_of(target) in _READ_ONLY:
        msg = f"expected a place that can be written, such as {_EXAMPLES}, got {shown(target)}"
        raise DataError(msg)
    if names_in(target) and not exists(target / CONFIG):
        msg = f"expected a model or nothing at {shown(target)}, got a folder with other files"
        raise DataError(msg)
    for name, file in files.items():
        upload(file, target / name, seconds=PATIENCE + file.stat().st_size / SLOWEST)


def _size(path: Path, name: str) -> int:
    """Return the size of a file there; where the place does not tell, the largest allowed."""
    size, most = size_at(path), LARGEST[name]
    if size is not None and size > most:
        msg = f"expected at most {most:,} bytes at {shown(path)}, got {size:,}"
        raise TooLargeError(msg)
    return most if size is None else size
