"""Words by which columns and cells of tables are recognised."""

from __future__ import annotations

import re

from tagsight.data.photos.suffixes import HEIF_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES

ENDINGS = PHOTO_SUFFIXES | HEIF_SUFFIXES | RAW_SUFFIXES
"""Endings of photos, whether or not they can be opened here."""

IMAGE_COLUMNS = frozenset(
    {"image", "imageid", "imagename", "imagepath", "imageindex", "imagefile", "imagefilename"}
    | {"img", "imgid", "imgname", "imgpath", "path", "file", "filename", "filepath", "fname"}
    | {"photo", "photoid", "photoname", "photopath", "picture"}
)
MAYBE_IMAGE = re.compile(r"image|img|photo|picture|file|path|^id$|^name$")
"""Names of columns that hold photos if no other column does."""

LABEL_COLUMNS = (
    *("labels", "tags", "findinglabels", "keywords", "classes", "categories", "concepts"),
    *("genres", "labelname", "label", "tag", "classname", "class", "categoryname", "category"),
    *("keyword", "genre", "findings", "finding", "annotations"),
)
"""Names of a column with labels, the most telling first."""

NUMBERED_LABELS = re.compile(r"(?:label|tag|class|category|keyword)s?\d+")
CONFIDENCE_COLUMNS = frozenset({"confidence", "score", "probability", "conf", "prob"})
INDEX_NAME = re.compile(r"|unnamed\d+(?:level\d+)?")
NEVER_LABELS = frozenset({"index", "idx", "id", "fold", "width", "height"})

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
HELD_OUT = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
SPLIT_COLUMNS: dict[str, dict[str, str]] = {
    "split": SPLIT_NAMES,
    "splitname": SPLIT_NAMES,
    "isvalid": {cell: "val" if yes else "train" for cell, yes in HELD_OUT.items()},
    "isval": {cell: "val" if yes else "train" for cell, yes in HELD_OUT.items()},
    "istest": {cell: "test" if yes else "train" for cell, yes in HELD_OUT.items()},
}
"""The splits that cells mean, by the name of their column."""

MAYBE_SPLIT = frozenset({"subset", "partition", "set", "phase", "mode", "usage", "dataset"})
"""Names of columns that hold the split if their cells are splits."""

LONGEST_START = 20
"""Characters at the beginning of a cell that say whether it is a photo itself."""

UNKNOWN = 255  # -1 as an unsigned byte
_TARGETS = {
    1: ("1", "1.0", "true", "True", "TRUE", "yes", "Yes", "YES"),
    0: ("0", "0.0", "false", "False", "FALSE", "no", "No", "NO"),
    UNKNOWN: ("-1", "-1.0", "", "nan", "NaN", "None", "null", "NA"),
}
TARGETS: dict[str, int] = {cell: value for value, cells in _TARGETS.items() for cell in cells}
"""Targets, as unsigned bytes, by the text of their cell."""

_ODD = re.compile(r"[\W_]+")


def key_of(name: str) -> str:
    """Reduce a column's name to its lower-case letters and digits.

    >>> key_of("Image_Name"), key_of(" Unnamed: 0")
    ('imagename', 'unnamed0')
    """
    return _ODD.sub("", name).lower()


def is_photo(cell: object) -> bool:
    """Return whether a cell ends as the name of a photo, or is one; web addresses are none.

    >>> is_photo("a/b.JPG"), is_photo("https://example.org/b.jpg"), is_photo("dog")
    (True, False, False)
    >>> is_photo("data:image/png;base64,iVBORw0KGgo=")
    True
    """
    text = str(cell)
    if text[:LONGEST_START].lstrip().lower().startswith("data:image/"):
        return True
    text = text.rstrip().lower()
    stem, dot, ending = text.rpartition(".")
    return bool(dot) and f".{ending}" in ENDINGS and bool(stem) and "://" not in text


def names_photos(key: str) -> bool:
    """Return whether a column's name, as `key_of` gives it, may be that of the photos.

    Example:
        >>> [key for key in ("filename", "photo_path", "dog") if names_photos(key)]
        ['filename', 'photo_path']
    """
    return key in IMAGE_COLUMNS or MAYBE_IMAGE.search(key) is not None
