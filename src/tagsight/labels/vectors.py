"""Word vectors of labels: from a file, an installed package, or co-occurrence counts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tagsight.errors import DataError
from tagsight.labels.word_files import (
    PACKAGE,
    WordVectors,
    installed_word_vectors,
    read_word_vectors,
)
from tagsight.labels.words import Reading, read_name, wanted_words
from tagsight.runtime.amounts import amount, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.labels.space import LabelSpace

_LENGTH = 300
"""Length of a vector from co-occurrence, equal to that of the word vectors in the paper."""

_NORM = 6.0
"""Euclidean norm of such a vector, about that of GloVe's vectors of common nouns."""

_OWN_SHARE = 0.2
"""Squared fraction of such a vector that is independent of all other labels."""


class Vectors(NamedTuple):
    """Word vectors and their origin.

    Attributes:
        vectors: ``(L, E)`` float.
        source: A sentence about their source.
        notes: Sentences about names that were split or replaced, and about missing words.
    """

    vectors: Tensor
    source: str
    notes: tuple[str, ...]


def label_vectors(
    names: Sequence[str], *, source: Path | None = None, cooccurrence: Tensor | None
) -> Vectors:
    r"""Find a word vector for each label.

    Vectors come from ``source`` if given, else from the package of the extra ``glove`` if
    installed, else from the labels' co-occurrence. A name of several words gets their mean. A name
    without a known word gets a pseudo-random vector that is seeded by the name and has the median
    norm of the others. A label's vector does not depend on the order of the labels.

    Args:
        names: The ``L`` labels; words may be joined by spaces, ``_``, ``-`` or capital letters.
        source: A text file in GloVe's format, or an ``.npz`` with ``names`` and ``vectors``.
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal, or None
            if there are no photos.

    Raises:
        FileNotFoundError: If the file ``source`` does not exist.
        DataError: If ``source`` is malformed or contains no label, or there is no source at all.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "vectors.txt"
        ...     _ = file.write_text("dining 2 0\ntable 0 4\n")
        ...     label_vectors(["diningtable"], source=file, cooccurrence=None).vectors.tolist()
        [[1.0, 2.0]]
    """
    if source is not None:
        words = read_word_vectors(source, wanted_words(names))
        if (found := _from_words(names, words, str(source))) is None:
            msg = (
                f"expected word vectors of the labels in {source}, found none of "
                f"{list(names[:5])!r}; give another file as `vectors`, or none"
            )
            raise DataError(msg)
        return found
    try:
        words_at_hand = installed_word_vectors(wanted_words(names))
    except DataError as error:
        return _from_cooccurrence(names, cooccurrence, str(error))
    if words_at_hand is None:
        return _from_cooccurrence(names, cooccurrence, f"{PACKAGE} is not installed")
    found = _from_words(names, words_at_hand, f"the package {PACKAGE}")
    return found or _from_cooccurrence(names, cooccurrence, f"{PACKAGE} knows none of the labels")


def new_label_vectors(
    names: Sequence[str], trained: LabelSpace, *, source: Path | None = None
) -> Tensor:
    r"""Find word vectors for labels that a model was not trained on.

    Missing words are an error here, because the vector is all that is known about a new label.

    Args:
        names: The ``K`` new labels.
        trained: The labels of the model, with their word vectors.
        source: A file of word vectors; by default those of the extra ``glove``.

    Returns:
        ``(K, E)`` float.

    Raises:
        FileNotFoundError: If the file ``source`` does not exist.
        DataError: If there are no word vectors, a new label has none, or the vectors of the model's
            own labels differ from those of its training.

    Example:
        >>> from dataclasses import replace
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.labels.space import empty_label_space
        >>> vectors = torch.tensor([[1.0, 2.0]])
        >>> trained = replace(empty_label_space(["cat"]), vectors=vectors)
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "vectors.txt"
        ...     _ = file.write_text("cat 1 2\ndog 3 4\n")
        ...     new_label_vectors(["dog"], trained, source=file)
        tensor([[3., 4.]])
    """
    if trained.vectors is None:
        msg = "expected a model that was trained with word vectors, got one without"
        raise DataError(msg)
    wanted = wanted_words([*trained.names, *names])
    words = read_word_vectors(source, wanted) if source else installed_word_vectors(wanted)
    where = f"the package {PACKAGE}" if source is None else str(source)
    if words is None:
        msg = (
            f"expected word vectors for {names[0]!r}, as for the model's own labels, got none; "
            f"give their file as `vectors`, or install {PACKAGE}"
        )
        raise DataError(msg)
    means = _means(names, _known(words))
    if missing := [name for name in names if name not in means]:
        msg = (
            f"expected a word vector for every new label, {where} has none for "
            f"{', '.join(map(repr, missing))}; rename the label, or give another file as `vectors`"
        )
        raise DataError(msg)
    _check_same_words(trained, _means(trained.names, _known(words)), where)
    return torch.from_numpy(np.stack([means[name] for name in names]).astype(np.float32))


