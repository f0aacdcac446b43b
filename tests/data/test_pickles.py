"""Pickles of arrays are read; whatever else a pickle can do, is not done."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.data.pickles import INSTRUCTIONS, read_pickled_arrays
from tagsight.errors import DataError

ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(3, dtype=">f4"),
    np.array([True, False]),
    np.zeros((0, 5), dtype=np.int16),
    np.array(7, dtype=np.uint8),
]


class Calls:
    """Something whose pickle calls a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def written(path: Path, value, protocol: int | None = None) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


def refused(path: Path, content, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_pickled_arrays(written(path, content))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "adj.pkl"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_array_comes_out_as_it_went_in(file, array, protocol):
    found = read_pickled_arrays(written(file, array, protocol))
    assert np.array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_dictionary_of_arrays_keeps_their_names(file, protocol):
    arrays = {"nums": np.arange(3), "adj": np.eye(3)}
    found = read_pickled_arrays(written(file, arrays, protocol))
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_arrays_of_older_and_newer_numpy_are_read(file):
    content = pickle.dumps(np.arange(3), 3)
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        changed = content.replace(b"numpy._core.multiarray", name)
        assert read_pickled_arrays(written(file, changed)).tolist() == [0, 1, 2]


def test_arrays_of_python_2_are_read(file):
    content = struct.pack("<2d", 1.5, -2.0)
    raw = b"U" + bytes([len(content)]) + content
    assert read_pickled_arrays(written(file, reconstructed(b"K\x02\x85", raw))).tolist() == [
        1.5,
        -2,
    ]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (Calls(os.system, "touch marker"), "system"),
        (Calls(eval, "open('marker', 'w')"), "eval"),
        (Calls(exec, "open('marker', 'w')"), "exec"),
        (Calls(getattr, "text", "upper"), "getattr"),
        (Calls(np.load, "marker"), "load"),
        (Calls(collections.OrderedDict), "OrderedDict"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("nest", [lambda x: x, lambda x: [x], lambda x: {"nums": x}])
def test_malicious_functions_are_named_and_not_called(
    file, tmp_path, monkeypatch, call, name, nest
):
    monkeypatch.chdir(tmp_path)
    refused(file, nest(call), rf"got one that calls [\w.]*{name}; it was not called")
    assert not (tmp_path / "marker").exists()


def test_malicious_functions_in_an_array_of_objects_are_not_called(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = np.array([Calls(os.system, "touch marker")], dtype=object)
    refused(file, {"adj": array}, "got one of the type 'O8'|system; it was not called")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a"], dtype=object),
        np.array(["a"]),
        np.array([(1, 2.0)], dtype="i4,f4"),
        np.array(["2020"], dtype="M8[Y]"),
        np.array([1j]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_anything_but_numbers_are_refused(file, array):
    refused(file, array, "expected an array of numbers|expected a pickle of NumPy arrays")


@pytest.mark.parametrize(
    "value", [3, "text", None, [np.arange(2)], {}, {"a": 1}, {1: np.arange(2)}, np.ndarray]
)
def test_anything_but_an_array_or_a_dictionary_of_them_is_refused(file, value):
    refused(file, value, "expected an array or a dictionary of arrays, got a|not run")


def reconstructed(shape: bytes, content: bytes = b"C\x01x") -> bytes:
    """A pickle of an array that says of itself what it likes."""
    dtype = b"cnumpy\ndtype\nX\x02\0\0\0f8\x89\x88\x87R"
    make = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"
    return b"\x80\x03" + make + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb."


@pytest.mark.parametrize(
    "shape",
    [
        b"J\xff\xff\xff\x7f\x85",  # two milliards of numbers
        b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86",
        b"J\xff\xff\xff\xff\x85",  # -1
        b"K\x01\x85\x85",  # a tuple in the tuple
        b"K\x01",
        b"(" + 9 * b"K\x01" + b"t",
    ],
)
def test_memory_bombs_and_shapes_that_lie_are_refused(file, shape):
    tracemalloc.start()
    try:
        refused(file, reconstructed(shape), "expected an array of 1 bytes, got the shape")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_an_array_without_its_bytes_is_refused(file):
    refused(file, reconstructed(b"K\x01\x85", b"]"), "got a list in place of its bytes")


def test_an_array_that_is_never_filled_is_refused(file):
    make = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R."
    refused(file, b"\x80\x03" + make, "expected an array or a dictionary of arrays, got a _Array")


@pytest.mark.parametrize("index", [10_001, 2**31 - 1])
def test_memory_bombs_of_what_is_remembered_are_refused(file, index):
    bomb = b"\x80\x03]r" + struct.pack("<I", index) + b"."
    refused(file, bomb, f"got LONG_BINPUT {index}; it was not run")


def test_tuples_that_would_be_hashed_for_ever_are_refused(file):
    doubled = b"".join(b"q%ch%ch%c\x86" % (i, i, i) for i in range(60))
    refused(file, b"\x80\x03)" + doubled + b".", "got tuples that are shared; it was not run")


def test_pickles_of_many_things_are_refused(file):
    refused(file, list(range(20_000)), r"expected a pickle of a few arrays, got \w+ .*; it was not")


@pytest.mark.parametrize(
    ("instruction", "name"),
    [(b"i", "INST"), (b"o", "OBJ"), (b"\x81", "NEWOBJ"), (b"P0\n", "PERSID"), (b"2", "DUP")],
)
def test_instructions_that_arrays_do_not_need_are_not_run(file, instruction, name):
    argument = b"os\nsystem\n" if name == "INST" else b""
    refused(file, b"(" + instruction + argument + b".", f"the instruction {name}; it was not run")


def test_what_stands_in_for_functions_cannot_be_changed(file):
    # BUILD with a second dictionary sets attributes.
    change = b"\x80\x03cnumpy\ndtype\nN}X\x08\0\0\0__call__N\x73\x86b."
    refused(file, change, "got a damaged one")


@pytest.mark.parametrize("encoding", ["rot13", "utf-8"])
def test_bytes_are_only_made_of_latin_1(file, encoding):
    text = f"c_codecs\nencode\n(Vx\nV{encoding}\ntR.".encode()
    refused(file, text, "expected bytes as Latin-1 text")


def test_a_byte_order_that_is_none_is_refused(file):
    content = b"\x80\x03cnumpy\ndtype\nX\x02\0\0\0f8\x89\x88\x87R(K\x03X\x01\0\0\0xNNNtb."
    refused(file, content, "expected a byte order, got 'x'")


def test_large_files_are_not_read(file, monkeypatch):
    monkeypatch.setattr("tagsight.data.pickles.LARGEST_FILE", 10)
    refused(file, np.arange(3), "expected at most 10 bytes")


@pytest.mark.parametrize("cut", [1, 10, 60, -1])
def test_truncated_pickles_are_refused(file, cut):
    refused(file, pickle.dumps(np.arange(3))[:cut], "expected a pickle of NumPy arrays")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_anything_but_a_message(tmp_path_factory, data):
    content = bytearray(pickle.dumps({"adj": np.arange(4)}, data.draw(st.integers(0, 5))))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(bytes(content))
    try:
        found = read_pickled_arrays(path)
    except DataError:
        return
    arrays = found.values() if isinstance(found, dict) else [found]
    assert all(array.dtype.kind in "biuf" for array in arrays)


def test_every_instruction_is_one_of_pickles():
    assert {code.name for code in pickletools.opcodes} > INSTRUCTIONS
