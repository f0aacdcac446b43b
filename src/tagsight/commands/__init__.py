"""The commands, one file each: parse, call one function, print. `tagsight.cli` has their table."""