def _check_same_words(
    trained: LabelSpace, means: Mapping[str, NDArray[np.floating]], where: str
) -> None:
    """Refuse word vectors that differ from those of the training."""
    rows = {name: row for row, name in enumerate(trained.names) if name in means}
    assert trained.vectors is not None
    for name, row in rows.items():
        before, now = trained.vectors[row].cpu().numpy(), means[name].astype(np.float32)
        if before.shape != now.shape or not np.allclose(before, now, rtol=1e-3, atol=1e-5):
            msg = (
                f"expected the word vectors of the model's training, got another one for {name!r} "
                f"from {where}; give the file of the training as `vectors`"
            )
            raise DataError(msg)
    if not rows:
        msg = (
            f"expected the word vectors of the model's training, {where} has none of its labels, "
            f"such as {trained.names[0]!r}; give the file of the training as `vectors`"
        )
        raise DataError(msg)


def cooccurrence_vectors(names: Sequence[str], cooccurrence: Tensor) -> Tensor:
    """Compute vectors whose cosine similarity reflects how often labels co-occur.

    Each name seeds a random direction. The directions are mixed by the square root of the matrix of
    similarities ``C_ij / sqrt(C_ii C_jj)``, so that the cosine of two vectors approximates the
    similarity of their labels. A label that never co-occurs keeps its direction; labels that always
    co-occur stay distinct.

    Args:
        names: The ``L`` labels.
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.

    Returns:
        ``(L, 300)`` float, each of norm 6, about that of GloVe's vectors.

    Example:
        >>> vectors = cooccurrence_vectors(["sun", "sea"], torch.tensor([[9, 6], [6, 9]]))
        >>> vectors.shape, round(vectors.norm(dim=1)[0].item(), 4)
        (torch.Size([2, 300]), 6.0)
    """
    counts = cooccurrence.diagonal().double().clamp(min=1)
    similarity = cooccurrence.double() / (counts[:, None] * counts).sqrt()
    similarity = ((1 - _OWN_SHARE) * similarity).fill_diagonal_(1)
    # Unlike a truncated decomposition, the root is unique: it has no sign or order of axes.
    values, axes = torch.linalg.eigh(similarity)
    root = axes * values.clamp(min=0).sqrt() @ axes.T
    own = torch.from_numpy(np.stack([_direction(name, _LENGTH) for name in names]))
    return (_NORM * torch.nn.functional.normalize(root @ own)).float()


def _from_words(names: Sequence[str], words: WordVectors, where: str) -> Vectors | None:
    known = _known(words)
    readings = [read_name(name, known) for name in names]
    if not (means := _means(names, known)):
        return None
    length = next(iter(means.values())).size
    norm = float(np.median([np.linalg.norm(mean) for mean in means.values()]))
    rows = [means[name] if name in means else norm * _direction(name, length) for name in names]
    vectors = torch.from_numpy(np.stack(rows).astype(np.float32))
    return Vectors(
        vectors,
        f"word vectors of length {length} from {where}: {len(means)} of "
        f"{amount(len(names), 'label')} found",
        (*_reading_notes(names, readings, where), *_same_vectors(names, rows)),
    )


def _known(words: WordVectors) -> WordVectors:
    """Drop the words whose vector is zero."""
    return WordVectors({w: v for w, v in words.vectors.items() if v.any()}, words.ranks)


def _means(names: Sequence[str], known: WordVectors) -> dict[str, NDArray[np.floating]]:
    """Average the vectors of each label's words, for labels with a known word."""
    readings = zip(names, (read_name(name, known) for name in names), strict=True)
    return {
        name: np.mean([known.vectors[word] for word in reading.words], axis=0)
        for name, reading in readings
        if reading.words
    }


def _from_cooccurrence(names: Sequence[str], cooccurrence: Tensor | None, reason: str) -> Vectors:
    if cooccurrence is None:
        msg = (
            f"expected a file of word vectors, the extra 'glove', or photos with the labels, got "
            f"none of them: {reason}"
        )
        raise DataError(msg)
    vectors = cooccurrence_vectors(names, cooccurrence.to_dense())
    source = (
        f"vectors of length {_LENGTH} made from how often labels occur together in the training "
        f"photos, without word vectors ({reason})"
    )
    return Vectors(vectors, source, ())


def _reading_notes(names: Sequence[str], readings: Sequence[Reading], where: str) -> Iterator[str]:
    for name, reading in zip(names, readings, strict=True):
        if reading.words and reading.words != (name.lower(),):
            how = "read as" if len(reading.words) == 1 else "the mean of"
            note = f"{name!r} is {how} {' and '.join(map(repr, reading.words))}"
            without = f", without {' and '.join(map(repr, reading.missing))}"
            yield note + without if reading.missing else note
    unknown = [name for name, reading in zip(names, readings, strict=True) if not reading.words]
    if unknown:
        yield (
            f"random numbers made from the name stand in for {named(unknown)}, not found in {where}"
        )


def _same_vectors(names: Sequence[str], rows: Sequence[NDArray[np.floating]]) -> Iterator[str]:
    first: dict[bytes, str] = {}
    for name, row in zip(names, rows, strict=True):
        other = first.setdefault(row.astype(np.float32).tobytes(), name)
        if other != name:
            yield f"{other!r} and {name!r} have the same vector: only the graph tells them apart"


def _direction(name: str, length: int) -> NDArray[np.float64]:
    """Draw a random direction, seeded by the name."""
    seed = np.frombuffer(hashlib.sha256(name.encode(errors="replace")).digest(), dtype="<u4")
    # RandomState, because NumPy guarantees that its numbers never change.
    direction = np.random.RandomState(seed).standard_normal(length)
    return direction / np.linalg.norm(direction)
