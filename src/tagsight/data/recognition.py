"""The format of a source of labels: chosen, found by content, or what is missing for one."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from tagsight.data.format import DEFAULTS, ONLY_LABELS
from tagsight.data.json_files import outline
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.hidden import is_hidden
from tagsight.data.source import NoFileError, first_of, is_folder
from tagsight.data.strangers import stranger_at
from tagsight.data.tables.csv_table import CsvTable, is_text_table
from tagsight.data.tables.joined import kind_of
from tagsight.data.tables.layout import layout_of
from tagsight.data.tables.names import is_photo
from tagsight.data.tables.transposed import with_photo_rows
from tagsight.data.tables.unfilled import UnfilledError
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Format, ReadOptions

MOST_CANDIDATES = 2
PACKED = {
    ".tfrecord": "TFRecord, which holds photos that other programs have packed",
    ".pkl": "a pickle, which could run code when it is read",
    ".pickle": "a pickle, which could run code when it is read",
    ".h5": "HDF5, which holds arrays instead of photos",
    ".mat": "a file of MATLAB, which holds arrays instead of photos",
    ".npz": "arrays of NumPy, which are no photos",
}
"""Kinds of files that are not read, by what their names contain, and why."""

OF_PROGRAMS = frozenset(
    {"images", "annotations", "categories", "samples", "items", "metainfo", "data_list", "inputs"}
)
FEWEST_KEYS = 2
"""How many of these keys, at the top of files of programs, tell such a file."""

MOST_LOOKED_INTO = 20
"""Entries of a folder, other than photos, that are tried if no format fits it."""

MOST_NAMED = 4

MOST_COUNTED = 10_000
"""Photos of a folder that are counted for a message."""


def format_of(
    source: Path, name: str | None, options: ReadOptions, formats: Mapping[str, Format]
) -> Format:
    r"""Return the format of a source.

    Args:
        source: A file or folder.
        name: The format, if the user chooses it.
        options: If they name columns, text is a table, whose layout decides, and JSON that nothing
            else fits are records.
        formats: All formats by name.

    Raises:
        DataError: If there is no such source or format, or several formats fit, or none; the
            message then says what is missing for the nearest ones.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.data.format import ReadOptions
        >>> from tagsight.data.readers import FORMATS
        >>> with TemporaryDirectory() as folder:
        ...     source = Path(folder, "labels.csv")
        ...     _ = source.write_text("image,cat,dog\na.jpg,1,0\n")
        ...     format_of(source, None, ReadOptions(), FORMATS).name
        'csv-columns'
    """
    if not source.exists():
        msg = f"expected labels at {source}, which does not exist"
        raise DataError(msg)
    if name is not None:
        if name not in formats:
            msg = f"expected a format among {list(formats)}, got {name!r}"
            raise DataError(msg)
        return formats[name]
    fits = _fitting(source, options, formats)
    is_table = all(format_.has_columns and not format_.certain for format_ in fits)
    if is_table and options.columns.options and source.is_file():
        if not fits and outline(source).top:
            return formats["json-records"]
        if is_text_table(source):
            return formats[kind_of(CsvTable(source, options.columns), options.columns)]
    if not fits and options.columns.encoding and source.is_dir():
        return formats["text-tags"]  # which is recognised by words
    certain = [format_ for format_ in fits if format_.certain]
    fitting = certain or [format_ for format_ in fits if not format_.weak] or fits
    if len(fitting) == 1:
        return _by_people(source, fitting[0])
    if fitting:
        names = [format_.name for format_ in fitting]
        msg = f"expected one format to fit {source}, got {names}; choose one with `format`"
        raise DataError(msg)
    raise DataError(_unknown(source, formats))


def _fitting(source: Path, options: ReadOptions, formats: Mapping[str, Format]) -> list[Format]:
    """Return the formats that fit a source, else those that would be doubtful beside others."""
    fits = [format_ for format_ in formats.values() if format_.recognises(source)]
    if fits:
        return fits
    late = ((format_, format_.recognises_late) for format_ in formats.values())
    return [format_ for format_, fit in late if fit is not None and fit(source, options.images)]


def _by_people(source: Path, format_: Format) -> Format:
    """Return a format that was found, unless its labels are a model's."""
    if not format_.is_of_model:
        return format_
    msg = (
        f"{source}: expected labels by people, got the format {format_.name!r}, which is what a "
        "model says: give the table of what people made of it, or make labels on a page with "
        f"'tagsight label FOLDER'; `format={format_.name}` reads it all the same"
    )
    raise DataError(msg)


def _unknown(source: Path, formats: Mapping[str, Format]) -> str:
    if packed := _packed(source):
        return (
            f"expected photos as files and their labels as text, got {source}, {packed}: write the "
            "photos to a folder, and their names and labels to a CSV, with the program it is from"
        )
    if told := stranger_at(source) or _wrapped(source):
        return told
    table = _table_error(source)
    if isinstance(table, UnfilledError):
        return str(table)
    return _told_within(source, formats) or _told_of_nearest(source, formats, table)


def _wrapped(source: Path) -> str:
    """Return the error of JSON of another program that is under a key of one object."""
    top, keys, lines = outline(source)
    objects = [key for key, mark in keys.items() if mark == "{"]
    if top != "{" or lines or len(objects) != 1:
        return ""
    (key,) = objects
    if len(OF_PROGRAMS & outline(source, key).keys.keys()) < FEWEST_KEYS:
        return ""
    return (
        f"{source}: expected the labels at the top of the file, got them under {key!r}: write that "
        f"alone to a file, as 'jq .{key} {source.name} > labels.json' does, and give it"
    )


