"""Default limits on the cost of untrusted files."""

MAX_PHOTO_MEMORY = 2**30
"""Bytes that decoding one photo may take, by default."""
