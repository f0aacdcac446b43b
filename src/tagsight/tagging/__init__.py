"""Tagging of collections: lines, sidecar files, several machines.

May import inference and what lies below it.
"""
