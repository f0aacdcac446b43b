"""``data.toml``: how labels were read, written so that it can be given in their place."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagsight.data.format import DEFAULTS, Columns, ReadOptions
from tagsight.data.remote.fetching import local_file
from tagsight.data.remote.places import is_remote, place
from tagsight.errors import DataError
from tagsight.runtime.toml_file import read_toml, toml_value

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDING = ".toml"
CHOICES = ("difficult", "topics", "unlabelled", "level")
"""Options that a file of this kind holds beside the folder of the photos and the columns."""

FOLDERS = ("images", "label_studio_files")
"""Options that are folders."""

HEAD = (
    "How these labels were read. This file can be given instead of them: tagsight data data.toml",
    "Columns that were guessed are written out, so that they stay the same.",
)


@dataclass(frozen=True)
class DataFile:
    """A source of labels, and how it is read.

    Attributes:
        source: The file or folder.
        format: Its format.
        options: How it is read; without rules, which have a file of their own.

    Example:
        >>> print(DataFile(Path("/photos/labels.csv"), "csv-list").toml().splitlines()[-1])
        format = "csv-list"
    """

    source: Path
    format: str
    options: ReadOptions = DEFAULTS

    def toml(self) -> str:
        """Write the file."""
        values: dict[str, object] = {"source": str(self.source), "format": self.format}
        places = {name: getattr(self.options, name) for name in FOLDERS}
        values |= {name: str(folder) for name, folder in places.items() if folder is not None}
        values |= {name: getattr(self.options, name) for name in CHOICES}
        lines = [f"# {line}" for line in HEAD]
        lines += [f"{name} = {toml_value(v)}" for name, v in values.items() if v is not None]
        columns = {name: value for name, value in vars(self.options.columns).items() if value}
        if columns:
            lines += ["", "[columns]"]
            lines += [f"{name} = {toml_value(value)}" for name, value in columns.items()]
        return "\n".join(lines) + "\n"


def read_data_file(path: Path) -> DataFile:
    r"""Read such a file; a relative path in it starts from its folder.

    Args:
        path: The file, or the place of a URL: then all that it names is at URLs too.

    Raises:
        DataError: If it is no TOML, lacks the source, or has an entry that is not known.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "photos.toml")
        ...     _ = file.write_text('source = "labels.csv"\nformat = "csv"\n')
        ...     read = read_data_file(file)
        >>> read.source.name, read.format
        ('labels.csv', 'csv')
    """
    content = read_toml(local_file(path))
    known = {"source", "format", "columns", *FOLDERS, *CHOICES}
    columns = content.pop("columns", {})
    names = {field.name for field in fields(Columns)}
    if not isinstance(columns, dict) or not known >= set(content) or not names >= set(columns):
        odd = sorted({*content} - known) or columns
        msg = f"{path}: expected entries among {sorted(known)}, and of columns {sorted(names)}"
        raise DataError(f"{msg}, got {odd!r}")
    if "source" not in content or "format" not in content:
        msg = f"{path}: expected a source and a format of labels, got {sorted(content)!r}"
        raise DataError(msg)
    texts = {name: _text(path, name, content) for name in ("source", "format", *FOLDERS)}
    places: dict[str, Any] = {name: _place(path, texts[name]) for name in FOLDERS if texts[name]}
    choices: dict[str, Any] = {name: content.get(name) for name in CHOICES}
    options = ReadOptions(columns=_columns(path, columns), **places, **choices)
    return DataFile(_place(path, texts["source"]), texts["format"], options)


def _place(path: Path, named: str) -> Path:
    found = path.parent / place(named)
    if is_remote(path) and (not is_remote(found) or ".." in found.parts):
        msg = f"{path}: expected paths below its folder, or URLs, got {named!r}"
        raise DataError(msg)
    return found


def combined(file: DataFile, options: ReadOptions) -> ReadOptions:
    """Return the options of a file, with those that are given taking precedence.

    Example:
        >>> file = DataFile(Path("labels.csv"), "csv", ReadOptions(every_label=True))
        >>> options = combined(file, ReadOptions(write_photos=False))
        >>> options.every_label, options.write_photos
        (True, False)
    """
    given = {
        field.name: value
        for field in fields(ReadOptions)
        if (value := getattr(options, field.name)) != getattr(DEFAULTS, field.name)
    }
    return replace(file.options, **given)


def _text(path: Path, name: str, content: Mapping[str, Any]) -> str:
    value = content.get(name, "")
    if not isinstance(value, str):
        msg = f"{path}: expected text as {name}, got {value!r:.80}"
        raise DataError(msg)
    return value


def _columns(path: Path, content: Mapping[str, Any]) -> Columns:
    values: dict[str, Any] = {}
    for name, value in content.items():
        is_list = name in {"label_columns", "ignore"}
        entries = value if is_list and isinstance(value, list) else [value]
        if not all(isinstance(entry, str) for entry in entries):
            msg = f"{path}: expected text as {name} in columns, got {value!r:.80}"
            raise DataError(msg)
        values[name] = tuple(entries) if is_list else value
    return Columns(**values)
