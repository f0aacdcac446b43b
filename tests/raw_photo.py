"""Raw photos as a camera would write them, small enough to be made here (DNG, a TIFF)."""

import struct
from typing import NamedTuple

SIDE = 32
"""Sensor cells across and down, unless said."""


class Tag(NamedTuple):
    """An entry of a TIFF directory.

    Attributes:
        kind: 1 byte, 2 text, 3 short, 4 long, 10 signed fraction.
        count: Number of values.
        data: Their bytes.
    """

    kind: int
    count: int
    data: bytes


def short(*values: int) -> Tag:
    return Tag(3, len(values), struct.pack(f"<{len(values)}H", *values))


def long(value: int) -> Tag:
    return Tag(4, 1, struct.pack("<I", value))


def octets(*values: int) -> Tag:
    return Tag(1, len(values), bytes(values))


def text(value: str) -> Tag:
    data = value.encode() + b"\0"
    return Tag(2, len(data), data)


def fractions(*values: int) -> Tag:
    data = b"".join(struct.pack("<ii", value, 1) for value in values)
    return Tag(10, len(values), data)


def dng(
    preview: bytes | None, orientation: int = 1, *, width: int = SIDE, height: int = SIDE
) -> bytes:
    """A photo of so many sensor cells, with a preview, the bytes of a JPEG, or without."""
    cells = struct.pack("<H", 500) * width * height
    shown = preview or b""
    sensor = {
        254: long(0),
        256: long(width),
        257: long(height),
        258: short(16),
        259: short(1),
        262: short(32803),
        273: long(8),
        277: short(1),
        278: long(height),
        279: long(len(cells)),
        33421: short(2, 2),
        33422: octets(0, 1, 1, 2),
    }
    sensor_at = 8 + len(cells) + len(shown)
    raw = directory(sensor, sensor_at)
    first = {
        254: long(1),
        256: long(64),
        257: long(32),
        258: short(8),
        259: short(7),
        262: short(6),
        271: text("Nobody"),
        272: text("None"),
        274: short(orientation),
        277: short(3),
        278: long(32),
        330: long(sensor_at),
        50706: octets(1, 4, 0, 0),
        50708: text("None"),
        50721: fractions(1, 0, 0, 0, 1, 0, 0, 0, 1),
    }
    if preview is not None:
        first |= {273: long(8 + len(cells)), 279: long(len(shown))}
    first_at = sensor_at + len(raw)
    whole = b"II*\0" + struct.pack("<I", first_at) + cells + shown + raw
    return whole + directory(first, first_at)


def directory(tags: dict[int, Tag], at: int) -> bytes:
    """A TIFF directory, with what does not fit into its entries behind it."""
    entries, behind = b"", b""
    end = at + 2 + 12 * len(tags) + 4
    for number, (kind, count, data) in sorted(tags.items()):
        place = data
        if len(data) > 4:
            place = struct.pack("<I", end + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        entries += struct.pack("<HHI", number, kind, count) + place.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + behind
