"""Tags in sidecar files, which other programs read; photos themselves are never written."""
