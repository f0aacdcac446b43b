"""Google's Vertex AI: JSON lines of photos in a bucket, with labels or boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json_lines, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

PHOTO = "imageGcsUri"
LISTS = ("classificationAnnotations", "boundingBoxAnnotations", "polygonAnnotations")
SINGLE = "classificationAnnotation"
USES = ("aiplatform.googleapis.com/ml_use", "ml_use")
UNASSIGNED = frozenset({"unassigned", ""})


def recognises(source: Path) -> bool:
    r"""Return whether a file begins with a photo of Vertex AI.

    Example:
        >>> from pathlib import Path
        >>> file = Path("rows.jsonl")
        >>> photo = '{"imageGcsUri": "gs://bucket/a.jpg", "classificationAnnotations": []}'
        >>> _ = file.write_text(f"{photo}\n")
        >>> recognises(file)
        True
    """
    top, keys, _ = outline(source)
    return top == "{" and keys.get(PHOTO) == '"'


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the labels of a photo, or of its objects; a label that is not listed is absent.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it, in
            which a photo is found by the end of its address.

    Raises:
        DataError: If a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> labels = '[{"displayName": "dog"}, {"displayName": "sky"}]'
        >>> photo = f'{{"imageGcsUri": "gs://b/a.jpg", "classificationAnnotations": {labels}}}'
        >>> _ = Path("rows.jsonl").write_text(f"{photo}\n")
        >>> (found,) = read(Path("rows.jsonl"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('gs:/b/a.jpg',), ('dog', 'sky'), [[1, 1]])
    """
    photos = [
        _photo(record, f"{source}:{line}")
        for line, record in read_json_lines(source, f"an object with {PHOTO!r}")
    ]
    folders = options.folders_around(source.parent)
    return [tabulate(source, photos, folders=folders)]


def _photo(record: dict[str, Any], where: str) -> PhotoLabels:
    name = record.get(PHOTO)
    if not isinstance(name, str):
        msg = f"{where}: expected a photo's address under {PHOTO!r}, got {shortened(name)}"
        raise DataError(msg)
    entries = [entry for key in LISTS for entry in record.get(key) or []]
    if SINGLE in record:
        entries.append(record[SINGLE])
    present = {_name(entry, where) for entry in entries}
    about = record.get("dataItemResourceLabels")
    uses = [about[key] for key in USES if key in about] if isinstance(about, dict) else []
    split = str(uses[0]) if uses and str(uses[0]).lower() not in UNASSIGNED else None
    return PhotoLabels(photo_path(name, where), present, split=split)


def _name(entry: Any, where: str) -> str:  # noqa: ANN401 - plain-data border
    name = entry.get("displayName") if isinstance(entry, dict) else None
    if isinstance(name, str) and (label := clean_name(name, where)):
        return label
    msg = f"{where}: expected a label with 'displayName', got {shortened(entry)}"
    raise DataError(msg)


FORMAT = Format(
    "vertex",
    "JSON lines of Google's Vertex AI: photos in a bucket with labels or boxes",
    '{"imageGcsUri": "gs://bucket/a.jpg", "classificationAnnotations": [{"displayName": "dog"}],\n'
    ' "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": "training"}}',
    recognises,
    read,
)
