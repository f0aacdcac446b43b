"""Model folders at other places: the Hugging Face Hub, and any place that fsspec reaches.

May import what checkpoint may import.
"""
