"""Tagging of collections: lines, sidecar files, labelling by people.

May import inference and what lies below it.
"""
