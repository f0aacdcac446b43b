"""Contact sheets, label graphs and explanations as pictures, and reports as HTML files.

May import inference and what lies below it.
"""
