"""Photos of every format and mode, drawn, and those that somebody would make to be expensive."""

import struct
import zlib
from contextlib import suppress
from functools import partial
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image

with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()

Image.init()


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()


LYING = exif_of(6)
"""What a camera writes that was held upright."""


def pixels(side: int, bands: int = 3) -> np.ndarray:
    """Shades and some noise, as ``(side, side, bands)``."""
    down, across = np.mgrid[:side, :side] / side
    shades = np.stack([100 * across + 20 * band * down + 40 for band in range(bands)], axis=-1)
    noise = np.random.default_rng(0).integers(0, 12, (side, side, 1))
    return (shades + noise).astype(np.uint8)


def drawn(mode: str, side: int) -> Image.Image:
    """A photo of a mode."""
    deep = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in deep:
        return Image.fromarray(pixels(side, 1)[..., 0].astype(deep[mode]) * 257)
    if mode == "P":
        return Image.fromarray(pixels(side)).quantize(64)
    if mode in {"LA", "RGBA"}:
        return Image.fromarray(pixels(side, 4), "RGBA").convert(mode)
    return Image.fromarray(pixels(side)).convert(mode)


def encoded(photo: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


def saved(kind: str, mode: str, side: int, **options: object) -> bytes:
    return encoded(drawn(mode, side), kind, **options)


def animated(kind: str, side: int, **options: object) -> bytes:
    frames = [Image.new("RGB", (side, side), colour) for colour in ("red", "blue", "green")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def png(side: int, depth: int, colour: int, lines, *, interlaced: int = 0) -> bytes:
    """A PNG of such lines, each with its filter before it."""
    packed = zlib.compressobj(1)
    data = b"".join(packed.compress(line) for line in lines) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    whole = kind + data
    return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))


def interlaced_png(side: int) -> bytes:
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
    passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    colours = pixels(side)
    lines = (b"\0" + line.tobytes() for x, y, dx, dy in passes for line in colours[y::dy, x::dx])
    return png(side, 8, 2, lines, interlaced=1)


def deep_png(side: int, colour: int, bands: int) -> bytes:
    colours = pixels(side, bands).astype(">u2") * 257
    return png(side, 16, colour, (b"\0" + line.tobytes() for line in colours))


def pnm(kind: str, side: int, largest: int = 255) -> bytes:
    """P1 to P6: bits, grey and colours, in plain text and as they are."""
    values = pixels(side, 3 if kind in {"P3", "P6"} else 1).astype(np.int64) * largest // 255
    head = f"{kind} {side} {side} {'' if kind in {'P1', 'P4'} else f'{largest} '}".encode()
    if kind == "P1":
        return head + b"".join(b"01"[value : value + 1] for value in (values.ravel() % 2).tolist())
    if kind in {"P2", "P3"}:
        return head + " ".join(map(str, values.ravel().tolist())).encode()
    if kind == "P4":
        return head + np.packbits(values[..., 0] % 2, axis=1).tobytes()
    return head + values.astype(">u2" if largest > 255 else np.uint8).tobytes()


def run_length_bmp(side: int, lines: bytes) -> bytes:
    """A BMP of 256 colours whose lines are packed as such."""
    start = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(lines), 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(lines), 0, 0, 256, 0)
    return head + bytes(range(256)) * 4 + lines


def tiff(side: int, bits: tuple[int, ...], data: bytes, tags: dict[int, object]) -> bytes:
    """A TIFF of packed data, which lies from byte 8 on, with one directory behind it."""
    colours = 2 if len(bits) == 3 else 1
    tags = {256: side, 257: side, 258: bits, 259: 8, 262: colours, 277: len(bits)} | tags
    at = 8 + len(data) + len(data) % 2
    end = at + 2 + 12 * len(tags) + 4
    behind = entries = b""
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"<{len(values)}L", *values)
        entries += struct.pack("<HHL", tag, 4, len(values))
        entries += packed if len(values) == 1 else struct.pack("<L", end + len(behind))
        behind += packed if len(values) > 1 else b""
    head = (b"II*\0" + struct.pack("<L", at) + data).ljust(at, b"\0")
    return head + struct.pack("<H", len(tags)) + entries + bytes(4) + behind


