"""A split measured: predictions, evidence, retrieval, the report in words.

May import loading and what lies below it.
"""
