"""Conversion of decoded photos of any mode and colour space to upright 8-bit sRGB, in strips."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageChops
from PIL.ExifTags import Base

from tagsight.runtime.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL.ImageCms import ImageCmsTransform

STRIP = 2**18
"""Pixels that are converted at a time, so that intermediate images are small."""

LARGEST_PROFILE = 2**22
"""Bytes of a colour profile; printer profiles have one or two million."""

LONGEST_NAME = 100
"""Characters of a profile's description."""

CLASSES = frozenset({b"scnr", b"mntr", b"prtr", b"spac"})
"""Classes of profiles that describe the colours of a photo."""

SPACES = {
    b"RGB ": ("RGB", frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"})),
    b"GRAY": ("L", frozenset({"1", "L", "LA"})),
    b"CMYK": ("CMYK", frozenset({"CMYK"})),
}
"""For the colour space of a profile: the mode it applies to, and the modes that are converted to
that mode. Grey photos with an RGB profile are common: their colours were removed by editing."""

SAME = 2
"""Difference in levels, of 255, below which a conversion is skipped."""

# ImageOps.exif_transpose also rewrites the metadata, and fails if those are broken.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset({5, 6, 7, 8})


class ToRgb(NamedTuple):
    """Conversion of a photo's pixels to sRGB.

    Attributes:
        mode: Mode to convert to first.
        transform: From that mode to sRGB; None if none is needed.
        transparent: Whether to put the photo on a white background.
        inverted: Whether 0 means full ink instead of none.

    Example:
        >>> photo = Image.new("L", (8, 6), 40)
        >>> convert = ToRgb.of(photo)
        >>> convert.changes(photo), convert(photo).mode, convert(photo).getpixel((0, 0))
        (True, 'RGB', (40, 40, 40))
    """

    mode: str
    transform: ImageCmsTransform | None
    transparent: bool
    inverted: bool = False

    @classmethod
    def of(cls, photo: Image.Image) -> ToRgb:
        """Choose the conversion by a photo's mode and profile."""
        profile, deep = photo.info.get("icc_profile"), is_deep(photo.mode)
        mode, transform = _transform(profile, "L" if deep else photo.mode)
        # Pillow inverts every JPEG in CMYK; those of Adobe, which say so, are the ones to invert.
        is_plain = photo.format in {"JPEG", "MPO"} and "adobe" not in photo.info
        transparent = photo.has_transparency_data and not deep
        return cls(mode, transform, transparent, inverted=photo.mode == "CMYK" and is_plain)

    def changes(self, photo: Image.Image) -> bool:
        """Return whether the conversion changes a photo."""
        return photo.mode != "RGB" or self.transparent or self.transform is not None

    def __call__(self, strip: Image.Image) -> Image.Image:
        """Convert a strip."""
        alpha = None
        if self.transparent:
            strip = strip.convert("RGBA")
            alpha = strip.getchannel("A")
        if self.inverted:
            strip = ImageChops.invert(strip)
        colours = strip.convert(self.mode)
        if self.transform is not None:
            from PIL import ImageCms

            colours = ImageCms.applyTransform(colours, self.transform) or colours
        if alpha is not None:
            paper = Image.new("RGB", strip.size, "white")
            paper.paste(colours, mask=alpha)
            return paper
        return colours.convert("RGB")


def upright_rgb(photo: Image.Image, orientation: int, *, keep: bool) -> Image.Image:
    """Convert a loaded photo to upright 8-bit sRGB without metadata.

    An embedded profile is applied with perceptual intent and black-point compensation; without a
    valid profile for its colour space, the photo is taken for sRGB.

    Args:
        photo: A loaded photo of any mode.
        orientation: As in Exif, 1 to 8.
        keep: Whether to keep the photo intact. Otherwise its pixels are moved or freed, to save
            memory.

    Example:
        >>> from PIL import Image
        >>> upright = upright_rgb(Image.new("LA", (4, 3)), orientation=6, keep=True)
        >>> upright.mode, upright.size
        ('RGB', (3, 4))
    """
    to_rgb = ToRgb.of(photo)
    image = photo
    if is_deep(photo.mode):
        image = _grey_8_bit(photo)
        _let_go(photo, keep)
    if (turn := UPRIGHT.get(orientation)) is not None:
        turned = image.transpose(turn)
        _let_go(image, keep and image is photo)
        image = turned
    if to_rgb.changes(image):
        target = Image.new("RGB", image.size)
        for box in strips(image.size):
            target.paste(to_rgb(image.crop(box)), box)
        _let_go(image, keep and image is photo)
        image = target
    elif image is photo:
        # A plain image instead of the opened file, to free the decoder and its buffers.
        image = photo.copy() if keep else photo._new(photo.im)
    image.info = {}
    return image


def is_deep(mode: str) -> bool:
    """Return whether a mode is grey with more than 8 bits.

    Example:
        >>> [mode for mode in ("L", "RGB", "I;16", "F") if is_deep(mode)]
        ['I;16', 'F']
    """
    return mode == "F" or mode.startswith("I")


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Divide an image into boxes of whole lines: left, top, right, bottom.

    Example:
        >>> [box[1::2] for box in strips((STRIP // 2, 3))]
        [(0, 2), (2, 3)]
    """
    width, height = size
    lines = max(1, STRIP // width)
    return ((0, top, width, min(top + lines, height)) for top in range(0, height, lines))


def _let_go(image: Image.Image, keep: bool) -> None:  # noqa: FBT001 - the meaning is plain
    if not keep:
        image.close()


class _Grey(NamedTuple):
    """Meaning of the values of a deep or floating-point photo.

    Attributes:
        whites: Usual values of white, ascending; the first that no value exceeds holds.
        unsigned: Whether 32 bits are without a sign, which Pillow takes for one.
        inverted: Whether 0 is white.
        transparent: Value of transparent pixels, if there are any.
    """

    whites: tuple[int, ...]
    unsigned: bool
    inverted: bool
    transparent: object

    @classmethod
    def of(cls, photo: Image.Image) -> _Grey:
        tags = getattr(photo, "tag_v2", {})
        bits, kind = (_first(tags.get(tag)) for tag in (Base.BitsPerSample, Base.SampleFormat))
        unsigned = photo.mode == "I" and (bits, kind) == (32, 1)
        whites: tuple[int, ...] = (65535, 2**32 - 1) if unsigned else (65535,)
        if photo.mode == "F":
            whites = (1, 255, 65535)
        elif bits == 12:
            whites = (4095,)
        elif photo.mode == "I" and (bits, kind) == (16, 2):
            whites = (32767,)
        inverted = tags.get(Base.PhotometricInterpretation) == 0
        return cls(whites, unsigned, inverted, photo.info.get("transparency"))

    def values(self, strip: Image.Image) -> NDArray[np.floating]:
        kind = np.float64 if strip.mode == "I" else np.float32
        values = np.asarray(strip)
        if self.unsigned:
            values = values.view(np.uint32)
        return np.nan_to_num(values.astype(kind), copy=False, posinf=0, neginf=0)

    def white(self, black: float, most: float) -> int | None:
        """Return the value of white; None if the range is unusual: then it is stretched.

        Floating-point values that stay below an eighth of white are none of its range: a photo of
        high dynamic range would be black.
        """
        floating = self.whites[0] == 1
        for white in self.whites:
            if black >= 0 and most <= white:
                return None if floating and 1 < most < white / 8 else white
        return None


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


def _grey_8_bit(photo: Image.Image) -> Image.Image:
    """Scale deep or floating-point grey to 8 bits; stretch an unusual range of values."""
    meant = _Grey.of(photo)
    black, most = np.inf, -np.inf
    for box in strips(photo.size):
        values = meant.values(photo.crop(box))
        black, most = min(black, float(values.min())), max(most, float(values.max()))
    white = meant.white(black, most)
    grey = Image.new("L", photo.size)
    for box in strips(photo.size):
        values = meant.values(photo.crop(box))
        see_through = values == meant.transparent
        if white is None:
            values -= black
        values *= 255 / (white or (most - black) or 1)
        if meant.inverted:
            values = 255 - values
        values[see_through] = 255
        grey.paste(Image.fromarray(values.round().astype(np.uint8)), box)
    return grey


@lru_cache(maxsize=32)
def profile_name(profile: bytes) -> str:
    """Return the description of a colour profile, or ``damaged``.

    Example:
        >>> from PIL import ImageCms
        >>> srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        >>> profile_name(srgb.tobytes()), profile_name(b"...")
        ('sRGB built-in', 'damaged')
    """
    from PIL import ImageCms

    # Broken profiles raise almost any exception, and are no reason to refuse a photo.
    try:
        if len(profile) > LARGEST_PROFILE:
            return "too large"
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        return printable(ImageCms.getProfileDescription(opened).strip())[:LONGEST_NAME]
    except Exception:
        return "damaged"


def _transform(profile: object, mode: str) -> tuple[str, ImageCmsTransform | None]:
    """Return the mode to convert to first, and the transform from there to sRGB, if any."""
    if isinstance(profile, bytes) and 128 < len(profile) <= LARGEST_PROFILE:
        applied, modes = SPACES.get(profile[16:20], ("", frozenset()))
        if mode in modes and profile[12:16] in CLASSES:
            transform = _built(profile, applied)
            return (applied, transform) if transform is not None else ("RGB", None)
    return "RGB", None


@lru_cache(maxsize=16)
def _built(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Build the transform of a profile; None if it is broken or hardly changes colours."""
    from PIL import ImageCms

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "CMYK":
            return transform
        probe = _probe(mode)
        seen = ImageCms.applyTransform(probe, transform) or probe
    # Broken profiles raise almost any exception, and are no reason to refuse a photo.
    except Exception:
        return None
    apart = np.asarray(seen, np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    return transform if np.abs(apart).max() > SAME else None


def _probe(mode: str) -> Image.Image:
    """Make an image of colours all over a space: 256 greys, or 17 levels per channel."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(cube.reshape(17, -1, 3))