def tiled_tiff(side: int, tile: int) -> bytes:
    """A TIFF in RGB of tiles, all of the same content."""
    data = zlib.compress(np.resize(pixels(min(tile, 512)), (tile, tile, 3)).tobytes(), 1)
    count = (-(-side // tile)) ** 2
    tags = {322: tile, 323: tile, 324: (8,) * count, 325: (len(data),) * count}
    return tiff(side, (8, 8, 8), data, tags)


def deep_tiff(side: int) -> bytes:
    """A TIFF in RGB of 16 bits, packed in one strip."""
    data = zlib.compress((pixels(side).astype("<u2") * 257).tobytes(), 1)
    return tiff(side, (16, 16, 16), data, {273: 8, 278: side, 279: len(data)})


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan is there again and again."""
    content = encoded(Image.new("RGB", (side, side), "red"), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * scans + b"\xff\xd9"


_MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "P", "LA", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "PPM": ("1", "L", "RGB", "I;16", "F"),
    "AVIF": ("L", "RGB", "RGBA"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "HEIF": ("L", "RGB", "RGBA"),
}
_FAST = {"AVIF": {"speed": 10}, "PNG": {"compress_level": 1}}
_SPECIAL = {
    "JPEG 4:4:4": ("JPEG", "RGB", {"subsampling": 0}),
    "JPEG progressive 4:4:4": ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    "PNG P transparent": ("PNG", "P", {"transparency": 0}),
    "WEBP lossless": ("WEBP", "RGB", {"lossless": True, "method": 0}),
    "WEBP RGBA lossless": ("WEBP", "RGBA", {"lossless": True, "method": 0}),
    "GIF transparent": ("GIF", "P", {"transparency": 0}),
    "TIFF jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "TIFF YCbCr jpeg": ("TIFF", "YCbCr", {"compression": "jpeg"}),
    "TIFF F turned": ("TIFF", "F", {"exif": LYING}),
    "AVIF 4:4:4": ("AVIF", "RGB", {"subsampling": "4:4:4", "speed": 10}),
    "JPEG2000 tiles": ("JPEG2000", "RGB", {"tile_size": (256, 256)}),
    "JPEG2000 lossy": ("JPEG2000", "RGB", {"irreversible": True, "quality_layers": [20]}),
}
_SPECIAL |= {f"JPEG progressive {m}": ("JPEG", m, {"progressive": True}) for m in _MODES["JPEG"]}
_SPECIAL |= {
    f"{kind} turned": (kind, "RGB", {"exif": LYING} | _FAST.get(kind, {}))
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
}
_SPECIAL |= {
    f"TIFF {mode} {packed}": ("TIFF", mode, {"compression": packed})
    for mode in ("L", "RGB", "CMYK", "I;16", "F")
    for packed in ("tiff_lzw", "tiff_adobe_deflate")
}

KINDS = {
    f"{kind} {mode}": partial(saved, kind, mode, **_FAST.get(kind, {}))
    for kind, modes in _MODES.items()
    for mode in modes
    if kind in Image.SAVE
}
KINDS |= {
    name: partial(saved, kind, mode, **options)
    for name, (kind, mode, options) in _SPECIAL.items()
    if kind in Image.SAVE
}
KINDS |= {f"{kind} animated": partial(animated, kind) for kind in ("PNG", "WEBP", "GIF")}
KINDS |= {
    "PNG interlaced": interlaced_png,
    "PNG RGB of 16 bits": partial(deep_png, colour=2, bands=3),
    "TIFF tiles": partial(tiled_tiff, tile=256),
    "TIFF one tile": lambda side: tiled_tiff(side, -(-side // 16) * 16),
    "TIFF RGB of 16 bits, one strip": deep_tiff,
}
"""Photos by format and mode, of so many pixels across and down."""

IN_PYTHON = {kind: partial(pnm, kind) for kind in ("P1", "P2", "P3")} | {
    "P5 of 9 values": partial(pnm, "P5", largest=9),
    "P6 of 1000 values": partial(pnm, "P6", largest=1000),
    "BMP run lengths": lambda side: run_length_bmp(side, b"\x01\x05\0\0" * side + b"\0\1"),
}
"""Photos that Pillow decodes in Python, which have to be small."""


def float_tiff(side: int) -> bytes:
    data = zlib.compress(bytes(4 * side), 9)
    tags = {339: 3, 278: 1, 273: (8,) * side, 279: (len(data),) * side}
    return tiff(side, (32,), data, tags)


def flat_png(side: int) -> bytes:
    line = bytes(1 + 2 * side)
    return png(side, 16, 0, (line for _ in range(side)))


def flat(kind: str, side: int, mode: str = "RGB", **options: object) -> bytes:
    return encoded(Image.new(mode, (side, side), "red" if mode == "RGB" else 0), kind, **options)


EXPENSIVE = {
    "TIFF F, flat": float_tiff,
    "PNG of 16 bits, flat": flat_png,
    "GIF, flat": partial(flat, "GIF"),
    "PNG P, flat": partial(flat, "PNG", mode="P"),
    "WEBP lossless, flat": partial(flat, "WEBP", lossless=True, method=0),
    "JPEG2000, flat": partial(flat, "JPEG2000"),
    "JPEG progressive, flat": partial(flat, "JPEG", progressive=True, subsampling=0),
}
"""Photos of a few bytes a thousand pixels."""


def empty_chunks(count: int, kind: bytes = b"teSt") -> bytes:
    sound = flat_png(8)
    return sound[:33] + png_chunk(kind, b"") * count + sound[33:]


def many_strips(count: int) -> bytes:
    tags = {259: 1, 278: 1, 273: (8,) * count, 279: (8,) * count}
    return tiff(8, (8,), bytes(64), tags)


_TILE = {322: 2**15, 323: 2**15, 324: 8, 325: 8}
_COMMENT = b"!\xfe" + b"\1a" * 2**18 + b"\0,"
REFUSED = {
    "JPEG of 3,000 scans": partial(many_scans, 2000, 3000),
    "PNG of empty chunks": partial(empty_chunks, 2**17),
    "PNG of empty pixels": partial(empty_chunks, 2**17, b"IDAT"),
    "JPEG of empty segments": lambda: flat("JPEG", 8).replace(
        b"\xff\xd8", b"\xff\xd8" + b"\xff\xe5\0\2" * 2**17, 1
    ),
    "TIFF of many strips": partial(many_strips, 2**20),
    "TIFF of a large tile": partial(tiff, 8, (8, 8, 8), bytes(64), _TILE),
    "GIF of comments": lambda: flat("GIF", 8)[:-1].replace(b",", _COMMENT, 1),
    "PPM, plain": lambda: b"P3 13000 13000 255 " + b"1 " * 2**20,
    "PPM of a comment": lambda: b"P5 #" + b"a" * 2**19 + b"\n8 8 255 " + bytes(64),
    "BMP of ends of lines": lambda: run_length_bmp(13000, b"\0\0" * 13000),
}
"""Photos that need no more than their header to be told from others."""
