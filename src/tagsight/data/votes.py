"""Labels on which several people vote, as in crowds: what most of them say of a photo."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tagsight.data.photo_labels import PhotoLabels
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

logger = logging.getLogger(__name__)


class Votes:
    """The labels that people give to photos, each of them to all labels of a photo at once.

    A label is present if more than half of the photo's people give it, absent if nobody does, and
    unknown otherwise.

    Args:
        source: The file, for messages.

    Example:
        >>> from pathlib import Path
        >>> votes = Votes(Path("votes.csv"))
        >>> for labels in (["dog"], ["dog", "sky"], ["dog"]):
        ...     votes.add("a.jpg", labels)
        >>> (photo,) = votes.photos()
        >>> photo.present, photo.unknown
        ({'dog'}, {'sky'})
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._people: Counter[str] = Counter()
        self._given: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, photo: str, labels: Collection[str]) -> None:
        """Add what one person says of a photo."""
        self._people[photo] += 1
        self._given[photo].update(set(labels))

    def photos(self) -> list[PhotoLabels]:
        """Return the labels of each photo, and log how many are unknown."""
        photos = []
        for photo, people in self._people.items():
            given = self._given[photo]
            present = {label for label, votes in given.items() if 2 * votes > people}
            photos.append(PhotoLabels(photo, present, given.keys() - present))
        several = sum(people > 1 for people in self._people.values())
        if several:
            logger.info(
                "%s: %s looked at by several people: labels are what more than half of them say; "
                "%s by fewer, which are unknown",
                self._source,
                amount(several, "photo"),
                amount(sum(len(one.unknown) for one in photos), "label"),
            )
        return photos
