"""Word vectors of a released checkpoint: those of its authors, or any of the same length."""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tagsight.data.source import require_file
from tagsight.errors import DataError
from tagsight.labels.vectors import label_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

LARGEST_FILE = 2**26
"""Bytes; the vectors of 80 labels have 96,000."""

ARRAY = (
    *(("GLOBAL", "numpy.core.multiarray _reconstruct"), ("GLOBAL", "numpy ndarray")),
    *(("BININT1", 0), ("TUPLE1", None), ("SHORT_BINBYTES", b"b"), ("TUPLE3", None)),
    *(("REDUCE", None), ("MARK", None), ("BININT1", 1), "rows", "columns"),
    *(("TUPLE2", None), ("GLOBAL", "numpy dtype"), ("BINUNICODE", "f4")),
    *(("BININT1", 0), ("BININT1", 1), ("TUPLE3", None), ("REDUCE", None), ("MARK", None)),
    *(("BININT1", 3), ("BINUNICODE", "<"), ("NONE", None), ("NONE", None), ("NONE", None)),
    *(("BININT", -1), ("BININT", -1), ("BININT1", 0), ("TUPLE", None), ("BUILD", None)),
    *(("NEWFALSE", None), "numbers", ("TUPLE", None), ("BUILD", None)),
    ("STOP", None),
)
"""The listing of a pickle of one float32 matrix, as Python 3 and NumPy 1 wrote it."""

INTEGERS = {"BININT1", "BININT2", "BININT"}
VALUES = {"rows": INTEGERS, "columns": INTEGERS, "numbers": {"BINBYTES"}}
"""Parts of the listing that differ between arrays, with the codes of their values."""

NOTES = {"PROTO", "BINPUT"}
"""Parts of a listing that say nothing of the array."""


def released_vectors(path: Path | None, names: Sequence[str], length: int) -> Tensor:
    r"""Read the word vectors that a checkpoint was trained with: ``(L, E)`` float.

    Args:
        path: The file of the authors, a pickle of an array with a row for each label, whose numbers
            are read without unpickling it; or a file for `label_vectors`, matched by name.
        names: The ``L`` labels, in the order of the authors.
        length: ``E``.

    Raises:
        FileNotFoundError: If the file does not exist.
        DataError: If there is no file, it has another format, or its vectors another length.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "glove.txt")
        ...     _ = file.write_text("table 0 4\ndog 1 1\ndining 2 0\n")
        ...     released_vectors(file, ("dog", "dining table"), 2).tolist()
        [[1.0, 1.0], [1.0, 2.0]]
    """
    if path is None:
        msg = (
            f"expected the word vectors of length {length} that the checkpoint was trained with "
            "as `vectors`, which it does not contain, got none; the authors' repository has them"
        )
        raise DataError(msg)
    with path.open("rb") as stream:
        is_pickle = stream.read(1) == b"\x80"
    found = (
        matrix_in(path)
        if is_pickle
        else label_vectors(names, source=path, cooccurrence=None).vectors
    )
    if found.shape != (len(names), length):
        msg = (
            f"{path}: expected word vectors of shape {(len(names), length)}, as `vectors`, got "
            f"{tuple(found.shape)}"
        )
        raise DataError(msg)
    return found


def matrix_in(path: Path) -> Tensor:
    """Extract the numbers of a pickled float32 matrix from the file, without unpickling it.

    Raises:
        DataError: If the pickle is of anything else.
    """
    values: dict[str, Any] = {}
    try:
        content = require_file(path, largest=LARGEST_FILE).read_bytes()
        listing = [
            (code.name, argument)
            for code, argument, _ in pickletools.genops(content)
            if code.name not in NOTES
        ]
        for (code, argument), expected in zip(listing, ARRAY, strict=True):
            if isinstance(expected, str) and code in VALUES[expected]:
                values[expected] = argument
            elif (code, argument) != expected:
                raise ValueError(code)
        numbers = np.frombuffer(values["numbers"], "<f4").reshape(values["rows"], values["columns"])
    except ValueError as error:
        msg = (
            f"{path}: expected a pickle of one matrix of float32 numbers, as ML-GCN's authors "
            "wrote it, or word vectors in another format, got another pickle, which is never opened"
        )
        raise DataError(msg) from error
    return torch.from_numpy(numbers.copy())
