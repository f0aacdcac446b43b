"""A model in use: recognizer, results, heatmaps, the networks that run it, export.

May import training and what lies below it.
"""
