"""Endings of the names of photos, in lower case."""

from __future__ import annotations

from importlib.util import find_spec

HEIF_SUFFIXES = frozenset({".heic", ".heif"})
"""Photos of mobile phones, which need the extra ``heif``."""

RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"}
)
"""Raw files of cameras: their preview is decoded, with the extra ``raw``. Without it they are
skipped in folders, as JPEG files are usually beside them."""

PHOTO_SUFFIXES = (
    (RAW_SUFFIXES if find_spec("rawpy") else frozenset())
    | HEIF_SUFFIXES
    | frozenset(
        {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
        | {".ppm", ".pgm", ".pbm", ".avif", ".jp2"}
    )
)
"""Suffixes, in lower case, of the files in a folder that are photos."""

CAMERA_SUFFIXES = RAW_SUFFIXES | frozenset(
    {".3fr", ".crw", ".dcr", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nrw", ".rwl"}
    | {".sr2", ".srf", ".x3f"}
)
"""Suffixes of raw files of cameras, whether or not they can be decoded here."""

ALL_SUFFIXES = PHOTO_SUFFIXES | HEIF_SUFFIXES | CAMERA_SUFFIXES
"""Suffixes of photos, whether or not they can be decoded here."""
