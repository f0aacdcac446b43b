"""One object of JSON whose photos are named without endings, which only their folder can tell."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from tagsight.data.formats.record_keys import LABEL_KEYS, PHOTO_KEYS
from tagsight.data.formats.records_by_name import inverted
from tagsight.data.json_files import outline
from tagsight.data.json_values import value_under
from tagsight.data.listing import Listing
from tagsight.data.tables.names import SPLIT_NAMES, is_photo, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FEWEST_NAMES = 2
LOOKED_AT = 20
"""Names that are looked for among the photos."""

KNOWN = frozenset({*LABEL_KEYS, *PHOTO_KEYS, *SPLIT_NAMES, "images", "photos", "files", "data"})
"""Keys, as `key_of` gives them, that say what is under them."""


def has_bare_names(source: Path, folders: Sequence[Path]) -> bool:
    """Return whether JSON is one object of photos with their labels, or labels with their photos.

    Args:
        source: The file.
        folders: Folders that may hold the photos, of which most must be there.

    Example:
        >>> from pathlib import Path
        >>> for name in ("a.jpg", "b.jpg"):
        ...     Path(name).touch()
        >>> for text in ('{"a": ["dog"], "b": ["dog", "sky"]}', '{"dog": ["a", "b"], "sky": []}'):
        ...     _ = Path("labels.json").write_text(text)
        ...     has_bare_names(Path("labels.json"), [Path()])
        True
        True
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or not _may_name(keys):
        return False
    first = {key: value_under(source, key) for key in islice(keys, LOOKED_AT)}
    return records_of_bare(source, first, folders) is not None


def records_of_bare(
    source: Path, content: Mapping[str, Any], folders: Sequence[Path]
) -> list[Any] | None:
    """Return an object of photos without endings as records, or None if it is none.

    Args:
        source: The file.
        content: Its object.
        folders: Folders that may hold the photos, of which most must be there.

    Example:
        >>> from pathlib import Path
        >>> for name in ("a.jpg", "b.jpg"):
        ...     Path(name).touch()
        >>> records_of_bare(Path("a.json"), {"a": "dog", "b": "dog; sky"}, [Path()])
        [{'image': 'a', 'labels': 'dog'}, {'image': 'b', 'labels': 'dog; sky'}]
    """
    kinds = {type(value) for value in content.values() if value is not None}
    if not _may_name(content) or len(kinds) != 1 or not kinds <= {list, str, dict}:
        return None
    listing = Listing(folders)
    if _are_there(content, listing):
        return [{"image": name, "labels": labels} for name, labels in content.items()]
    lists = [value for value in content.values() if isinstance(value, list)]
    names = list(chain.from_iterable(lists))
    if lists and all(isinstance(one, str) for one in names) and _are_there(names, listing):
        return inverted(source, content)
    return None


def _may_name(keys: Iterable[str]) -> bool:
    found = list(keys)
    are_free = not any(is_photo(key) or key_of(key) in KNOWN for key in found)
    return len(found) >= FEWEST_NAMES and are_free


def _are_there(names: Iterable[str], listing: Listing) -> bool:
    some = list(dict.fromkeys(islice(names, LOOKED_AT)))
    return 2 * len(listing.find(some)) > len(some)
