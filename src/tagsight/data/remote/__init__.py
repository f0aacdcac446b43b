"""Photos and tables at URLs: named by paths, fetched by fsspec, and cached on the disk."""
