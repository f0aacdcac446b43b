"""Index of a collection on disk: embedding, labels and scores of each photo.

An index is a folder with ``index.json``, which describes the model, and a LanceDB table
(docs/decisions/0011-lancedb.md). The table is versioned: a write is atomic, and a crash leaves the
previous version.
"""

from __future__ import annotations

import heapq
import json
import warnings
from collections import Counter
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tagsight.errors import DataError
from tagsight.runtime.files import write_atomically
from tagsight.search.columns import Known, Move, moved_rows, rows_of, schema_of, unit
from tagsight.search.expression import condition, quoted, wanted
from tagsight.search.facts import FACTS, VERSION, Facts, read_facts
from tagsight.search.hashes import Hashes
from tagsight.search.library import (
    connect,
    lancedb_errors,
    quiet,
    release_memory,
    returning_memory,
)
from tagsight.search.structure import (
    APPROXIMATE_FROM,
    HELD_FROM,
    REFINED,
    drop_worn,
    hold,
    is_due,
    reach,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.search.expression import Expression

TABLE = "photos"
FOUND = ["path", "labels", "scores", "digest"]
"""Columns that a `Hit` is made of."""

PART = 1_000
"""Rows that are read or deleted at a time."""

TRIED, NEAREST = 50, 10
"""Photos to measure the recall of approximate search on, and neighbours of each that count."""

ROUNDING = 1e-5
"""Largest difference between two computations of the same cosine."""


class Entry(NamedTuple):
    """A photo in an index.

    Attributes:
        path: Absolute path of the file.
        size: Size of the file in bytes.
        modified: Time of modification in nanoseconds.
        digest: SHA-256 of the content.
        labels: Labels found with the model's thresholds.
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


class Hit(NamedTuple):
    """A photo found by a search.

    Attributes:
        path: The file.
        likeness: Cosine similarity to the query in [-1, 1]; None without a query photo.
        labels: Labels of the photo.
        scores: ``(L,)`` float32 in [0, 1], of all labels of the index.
        digest: SHA-256 of the content.
    """

    path: Path
    likeness: float | None
    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    digest: bytes


class SearchIndex:
    """An open index. Threads may search it in parallel; only one process may write at a time.

    Use `create` or `open`. All methods raise `DataError` if the files of the index are damaged or
    belong to another program, or the disk is full.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.search.expression import parse
        >>> facts = Facts("model", "0" * 64, ("cat", "dog"), (0.5, 0.5), length=2)
        >>> def entry(path, scores, embedding):
        ...     labels = tuple(n for n, s in zip(facts.names, scores, strict=True) if s >= 0.5)
        ...     vectors = (np.array(v, dtype=np.float32) for v in (scores, embedding))
        ...     return Entry(path, 1, 1, path.encode(), labels, *vectors)
        >>> with TemporaryDirectory() as folder:
        ...     index = SearchIndex.create(folder, facts)
        ...     index.put([entry("/a.jpg", (0.9, 0.1), (1, 0))])
        ...     index.put([entry("/b.jpg", (0.2, 0.8), (3, 4))])
        ...     (hit,) = index.like(np.array([0, 1], dtype=np.float32), count=1)
        ...     dogs = index.having(parse("dog", facts.names), count=9)
        >>> hit.path.name, round(hit.likeness, 3), [dog.path.name for dog in dogs]
        ('b.jpg', 0.8, ['b.jpg'])
    """

    def __init__(self, folder: Path, facts: Facts, *, make: bool) -> None:
        self.folder = folder
        self.facts = facts
        with lancedb_errors(folder), quiet():
            database, schema = connect(folder, writes=make), schema_of(facts)
            if make:
                self._table = database.create_table(TABLE, schema=schema, exist_ok=True)
            else:
                self._table = database.open_table(TABLE)
            if not self._table.schema.equals(schema):
                msg = f"a table of other columns than those of {FACTS}"
                raise ValueError(msg)

    @classmethod
    def create(cls, folder: Path | str, facts: Facts) -> SearchIndex:
        """Open an index, or make an empty one.

        Args:
            folder: Folder of the index.
            facts: Description of the model.

        Raises:
            DataError: If the index was made with another model, or the folder has other files.
        """
        folder = Path(folder)
        if (folder / FACTS).exists():
            known = read_facts(folder)
            if known.model != facts.model:
                msg = (
                    f"expected an index of this model in {folder}, got one of another: choose "
                    "another `out`, or delete it"
                )
                raise DataError(msg)
            # A crash may have left an index without its table.
            return cls(folder, known, make=True)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            msg = f"expected an index or an empty folder for it, got {folder} with other files"
            raise DataError(msg)
        content = {"version": VERSION} | facts.__dict__
        write_atomically(folder / FACTS, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return cls(folder, facts, make=True)

    @classmethod
    def open(cls, folder: Path | str) -> SearchIndex:
        """Open an index.

        Raises:
            DataError: If there is no index, or it is damaged or of another version.
        """
        return cls(Path(folder), read_facts(Path(folder)), make=False)

    def __len__(self) -> int:
        with lancedb_errors(self.folder):
            return int(self._table.count_rows())

    def known(self, paths: Sequence[str]) -> dict[str, Known]:
        """Return what the index knows of photos, by path; unknown photos are missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found: dict[str, Known] = {}
        wanted = pa.array(paths, pa.string())
        # LanceDB is slow with a condition of thousands of paths.
        for batch in self._batches(None, ["path", *Known._fields]) if paths else ():
            for row in batch.filter(pc.is_in(batch["path"], wanted)).to_pylist():
                found[row["path"]] = Known(row["size"], row["modified"], row["digest"])
        return found

    def with_content(self, digests: Sequence[bytes]) -> dict[bytes, list[str]]:
        """Return the paths of photos by the digest of their content."""
        found: dict[bytes, list[str]] = {}
        names = ", ".join(f"X'{digest.hex()}'" for digest in digests)
        for row in self._rows(f"digest IN ({names})", ["path", "digest"]) if names else ():
            found.setdefault(row["digest"], []).append(row["path"])
        return found

    def put(self, entries: Sequence[Entry]) -> None:
        """Add photos, or replace those with the same paths; of a path the last entry counts."""
        if not entries:
            return
        last = {entry.path: entry for entry in entries}
        with lancedb_errors(self.folder):
            rows = rows_of([*last.values()], self.facts)
            if self._written.add(last):
                merge = self._table.merge_insert("path").when_matched_update_all()
                merge.when_not_matched_insert_all().execute(rows)
            else:  # a merge keeps all paths of the table in memory
                self._table.add(rows)
        del rows
        release_memory()

    @cached_property
    def _written(self) -> Hashes:
        return Hashes(batch["path"].to_pylist() for batch in self._batches(None, ["path"]))

    def move(self, moves: Sequence[Move]) -> None:
        """Update the paths of photos that have been moved, and forget what was at their new ones.

        Raises:
            DataError: If the index cannot be written.
        """
        import pyarrow as pa

        self.remove([move.new for move in moves if move.new in self._written])
        schema = schema_of(self.facts)
        for start in range(0, len(moves), PART):
            part = moves[start : start + PART]
            olds = [move.old for move in part]
            batches = self._batches(_one_of("path", olds), schema.names)
            self._written.add([move.new for move in part])
            with lancedb_errors(self.folder):
                self._table.add(moved_rows(pa.Table.from_batches(batches, schema), part))
            # A run that is killed before leaves paths without a file, which the next one forgets.
            self.remove(olds)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove photos."""
        with lancedb_errors(self.folder):
            for start in range(0, len(paths), PART):
                self._table.delete(_one_of("path", paths[start : start + PART]))

    def paths(self) -> Iterator[str]:
        """Yield the paths of all photos, in no particular order."""
        return (row["path"] for row in self._rows(None, ["path"]))

    def contents(self) -> Hashes:
        """Return the digests of all photos, as a set that errs rarely."""
        return Hashes(batch["digest"].to_pylist() for batch in self._batches(None, ["digest"]))

    def tidy(self, *, unread: bool = False, removed: int = 0) -> None:
        """Compact the files of many small writes, and delete versions that are a week old.

        Of an index with a vector index this is done once a 64th of the photos, or 64 writes, came
        or went since the last time. After 64 times the vector index is dropped, for `speed_up` to
        make again, so that neither the files that a search opens nor the time for each photo grow.

        Args:
            unread: Whether no other process reads the index; then all old versions are deleted.
            removed: Photos that were removed since the last time.
        """
        with (
            lancedb_errors(self.folder),
            warnings.catch_warnings(action="ignore"),
            returning_memory(),
        ):
            if drop_worn(self._table) or unread or is_due(self._table, removed):
                self._table.optimize(cleanup_older_than=timedelta(0) if unread else None)

    def speed_up(
        self, held_from: int = HELD_FROM, approximate_from: int = APPROXIMATE_FROM
    ) -> float | None:
        """Make a vector index that searches keep in memory, if there are many photos and none yet.

        It holds the vectors, so that searches stay exact. For very many photos it holds quantised
        vectors instead; the nearest by these are compared exactly. Photos added later are read from
        the table until `tidy` adds them to the vector index.

        Args:
            held_from: Photos below which there is no vector index.
            approximate_from: Photos from which it holds quantised vectors.

        Returns:
            The recall if vectors were quantised now, or else None: the fraction of the 10 nearest
            photos that a search finds, measured on 50 photos of the index.
        """
        with lancedb_errors(self.folder), returning_memory():
            made = hold(self._table, held_from, approximate_from)
        if made != "quantised vectors":
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
        """Find the photos most similar to a query.

        Args:
            embedding: ``(D,)`` float, of a photo or a region of it.
            count: Most photos to return.
            expression: Labels that the photos must have.
            without: Digest of content to exclude, such as the query's own.
            exact: Whether to compare all photos exactly, without quantised vectors.
        """
        conditions = [] if expression is None else [f"({condition(expression)})"]
        if without is not None:
            conditions.append(f"digest != X'{without.hex()}'")
        with lancedb_errors(self.folder):
            query = self._table.search(unit(embedding), vector_column_name="vector")
            query = query.distance_type("dot").limit(count)
            if conditions:
                query = query.where(" AND ".join(conditions), prefilter=True)
            if exact:
                query = query.bypass_vector_index()
            else:
                query = query.nprobes(len(self)).refine_factor(REFINED)  # search all partitions
            rows = query.select([*FOUND, "_distance"]).to_list()
            return [_hit(row, 1 - row["_distance"]) for row in rows]

    def having(self, expression: Expression | None, count: int, skip: int = 0) -> list[Hit]:
        """Find the photos that match an expression, sorted by the sum of their scores.

        Args:
            expression: Labels that the photos must have; None finds all photos, sorted by path.
            count: Most photos to return.
            skip: Number of photos to leave out before them, to turn pages.
        """
        labels = [] if expression is None else sorted(wanted(expression))
        columns = ["path", "scores"] if labels else ["path"]

        def rank(row: dict[str, Any]) -> tuple[float, str]:
            return -sum(row["scores"][label] for label in labels), row["path"]

        with lancedb_errors(self.folder):
            rows = self._rows(None if expression is None else condition(expression), columns)
            ranked = heapq.nsmallest(skip + count, rows, key=rank)[skip:]
            paths = [row["path"] for row in ranked]
            rows = self._rows(_one_of("path", paths), FOUND) if paths else iter(())
            found = {row["path"]: row for row in rows}
            return [_hit(found[path], None) for path in paths]

    def matching(self, expression: Expression | None) -> int:
        """Count the photos that match an expression; None counts all photos."""
        with lancedb_errors(self.folder):
            where = None if expression is None else condition(expression)
            return int(self._table.count_rows(where))

    def label_counts(self) -> dict[str, int]:
        """Count the photos that have each label, in the order of the labels."""
        counts: Counter[str] = Counter()
        for batch in self._batches(None, ["labels"]):
            for one in batch["labels"].flatten().value_counts().to_pylist():
                counts[one["values"]] += one["counts"]
        return {name: counts[name] for name in self.facts.names}

    def _rows(self, where: str | None, columns: list[str]) -> Iterator[dict[str, Any]]:
        for batch in self._batches(where, columns):
            yield from batch.to_pylist()

    def _vectors(self) -> Iterator[NDArray[np.float32]]:
        """Yield all vectors, in parts."""
        for batch in self._batches(None, ["vector"]):
            yield batch["vector"].flatten().to_numpy().reshape(-1, self.facts.length)

    def _batches(self, where: str | None, columns: list[str]) -> Iterator[Any]:
        with lancedb_errors(self.folder):
            query = self._table.search()
            if where is not None:
                query = query.where(where)
            yield from query.select(columns).limit(None).to_batches(PART)


def _hit(row: dict[str, Any], likeness: float | None) -> Hit:
    scores = np.asarray(row["scores"], dtype=np.float32)
    return Hit(Path(row["path"]), likeness, tuple(row["labels"]), scores, row["digest"])


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(quoted, values))})"
