"""Tables of photos: from the bytes of a file or a data frame to columns with a meaning."""
