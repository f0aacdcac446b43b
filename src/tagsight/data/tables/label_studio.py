"""Tables that Label Studio exports, which a format of their own reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.json_files import outline
from tagsight.data.source import is_file
from tagsight.data.tables.text import DELIMITERS, MARKS

if TYPE_CHECKING:
    from pathlib import Path


def is_label_studio(source: Path) -> bool:
    r"""Return whether a file is JSON_MIN or CSV of Label Studio.

    Example:
        >>> from pathlib import Path
        >>> file = Path("project.csv")
        >>> _ = file.write_text("image,id,tags,annotator,annotation_id\na.jpg,1,dog,2,3\n")
        >>> is_label_studio(file)
        True
    """
    top, keys, _ = outline(source)
    names = keys if top == "[" else _header(source)
    return "annotation_id" in names and bool({"annotator", "lead_time"} & set(names))


def delimiter_of(header: str) -> str:
    """Return the delimiter of a header: a spreadsheet may have saved the file again.

    Example:
        >>> delimiter_of("image;id;tags;annotator;annotation_id")
        ';'
    """
    return max(DELIMITERS, key=header.count)


def _header(source: Path) -> list[str]:
    if not is_file(source):
        return []
    with source.open("rb") as handle:
        start = handle.read(2**16)
    encoding = next((name for mark, name in MARKS if start.startswith(mark)), "utf-8-sig")
    line = start.decode(encoding, "replace").partition("\n")[0]
    return [name.strip(' \r"') for name in line.split(delimiter_of(line))]
