"""Evaluation of a model on a split: predictions, evidence, retrieval, and the report in words.

May import loading and what lies below it.
"""
