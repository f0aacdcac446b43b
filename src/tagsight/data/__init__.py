"""Photos and labels as they lie on disks: formats, checks, splits, collections of the literature.

May import runtime, config and errors.
"""
