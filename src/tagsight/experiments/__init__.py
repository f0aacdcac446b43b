"""What the paper's tables and figures need: comparisons, ablations, reproduction.

May import visualize, tagging, search and what lies below them.
"""
