"""Training: preparation, the loop, the run and its folder, resuming.

May import evaluation and what lies below it.
"""
