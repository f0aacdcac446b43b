"""An index of photos on disk: found again by likeness, by their labels, or by both.

May import inference and what lies below it.
"""
