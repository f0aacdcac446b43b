"""Bounds on what files of others may take, where nobody says otherwise."""

MAX_PHOTO_MEMORY = 2**30
"""Bytes that decoding one photo may take, if nobody says otherwise."""
