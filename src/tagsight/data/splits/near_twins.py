"""Near twins: photos that look alike, such as those of a burst or copies of other sizes."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tagsight.data.splits.alike import alike_pairs

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.photos.check import Check

Array: TypeAlias = "np.ndarray[Any, Any]"

FARTHEST = 4
"""Bits of 64 in which the gradients of near twins may differ."""

FARTHEST_COLOUR = 24
"""Levels of 255 in which their mean red, green or blue may differ."""

NEIGHBOURS = 256
"""Photos that share two bands of bits and are compared with a photo, at most."""

BITS = 64

NEAREST = 0.8
"""Cosine of the centred embeddings of near twins, at least; measured by `benchmarks/twins.py`."""

_TINY = 1e-9


def near_twins(check: Check) -> tuple[tuple[Path, ...], ...]:
    """Group the photos that look alike but are different files.

    Two photos are near twins if their gradients differ in at most 4 of 64 bits and their mean
    colours by at most 24 of 255; groups are joined through common members. Candidates share two of
    six bands of bits, which any two that differ in at most four bits do; that few others do keeps
    time from growing with the square of the number of photos. Of very many photos that share two
    bands only 256 are compared with each.

    Args:
        check: Result of `check_photos`.

    Returns:
        Groups of at least two contents, each sorted, in the order of their first photo.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.photos.check import Check
        >>> from tagsight.data.photos.traits import Look, PhotoTraits
        >>> looks = {"1.jpg": 0b1011, "2.jpg": 0b1111, "3.jpg": 2**40 - 1}
        >>> traits = {
        ...     Path(name): PhotoTraits((640, 480), Look(bits, (90, 90, 90)))
        ...     for name, bits in looks.items()
        ... }
        >>> hashes = {path: path.name.encode() for path in traits}
        >>> [[path.name for path in group] for group in near_twins(Check((), hashes, traits))]
        [['1.jpg', '2.jpg']]
    """
    paths = [path for path, traits in check.traits.items() if traits.look is not None]
    looks = [check.traits[path].look for path in paths]
    codes = np.array([look.gradients for look in looks if look], np.uint64)
    colours = np.array([look.colour for look in looks if look], np.int16).reshape(-1, 3)
    pairs = ((paths[a], paths[b]) for a, b in _pairs(codes, colours))
    return _contents(paths, pairs, check)


def twins_by_embedding(
    check: Check, paths: Sequence[Path], embeddings: Array
) -> tuple[tuple[Path, ...], ...]:
    """Group the photos that look alike to an encoder but are different files.

    It also finds what `near_twins` cannot: crops, mirror images, and other photos of the same
    scene. Embeddings are compared without the mean of all, which most of their length is, so that
    it takes some photos; a group is joined through common members. Of more than 32,768 photos,
    those are compared that are near one of the same landmarks (`alike_pairs`).

    Args:
        check: Content of the photos.
        paths: The ``N`` photos.
        embeddings: ``(N, D)`` float, of each photo.

    Returns:
        Groups as of `near_twins`.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.photos.check import Check
        >>> paths = [Path(name) for name in ("a", "b", "c", "d")]
        >>> embeddings = np.array([[9.0, 1.0], [9.0, 1.1], [9.0, -1.0], [8.0, -1.0]])
        >>> check = Check((), {path: path.name.encode() for path in paths})
        >>> groups = twins_by_embedding(check, paths, embeddings)
        >>> [[path.name for path in group] for group in groups]
        [['a', 'b']]
    """
    centred = np.asarray(embeddings, np.float32)
    centred = centred - centred.mean(0)
    units = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), _TINY)
    pairs = ((paths[one], paths[other]) for one, other in alike_pairs(units, NEAREST).tolist())
    return _contents(paths, pairs, check)


def copies(check: Check) -> tuple[tuple[Path, ...], ...]:
    """Group the photos with the same content.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.photos.check import Check
        >>> hashes = {Path("1.jpg"): b"a", Path("2.jpg"): b"b", Path("3.jpg"): b"a"}
        >>> [[path.name for path in group] for group in copies(Check((), hashes, {}))]
        [['1.jpg', '3.jpg']]
    """
    groups: dict[bytes, list[Path]] = defaultdict(list)
    for path, content in check.hashes.items():
        groups[content].append(path)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def united(
    *groupings: Sequence[Sequence[Path]],
) -> tuple[tuple[Path, ...], ...]:
    """Unite groups that share a photo.

    Example:
        >>> from pathlib import Path
        >>> a, b, c = Path("a"), Path("b"), Path("c")
        >>> [[path.name for path in group] for group in united([(a, b)], [(b, c)])]
        [['a', 'b', 'c']]
    """
    pairs = [(group[0], path) for groups in groupings for group in groups for path in group]
    found: dict[Path, list[Path]] = defaultdict(list)
    for path, first in joined_groups(dict.fromkeys(path for _, path in pairs), pairs).items():
        found[first].append(path)
    return tuple(sorted(tuple(sorted(group)) for group in found.values()))


def _contents(
    paths: Sequence[Path], pairs: Iterable[tuple[Hashable, Hashable]], check: Check
) -> tuple[tuple[Path, ...], ...]:
    """Return the groups that pairs and copies make, of two contents or more each."""
    same: dict[Hashable, Path] = {}
    copies = [(same.setdefault(check.hashes[path], path), path) for path in paths]
    groups: dict[Path, list[Path]] = defaultdict(list)
    for path, first in joined_groups(paths, (*copies, *pairs)).items():
        groups[first].append(path)
    contents = (
        tuple(sorted(group))
        for group in groups.values()
        if len({check.hashes[path] for path in group}) > 1
    )
    return tuple(sorted(contents))


def joined_groups(
    items: Iterable[Hashable], pairs: Iterable[tuple[Hashable, Hashable]]
) -> dict[Any, Any]:
    """Map each item to the representative of its group, joined by pairs (union-find).

    Example:
        >>> joined_groups("abcd", [("a", "c"), ("c", "d")])
        {'a': 'a', 'b': 'b', 'c': 'a', 'd': 'a'}
    """
    above: dict[Hashable, Hashable] = {item: item for item in items}

    def top(item: Hashable) -> Hashable:
        while above[item] != item:
            above[item] = above[above[item]]
            item = above[item]
        return item

    for one, other in pairs:
        above[top(other)] = top(one)
    return {item: top(item) for item in above}


def _pairs(codes: Array, colours: Array) -> Iterator[tuple[int, int]]:
    first = yield from _equal(codes, colours)
    codes, colours = codes[first], colours[first]
    for mask in _masks():
        key = codes & mask
        order = np.lexsort((codes, key))
        key = key[order]
        for distance in range(1, min(NEIGHBOURS, len(codes) - 1) + 1):
            (start,) = (key[distance:] == key[:-distance]).nonzero()
            if not len(start):
                break
            one, other = order[start], order[start + distance]
            colour = np.abs(colours[one] - colours[other]).max(1)
            one, other = one[colour <= FARTHEST_COLOUR], other[colour <= FARTHEST_COLOUR]
            alike = _bit_count(codes[one] ^ codes[other]) <= FARTHEST
            yield from zip(first[one[alike]].tolist(), first[other[alike]].tolist(), strict=True)


def _equal(codes: Array, colours: Array) -> Generator[tuple[int, int], None, Array]:
    """Yield neighbours among photos of the same look, and return the first of each look."""
    order = np.lexsort((*colours.T, codes))
    same = codes[order[1:]] == codes[order[:-1]]
    same &= (colours[order[1:]] == colours[order[:-1]]).all(1)
    yield from zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True)
    return np.concatenate([order[:1], order[1:][~same]])


def _masks() -> Sequence[np.uint64]:
    """Return the bits of each two of six bands; codes that differ in four bits share some."""
    count = FARTHEST + 2
    # Bits of a band lie apart, as gradients beside one another are often equal.
    bands = [sum(2**bit for bit in range(band, BITS, count)) for band in range(count)]
    return [np.uint64(one | other) for one, other in combinations(bands, 2)]


def _bit_count(codes: Array) -> Array:
    return np.unpackbits(codes.view(np.uint8).reshape(-1, 8), axis=1).sum(1)
