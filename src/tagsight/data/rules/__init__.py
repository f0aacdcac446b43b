"""Rules on labels, how they are applied, and labels that may not mean what they say."""