def _told_within(source: Path, formats: Mapping[str, Format]) -> str:
    """Return the error of a folder that holds a source, or several, of which one is a file."""
    within = _within(source, formats)
    if len(within) == 1:
        return f"{source} is of no known format, but {within[0]} in it is; give that one"
    if any((source / name).is_file() for name in within):
        several = ", ".join(within[:MOST_NAMED])
        return (
            f"expected one source of labels in {source}, got {len(within)}: {several}; give the "
            "one that is meant"
        )
    return ""


def _told_of_nearest(source: Path, formats: Mapping[str, Format], table: DataError | None) -> str:
    """Return the error of a source that nothing fits: what is missing for the nearest formats."""
    reasons = {_plain(source, table): "a table"} if table else _reasons(source, formats)
    likely = [f"as {name}: {reason}" for reason, name in islice(reasons.items(), MOST_CANDIDATES)]
    if source.is_dir() and (photos := _photos(source)):
        what_to_do = (
            f"expected labels beside the {photos} in {source}, got none: list them in a table with "
            "the columns image and labels, which 'tagsight data FOLDER --template labels.csv' "
            "begins, or make them on a page with 'tagsight label FOLDER'"
            f"{_of_folders(source)}"
        )
        return "; ".join([what_to_do, *likely])
    known = "'tagsight formats' lists the formats of labels that are read"
    return "; ".join([f"{source} is of no known format, it {_look(source)}", *likely, known])


def _table_error(source: Path) -> DataError | None:
    """Return why a text file is no table with labels, or None if it is none that names columns."""
    if not source.is_file() or not is_text_table(source):
        return None
    try:
        layout_of(with_photo_rows(CsvTable(source)), DEFAULTS.columns)
    except DataError as error:
        return error
    return None


def _within(source: Path, formats: Mapping[str, Format]) -> list[str]:
    """Name the folders, and files in them or beside them, of a source that a format fits."""
    if not source.is_dir():
        return []
    others = (one for one in first_of(source.iterdir(), MOST_COUNTED) if not is_photo(one.name))
    first = list(islice((one for one in others if not is_hidden(one.name)), MOST_LOOKED_INTO + 1))
    if len(first) > MOST_LOOKED_INTO:
        return []
    several = sum(map(is_folder, first)) > 1  # which may all be labels
    kinds = [format_ for format_ in formats.values() if not (several and format_.weak)]
    if found := [one.name for one in first if any(kind.recognises(one) for kind in kinds)]:
        return sorted(found)
    inside = (one for folder in filter(is_folder, first) for one in _some_tables(folder))
    fits = (one for one in inside if any(kind.recognises(one) for kind in formats.values()))
    return sorted(one.relative_to(source).as_posix() for one in fits)


def _some_tables(folder: Path) -> list[Path]:
    """Return a few files of a folder that has other files than photos alone, such as a table."""
    some = first_of(folder.iterdir(), MOST_LOOKED_INTO)
    return [
        one for one in some if not is_hidden(one.name) and one.is_file() and not is_photo(one.name)
    ]


def _of_folders(source: Path) -> str:
    """Suggest how folders become labels, if most photos are in folders."""
    inside = Counter(photo.parent != source for photo in _photo_files(source))
    is_likely = inside[True] > inside[False]
    return "; if the names of its folders are labels, give `format=label-folders`" * is_likely


def _packed(source: Path) -> str | None:
    name = source.name.lower()
    if source.is_dir():
        names = [entry.name.lower() for entry in first_of(source.iterdir(), MOST_COUNTED)]
        name = next((name for name in names if ".tfrecord" in name), "")
    return next((reason for part, reason in PACKED.items() if part in name), None)


def _reasons(source: Path, formats: Mapping[str, Format]) -> dict[str, str]:
    """Return why the nearest formats do not fit, and the first of each reason."""
    reasons: dict[str, str] = {}
    for format_ in formats.values():
        if _may_be(source, format_) and (reason := _reason(format_, source)):
            reasons.setdefault(reason, format_.name)
    return reasons


def _may_be(source: Path, format_: Format) -> bool:
    names = [entry.name for entry in source.iterdir()] if source.is_dir() else [source.name]
    return any(name.lower().endswith(hint.lower()) for hint in format_.hints for name in names)


def _reason(format_: Format, source: Path) -> str:
    """Return why a format does not fit, or nothing if it is one of files and not of folders."""
    try:
        format_.read(source, ONLY_LABELS)
    except NoFileError:
        return ""
    except DataError as error:
        return _plain(source, error)
    return "is only read if it is chosen with `format`"


def _plain(source: Path, error: DataError) -> str:
    return str(error).removeprefix(f"{source}: ").removeprefix(f"{source}:1: ")


def _look(source: Path) -> str:
    if source.is_dir():
        entries = sorted(entry.name for entry in source.iterdir())
        return f"is a folder with {', '.join(entries[:5]) or 'nothing'}"
    with source.open("rb") as handle:
        start = handle.read(60)
    return f"begins with {start!r}" if start else "is an empty file"


def _photos(folder: Path) -> str:
    found = sum(1 for _ in _photo_files(folder))
    return amount(found, "photo") if found else ""


def _photo_files(folder: Path) -> Iterator[Path]:
    found = find_photos([folder], on_problem=lambda *_: None, only_files=True)
    return islice(found, MOST_COUNTED)
