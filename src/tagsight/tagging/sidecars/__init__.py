"""Tags in files beside photos, which other programs read; photos themselves are never written."""
