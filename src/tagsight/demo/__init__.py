"""The demo, and the scenes that draw its photos.

May import experiments and what lies below it.
"""
