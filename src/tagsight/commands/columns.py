"""Options for the columns of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from tagsight.data.format import Columns

TABLES = Group("Tables", sort_key=2)


@Parameter(name="*", group=TABLES)
@dataclass(frozen=True)
class ColumnOptions:
    """Columns of a table, and its encoding; what is not given is found and printed."""

    image_column: str | None = None
    """Column with the photo; its position from 1 where a table has no header, as for all columns.
    """

    labels_column: str | None = None
    """Column with all labels of a photo, or with one label in each of its rows."""

    label_columns: str | None = None
    """Comma-separated columns, one for each label, or with one label each."""

    separator: str | None = None
    """Text between two labels of a cell."""

    split_column: str | None = None
    """Column with the split."""

    ignore: str | None = None
    """Comma-separated columns that are no labels."""

    encoding: str | None = None
    """Encoding of a table, or of files of tags, such as gb18030, cp932 or cp1251; by default
    UTF-8 or UTF-16, or Windows-1252 where the text is Western, which is printed."""

    def chosen(self) -> Columns:
        """Return the columns.

        Raises:
            DataError: If options contradict each other.

        Example:
            >>> ColumnOptions(image_column="file", label_columns="dog, sky").chosen().label_columns
            ('dog', 'sky')
        """
        from tagsight.data.format import Columns

        return Columns(
            image_column=self.image_column,
            labels_column=self.labels_column,
            label_columns=_names(self.label_columns),
            separator=self.separator,
            split_column=self.split_column,
            ignore=_names(self.ignore),
            encoding=self.encoding,
        )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
