"""What a trained model is on disk: weights, settings, card, decision and thresholds.

May import systems and what lies below it.
"""
