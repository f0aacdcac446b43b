"""NumPy arrays in pickles of others, read without running anything of what the pickle says.

A pickle is a program. Of this one only the instructions that build arrays, lists, dictionaries,
strings and numbers are obeyed, and the functions that it names are never called: functions of ours
stand in their places, which take bytes that are there and check what they are told about them.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tagsight.data.source import require_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.generic]"

LARGEST_FILE = 2**26
MOST_INSTRUCTIONS = 10_000
MOST_AXES = 8
LARGEST_INDEX = 10_000
"""Of what a pickle remembers: Python makes room for as many as the highest index says."""

NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
"""Types of arrays: truth values, integers with and without sign, floating-point numbers."""

INSTRUCTIONS = frozenset(
    {
        *("PROTO", "FRAME", "STOP", "MARK", "REDUCE", "BUILD", "GLOBAL", "STACK_GLOBAL"),
        *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "LIST", "APPEND", "APPENDS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT", "UNICODE"),
        *("BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
    }
)
_REMEMBER = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_RECALL = frozenset({"GET", "BINGET", "LONG_BINGET"})
_INDEXED = _RECALL | _REMEMBER - {"MEMOIZE"}
_TUPLES = frozenset({"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})

_DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RecursionError),
    *(TypeError, ValueError, pickle.UnpicklingError),
)


def read_pickled_arrays(path: Path) -> Array | dict[str, Array]:
    """Read a pickle of one array, or of a dictionary of arrays by their names.

    Args:
        path: The file, of at most `LARGEST_FILE` bytes.

    Returns:
        Arrays of numbers in the machine's own byte order.

    Raises:
        DataError: If it holds anything else, or names any function but those that rebuild an array.
    """
    content = require_file(path, largest=LARGEST_FILE).read_bytes()
    try:
        with warnings.catch_warnings():  # of odd escapes in text: they are no matter here
            warnings.simplefilter("ignore", DeprecationWarning)
            _check_instructions(content)
            found = _Reader(io.BytesIO(content), encoding="latin-1").load()
    except DataError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error
    # A malformed program makes the machine raise almost anything.
    except _DAMAGE as error:
        msg = f"{path}: expected a pickle of NumPy arrays, got a damaged one: {error}"
        raise DataError(msg) from error
    if isinstance(found, _Array) and found.value is not None:
        return found.value
    if isinstance(found, dict):
        arrays = {
            name: item.value
            for name, item in found.items()
            if isinstance(name, str) and isinstance(item, _Array) and item.value is not None
        }
        if len(arrays) == len(found) > 0:
            return arrays
    msg = f"{path}: expected an array or a dictionary of arrays, got a {type(found).__name__}"
    raise DataError(msg)


def _check_instructions(content: bytes) -> None:
    tuples: set[int] = set()
    remembered = 0
    before = ""
    for number, (code, argument, _) in enumerate(pickletools.genops(content), 1):
        name = code.name
        if name not in INSTRUCTIONS:
            msg = f"expected a pickle of NumPy arrays, got the instruction {name}; it was not run"
            raise DataError(msg)
        index = argument if name in _INDEXED else remembered
        if number > MOST_INSTRUCTIONS or not isinstance(index, int) or index > LARGEST_INDEX:
            msg = f"expected a pickle of a few arrays, got {name} {index}; it was not run"
            raise DataError(msg)
        # A tuple of tuples of one tuple would have to be hashed for ever.
        if name in _RECALL and index in tuples:
            msg = "expected a pickle of NumPy arrays, got tuples that are shared; it was not run"
            raise DataError(msg)
        if name in _REMEMBER:
            remembered += 1
            tuples |= {index} if before in _TUPLES else set()
        before = name


class _Reader(pickle.Unpickler):
    """The machine, with nothing to call but what is below."""

    def find_class(self, module: str, name: str) -> object:
        make = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if make is None:
            msg = (
                f"expected a pickle of NumPy arrays, got one that calls {module}.{name}; "
                "it was not called"
            )
            raise DataError(msg)
        return make()


class _Array:
    """An array that is being rebuilt."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Array | None = None

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - whatever the pickle says
        _, shape, kind, by_columns, content = state
        self.value = _array(content, kind, shape, by_columns=bool(by_columns))


class _Kind:
    """A type of numbers that is being rebuilt."""

    __slots__ = ("dtype",)

    def __init__(self, text: object) -> None:
        if not isinstance(text, str) or not NUMBERS.fullmatch(text):
            msg = f"expected an array of numbers, got one of the type {text!r}"
            raise DataError(msg)
        self.dtype: np.dtype[np.generic] = np.dtype(text)

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - whatever the pickle says
        order = state[1]
        if order not in {"<", ">", "|", "="}:
            msg = f"expected a byte order, got {order!r}"
            raise ValueError(msg)
        self.dtype = self.dtype.newbyteorder(order)


class _Function:
    """What stands in the place of a function; without attributes that a pickle could set."""

    __slots__ = ()


class _Reconstruct(_Function):
    __slots__ = ()

    def __call__(self, *_: object) -> _Array:
        return _Array()


class _DtypeFunction(_Function):
    __slots__ = ()

    def __call__(self, text: object, *_: object) -> _Kind:
        return _Kind(text)


class _FromBuffer(_Function):
    __slots__ = ()

    def __call__(self, content: object, kind: object, shape: object, order: object) -> _Array:
        array = _Array()
        array.value = _array(content, kind, shape, by_columns=order == "F")
        return array


class _NoBytes(_Function):
    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


class _Encode(_Function):
    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding not in {"latin1", "latin-1"}:
            msg = f"expected bytes as Latin-1 text, got {encoding!r}"
            raise ValueError(msg)
        return text.encode("latin-1")


_KNOWN: dict[tuple[str, str], Callable[[], object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy", "ndarray"): _Function,
    ("numpy", "dtype"): _DtypeFunction,
    ("_codecs", "encode"): _Encode,
    ("builtins", "bytes"): _NoBytes,
    ("__builtin__", "bytes"): _NoBytes,
}


def _array(content: object, kind: object, shape: object, *, by_columns: bool) -> Array:
    if isinstance(content, str):  # of Python 2
        content = content.encode("latin-1")
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, _Kind):
        msg = f"expected an array of numbers, got a {type(content).__name__} in place of its bytes"
        raise DataError(msg)
    sizes = shape if isinstance(shape, tuple) and len(shape) <= MOST_AXES else (-1,)
    fits = all(type(size) is int and size >= 0 for size in sizes)
    if not fits or math.prod(sizes) * kind.dtype.itemsize != len(content):
        msg = f"expected an array of {len(content):,} bytes, got the shape {shape!r}"
        raise DataError(msg)
    flat: Array = np.frombuffer(bytes(content), dtype=kind.dtype)
    array: Array = np.reshape(flat, sizes, order="F" if by_columns else "C")
    return array.astype(kind.dtype.newbyteorder("="))
