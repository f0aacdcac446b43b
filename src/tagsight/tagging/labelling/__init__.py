"""A collection that people label: their judgements, features, and heads that learn from both."""
