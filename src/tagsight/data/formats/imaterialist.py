"""iMaterialist: a JSON of photos by number, each with the numbers of its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.names import is_photo
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

WHAT = "an object with 'annotations' of 'imageId' and 'labelId'"
PHOTO_KEYS, LABEL_KEYS = ("imageId", "image_id"), ("labelId", "label_id")


def recognises(source: Path) -> bool:
    """Return whether a file begins as one of these competitions.

    Example:
        >>> from pathlib import Path
        >>> text = '{"annotations": [{"imageId": "1", "labelId": ["66"]}]}'
        >>> _ = Path("train.json").write_text(text)
        >>> recognises(Path("train.json"))
        True
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or "categories" in keys:
        return False
    entry = outline(source, "annotations").keys.keys()
    photo = outline(source, "images").keys.keys()
    return bool(entry & {*LABEL_KEYS}) or ("imageId" in photo and "id" not in photo)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the numbers of labels; one that is not listed is absent.

    Photos are files named by their numbers.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If the file cannot be understood, or has no annotations, as that of a test set.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> text = '{"annotations": [{"imageId": "1", "labelId": ["66", "9"]}]}'
        >>> _ = Path("train.json").write_text(text)
        >>> (found,) = read(Path("train.json"), DEFAULTS)
        >>> found.photos, found.names
        (('1.jpg',), ('66', '9'))
    """
    entries = read_json(source, dict, WHAT).get("annotations")
    if not isinstance(entries, list) or not entries:
        msg = f"{source}: expected {WHAT}, got {shortened(entries)} there"
        raise DataError(f"{msg}; a test set has no labels")
    labels: dict[str, set[str]] = {}
    for number, entry in enumerate(entries):
        photo, given = _entry(entry, f"{source}: annotations[{number}]")
        labels.setdefault(photo, set()).update(given)
    photos = [PhotoLabels(photo, given) for photo, given in labels.items()]
    folders = options.folders_around(source.parent, source.with_suffix(""))
    return [tabulate(source, photos, folders=folders)]


def _entry(entry: Any, where: str) -> tuple[str, set[str]]:  # noqa: ANN401 - plain-data border
    given = entry if isinstance(entry, dict) else {}
    photo = next((given[key] for key in PHOTO_KEYS if key in given), None)
    listed = next((given[key] for key in LABEL_KEYS if key in given), None)
    labels = listed if isinstance(listed, list) else [listed]
    if not _are_names([photo]) or not _are_names(labels):
        msg = f"{where}: expected {WHAT.partition(' of ')[2]}, got {shortened(entry)}"
        raise DataError(msg)
    name = photo_path(str(photo), where)
    name = name if is_photo(name) else f"{name}.jpg"
    return name, {clean_name(str(label), where) for label in labels} - {""}


def _are_names(values: list[object]) -> bool:
    return all(isinstance(value, int | str) and not isinstance(value, bool) for value in values)


FORMAT = Format(
    "imaterialist",
    "JSON of iMaterialist: photos by number, each with the numbers of its labels",
    '{"images": [{"imageId": "1", "url": "https://.../1.jpg"}],\n'
    ' "annotations": [{"imageId": "1", "labelId": ["66", "95"]}]}',
    recognises,
    read,
)
