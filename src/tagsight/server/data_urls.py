"""Photos within JSON, as programs of others send them: as ``data:`` URLs."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w-]+=[\w.-]+)*;base64,", re.ASCII)


def photos_in(urls: Sequence[str], most: int) -> list[bytes]:
    """The contents of photos. No address is fetched and no path is read, whatever is asked for.

    Args:
        urls: Each ``data:image/...;base64,...``.
        most: Photos that are allowed.

    Raises:
        HTTPException: 413 if there are too many, 422 if one is something else.
    """
    if len(urls) > most:
        raise HTTPException(413, f"expected at most {amount(most, 'photo')}, got {len(urls)}")
    return [_content(url, place) for place, url in enumerate(urls, 1)]


def _content(url: str, place: int) -> bytes:
    start = _DATA.match(url)
    if start is None:
        raise HTTPException(
            422,
            f"expected photo {place} within the request, as data:image/jpeg;base64,..., "
            f"got {url[:60]!r}: this server fetches nothing",
        )
    try:
        return base64.b64decode(url[start.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, f"expected photo {place} as base64: {error}") from error
