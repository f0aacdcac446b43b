"""Texts for strangers: paths without the names of the user and of the folders of the user."""

from __future__ import annotations

import os
import re
from pathlib import Path

_FOLDERS = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HUB_CACHE", "HF_HOME", "VIRTUAL_ENV")
"""Environment variables that may name a folder outside the home folder."""


def without_private_paths(text: str) -> str:
    """Replace the home folder by ``~``, and folders named by environment variables by their names.

    Args:
        text: A path, or a message that may have one.

    Example:
        >>> without_private_paths(f"cannot open {Path.home() / 'models'}")
        'cannot open ~/models'
    """
    named = {os.environ[name]: f"${name}" for name in _FOLDERS if os.environ.get(name)}
    named |= {str(Path.home()): "~", os.path.realpath(Path.home()): "~"}
    for folder in sorted(named, key=len, reverse=True):
        bare = folder.rstrip("/\\")
        if bare:
            text = named[folder].join(re.split(re.escape(bare) + r"(?![\w.-])", text))
    return text
