"""The photos of a project that another program means, by name or by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tagsight.tagging.labelling.project import Project

MOST_COMPARED = 20
"""Photos of one size whose content is compared."""


def photos_named(project: Project, name: str) -> list[int]:
    """Return the ids of the photos that a path may mean.

    Args:
        project: The project.
        name: Path below some folder, which may be above or below the folder of the photos.

    Returns:
        The photo with exactly this path; otherwise those whose path is the end of the name, or the
        other way round.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.project import Project
        >>> with Project(Path("project"), Path()) as project:
        ...     _ = project.photos.note([("2026/a.jpg", 1, 1), ("2025/a.jpg", 1, 1)])
        ...     photos_named(project, "/home/me/2026/a.jpg"), photos_named(project, "a.jpg")
        ([1], [1, 2])
    """
    exact = project.photos.ids_of([name])
    if exact:
        return list(exact.values())
    last = name.rpartition("/")[2]
    query = (
        "SELECT id, path FROM photos WHERE NOT gone AND (path = ?1 OR "
        "substr(path, -length(?1) - 1) = '/' || ?1) ORDER BY id"
    )
    with project.database.reading() as connection:
        rows = connection.execute(query, (last,)).fetchall()
    return [
        number
        for number, path in rows
        if f"/{name}".endswith(f"/{path}") or f"/{path}".endswith(f"/{name}")
    ]


def photos_with_content(project: Project, content: bytes) -> list[int]:
    """Return the ids of the photos whose files have exactly this content.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.project import Project
        >>> _ = Path("a.jpg").write_bytes(b"..."), Path("b.jpg").write_bytes(b"other")
        >>> with Project(Path("project"), Path()) as project:
        ...     project.photos.search(lambda: None)
        ...     photos_with_content(project, b"other")
        [2]
    """
    query = "SELECT id FROM photos WHERE NOT gone AND size = ? ORDER BY id LIMIT ?"
    with project.database.reading() as connection:
        ids = [number for (number,) in connection.execute(query, (len(content), MOST_COMPARED))]
    found = []
    for photo in project.photos.rows(ids):
        try:
            same = project.photos.path_of(photo).read_bytes() == content
        except OSError:
            continue  # it was there when the folder was searched
        if same:
            found.append(photo.id)
    return found
