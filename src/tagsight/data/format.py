"""Interface of a label format: how it is recognised, and what its reader returns.

A reader says what the source says, and opens no photo. That photos are found, and what all formats
have in common, is the matter of `tagsight.data.readers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from tagsight.data.tables.encodings import require_encoding
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.rules.rules import LabelRules
    from tagsight.data.splits.grouping import Grouping

Difficult: TypeAlias = Literal["unknown", "present", "absent"]
Topics: TypeAlias = Literal["potential", "relevant", "all"]
Unlabelled: TypeAlias = Literal["keep", "drop"]
Level: TypeAlias = int | Literal["path", "leaf"]


@dataclass(frozen=True)
class Columns:
    """Columns of a table and its encoding; None or an empty tuple leaves the choice to the reader.

    A column is named as in the header, or by its position from 1 where there is no header.

    Attributes:
        image_column: Photo of a row.
        labels_column: One column with all labels of a photo, or with one label a row.
        label_columns: A column for each label, or columns that hold one label each.
        separator: Text between two labels of a cell.
        split_column: Split of a photo.
        group_column: Group of a photo, such as its patient.
        ignore: Columns that are neither.
        encoding: Encoding of a table, or of files of text, such as ``gb18030``.

    Raises:
        DataError: If both kinds of columns with labels are given, an empty separator, or an
            encoding that is not known.

    Example:
        >>> Columns(labels_column="tags", separator="#").separator
        '#'
    """

    image_column: str | None = None
    labels_column: str | None = None
    label_columns: tuple[str, ...] = ()
    separator: str | None = None
    split_column: str | None = None
    ignore: tuple[str, ...] = ()
    group_column: str | None = None
    encoding: str | None = None

    @property
    def options(self) -> list[str]:
        """Names of the options that name a column."""
        values = {("group" if key == "group_column" else key): it for key, it in vars(self).items()}
        return [name for name, value in values.items() if value]

    def __post_init__(self) -> None:
        if self.labels_column is not None and self.label_columns:
            msg = "expected `labels_column` or `label_columns`, got both"
            raise DataError(msg)
        if self.separator == "":
            msg = "expected text as `separator`, got none"
            raise DataError(msg)
        if self.encoding is not None:
            require_encoding(self.encoding)


PLACES = ("images", "photos", "img", "JPEGImages")
"""Usual names of the folder of photos beside labels."""


def usual_folders(base: Path) -> list[Path]:
    """Return the folders that photos are usually in: that of their labels, and some in it.

    Example:
        >>> from pathlib import Path
        >>> [folder.as_posix() for folder in usual_folders(Path("export"))]
        ['export', 'export/images', 'export/photos', 'export/img', 'export/JPEGImages']
    """
    return [base, *(base / name for name in PLACES)]


@dataclass(frozen=True)
class ReadOptions:
    """Choices that a source of labels leaves open; None leaves a choice to the reader.

    Attributes:
        images: Folder of the photos; by default the usual ones of the format.
        difficult: Target of an object that is marked as hard to see, by default ``unknown``.
        topics: Topics of MIRFLICKR-25K to use, by default the ``potential`` ones.
        unlabelled: Whether to ``keep`` photos in which no label is known to be present, as by
            default, or to ``drop`` them.
        rules: Rules on labels, applied after reading.
        level: Part of a tag such as ``animal/dog`` that makes a label: the whole ``path``, as by
            default, its last level (``leaf``), or the number of levels from the root.
        columns: Columns of a table.
        grouping: What keeps photos on one side of a split.
        every_label: Keep labels with few photos, which a format may leave out by default.
        label_studio_files: Label Studio's folder of files: its data folder, for uploads, or the
            root of its local storage.
        write_photos: Write photos that are inside a file of labels to the cache; otherwise they are
            only named. With ``images`` they are looked for there instead.

    Raises:
        DataError: If a choice is none of the possible ones.

    Example:
        >>> ReadOptions(difficult="absent").difficult
        'absent'
    """

    images: Path | None = None
    difficult: Difficult | None = None
    topics: Topics | None = None
    unlabelled: Unlabelled | None = None
    rules: LabelRules | None = None
    level: Level | None = None
    columns: Columns = Columns()
    grouping: Grouping | None = None
    every_label: bool = False
    label_studio_files: Path | None = None
    write_photos: bool = True

    def __post_init__(self) -> None:
        choices = {"difficult": Difficult, "topics": Topics, "unlabelled": Unlabelled}
        for name, possible in choices.items():
            value = getattr(self, name)
            if value is not None and value not in get_args(possible):
                msg = f"expected `{name}` to be one of {get_args(possible)}, got {value!r}"
                raise DataError(msg)
        if isinstance(self.level, int) and self.level < 1:
            msg = f"expected `level` as 'path', 'leaf' or a number from 1, got {self.level!r}"
            raise DataError(msg)

    def folders(self, *usual: Path) -> list[Path]:
        """Return the folders to look for photos in: the given one, or the usual ones.

        Example:
            >>> from pathlib import Path
            >>> usual = Path("export"), Path("export/images")
            >>> [folder.as_posix() for folder in ReadOptions().folders(*usual)]
            ['export', 'export/images']
            >>> [folder.as_posix() for folder in ReadOptions(images=Path("mine")).folders(*usual)]
            ['mine']
        """
        return list(usual) if self.images is None else [self.images]

    def folders_around(self, base: Path, *further: Path) -> list[Path]:
        """Return the folder given, or the usual ones for the labels in a folder.

        Args:
            base: Folder of the labels.
            further: Folders that photos of the format may be in as well.

        Example:
            >>> from pathlib import Path
            >>> options = ReadOptions(images=Path("mine"))
            >>> [folder.as_posix() for folder in options.folders_around(Path("export"))]
            ['mine']
        """
        return self.folders(*usual_folders(base), *further)


DEFAULTS = ReadOptions()

ONLY_LABELS = ReadOptions(write_photos=False)
"""Options to read labels without their photos."""

EVERY_LABEL = ReadOptions(every_label=True)
"""Options to measure a model, which knows its labels."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Photos and their labels as a source has them, before the photos are found.

    Attributes:
        source: The file or folder, or what errors call it.
        names: The ``L`` labels.
        photos: The ``N`` photos: text as the source names them, or a path if the source itself
            lists the files.
        targets: ``(N, L)`` int8, 1 present, 0 absent, -1 unknown.
        splits: The split of each photo, or None.
        folders: Folders that may hold the photos, the likeliest first; empty if ``photos`` are
            paths.
        unused: Columns or the like of the source that are not used as labels.
        columns: Columns of a table, as they were given or found.
        other_names: Names of the photos that are tried if none of ``photos`` is found.
        root: Folder that names of photos start from if ``photos`` are paths; by default the deepest
            one that holds all.
        lists_present: Whether the source lists what is present, so that 0 says no more than that a
            label is not listed.
        rejected: Rows and labels of the targets 0 that the source states all the same, as of a tag
            that somebody removed.
        groups: Group of each photo, from the column `Columns.group_column`, or None.
        min_photos: Fewest photos of a label, unless the rules say another number.
    """

    source: Path | str
    names: tuple[str, ...]
    photos: tuple[str, ...] | tuple[Path, ...]
    targets: Tensor
    splits: tuple[str, ...] | None = None
    folders: tuple[Path, ...] = ()
    other_names: tuple[str, ...] = ()
    root: Path | None = None
    lists_present: bool = False
    rejected: frozenset[tuple[int, str]] = frozenset()
    unused: tuple[str, ...] = ()
    columns: Columns = Columns()
    groups: tuple[str, ...] | None = None
    min_photos: int = 0


class Format(NamedTuple):
    """A format of labels.

    Attributes:
        name: Value of ``format``.
        description: What it looks like, in one sentence without a full stop.
        example: A short excerpt, or the files of a folder, a line each.
        recognises: Returns, after a cheap look, whether a path is of this format.
        read: Reads a path: parts that have their own labels or folders of photos, mostly one. A
            label that only another part has is unknown.
        hints: Ends of the names of files and folders of this format, by which it is among the
            candidates that an error names.
        weak: Whether any other format that fits says more: photos of every collection may lie in
            folders, and have keywords or text beside them.
        certain: Whether it is recognised by a mark that no other format has, so that whatever else
            fits is only beside it, such as what was written of a project into its folder.
        has_columns: Whether it has columns, or keys, that `Columns` can name.
        is_text: Whether its files may be in an encoding that `Columns` names.
        opens_photos: Whether it reads what is in the photos of its folder, and not only their
            names.
        is_of_model: Whether its labels are what a model says and nobody has confirmed, so that it
            is only read if the user chooses it.
        recognises_late: Returns whether a source that no format recognises is of this one after
            all, perhaps by the photos of another folder, which is given second; None if never.
    """

    name: str
    description: str
    example: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Sequence[Labelled]]
    hints: tuple[str, ...] = ()
    weak: bool = False
    certain: bool = False
    has_columns: bool = False
    is_text: bool = False
    opens_photos: bool = False
    is_of_model: bool = False
    recognises_late: Callable[[Path, Path | None], bool] | None = None
