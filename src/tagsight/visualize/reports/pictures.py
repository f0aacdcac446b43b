"""Small copies of photos within a page, until together they are too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.errors import DataError
from tagsight.inference.notebook import data_url
from tagsight.visualize.reports.elements import Html, element

if TYPE_CHECKING:
    from pathlib import Path

SIDE, QUALITY = 128, 72
"""Longest side of the copies in pixels, and the quality of their JPEGs."""

BUDGET = 4_000_000
"""Characters of all pictures of a page."""


class Pictures:
    """Embeds pictures in a page as data URLs, as long as there is room.

    Args:
        budget: Characters that all pictures together may take.

    Example:
        >>> pictures = Pictures(budget=2000)
        >>> picture = Image.new("RGB", (64, 48))
        >>> pictures.picture(picture, "a <photo>")[-45:]
        'width="64" height="48" alt="a &lt;photo&gt;">'
        >>> [bool(pictures.picture(picture, "")) for _ in range(3)]
        [True, False, False]
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.left = budget

    def photo(self, path: Path, *, side: int = SIDE, alt: str | None = None) -> Html:
        """Return an ``img`` of a photo, or nothing if it does not open or there is no room.

        Args:
            path: The photo.
            side: Longest side of its copy in pixels.
            alt: Description; by default the name of the file.
        """
        if self.left <= 0:
            return Html()
        small = thumbnail(path, side)
        return Html() if small is None else self.picture(small, path.name if alt is None else alt)

    def picture(self, picture: Image.Image, alt: str) -> Html:
        """Return an ``img`` of a picture, or nothing if there is no room.

        Args:
            picture: RGB, as large as it is to be shown.
            alt: Description.
        """
        url = self.url(picture)
        if url is None:
            return Html()
        width, height = picture.size
        return element("img", src=url, width=width, height=height, alt=alt)

    def url(self, picture: Image.Image) -> str | None:
        """Return a picture as a ``data:`` URL, or None if there is no room.

        Args:
            picture: RGB.
        """
        url = data_url(picture, quality=QUALITY)
        self.left -= len(url)
        return url if self.left >= 0 else None


def thumbnail(path: Path, side: int = SIDE) -> Image.Image | None:
    """Make a small copy of a photo; None if it does not open.

    Args:
        path: The photo.
        side: Longest side in pixels.

    Example:
        >>> from pathlib import Path
        >>> thumbnail(Path("photos/dog.jpg"), side=64).size
        (64, 48)
    """
    try:
        photo = open_photo(path, least_side=side)
    except (DataError, OSError):
        return None
    photo.thumbnail((side, side), Image.Resampling.BOX)
    return photo
