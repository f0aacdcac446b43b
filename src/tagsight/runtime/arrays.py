"""Named arrays in ``.npz`` files, read with checks of type and size, and never unpickled."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from tagsight.errors import DataError
from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MOST_BYTES = 1 << 31
"""Largest array to read, in bytes."""

KINDS = {"U": "strings", "f": "floating-point numbers", "i": "integers"}

LONGEST_HEADER = 10_000
"""Longest header of an array to parse, in bytes."""

_UNREADABLE = (
    ArithmeticError,  # a shape too large for an integer
    EOFError,
    KeyError,
    OSError,
    RuntimeError,  # encrypted, of unknown compression, or nested too deeply
    SyntaxError,  # NumPy parses the header as a Python literal
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def opened_arrays(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an ``.npz`` file for `read_array`.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read; errors inside the block are converted too.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.npz"
        ...     write_arrays(file, counts=np.arange(3))
        ...     with opened_arrays(file) as archive:
        ...         array_names(archive), read_array(archive, "counts", "i", file).tolist()
        ({'counts'}, [0, 1, 2])
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except _UNREADABLE as error:
        msg = f"{path}: expected an .npz file, got one that cannot be read: {error}"
        raise DataError(msg) from error


def array_names(archive: zipfile.ZipFile) -> set[str]:
    """List the arrays of a file by name.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.npz"
        ...     write_arrays(file, counts=np.arange(3))
        ...     with opened_arrays(file) as archive:
        ...         array_names(archive)
        {'counts'}
    """
    return {name.removesuffix(".npy") for name in archive.namelist()}


def read_array(archive: zipfile.ZipFile, name: str, kind: str, path: Path) -> NDArray[np.generic]:
    """Read one array after checking its data type and size.

    Args:
        archive: A file opened by `opened_arrays`.
        name: Name of the array.
        kind: Expected kind of its data type, a key of `KINDS`.
        path: Path of the file, for error messages.

    Raises:
        DataError: If the array is of another kind or larger than `MOST_BYTES`.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.npz"
        ...     write_arrays(file, counts=np.arange(3))
        ...     with opened_arrays(file) as archive:
        ...         read_array(archive, "counts", "i", file)
        array([0, 1, 2])
    """
    member = f"{name}.npy"
    size = archive.getinfo(member).file_size
    _check_header_length(archive, member)
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(stream)
    if dtype.kind != kind:
        msg = (
            f"{path}: expected {KINDS[kind]} in {name!r}, got {dtype}; objects are never unpickled"
        )
        raise DataError(msg)
    if max(size, math.prod(shape) * dtype.itemsize) > MOST_BYTES:
        msg = (
            f"{path}: expected at most {MOST_BYTES} bytes in {name!r}, got {size} bytes for shape "
            f"{shape}; store more words as a text file"
        )
        raise DataError(msg)
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _check_header_length(archive: zipfile.ZipFile, member: str) -> None:
    """Refuse a long header: NumPy would read one of any length into memory before parsing it."""
    with archive.open(member) as stream:
        start = stream.read(12)
    length = int.from_bytes(start[8:10] if start[6:7] == b"\x01" else start[8:12], "little")
    if length > LONGEST_HEADER:
        msg = f"a header of {length:,} bytes"
        raise ValueError(msg)


def write_arrays(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write a compressed ``.npz`` file atomically.

    Args:
        path: The file.
        arrays: Arrays by name.

    Raises:
        DataError: If the path does not end in ``.npz``.

    Example:
        >>> from pathlib import Path
        >>> write_arrays(Path("counts.txt"), counts=np.arange(3))
        Traceback (most recent call last):
        tagsight.errors.DataError: expected a file that ends in .npz, got counts.txt
    """
    if path.suffix.lower() != ".npz":
        msg = f"expected a file that ends in .npz, got {path}"
        raise DataError(msg)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
