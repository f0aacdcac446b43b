"""Keywords inside photos, written by exiftool; the originals are kept."""
