"""Contact sheets, label graphs and explanations as pictures.

May import inference and what lies below it.
"""
