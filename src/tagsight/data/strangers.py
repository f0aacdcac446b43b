"""Files of other programs that are not read: what they are, and what to do instead."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.json_files import outline
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import files_below, first_of, is_file

if TYPE_CHECKING:
    from pathlib import Path

MOST_LOOKED_AT = 20
START = 2**12


class Stranger(NamedTuple):
    """A file of a program that is not read.

    Attributes:
        is_: What it is, as it follows "got".
        instead: What to do.
        keys: Keys at the top of its JSON.
        name: Pattern of its name, in lower case, or any.
        start: Pattern of its first bytes, or any.

    Example:
        >>> from pathlib import Path
        >>> tasks = Stranger("tasks", "write a table", frozenset({"task_id"}))
        >>> tasks.fits(Path("a.json"), frozenset({"task_id", "type"}), b"{")
        True
    """

    is_: str
    instead: str
    keys: frozenset[str] = frozenset()
    name: str = ".*"
    start: bytes = b""

    def fits(self, file: Path, keys: frozenset[str], start: bytes) -> bool:
        """Return whether a file is such a one, by its keys, its name and its first bytes."""
        is_so = bool(self.keys) or bool(self.start)
        named = re.fullmatch(self.name, file.name.lower()) is not None
        return is_so and self.keys <= keys and named and re.search(self.start, start) is not None


BOXES_IN_LINES = rb"(?i)\A[^\r\n]+\.(?:jpe?g|png|bmp)(?:[ \t]+\d+(?:,\d+){4})+[ \t]*(?:\r?\n|\Z)"
"""Beginning of a list of photos and boxes, as ``a.jpg 12,30,44,50,0 7,8,9,9,2``."""

TABLE = "write a table of them with the columns image and labels"
STRANGERS = (
    Stranger(
        "Google Takeout's data of a photo, which have people and places and no labels",
        "Takeout's albums are folders: give them with `format=label-folders` if they are labels, "
        "or make labels with 'tagsight label FOLDER'",
        frozenset({"title", "phototakentime"}),
    ),
    Stranger(
        "PhotoPrism's YAML of one photo",
        "give the folder of these files, and that of the photos as `images`",
        name=r".*\.ya?ml",
        start=rb"(?m)^(?:UID: \w+|TakenAt: )[\s\S]*^(?:Type: \w|Details:)",
    ),
    Stranger(
        "a list of keywords, as Lightroom exports it, which names no photos",
        "save keywords into the photos (Metadata, Save Metadata to Files) and give their folder",
        name=r".*\.txt",
        start=rb"\A(?:\xef\xbb\xbf)?[^\t\r\n,;|]+\r?\n\t[^\t\r\n,;|]+\r?\n",
    ),
    Stranger(
        "YOLO's boxes without the names of their classes",
        "write the names to classes.txt in the folder of the photos or above, a line each",
        name=r".*\.txt",
        start=rb"\A\d+(?:[ \t]+[\d.eE+-]+){4,}[ \t]*\r?\n",
    ),
    Stranger(
        "YOLO's boxes in one line for each photo, with numbers of classes",
        TABLE,
        name=r".*\.txt",
        start=BOXES_IN_LINES,
    ),
    Stranger(
        "a list of photos without labels",
        "give a folder with such a list for each label, two or more, called as dog.txt, or a table "
        "with the columns image and labels",
        name=r"(?!train|val|test).*\.txt",
        start=rb"(?i)\A(?:\xef\xbb\xbf)?(?:[^\t\r\n,;|]+\.(?:jpe?g|png|webp|tiff?)\r?\n)+",
    ),
    Stranger(
        "a spreadsheet",
        "save it as CSV",
        name=r".*\.(?:xls[xmb]?|ods|numbers)",
        start=rb"\A(?:PK\x03\x04|\xd0\xcf\x11\xe0)",
    ),
    Stranger(
        "an archive",
        "unpack it, and give the folder",
        name=r".*\.(?:zip|7z|rar|tgz|gz)",
        start=rb"\A(?:PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b)",
    ),
    Stranger(
        "a database, as Lightroom, digiKam and others keep",
        "save keywords into the photos or into sidecars with that program, and give their folder",
        start=rb"\ASQLite format 3\0",
    ),
    Stranger(
        "a file of Arrow",
        "write it as Parquet",
        start=rb"\AARROW1\0\0",
    ),
    Stranger("Scale's tasks", TABLE, frozenset({"task_id", "response", "params"})),
    Stranger("Kili's export", TABLE, frozenset({"externalid", "labels", "content"})),
    Stranger("VoTT's project", "export as CSV or Pascal VOC", frozenset({"assets", "tags"})),
    Stranger("Azure Custom Vision's images", TABLE, frozenset({"originalimageuri", "tags"})),
    Stranger(
        "the answer of a model of Amazon Rekognition",
        f"{TABLE}, once people have looked at them",
        frozenset({"labels", "labelmodelversion"}),
    ),
    Stranger(
        "the answer of a model of Clarifai",
        f"{TABLE}, once people have looked at them",
        frozenset({"outputs", "status"}),
    ),
    Stranger(
        "SpeciesNet's predictions, which are what a model says",
        f"{TABLE}, once people have looked at them",
        frozenset({"predictions"}),
        start=rb'"filepath"',
    ),
    Stranger(
        "the answer of a wiki such as Wikimedia Commons",
        TABLE,
        frozenset({"batchcomplete", "query"}),
    ),
    Stranger(
        "COCO's results, which are what a model says",
        f"{TABLE}, once people have looked at them, or give the file of annotations",
        frozenset({"image_id", "category_id", "score"}),
    ),
    Stranger(
        "a project of VIA 3",
        f"{TABLE}; of this program, JSON and CSV of version 2 are read",
        frozenset({"project", "attribute", "view"}),
    ),
    Stranger(
        "sentences for a language model",
        "export a table, COCO or YOLO instead",
        frozenset({"prefix", "suffix"}),
    ),
    Stranger("Encord's labels", TABLE, frozenset({"data_title", "label_hash"})),
    Stranger("Argilla's records", TABLE, frozenset({"fields", "responses"})),
    Stranger(
        "Tropy's items", TABLE, frozenset({"@graph", "@context"}), start=rb'(?s)"tag"|"photo"'
    ),
    Stranger("Flickr's data of a photo", TABLE, frozenset({"photopage", "original", "tags"})),
    Stranger(
        "an answer of Hugging Face's viewer",
        "download the data set itself",
        frozenset({"features", "rows"}),
    ),
    Stranger(
        "assets of Immich",
        "download the photos with XMP sidecars, which hold the tags, and give their folder",
        frozenset({"originalfilename", "originalpath"}),
    ),
)


def stranger_at(source: Path) -> str | None:
    """Describe a source, and what to do, if it is of a program that is known but not read.

    Args:
        source: A file, or a folder, of which a few files other than photos are looked at.

    Example:
        >>> from pathlib import Path
        >>> file = Path("a.jpg.json")
        >>> _ = file.write_text('{"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}}')
        >>> print(stranger_at(file).partition(";")[0])
        expected labels, got Google Takeout's data of a photo, which have people and places and \
no labels (a.jpg.json)
    """
    files = [source]
    if source.is_dir():
        others = (one for one in source.iterdir() if one.suffix.lower() not in PHOTO_SUFFIXES)
        files = first_of(others, MOST_LOOKED_AT)
        labels = (source / "labels", *sorted(source.glob("*/labels")))
        texts = (one for folder in labels for one in islice(files_below(folder), 1))
        files += filter(is_file, islice(texts, MOST_LOOKED_AT))
    for file in filter(is_file, files):
        keys = frozenset(key.lower() for key in outline(file).keys)
        with file.open("rb") as handle:
            start = handle.read(START)
        for one in STRANGERS:
            if one.fits(file, keys, start):
                return f"expected labels, got {one.is_} ({file.name}); {one.instead}"
    return None
