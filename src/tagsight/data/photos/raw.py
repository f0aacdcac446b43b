"""Raw photos of cameras: their preview, or the photo developed where there is none."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tagsight.data.photos.tar_members import read_member, tar_of
from tagsight.errors import DataError, TooLargeError, needs_extra

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_PREVIEW = 512
"""Longer side in pixels from which a preview is used. Cameras write large ones; some phones and
converters only a thumbnail, or none."""

BYTES_A_PIXEL = 24
"""Memory for developing a pixel of the sensor: raw, interpolated with four channels, and 8 bits."""


def raw_preview(source: Path, *, max_pixels: int, max_memory: int) -> bytes:
    """Return the preview of a raw photo as a file, or the photo developed if it is too small.

    A preview is a JPEG with its own orientation; what is developed has the white balance of the
    camera, at half of the sensor's width and height if that is enough, and is a PPM that is
    upright.

    Args:
        source: The file, or a member of a tar.
        max_pixels: Most pixels of the sensor, if the photo has to be developed.
        max_memory: Most bytes that developing may take.

    Raises:
        TooLargeError: If developing takes more.
        DataError: If the photo cannot be read.

    Example:
        >>> from pathlib import Path
        >>> Path("1.dng").write_bytes(b"no photo")
        8
        >>> try:
        ...     raw_preview(Path("1.dng"), max_pixels=10**6, max_memory=10**7)
        ... except DataError as error:
        ...     str(error).partition(", got")[0]
        'expected a raw photo'
    """
    with needs_extra("raw", "for this kind of photo"):
        import rawpy
    inside = tar_of(source)
    try:
        with rawpy.imread(BytesIO(read_member(*inside)) if inside else str(source)) as raw:
            try:
                preview = raw.extract_thumb()
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                return _developed(raw, max_pixels, max_memory)
            data = preview.data
            content = data if isinstance(data, bytes) else _ppm(data)
            with Image.open(BytesIO(content), formats=["JPEG", "PPM"]) as header:
                small = max(header.size) < LEAST_PREVIEW
            if small and max(raw.sizes.width, raw.sizes.height) > LEAST_PREVIEW:
                return _developed(raw, max_pixels, max_memory)
            return content
    except rawpy.LibRawError as error:
        reason = b"".join(part for part in error.args if isinstance(part, bytes)).decode()
        msg = (
            "expected a raw photo, got one that is damaged or of a camera that LibRaw does not "
            f"know ({reason or type(error).__name__}): give the JPEG of it"
        )
        raise DataError(msg) from error


def _developed(raw: Any, max_pixels: int, max_memory: int) -> bytes:  # noqa: ANN401
    width, height = raw.sizes.raw_width, raw.sizes.raw_height
    if width * height > max_pixels or BYTES_A_PIXEL * width * height > max_memory:
        msg = (
            f"expected a raw photo with a preview, or one of fewer pixels than {width} x {height}, "
            "got one without: save it as a JPEG and give that"
        )
        raise TooLargeError(msg)
    half = min(raw.sizes.width, raw.sizes.height) >= 2 * LEAST_PREVIEW
    return _ppm(raw.postprocess(use_camera_wb=True, half_size=half))


def _ppm(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(file, "PPM")
    return file.getvalue()
