"""Training: preparation, the loop, the run and its folder, resuming, the log, trackers.

May import evaluation and what lies below it.
"""
