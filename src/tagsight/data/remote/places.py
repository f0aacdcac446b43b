"""Paths that stand for URLs, so that all code that handles photos handles paths alone.

``s3://bucket/a.jpg`` is the path ``/s3:/bucket/a.jpg``: absolute, equal on every machine, and with
parents and names as other paths have. Passwords and signatures are no part of it. They stay in this
process, and are in no message and no file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from tagsight.errors import DataError

SCHEMES = ("s3", "gs", "hf", "https", "http", "memory")
"""Schemes of URLs that are fetched; besides, ``file`` names a path of this machine."""

LISTED = frozenset({"s3", "gs", "hf", "memory"})
"""Schemes of places whose files can be listed."""

_GIVEN = re.compile(rf"/?({'|'.join(SCHEMES)}|file):/+(.*)", re.DOTALL | re.IGNORECASE)
_OTHER = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL | re.IGNORECASE)
_IN_TEXT = re.compile(rf"(?<![\w.:/])/({'|'.join(SCHEMES)}):/(?=[^/\s])")
_BEGINNINGS = tuple(f"/{scheme}:/" for scheme in SCHEMES)


class Secret(NamedTuple):
    """Credentials and query of a URL, which are kept apart from its place.

    Attributes:
        user: User and password, with a colon between.
        query: The query, such as a signature.
    """

    user: str
    query: str


_secrets: dict[str, Secret] = {}


def place(given: str | Path) -> Path:
    """Return the path of a URL that a user has given, or the path that it is.

    ``Path`` makes one slash of two, so that a URL may have either.

    Raises:
        DataError: If the URL has no place, or a password where none is used.

    Example:
        >>> place("s3://bucket/photos").as_posix(), place(Path("photos/a.jpg")).as_posix()
        ('/s3:/bucket/photos', 'photos/a.jpg')
    """
    found = _GIVEN.fullmatch(str(given))
    if found is None:
        return Path(given)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return Path("/" + unquote(rest))
    is_web = scheme in {"http", "https"}
    rest, _, query = rest.partition("?") if is_web else (rest, "", "")
    host, slash, name = rest.partition("/")
    user, _, host = host.rpartition("@")
    if user and not is_web:
        msg = f"expected a URL of {scheme} without a user, got one: {REMEDIES[scheme]}"
        raise DataError(msg)
    parts = [part for part in name.partition("#")[0].split("/") if part]
    if not host or {".", ".."} & set(parts):
        msg = f"expected a URL such as {scheme}://place/photos, got '{scheme}://{host}{slash}...'"
        raise DataError(msg)
    path = Path("/", f"{scheme}:", host, *parts)
    if user or query:
        _secrets[str(path)] = Secret(user, query)
    return path


def missing(path: Path) -> str:
    """Describe why a path does not exist, or which URLs are read if it is one of another kind.

    Example:
        >>> missing(Path("lables.csv"))
        '"lables.csv" does not exist.'
        >>> missing(Path("ftp://host/a.csv")).partition(",")[0]
        'expected a URL of s3'
    """
    if (other := _OTHER.fullmatch(str(path))) is None:
        return f'"{path}" does not exist.'
    schemes = ", ".join(scheme for scheme in SCHEMES if scheme != "memory")
    return (
        f"expected a URL of {schemes} or file, got one of {other[1]!r}: copy the files to one of "
        "these, or to this machine."
    )


def require_known(path: Path) -> Path:
    """Return a path, unless it stands for a URL of a scheme that is not read.

    Raises:
        DataError: If it does, and is no path of this machine.

    Example:
        >>> require_known(Path("labels.csv")).name
        'labels.csv'
    """
    if _OTHER.fullmatch(str(path)) is None or is_remote(path) or path.exists():
        return path
    raise DataError(missing(path).removesuffix("."))


REMEDIES = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run 'aws configure'",
    "gs": "run 'gcloud auth application-default login'",
    "hf": "run 'hf auth login', or set HF_TOKEN",
    "https": "write https://user:password@host, or a URL that is signed",
    "http": "write http://user:password@host, or a URL that is signed",
    "memory": "none is needed",
}
"""How credentials are given."""


def is_remote(path: Path) -> bool:
    """Return whether a path stands for a URL.

    Example:
        >>> is_remote(place("s3://bucket/a.jpg")), is_remote(place("file:///home/a.jpg"))
        (True, False)
    """
    return str(path).startswith(_BEGINNINGS)


def scheme_of(path: Path) -> str:
    """Return the scheme of the URL that a path stands for.

    Example:
        >>> scheme_of(place("s3://bucket/a.jpg"))
        's3'
    """
    return path.parts[1].removesuffix(":")


def shown(path: Path) -> str:
    """Return a path as users write it: a URL without secrets, if it stands for one.

    Example:
        >>> shown(place("https://me:word@host/a.jpg?signature=1"))
        'https://host/a.jpg'
    """
    if not is_remote(path):
        return str(path)
    return f"{scheme_of(path)}://{'/'.join(path.parts[2:])}"


_roots: list[str] = []


def stand_for_root(folder: Path) -> None:
    """Have a folder of this machine stand for the root of all URLs in messages.

    Example:
        >>> stand_for_root(Path("/tmp/copies"))
        >>> with_urls("/tmp/copies/s3:/bucket/table.csv: expected a header, got none")
        's3://bucket/table.csv: expected a header, got none'
    """
    _roots.append(str(folder))


def with_urls(text: str) -> str:
    """Return a message in which paths that stand for URLs, and copies of their files, are URLs.

    Example:
        >>> with_urls("/s3:/bucket/labels.csv:2: expected the split 'train', got 'dev'")
        "s3://bucket/labels.csv:2: expected the split 'train', got 'dev'"
    """
    for root in _roots:
        text = text.replace(root, "")
    return _IN_TEXT.sub(r"\1://", text)


def without_secrets(given: str | Path) -> str:
    """Return a path or URL that a user has given, for messages.

    Example:
        >>> without_secrets("https://me:word@host/a.jpg"), without_secrets("photos/a.jpg")
        ('https://host/a.jpg', 'photos/a.jpg')
    """
    return shown(place(given))


def secret_of(path: Path) -> Secret:
    """Return what was given with the URL of a path, or with that of a folder around it.

    Example:
        >>> folder = place("https://me:word@pictures.org/holiday")
        >>> secret_of(folder / "a.jpg").user
        'me:word'
    """
    if _secrets:
        for one in (path, *path.parents):
            if (found := _secrets.get(str(one))) is not None:
                return found
    return Secret("", "")
