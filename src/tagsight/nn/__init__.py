"""Building blocks of networks: encoders, class activation, graphs, attention, views, losses.

May import labels and what lies below it.
"""
