"""What lies on a user's disk: photos, and labels in the formats of many."""
