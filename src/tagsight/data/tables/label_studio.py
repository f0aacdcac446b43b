"""Tables that Label Studio exports, which a format of their own reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.json_files import outline
from tagsight.data.tables.named_rows import header_of

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
    names = keys if top == "[" else header_of(source)
    return "annotation_id" in names and bool({"annotator", "lead_time"} & set(names))
