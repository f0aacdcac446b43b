"""The labels: names, counts, word vectors, WordNet.

May import data and what lies below it.
"""
