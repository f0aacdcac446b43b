"""Model folders: weights, settings, card, decision rule and thresholds of trained systems.

May import systems and what lies below it.
"""
