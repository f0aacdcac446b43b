"""Tables of animals and plants: what a family, or another group, leaves open of the species."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tagsight.data.source import clean_name
from tagsight.data.tables.names import key_of
from tagsight.data.taxa import RANKS, Taxa
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.data.tables.layout import Layout
    from tagsight.data.tables.table import Cell, Table

logger = logging.getLogger(__name__)

SCIENTIFIC = frozenset({"scientificname", "taxon", "taxonname"})
"""Names of columns of scientific names; species may be in the language of the country."""

FEWEST_RANKS = 2
"""Columns of ranks from which on a table is of animals or plants, whatever its labels are."""


class TaxonRows:
    r"""The groups that rows of a table name above its labels, or instead of them.

    A photo of which only the family is known may be of any of its species, so that these are
    unknown, and not absent.

    Args:
        table: The table.
        layout: The meaning of its columns.

    Attributes:
        is_used: Whether the table is of animals or plants, with a label a cell.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.format import Columns
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> from tagsight.data.tables.layout import layout_of
        >>> _ = Path("table.csv").write_text("image,taxon\na.jpg,Pica pica\nb.jpg,Pica\n")
        >>> table = CsvTable(Path("table.csv"))
        >>> rows = TaxonRows(table, layout_of(table, Columns()))
        >>> for place, (_, cells) in enumerate(table.records()):
        ...     rows.add(place, cells)
        >>> targets = torch.tensor([[0, 1], [1, 0]], dtype=torch.int8)
        >>> rows.settle(["Pica", "Pica pica"], targets)
        >>> targets.tolist()
        [[1, 1], [1, -1]]
    """

    def __init__(self, table: Table, layout: Layout) -> None:
        keys = [key_of(name) for name in table.names]
        places = {key: place for place, key in enumerate(keys) if place not in layout.labels}
        self._ranks = [places[rank] for rank in RANKS if rank in places]
        label = layout.labels[0] if len(layout.labels) == 1 else None
        is_one = layout.kind != "csv-columns" and table.has_header and label is not None
        self._is_scientific = label is not None and keys[label] in SCIENTIFIC
        self.is_used = is_one and (self._is_scientific or len(self._ranks) >= FEWEST_RANKS)
        self._label, self._source = label or 0, table.source
        self._above: dict[str, set[str]] = {}
        self._groups: dict[int, str] = {}

    def add(self, place: int, cells: Sequence[Cell]) -> None:
        """Note what a row says.

        Args:
            place: Position of its photo.
            cells: All cells of the row.
        """
        ranks = [name for i in self._ranks if (name := " ".join(str(cells[i]).split()))]
        label = clean_name(str(cells[self._label]))
        if label and ranks:
            self._above.setdefault(label, set()).update(ranks)
        elif ranks:
            self._groups[place] = ranks[-1]

    def settle(self, names: Sequence[str], targets: Tensor) -> None:
        """Make unknown which labels a group may be, and present the groups of what is present.

        Args:
            names: The L labels.
            targets: ``(N, L)`` int8, changed in place.
        """
        table = targets.numpy()
        column = {name: place for place, name in enumerate(names)}
        open_rows = 0
        below_group = {
            group: [column[n] for n in names if group in self._above.get(n, {group}) | {n}]
            for group in set(self._groups.values())
        }
        for place, group in self._groups.items():
            row, below = table[place], below_group[group]
            open_rows += bool(below)
            row[below] = [value or -1 for value in row[below]]
        taxa = Taxa(names, self._above)
        if self._is_scientific and taxa.are_mixed:
            changes: dict[bytes, tuple[list[int], list[int]]] = {}
            for row in table:
                if (key := row.tobytes()) not in changes:
                    seen = {name for name, value in zip(names, row, strict=True) if value == 1}
                    present, unknown = taxa.present(seen), taxa.unknown(seen)
                    pair = [column[n] for n in present], [column[n] for n in unknown]
                    changes[key] = pair
                present_columns, unknown_columns = changes[key]
                open_rows += bool(unknown_columns)
                row[unknown_columns] = -1
                row[present_columns] = 1
        if open_rows:
            logger.warning(
                "%s: groups such as families are named beside species: labels that a photo may "
                "have as well are unknown in %s",
                *(self._source, amount(open_rows, "photo")),
            )
