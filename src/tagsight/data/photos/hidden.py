"""Files and folders of systems, which are no part of a collection."""

from __future__ import annotations

SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "__macosx", "system volume information", "lost+found"}
)
"""Names, in lower case, of folders with thumbnails, deleted files and metadata."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or a folder that systems keep for themselves.

    Synology's `@eaDir` has thumbnails of each photo, and `__MACOSX` a file of metadata.

    Example:
        >>> [name for name in (".trash", "@eaDir", "__MACOSX", "dogs") if is_hidden(name)]
        ['.trash', '@eaDir', '__MACOSX']
    """
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS
