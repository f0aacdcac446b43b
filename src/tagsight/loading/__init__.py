"""Conversion of photos to tensors: transforms, batches, cached features of frozen stages.

May import checkpoint and what lies below it.
"""
