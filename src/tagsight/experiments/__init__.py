"""Experiments: comparisons of systems, ablations, and the tables and figures of the paper.

May import visualize, tagging, search and what lies below them.
"""
