"""Metrics: pure functions of targets and scores or maps.

May import config and errors.
"""
