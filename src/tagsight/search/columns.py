"""Columns of the table of an index, and rows of photos as Arrow writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tagsight.search.facts import Facts
    from tagsight.search.index import Entry


class Move(NamedTuple):
    """A photo that has been moved.

    Attributes:
        old: Path that the index has.
        new: Path where the photo is.
        modified: Time of its modification there, in nanoseconds.
    """

    old: str
    new: str
    modified: int


class Known(NamedTuple):
    """Properties that show whether a photo has changed since it was indexed."""

    size: int
    modified: int
    digest: bytes


def schema_of(facts: Facts) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the Arrow schema of the table of an index.

    Example:
        >>> from tagsight.search.facts import Facts
        >>> schema_of(Facts("model", "0" * 64, ("dog",), (0.5,), length=2)).names[:3]
        ['path', 'size', 'modified']
    """
    import pyarrow as pa

    columns = [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("modified", pa.int64()),
        ("digest", pa.binary()),
        ("labels", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32(), len(facts.names))),
        ("vector", pa.list_(pa.float32(), facts.length)),
    ]
    return pa.schema(columns)


def rows_of(entries: Sequence[Entry], facts: Facts) -> Any:  # noqa: ANN401
    """Return photos as an Arrow table; their embeddings are normalised.

    Example:
        >>> from tagsight.search.facts import Facts
        >>> from tagsight.search.index import Entry
        >>> scores, embedding = np.ones(1, np.float32), np.array([3, 4], np.float32)
        >>> facts = Facts("model", "0" * 64, ("dog",), (0.5,), length=2)
        >>> table = rows_of([Entry("/a.jpg", 1, 1, b"digest", ("dog",), scores, embedding)], facts)
        >>> [round(value, 3) for value in table["vector"][0].as_py()]
        [0.6, 0.8]
    """
    import pyarrow as pa

    def vectors(rows: list[NDArray[np.float32]]) -> Any:  # noqa: ANN401
        flat = np.concatenate(rows).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), len(rows[0]))

    columns = {
        "path": [entry.path for entry in entries],
        "size": [entry.size for entry in entries],
        "modified": [entry.modified for entry in entries],
        "digest": [entry.digest for entry in entries],
        "labels": [list(entry.labels) for entry in entries],
        "scores": vectors([entry.scores for entry in entries]),
        "vector": vectors([unit(entry.embedding) for entry in entries]),
    }
    return pa.table(columns, schema=schema_of(facts))


def moved_rows(rows: Any, moves: Sequence[Move]) -> Any:  # noqa: ANN401
    """Return rows of photos with the paths and times that they have where they were moved.

    Example:
        >>> import pyarrow as pa
        >>> rows = pa.table({"path": ["/b.jpg", "/a.jpg"], "modified": [1, 2], "size": [3, 4]})
        >>> moves = [Move("/a.jpg", "/c.jpg", 5), Move("/b.jpg", "/d.jpg", 6)]
        >>> moved_rows(rows, moves).to_pydict()
        {'path': ['/d.jpg', '/c.jpg'], 'modified': [6, 5], 'size': [3, 4]}
    """
    import pyarrow as pa

    by_path = {move.old: move for move in moves}
    here = [by_path[path] for path in rows["path"].to_pylist()]
    columns = {"path": [move.new for move in here], "modified": [move.modified for move in here]}
    for name, values in columns.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pa.array(values, rows.schema.field(name).type))
    return rows


def unit(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise an embedding to length 1, so that the dot product of two is their cosine.

    Example:
        >>> round(float(np.linalg.norm(unit(np.array([3.0, 4.0], np.float32)))), 3)
        1.0
    """
    length = float(np.linalg.norm(embedding))
    return (embedding / (length or 1.0)).astype(np.float32)
