"""Readers: from what lies on a user's disk to `Annotations`."""
