"""What every system is, one file a system, and the catalogue that finds them by name.

May import nn and what lies below it.
"""
