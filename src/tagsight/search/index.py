"""The index of a collection on disk: what each photo looks like, and which labels it has.

A folder with ``index.json``, which says by which model it was made, and a LanceDB table
(docs/decisions/0011-lancedb.md). The table has versions: what is being written appears all at once,
and a crash leaves the version before.
"""

from __future__ import annotations

import heapq
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from tagsight.errors import DataError
from tagsight.runtime.files import write_atomically
from tagsight.search.expression import condition, quoted, wanted
from tagsight.search.facts import FACTS, VERSION, Facts, quiet, read_facts, told
from tagsight.search.structure import APPROXIMATE_FROM, HELD_FROM, REFINED, hold, reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.search.expression import Expression

TABLE = "photos"
FOUND = ["path", "labels", "scores", "digest"]
"""Columns that a `Hit` is made of."""

PART = 1_000
"""Rows that are read or named at a time."""

TRIED, NEAREST = 50, 10
"""Photos that the approximate search is tried on, and how many of their nearest it should find."""

ROUNDING = 1e-5
"""By which two computations of one cosine may differ."""


class Entry(NamedTuple):
    """A photo, as the index keeps it.

    Attributes:
        path: The file, absolute.
        size: Of the file, in bytes.
        modified: When, in nanoseconds, by its file system.
        digest: SHA-256 of its content.
        labels: Labels that it has by the model's thresholds.
        scores: ``(L,)`` float32 in [0, 1].
        embedding: ``(D,)`` float32.
    """

    path: str
    size: int
    modified: int
    digest: bytes
    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    embedding: NDArray[np.float32]


class Known(NamedTuple):
    """What tells whether a photo has changed since it was indexed."""

    size: int
    modified: int
    digest: bytes


class Hit(NamedTuple):
    """A photo that was found.

    Attributes:
        path: The file.
        likeness: Cosine of its embedding and the query's, in [-1, 1]; None without a query.
        labels: Its labels.
        scores: ``(L,)`` float32, of all labels of the index.
        digest: SHA-256 of its content.
    """

    path: Path
    likeness: float | None
    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    digest: bytes


