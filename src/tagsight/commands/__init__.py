"""The commands, one file each: parse, call one function, print. `tagsight.cli` has their table.

May import every room; nothing heavy before a command runs.
"""
