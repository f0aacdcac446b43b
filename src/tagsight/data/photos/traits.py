"""Traits of a photo: its size, time, camera and colour profile, and a fingerprint of its look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAT = 8
"""Least range of grey values, of 255, in which a photo has a look to compare."""

LONGEST_TEXT = 100
"""Characters of a camera's name or of a colour profile's."""


class Look(NamedTuple):
    """A fingerprint that hardly changes when a photo is resized, compressed or brightened.

    Attributes:
        gradients: 64 bits, whether each of 8 x 8 cells is brighter than its right neighbour.
        colour: Mean red, green and blue, 0 to 255.
    """

    gradients: int
    colour: tuple[int, int, int]


class PhotoTraits(NamedTuple):
    """Traits of a photo.

    Attributes:
        size: Width and height in pixels, upright.
        look: The fingerprint, or None for a photo of one brightness.
        taken: Time at which it was taken, in seconds, by the camera's own clock; None if unknown.
        camera: Maker, model and serial number, as far as they are known.
        profile: Description of the embedded colour profile, or None without one.
    """

    size: tuple[int, int]
    look: Look | None = None
    taken: float | None = None
    camera: str = ""
    profile: str | None = None


def look_of(photo: Image.Image) -> Look | None:
    """Compute the fingerprint of an RGB photo: a difference hash of 9 x 8 cells.

    Krawetz, Kind of Like That, 2013. None if the photo has no range of brightness to speak of.

    Example:
        >>> from PIL import Image
        >>> darker = Image.linear_gradient("L").rotate(-90).convert("RGB")
        >>> look_of(darker).gradients == 2**64 - 1
        True
        >>> look_of(Image.new("RGB", (90, 80), "red")) is None
        True
    """
    cells = photo.resize((9, 8), Image.Resampling.BOX, reducing_gap=2.0)
    grey = np.asarray(cells.convert("L"), np.int16)
    if np.ptp(grey) < FLAT:
        return None
    bits = np.packbits(grey[:, :-1] > grey[:, 1:])
    red, green, blue = np.asarray(cells, np.float64).mean((0, 1)).round().astype(int).tolist()
    return Look(int.from_bytes(bits.tobytes(), "big"), (red, green, blue))


def time_taken(exif: Mapping[int, object]) -> float | None:
    """Return DateTimeOriginal in seconds, or None where it is missing or malformed.

    Args:
        exif: Tags of the Exif directory of the photo.

    Example:
        >>> time_taken({36867: "1970:01:01 00:01:00"}), time_taken({36867: "0000:00:00"})
        (60.0, None)
    """
    text = exif.get(ExifTags.Base.DateTimeOriginal)
    try:
        return (
            datetime.strptime(str(text)[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
        )
    except (ValueError, OverflowError):
        return None


def camera_name(tags: Mapping[int, object], exif: Mapping[int, object]) -> str:
    r"""Return maker, model and serial number, as far as they are known.

    Example:
        >>> camera_name({271: "Ricoh", 272: "GR\x00"}, {})
        'Ricoh GR'
    """
    parts = (
        tags.get(ExifTags.Base.Make),
        tags.get(ExifTags.Base.Model),
        exif.get(ExifTags.Base.BodySerialNumber),
    )
    return " ".join(str(part).strip(" \x00")[:LONGEST_TEXT] for part in parts if part)
