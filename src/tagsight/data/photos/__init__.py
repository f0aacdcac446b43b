"""Photos as files: found, checked, weighed, decoded to sRGB, and brought to a network's size."""
