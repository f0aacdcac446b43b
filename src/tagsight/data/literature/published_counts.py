"""Counts of a collection beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.literature.protocols import PROTOCOLS, divided
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.data.annotations import Annotations


class Count(NamedTuple):
    """A count beside the published one.

    Attributes:
        split: ``train``, ``test``, or ``all`` photos.
        quantity: ``photos``, ``labels`` or ``labels per photo``.
        found: Count in the collection.
        expected: The published count.

    Example:
        >>> count = Count("train", "photos", found=16_000, expected=16_551)
        >>> count.agrees, str(count)
        (False, 'your train has 16,000 photos, expected 16,551')
    """

    split: str
    quantity: str
    found: float
    expected: float

    @property
    def agrees(self) -> bool:
        """Whether they are equal, means to the two decimals that are published."""
        return abs(self.found - self.expected) <= 0.005 + 1e-9

    def __str__(self) -> str:
        whose = "you have" if self.split == "all" else f"your {self.split} has"
        found, expected = map(_number, (self.found, self.expected))
        one = self.found == 1 and self.quantity != "labels per photo"
        quantity = self.quantity.removesuffix("s") if one else self.quantity
        return f"{whose} {found} {quantity}, expected {expected}"


class Comparison(NamedTuple):
    """Comparison of a collection with a protocol.

    Attributes:
        protocol: A key of `PROTOCOLS`.
        told: Whether the collection was read by this protocol; otherwise it only resembles it.
        counts: Every published count.

    Example:
        >>> name, protocol = next(iter(PROTOCOLS.items()))
        >>> found = Comparison(name, told=True, counts=(Count("all", "photos", 9, 10),))
        >>> [str(count) for count in found.differences], list(found.lines())[-1]
        (['you have 9 photos, expected 10'], '  you have 9 photos, expected 10')
    """

    protocol: str
    told: bool
    counts: tuple[Count, ...]

    @property
    def differences(self) -> tuple[Count, ...]:
        """Counts that differ from the published ones."""
        return tuple(count for count in self.counts if not count.agrees)

    def as_dict(self) -> dict[str, object]:
        """Return the comparison as values for JSON."""
        protocol = PROTOCOLS[self.protocol]
        return {
            "name": self.protocol,
            "description": protocol.description,
            "told": self.told,
            "source": protocol.source,
            "recalled": protocol.recalled,
            "counts": [count._asdict() | {"agrees": count.agrees} for count in self.counts],
        }

    @property
    def advice(self) -> str | None:
        """How to read the data by a protocol that they resemble."""
        return None if self.told else f"to read it as {self.protocol}: `protocol={self.protocol}`"

    def lines(self) -> Iterator[str]:
        """Yield the comparison as lines of plain text."""
        protocol = PROTOCOLS[self.protocol]
        memory = ", from memory" if protocol.recalled else ""
        verdict = "other counts than published" if self.differences else "counts as published"
        yield f"{'protocol' if self.told else 'looks like'} {self.protocol}: {protocol.description}"
        yield f"  {verdict} ({protocol.source}{memory})"
        yield from (f"  {difference}" for difference in self.differences)


def compare(annotations: Annotations) -> tuple[Comparison, ...]:
    r"""Compare rows with the protocol they were read by, or else with those they resemble.

    Rows resemble a protocol if they have its format, its number of labels, and exactly the
    published number of photos in one of its splits.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.data.readers import read_annotations
        >>> with TemporaryDirectory() as folder:
        ...     table = Path(folder) / "labels.csv"
        ...     _ = table.write_text("image,labels\na.jpg,sky\n")
        ...     compare(read_annotations(table, labels_only=True))  # resembles no collection
        ()
    """
    if annotations.protocol is not None:
        counts = _counts(annotations, annotations.protocol)
        return (Comparison(annotations.protocol, told=True, counts=counts),)
    alike = [
        Comparison(name, told=False, counts=_counts(rows, name))
        for name in PROTOCOLS
        if (rows := _read_so(annotations, name)) is not None
    ]
    return tuple(
        comparison
        for comparison in alike
        if any(count.agrees and count.quantity == "photos" for count in comparison.counts)
    )


def _read_so(annotations: Annotations, name: str) -> Annotations | None:
    protocol = PROTOCOLS[name]
    if (annotations.format, len(annotations.names)) != (protocol.format, protocol.labels):
        return None
    try:
        kept = annotations.labelled() if protocol.options.unlabelled == "drop" else annotations
        return divided(kept, name)
    except DataError:
        return None


def _counts(annotations: Annotations, name: str) -> tuple[Count, ...]:
    protocol = PROTOCOLS[name]
    counts = [Count("all", "labels", len(annotations.names), protocol.labels)]
    for split, expected in protocol.counts.items():
        rows = annotations.targets
        if split != "all":
            rows = rows[[index for index, of in enumerate(annotations.splits or ()) if of == split]]
        counts.append(Count(split, "photos", len(rows), expected.photos))
        if expected.labels_per_photo is not None:
            mean = (rows == 1).sum().item() / max(len(rows), 1)
            counts.append(Count(split, "labels per photo", mean, expected.labels_per_photo))
    return tuple(counts)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
