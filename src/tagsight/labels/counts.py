"""Files of co-occurrence counts, as ``.npz``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.data.source import clean_name
from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.runtime.arrays import array_names, opened_arrays, read_array, write_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MOST_LABELS = 20_000


def write_counts(path: Path, labels: LabelSpace) -> None:
    """Write ``names``, ``counts`` and ``cooccurrence`` of ``L`` labels.

    ``counts`` is ``(L,)``, the number of photos with each label; ``cooccurrence`` is ``(L, L)``,
    the number with both, and 0 on the diagonal. The file holds no graph: edges are chosen later.

    Args:
        path: The file, which ends in ``.npz``.
        labels: The labels, with their counts.

    Raises:
        DataError: If the path does not end in ``.npz``.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> labels = LabelSpace.from_targets(["cat", "dog"], torch.tensor([[1, 1], [1, 0]]))
        >>> with TemporaryDirectory() as folder:
        ...     write_counts(Path(folder) / "counts.npz", labels)
        ...     read_counts(Path(folder) / "counts.npz").cooccurrence.tolist()
        [[2, 1], [1, 1]]
    """
    together = labels.cooccurrence.to_dense().clone().fill_diagonal_(0)
    write_arrays(
        path,
        names=np.array(labels.names),
        counts=labels.counts.numpy(),
        cooccurrence=together.numpy(),
    )


def read_counts(path: Path) -> LabelSpace:
    """Read a file that `write_counts` wrote.

    Args:
        path: The file.

    Returns:
        The labels. Their ``photos`` are 0, because the file does not record them.

    Raises:
        DataError: If the file has another format, or its counts contradict each other.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "counts.npz"
        ...     write_counts(file, LabelSpace.from_targets(["cat"], torch.ones(3, 1).long()))
        ...     read_counts(file).cooccurrence
        tensor([[3]])
    """
    with opened_arrays(path) as archive:
        if missing := sorted({"names", "counts", "cooccurrence"} - array_names(archive)):
            msg = (
                f"{path}: expected arrays 'names', 'counts' and 'cooccurrence', as in a saved "
                f"label graph, got none of the name {missing[0]!r}"
            )
            raise DataError(msg)
        names = read_array(archive, "names", "U", path)
        counts = read_array(archive, "counts", "i", path)
        together = read_array(archive, "cooccurrence", "i", path)
    return _label_space([str(name) for name in names.ravel()], counts, together, path)


def _label_space(
    names: Sequence[str], counts: NDArray[np.generic], together: NDArray[np.generic], path: Path
) -> LabelSpace:
    size = len(names)
    if counts.shape != (size,) or together.shape != (size, size):
        msg = (
            f"{path}: expected counts of all labels, shapes ({size},) and ({size}, {size}), "
            f"got {counts.shape} and {together.shape}"
        )
        raise DataError(msg)
    if not 0 < size <= MOST_LABELS:
        msg = f"{path}: expected 1 to {MOST_LABELS:,} labels, got {size:,}"
        raise DataError(msg)
    own = torch.from_numpy(counts.astype(np.int64))
    both = torch.from_numpy(together.astype(np.int64)).fill_diagonal_(0)
    if bool((both < 0).any() or (own < 0).any() or (both != both.T).any() or (both > own).any()):
        msg = (
            f"{path}: expected symmetric counts of photos, none larger for a pair than for either "
            "of its labels, got others"
        )
        raise DataError(msg)
    try:
        known = tuple(clean_name(name, str(path)) for name in names)
        return LabelSpace(known, None, both + torch.diag(own), torch.zeros_like(own))
    except ValueError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error
