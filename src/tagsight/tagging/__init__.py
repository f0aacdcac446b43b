"""A collection tagged: lines, sidecars, several machines.

May import inference and what lies below it.
"""
