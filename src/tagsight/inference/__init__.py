"""A model at work: recognizer, results, the networks that run it, export.

May import training and what lies below it.
"""
