"""Checkpoints released by the authors of a system, as model folders of ours: a file each."""
