"""Colour profiles as cameras, screens and scanners embed them, and colours seen through them.

The mathematics is that of the standards, in NumPy, so that what reads profiles is held to it.
"""

import struct
from typing import NamedTuple

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127, 1, 1 - 0.3127 - 0.3290]) / [0.3290, 1, 0.3290]
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class Space(NamedTuple):
    """A space of colours under D65: chromaticities of its primaries, and its gamma."""

    primaries: tuple[tuple[float, float], ...]
    gamma: float

    def to_xyz(self) -> np.ndarray:
        """``(3, 3)``: linear values to XYZ, adapted to the white of profiles."""
        columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in self.primaries]).T
        linear = columns * np.linalg.solve(columns, D65)
        scale = (BRADFORD @ D50) / (BRADFORD @ D65)
        return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ linear

    def encoded(self, colours: np.ndarray) -> np.ndarray:
        """What sRGB colours are in this space, ``(..., 3)``; those outside are cut."""
        there = np.linalg.inv(self.to_xyz()) @ Space(SRGB, 1).to_xyz()
        values = colours / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return (255 * (linear @ there.T).clip(0, 1) ** (1 / self.gamma)).round().astype(np.uint8)

    def profile(self) -> bytes:
        """Its profile, of which lcms and we know no more than is written here."""
        columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), self.to_xyz().T, strict=True)
        tags = {name: b"XYZ \0\0\0\0" + _fixed(*column) for name, column in columns}
        curve = b"para" + bytes(8) + _fixed(self.gamma)
        return profile_of(
            b"RGB ", b"mntr", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        )


SPACES = {
    "Adobe RGB": Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 563 / 256),
    "red and blue swapped": Space(SRGB[::-1], 2.2),
}


def grey_profile(gamma: float) -> bytes:
    """A profile of grey."""
    return profile_of(b"GRAY", b"mntr", {b"kTRC": b"para" + bytes(8) + _fixed(gamma)})


def seen_grey(values: np.ndarray, gamma: float) -> np.ndarray:
    """What grey under such a profile is in sRGB."""
    light = (values / 255) ** gamma
    seen = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * seen).round().astype(np.uint8)


def ink_profile() -> bytes:
    """A profile for inks, which says that cyan looks red, magenta green and yellow blue.

    Nothing else tells that it was followed. Its table has two steps an ink, in Lab.
    """
    table = b""
    for place in range(16):
        cyan, magenta, yellow, black = (place >> shift & 1 for shift in (3, 2, 1, 0))
        light = 0 if black else 255 - 50 * (cyan + magenta + yellow)
        table += bytes((light, 128 + 60 * (cyan - magenta), 128 + 60 * (magenta - yellow)))
    head = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    straight = bytes(range(256))
    return profile_of(b"CMYK", b"prtr", {b"A2B0": head + straight * 4 + table + straight * 3})


def profile_of(space: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Put a profile together."""
    said = b"desc" + bytes(4) + struct.pack(">L", 6) + b"drawn\0" + bytes(78)
    tags = {b"desc": said, b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50), **tags}
    behind, table = b"", struct.pack(">L", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">LL", start + len(behind), len(content))
        behind += content + b"\0" * (-len(content) % 4)
    connection = b"Lab " if space == b"CMYK" else b"XYZ "
    size = start + len(behind)
    head = struct.pack(">L4sL4s4s4s", size, bytes(4), 0x02400000, kind, space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(*D50)
    return head.ljust(128, b"\0") + table + behind


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}l", *(round(65536 * value) for value in values))
