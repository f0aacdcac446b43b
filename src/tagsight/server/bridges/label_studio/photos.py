"""The photos of tasks: within the task, or at the one Label Studio that may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from tagsight.errors import DataError
from tagsight.server.data_urls import decode_data_urls

if TYPE_CHECKING:
    from tagsight.server.bridges.label_studio.client import LabelStudio


async def task_content(value: object, field: str, studio: LabelStudio | None) -> bytes:
    """Return the content of the photo that a field of a task names or holds.

    Args:
        value: The field's value: ``data:image/...;base64,...``, or a path or URL.
        field: Its name, for errors.
        studio: The Label Studio to ask for photos, or None to ask none.

    Raises:
        DataError: If it is no photo, or may not or cannot be fetched.

    Example:
        >>> import asyncio
        >>> asyncio.run(task_content("data:image/png;base64,cGhvdG8=", "image", studio=None))
        b'photo'
    """
    if not isinstance(value, str) or not value:
        got = "none" if not value else type(value).__name__
        msg = f"expected a photo in the field {field!r:.100}, got {got}"
        raise DataError(msg)
    if value.startswith("data:"):
        try:
            (content,) = decode_data_urls([value], 1)
        except HTTPException as error:
            raise DataError(str(error.detail)) from error
        return content
    if studio is None:
        msg = (
            f"expected a photo within the task, got {value!r:.80}: to fetch it from Label Studio, "
            "start with its address and a key (`label_studio_url`)"
        )
        raise DataError(msg)
    return await studio.photo(value)
