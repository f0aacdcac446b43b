"""Retrieval examples (Figure 9): photos and their nearest neighbours by cosine similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from tagsight.data.photos.reading import decoding_side, open_photo
from tagsight.inference.lettering import write_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.annotations import Annotations
    from tagsight.inference.recognizer import Recognizer

QUERIES, NEIGHBOURS = 5, 5
FEWEST_LABELS = 2
"""Labels that a query should have, so that neighbours can share some of them."""

CELL, GAP, MARGIN, LINE = 210, 14, 20, 18
NAME_SIZE, LINES = 14, 4
PAPER, INK, SHARED, FAINT = (255, 255, 255), (38, 42, 48), (18, 110, 60), (140, 146, 155)


@dataclass(frozen=True)
class Found:
    """A query and its neighbours, the nearest first.

    Args:
        query: Row of the query.
        neighbours: Rows of the neighbours.
        cosines: Their cosine similarities, in [-1, 1].
    """

    query: int
    neighbours: tuple[int, ...]
    cosines: tuple[float, ...]


def draw_queries(rows: Annotations, seed: int, count: int = QUERIES) -> list[int]:
    """Draw queries at random, those with at least two labels first.

    Args:
        rows: The photos.
        seed: Seed of the random order.
        count: Number of queries.

    Example:
        >>> import tagsight as ts
        >>> sorted(draw_queries(ts.read_annotations("labels.csv"), seed=0, count=6))
        [3, 7, 11, 15, 19, 23]
    """
    labels = (rows.targets == 1).sum(1)
    order = np.random.default_rng(seed).permutation(len(rows))
    rich = [row for row in order.tolist() if labels[row] >= FEWEST_LABELS]
    return (rich + [row for row in order.tolist() if labels[row] < FEWEST_LABELS])[:count]


def find_nearest(
    recognizer: Recognizer,
    paths: Sequence[Path],
    queries: Sequence[int],
    count: int = NEIGHBOURS,
) -> list[Found]:
    """Find the exact nearest neighbours of some photos among all; a photo is not its own neighbour.

    Photos are embedded one after another, and only the nearest ones so far are kept in memory.

    Args:
        recognizer: Computes the embeddings.
        paths: ``N`` photos.
        queries: Rows of the queries.
        count: Number of neighbours.

    Example:
        >>> import tagsight as ts
        >>> rows = ts.read_annotations("labels.csv")
        >>> (found,) = find_nearest(ts.load("runs/first/model"), rows.paths, [1], count=2)
        >>> rows.paths[found.query].name, len(found.neighbours), found.query in found.neighbours
        ('dog.jpg', 2, False)
    """
    wanted = [paths[row] for row in queries]
    queried = F.normalize(torch.stack([torch.from_numpy(e) for e in recognizer.embed(wanted)]))
    best = queried.new_full((len(queries), count), -torch.inf)
    places = torch.full((len(queries), count), -1)
    own = torch.tensor(queries)
    for row, embedding in enumerate(recognizer.embed(paths)):
        cosine = queried @ F.normalize(torch.from_numpy(embedding), dim=0)
        cosine[own == row] = -torch.inf
        better = cosine > best[:, -1]
        best[better, -1], places[better, -1] = cosine[better], row
        best, order = best.sort(dim=1, descending=True, stable=True)
        places = places.gather(1, order)
    return [
        Found(query, *_known(some, values))
        for query, some, values in zip(queries, places, best, strict=True)
    ]


def _known(places: Tensor, cosines: Tensor) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Drop the empty places of a collection with fewer photos than neighbours."""
    there = places >= 0
    return tuple(places[there].tolist()), tuple(cosines[there].tolist())


def shared_labels(rows: Annotations, found: Found) -> list[list[str]]:
    """List the labels that each neighbour shares with the query.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths, targets = (Path("a.jpg"), Path("b.jpg")), torch.tensor([[1, 1], [1, 0]])
        >>> rows = Annotations(("dog", "sky"), paths, targets, None, "csv-columns")
        >>> shared_labels(rows, Found(query=0, neighbours=(1,), cosines=(0.9,)))
        [['dog']]
    """
    return [
        [name for name in _labels(rows, row) if name in _labels(rows, found.query)]
        for row in found.neighbours
    ]


def precision(rows: Annotations, found: Sequence[Found]) -> float:
    """Compute the fraction of neighbours that share a label with their query, in [0, 1].

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = tuple(Path(f"{number}.jpg") for number in range(3))
        >>> rows = Annotations(("dog",), paths, torch.tensor([[1], [1], [0]]), None, "csv-columns")
        >>> precision(rows, [Found(query=0, neighbours=(1, 2), cosines=(0.9, 0.8))])
        0.5
    """
    hits = [bool(shared) for one in found for shared in shared_labels(rows, one)]
    return sum(hits) / max(1, len(hits))


def nearest_sheet(rows: Annotations, found: Sequence[Found]) -> Image.Image:
    """Draw a line of photos for each query; shared labels are green and underlined.

    Args:
        rows: The photos and their labels.
        found: Queries and neighbours.

    Example:
        >>> import tagsight as ts
        >>> rows = ts.read_annotations("labels.csv")
        >>> nearest_sheet(rows, [Found(query=1, neighbours=(3, 5), cosines=(0.9, 0.8))]).size
        (698, 354)
    """
    columns = 1 + max(len(one.neighbours) for one in found)
    height = CELL + (LINES + 1) * LINE + GAP
    size = 2 * MARGIN + columns * (CELL + GAP) - GAP, 2 * MARGIN + len(found) * height
    sheet = Image.new("RGB", size, PAPER)
    for place, one in enumerate(found):
        top = MARGIN + place * height
        own = set(_labels(rows, one.query))
        _draw_cell(sheet, (MARGIN, top), rows, one.query, "query", own)
        for column, (row, cosine) in enumerate(zip(one.neighbours, one.cosines, strict=True), 1):
            corner = MARGIN + column * (CELL + GAP), top
            _draw_cell(sheet, corner, rows, row, f"cosine {cosine:.2f}", own)
    return sheet


def _draw_cell(
    sheet: Image.Image,
    corner: tuple[int, int],
    rows: Annotations,
    row: int,
    heading: str,
    shared: set[str],
) -> None:
    left, top = corner
    photo = open_photo(rows.paths[row], least_side=decoding_side(CELL))
    photo.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    sheet.paste(photo, (left + (CELL - photo.width) // 2, top + (CELL - photo.height) // 2))
    write_line(sheet, (left, top + CELL + 4), heading, NAME_SIZE, FAINT, CELL)
    for place, name in enumerate(_lines(_labels(rows, row)), 1):
        at = left, top + CELL + 4 + place * LINE
        colour = SHARED if name in shared else INK
        write_line(sheet, at, name, NAME_SIZE, colour, CELL)
        if name in shared:
            length = min(CELL, 7 * len(name))
            line = (left, at[1] + LINE - 2, left + length, at[1] + LINE - 2)
            ImageDraw.Draw(sheet).line(line, fill=SHARED)


def _lines(names: Sequence[str]) -> Iterator[str]:
    """List the names that fit, and the number of the others."""
    if len(names) <= LINES:
        yield from names
        return
    yield from names[: LINES - 1]
    yield f"and {len(names) - LINES + 1} more"


def _labels(rows: Annotations, row: int) -> list[str]:
    present = (rows.targets[row] == 1).nonzero().flatten().tolist()
    return [rows.names[label] for label in present]
