"""One file a format of labels."""
