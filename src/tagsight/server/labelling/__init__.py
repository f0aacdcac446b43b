"""The HTTP interface of a project that people label."""
