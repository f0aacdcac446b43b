"""Amazon's manifests: SageMaker Ground Truth and Rekognition Custom Labels."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json_lines, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

PHOTO, END = "source-ref", "-metadata"


def recognises(source: Path) -> bool:
    r"""Return whether a file begins as a manifest with labels.

    Example:
        >>> from pathlib import Path
        >>> file = Path("output.manifest")
        >>> photo = '{"source-ref": "s3://bucket/a.jpg", "job": 0, "job-metadata": {}}'
        >>> _ = file.write_text(f"{photo}\n")
        >>> recognises(file)
        True
    """
    top, keys, _ = outline(source)
    return top == "{" and keys.get(PHOTO) == '"'


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the labels of all jobs of a photo; a label that is not listed is absent.

    Photos without the outcome of any job are left out.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it, in
            which a photo is found by the end of its address.

    Raises:
        DataError: If a line cannot be understood, or no photo has labels.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> job = '"job": [0], "job-metadata": {"class-map": {"0": "dog"}}'
        >>> _ = Path("output.manifest").write_text(f'{{"source-ref": "s3://b/a.jpg", {job}}}\n')
        >>> (found,) = read(Path("output.manifest"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('s3:/b/a.jpg',), ('dog',), [[1]])
    """
    lines = list(read_json_lines(source, f"an object with {PHOTO!r}"))
    found = [_photo(record, f"{source}:{line}") for line, record in lines]
    photos = [photo for photo in found if photo is not None]
    if not photos:
        msg = (
            f"{source}: expected the labels of a job, with its {END!r}, got none of "
            f"{amount(len(lines), 'photo')}; give the output manifest of the labelling job"
        )
        raise DataError(msg)
    if left := len(lines) - len(photos):
        logger.info("%s: %s without labels left out", source, amount(left, "photo"))
    folders = options.folders_around(source.parent)
    return [tabulate(source, photos, folders=folders)]


def _photo(record: dict[str, Any], where: str) -> PhotoLabels | None:
    name = record.get(PHOTO)
    if not isinstance(name, str):
        msg = f"{where}: expected a photo's address under {PHOTO!r}, got {shortened(name)}"
        raise DataError(msg)
    present: set[str] = set()
    jobs = 0
    for key, about in record.items():
        job = key.removesuffix(END)
        if job != key and isinstance(about, dict) and job in record:
            if "failure-reason" in about:
                continue
            jobs += 1
            present |= {clean_name(label, where) for label in _labels(record[job], about, where)}
    return PhotoLabels(photo_path(name, where), present) if jobs else None


def _labels(value: Any, about: dict[str, Any], where: str) -> list[str]:  # noqa: ANN401 - plain-data border
    """Return the labels of a job: one, the numbers of several, or those of boxes."""
    if isinstance(name := about.get("class-name"), str):
        return [name]
    names = about.get("class-map")
    boxes = value.get("annotations") if isinstance(value, dict) else None
    numbers = [box.get("class_id") for box in boxes] if isinstance(boxes, list) else value
    if isinstance(names, dict) and isinstance(numbers, list):
        found = [names.get(str(number)) for number in numbers]
        if all(isinstance(one, str) for one in found):
            return [str(one) for one in found]
    msg = (
        f"{where}: expected a 'class-name', or numbers of classes in a 'class-map', got "
        f"{shortened(value)}"
    )
    raise DataError(msg)


FORMAT = Format(
    "sagemaker",
    "an output manifest of Amazon SageMaker Ground Truth or Rekognition",
    '{"source-ref": "s3://bucket/a.jpg", "animals": [0, 2], "animals-metadata":\n'
    '   {"class-map": {"0": "dog", "2": "cat"}, '
    '"type": "groundtruth/image-classification-multilabel"}}',
    recognises,
    read,
    (".manifest",),
)