class SearchIndex:
    """An index that is open. Threads may search it together; one process writes at a time.

    Use `create` or `open`. Its files may be damaged or those of somebody else, the disk full:
    all that reads or writes raises a `DataError` then.
    """

    def __init__(self, folder: Path, facts: Facts, *, make: bool) -> None:
        lancedb = _lancedb()
        self.folder = folder
        self.facts = facts
        with told(folder), quiet():
            database, schema = lancedb.connect(folder), _schema(facts)
            if make:
                self._table = database.create_table(TABLE, schema=schema, exist_ok=True)
            else:
                self._table = database.open_table(TABLE)
            if not self._table.schema.equals(schema):
                msg = f"a table of other columns than those of {FACTS}"
                raise ValueError(msg)

    @classmethod
    def create(cls, folder: Path, facts: Facts) -> SearchIndex:
        """Open an index, or make an empty one.

        Raises:
            DataError: If there is one of another model, or the folder holds something else.
        """
        if (folder / FACTS).exists():
            known = read_facts(folder)
            if known.model != facts.model:
                msg = (
                    f"expected an index of this model in {folder}, got one of another: give "
                    "another --out, or delete it"
                )
                raise DataError(msg)
            # A crash may have come between the two, so that the table is made if there is none.
            return cls(folder, known, make=True)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            msg = f"expected an index or an empty folder for it, got {folder} with other files"
            raise DataError(msg)
        content = {"version": VERSION} | facts.__dict__
        write_atomically(folder / FACTS, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return cls(folder, facts, make=True)

    @classmethod
    def open(cls, folder: Path) -> SearchIndex:
        """Open an index.

        Raises:
            DataError: If there is none, or one that is damaged or of a later version.
        """
        return cls(folder, read_facts(folder), make=False)

    def __len__(self) -> int:
        with told(self.folder):
            return int(self._table.count_rows())

    def known(self, paths: Sequence[str]) -> dict[str, Known]:
        """What is known of photos, by their paths; of those that are not indexed, nothing."""
        columns = ["path", "size", "modified", "digest"]
        found: dict[str, Known] = {}
        for row in self._rows(_one_of("path", paths), columns) if paths else ():
            found[row["path"]] = Known(row["size"], row["modified"], row["digest"])
        return found

    def with_content(self, digests: Sequence[bytes]) -> dict[bytes, list[str]]:
        """The paths of photos by their content."""
        found: dict[bytes, list[str]] = {}
        names = [f"X'{digest.hex()}'" for digest in digests]
        where = f"digest IN ({', '.join(names)})"
        for row in self._rows(where, ["path", "digest"]) if names else ():
            found.setdefault(row["digest"], []).append(row["path"])
        return found

    def put(self, entries: Sequence[Entry]) -> None:
        """Add photos, or put them in the place of what the index had at their paths."""
        if not entries:
            return
        with told(self.folder):
            merge = self._table.merge_insert("path")
            merge.when_matched_update_all().when_not_matched_insert_all().execute(
                _arrow(entries, self.facts)
            )

    def move(self, old: str, new: str, modified: int) -> None:
        """Note that a photo lies elsewhere."""
        values = {"path": new, "modified": modified}
        with told(self.folder):
            self._table.update(where=f"path = {quoted(old)}", values=values)

    def remove(self, paths: Sequence[str]) -> None:
        """Forget photos."""
        with told(self.folder):
            for start in range(0, len(paths), PART):
                self._table.delete(_one_of("path", paths[start : start + PART]))

    def paths(self) -> Iterator[str]:
        """The paths of all photos, as they come."""
        return (row["path"] for row in self._rows(None, ["path"]))

    def tidy(self) -> None:
        """Bring together what many small writes have left, and let go of old versions."""
        with told(self.folder):
            self._table.optimize()

    def speed_up(
        self, held_from: int = HELD_FROM, approximate_from: int = APPROXIMATE_FROM
    ) -> float | None:
        """Make a structure that searches keep in memory, if there are many photos.

        It holds the vectors, and searches stay exact; of very many photos it holds short forms,
        whose nearest are compared exactly. Photos that come later are read from the table until
        `tidy` takes them in. Where it is there, it is not made again.

        Args:
            held_from: Photos below which there is none.
            approximate_from: Photos from which on it holds short forms.

        Returns:
            If it holds short forms, its recall: the share of the 10 nearest photos that it finds,
            measured on 50 photos of the index.
        """
        with told(self.folder):
            held = hold(self._table, held_from, approximate_from)
        if held != "short forms":
            return None
        tried = next(self._vectors())[:TRIED]
        least = reach(tried, self._vectors(), NEAREST) - ROUNDING
        found = [
            [hit for hit in self.like(query, NEAREST) if (hit.likeness or 0) >= cosine]
            for query, cosine in zip(tried, least, strict=True)
        ]
        return sum(map(len, found)) / (NEAREST * len(tried))

    def like(
        self,
        embedding: NDArray[np.float32],
        count: int,
        *,
        expression: Expression | None = None,
        without: bytes | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Find the photos that are most like one.

        Args:
            embedding: ``(D,)`` float, of the photo or of a part of it.
            count: How many are wanted.
            expression: What they must have.
            without: Content that is not wanted, such as the photo's own.
            exact: Whether all photos are compared, whatever structure there is.
        """
        conditions = [] if expression is None else [f"({condition(expression)})"]
        if without is not None:
            conditions.append(f"digest != X'{without.hex()}'")
        with told(self.folder):
            query = self._table.search(unit(embedding), vector_column_name="vector")
            query = query.distance_type("dot").limit(count)
            if conditions:
                query = query.where(" AND ".join(conditions), prefilter=True)
            if exact:
                query = query.bypass_vector_index()
            else:
                query = query.nprobes(len(self)).refine_factor(REFINED)  # no part is left out
            rows = query.select([*FOUND, "_distance"]).to_list()
            return [_hit(row, 1 - row["_distance"]) for row in rows]

    def having(self, expression: Expression, count: int) -> list[Hit]:
        """Find the photos that an expression holds for, those with the highest scores first.

        Args:
            expression: What they must have.
            count: How many are wanted.
        """
        labels = sorted(wanted(expression))
        rows = self._rows(condition(expression), FOUND)

        def sureness(row: dict[str, Any]) -> tuple[float, str]:
            return -sum(row["scores"][label] for label in labels), row["path"]

        with told(self.folder):
            return [_hit(row, None) for row in heapq.nsmallest(count, rows, key=sureness)]

    def _rows(self, where: str | None, columns: list[str]) -> Iterator[dict[str, Any]]:
        for batch in self._batches(where, columns):
            yield from batch.to_pylist()

    def _vectors(self) -> Iterator[NDArray[np.float32]]:
        """All vectors, part by part."""
        for batch in self._batches(None, ["vector"]):
            yield batch["vector"].flatten().to_numpy().reshape(-1, self.facts.length)

    def _batches(self, where: str | None, columns: list[str]) -> Iterator[Any]:
        with told(self.folder):
            query = self._table.search()
            if where is not None:
                query = query.where(where)
            yield from query.select(columns).limit(None).to_batches(PART)


def unit(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """An embedding of length 1, so that the product of two is their cosine."""
    length = float(np.linalg.norm(embedding))
    return (embedding / (length or 1.0)).astype(np.float32)


def _hit(row: dict[str, Any], likeness: float | None) -> Hit:
    scores = np.asarray(row["scores"], dtype=np.float32)
    return Hit(Path(row["path"]), likeness, tuple(row["labels"]), scores, row["digest"])


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(quoted, values))})"


def _schema(facts: Facts) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.string()),
            ("size", pa.int64()),
            ("modified", pa.int64()),
            ("digest", pa.binary()),
            ("labels", pa.list_(pa.string())),
            ("scores", pa.list_(pa.float32(), len(facts.names))),
            ("vector", pa.list_(pa.float32(), facts.length)),
        ]
    )


def _arrow(entries: Sequence[Entry], facts: Facts) -> Any:  # noqa: ANN401
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
    return pa.table(columns, schema=_schema(facts))


def _lancedb() -> Any:  # noqa: ANN401 - it has no types
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of photos that are alike
    os.environ.setdefault("RUST_BACKTRACE", "0")  # of its own places, which help nobody
    try:
        import lancedb
    except ImportError as error:
        msg = "expected the extra 'search' for an index: pip install 'tagsight[search]'"
        raise DataError(msg) from error
    return cast("Any", lancedb)
