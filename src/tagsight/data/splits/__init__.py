"""Splits: stratified, recorded, with what belongs together on one side."""
