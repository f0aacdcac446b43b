"""The version of the package, which files and answers carry."""

__version__ = "0.1.0"
