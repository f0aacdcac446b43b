"""Columns of numbers that measure a row or its file, such as counts and scores: no labels."""

from __future__ import annotations

import re

from tagsight.data.tables.names import CONFIDENCE_COLUMNS, key_of

MEASURES = CONFIDENCE_COLUMNS | frozenset(
    {"scores", "rating", "ratings", "age", "year", "timestamp", "count", "counts", "total", "sum"}
    | {"anzahl", "cantidad", "filesize", "imagesize", "imagewidth", "imageheight", "imgwidth"}
    | {"imgheight", "origwidth", "origheight", "originalwidth", "originalheight", "orientation"}
    | {"channels", "bitdepth", "iso", "latitude", "longitude", "altitude", "lat", "lon", "lng"}
    | {"annotator", "rater", "grader", "worker", "sampleweight", "batch", "seed", "kfold"}
)
"""Names of columns, as `key_of` gives them, that measure a row if others hold targets."""

_THINGS = (
    "(?:label|tag|keyword|class|classe|category|categorie|finding|concept|object|instance|box|boxe|"
    "bbox|bboxe|annotation|detection|annotator|rater|vote|image|photo|file|row)s?"
)
_NUMBER_OF = "(?:n|nb|nr|num|number|count|total|sum)"
COUNTS = re.compile(rf"{_NUMBER_OF}(?:of)?{_THINGS}|{_THINGS}(?:count|counts|num|number|total|sum)")
"""The same for counts of what rows have, as in ``n_labels``."""

_MAYBE_COUNT = re.compile(
    rf"^{_NUMBER_OF}(?:[\W_]*of)?[\W_]|[\W_](?:count|counts|total)\W*$", re.IGNORECASE
)


def is_measure(name: str) -> bool:
    """Return whether a column's name says that it measures the row or its file.

    Example:
        >>> [name for name in ("n_labels", "tag count", "Score", "No Finding") if is_measure(name)]
        ['n_labels', 'tag count', 'Score']
    """
    key = key_of(name)
    return key in MEASURES or COUNTS.fullmatch(key) is not None


def may_count(name: str) -> bool:
    """Return whether a column's name says that its numbers, if not all are targets, are counts.

    Example:
        >>> [name for name in ("num_dogs", "dog_count", "dog", "n_labels") if may_count(name)]
        ['num_dogs', 'dog_count', 'n_labels']
    """
    return is_measure(name) or _MAYBE_COUNT.search(name) is not None
