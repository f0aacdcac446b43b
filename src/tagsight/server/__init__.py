"""HTTP server: it decodes uploads, calls the recogniser and sends the results.

May import visualize, tagging, search and what lies below them.
"""
