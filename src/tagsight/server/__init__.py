"""A model behind HTTP: it decodes uploads, calls the recogniser and encodes the answer.

May import visualize, tagging, search and what lies below them.
"""
