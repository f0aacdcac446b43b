"""Photos to tensors: transforms, batches, frozen features and their cache.

May import checkpoint and what lies below it.
"""
