"""Words by which columns and cells of tables are recognised."""

from __future__ import annotations

import re

from tagsight.data.photos.suffixes import HEIF_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES

ENDINGS = PHOTO_SUFFIXES | HEIF_SUFFIXES | RAW_SUFFIXES
"""Endings of photos, whether or not they can be opened here."""

IMAGE_COLUMNS = frozenset(
    {"image", "imageid", "imagename", "imagepath", "imageindex", "imagefile", "imagefilename"}
    | {"img", "imgid", "imgname", "imgpath", "path", "file", "filename", "filepath", "fname"}
    | {"photo", "photoid", "photoname", "photopath", "picture", "sourcefile"}
    | {"bild", "bilddatei", "dateiname", "datei", "foto", "fichier", "nomdufichier", "nomfichier"}
    | {"archivo", "nombredearchivo", "fichero", "imagen", "arquivo", "nomedoarquivo", "imagem"}
    | {"nomefile", "immagine", "bestandsnaam", "afbeelding", "plik", "nazwapliku", "zdjęcie"}
    | {"файл", "имяфайла", "фото", "изображение", "图片", "图像", "照片", "文件名"}
    | {"ファイル名", "画像", "写真", "파일명", "파일이름", "이미지", "사진"}
)
"""Names of columns that hold photos, also as people of other languages call them."""

MAYBE_IMAGE = re.compile(r"image|img|photo|picture|file|path|^id$|^name$")
"""Names of columns that hold photos if no other column does."""

MAYBE_IDS = re.compile(
    r"instanceuid$|^(?:uid|uuid|guid|idcode|key|asset|assetid|frame|slideid|dicomid|isicid|scanid)$"
    r"|^(?:sample|tile|chip|patch|case|object|observation|specimen|media)id$"
)
"""Names of columns that hold photos if not even such a column does, and all their cells differ."""

FOLDER_COLUMNS = frozenset(
    {"folder", "foldername", "dir", "directory", "subfolder", "subdir", "subdirectory"}
    | {"imagefolder", "imagedir", "relativepath"}
)
"""Names of columns that may hold the folder of a photo."""

LABEL_COLUMNS = (
    *("labels", "tags", "findinglabels", "keywords", "classes", "categories", "concepts"),
    *("genres", "labelname", "label", "tag", "classname", "class", "categoryname", "category"),
    *("keyword", "genre", "findings", "finding", "annotations", "classid", "labelid"),
    "categoryid",
)
"""Names of a column with labels, the most telling first."""

GROUND_TRUTH = frozenset({"groundtruth", "groundtruthlabel", "groundtruths"})
"""Names of a column with labels, beside which tags say something else, as FiftyOne's do."""

RANKS = frozenset({"kingdom", "phylum", "order", "family", "genus"})
"""Names of columns beside which one called class is a rank of animals or plants, and no label."""

MAYBE_LABELS = ("species", "commonname", "scientificname", "taxon", "taxonname")
"""Names of a column with labels, as of camera traps, if no columns of targets are beside it."""

NUMBERED_LABELS = re.compile(r"(?:label|tag|class|category|keyword)s?\d+")
CONFIDENCE_COLUMNS = frozenset(
    {"confidence", "score", "probability", "conf", "prob", "relevance", "certainty", "likelihood"}
)
VALUE_COLUMNS = frozenset(
    {"present", "presence", "ispresent", "positive", "ispositive", "value", "target", "answer"}
    | {"exists", "truth", "groundtruth", "gt", "result", "outcome", "status", "verdict"}
    | {"correct", "iscorrect", "accepted", "isaccepted", "review"}
)
"""Names of columns that say, in a row for a photo and label, whether it is present."""

INDEX_NAME = re.compile(r"|unnamed\d+(?:level\d+)?")
ROW_NAMES = re.compile(
    r"no|nr|num|number|s(?:r|l)?no|serialno|row(?:no|nr|num|number|id|index)?|level\d+|x1?"
    r"|lfdnr|laufendenummer|numero|número|numéro|номер|序号|番号"
)
"""Names of columns that may hold the numbers of rows."""

NEVER_LABELS = FOLDER_COLUMNS | frozenset(
    {"index", "idx", "id", "fold", "width", "height", "deleteflag", "valid"}
)
_ID = re.compile(r"(?:^|[\W_])u?id\W*$|[a-z0-9](?-i:I[Dd])\W*$", re.IGNORECASE)
TEXT_COLUMNS = frozenset(
    {"text", "caption", "captions", "description", "prompt", "sentence", "report", "comment"}
)
"""Names of columns that hold sentences rather than labels."""

TOTALS = frozenset(
    {"total", "totals", "totale", "totaal", "grand total", "subtotal", "sum", "sums", "summe"}
    | {"gesamt", "somme", "suma", "soma", "razem", "итого", "всего", "сумма"}
    | {"合计", "总计", "合計", "합계"}
)
"""Names of rows that count those above, in lower case."""

REMARKS = TEXT_COLUMNS | frozenset(
    {"note", "notes", "remark", "remarks", "comments", "bemerkung", "bemerkungen", "remarques"}
    | {"observaciones", "observações", "примечание", "备注", "メモ"}
)
"""Names of columns that are no labels if nobody has written anything there."""

OUTLINES = frozenset({"encodedpixels", "rle", "segmentation", "polygon"})
"""Names of columns that hold the pixels or outlines of objects."""

NAME_KEYS = ("label", "name", "category", "class", "tag")
"""Keys of the name, where a label is an object."""

_SPLIT_WORDS = {
    "train": (
        *("train", "training", "trn", "trainval", "train_val", "treino", "treinamento"),
        *("entraînement", "entrainement", "apprentissage", "entrenamiento", "addestramento"),
        *("训练", "訓練", "学習", "обучение"),
    ),
    "val": (
        *(
            "val",
            "valid",
            "validation",
            "validate",
            "dev",
            "eval",
            "evaluation",
            "vld",
            "publictest",
        ),
        *("validierung", "validación", "validacion", "validação", "validazione"),
        *("验证", "検証", "валидация"),
    ),
    "test": (
        *("test", "testing", "tst", "holdout", "hold_out", "held_out", "privatetest"),
        *("prueba", "teste", "测试", "テスト", "тест"),
    ),
}
"""Words for the splits; the last of some are those of FER2013, and of other languages."""

_ENDS_OF_SPLITS = (
    *("_set", "-set", "set", "_list", "_split", "集"),
    *("2007", "2012", "2014", "2015", "2017"),
)
"""Ends of such words, as in ``test_set`` and ``train2017``."""

SPLIT_NAMES = {
    f"{word}{end}": split
    for split, words in _SPLIT_WORDS.items()
    for word in words
    for end in ("", *_ENDS_OF_SPLITS)
}
"""Splits by the words for them, in lower case."""

HELD_OUT = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def _flags(yes: str, no: str) -> dict[str, str]:
    return {cell: yes if held else no for cell, held in HELD_OUT.items()}


SPLIT_COLUMNS: dict[str, dict[str, str]] = {
    "split": SPLIT_NAMES,
    "splitname": SPLIT_NAMES,
    **dict.fromkeys(("isvalid", "isval", "isvalidation"), _flags("val", "train")),
    **{key: {**SPLIT_NAMES, **_flags("val", "train")} for key in ("val", "validation")},
    "istest": _flags("test", "train"),
    "test": {**SPLIT_NAMES, **_flags("test", "train")},
    **dict.fromkeys(("istrain", "istraining"), _flags("train", "test")),
}
"""The splits that cells mean, by the name of their column."""

SPLIT_FLAGS = {**SPLIT_COLUMNS, "train": SPLIT_COLUMNS["istrain"], "valid": SPLIT_COLUMNS["val"]}
"""The same for columns that the user names: a label may be a train, a flag say what is valid."""

MAYBE_SPLIT = frozenset({"subset", "partition", "set", "phase", "mode", "usage", "dataset"})
"""Names of columns that hold the split if their cells are splits."""

LONGEST_START = 20
"""Characters at the beginning of a cell that say whether it is a photo itself."""

UNKNOWN = 255  # -1 as an unsigned byte
_WORDS = {
    1: ("true", "yes", "y", "wahr", "ja", "vrai", "oui", "verdadero", "vero"),
    0: ("false", "no", "n", "falsch", "nein", "faux", "non", "falso"),
    UNKNOWN: ("", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "#na", "nil", "?", "-"),
}
"""Targets by words, also as spreadsheets write them in other languages, and words for nothing."""

TARGETS: dict[str, int] = {
    **dict.fromkeys(("1", "1.0"), 1),
    **dict.fromkeys(("0", "0.0"), 0),
    **dict.fromkeys(("-1", "-1.0", "NaN", "-nan", "-NaN"), UNKNOWN),
    **{
        spelling: value
        for value, words in _WORDS.items()
        for word in words
        for spelling in (word, word.upper(), word.capitalize())
    },
}
"""Targets, as unsigned bytes, by the usual texts of their cells."""

NOTHING = frozenset({"?", "-", "nil", "n/a", "N/A", "NA", "#N/A", "none", "None", "null", "NULL"})
"""Words for nothing of which a column of targets does not consist, as one of remarks may."""

NUMBERED_SPLITS = {"0": "train", "1": "val", "2": "test"}
"""Splits as CelebA and WILDS number them, in columns of these names that have all three."""

NUMBERED_SPLIT_COLUMNS = frozenset({"split", "partition"})

UNASSIGNED = "unassigned"
"""Word of lists for the cloud for a photo without a split."""

_NUMBER = re.compile(r"[+-]?\d(?:[.,]\d{0,30})?(?:[eE][+-]?\d{1,3})?")
_ODD = re.compile(r"[\W_]+")


def target_of(cell: str) -> int | None:
    """Return the target that a cell is, as an unsigned byte, or None if it is none.

    Example:
        >>> target_of("Yes"), target_of("1.000e+00"), target_of("0,0"), target_of("dog")
        (1, 1, 0, None)
        >>> target_of("N/A") == target_of("-1") == UNKNOWN
        True
    """
    if cell in TARGETS:
        return TARGETS[cell]
    text = cell.strip()
    if _NUMBER.fullmatch(text):
        return {1.0: 1, 0.0: 0, -1.0: UNKNOWN}.get(float(text.replace(",", ".")))
    return TARGETS.get(text, TARGETS.get(text.casefold()))


def is_target(cell: str) -> bool:
    """Return whether a cell is a target, present, absent or unknown.

    Example:
        >>> is_target("no"), is_target("dog")
        (True, False)
    """
    return target_of(cell) is not None


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, perhaps none.

    Example:
        >>> is_number("1e3"), is_number("nan"), is_number("dog"), is_number("2007_12")
        (True, True, False, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # which Python passes over


def is_no_label(name: str) -> bool:
    """Return whether a column's name says that it holds no targets: ids, sizes and the like.

    Example:
        >>> [name for name in ("annotation_id", "PatientID", "Covid", "width") if is_no_label(name)]
        ['annotation_id', 'PatientID', 'width']
    """
    return key_of(name) in NEVER_LABELS or is_id(name)


def is_id(name: str) -> bool:
    """Return whether a column's name is that of an id.

    Example:
        >>> [name for name in ("photo_id", "imdbId", "Covid") if is_id(name)]
        ['photo_id', 'imdbId']
    """
    return _ID.search(name) is not None


def is_remark(name: str) -> bool:
    """Return whether a column's name says that it holds sentences, or no targets.

    Example:
        >>> [name for name in ("Remarks", "scene", "user_id") if is_remark(name)]
        ['Remarks', 'user_id']
    """
    return key_of(name) in REMARKS or is_no_label(name)


def key_of(name: str) -> str:
    """Reduce a column's name to its lower-case letters and digits.

    Example:
        >>> key_of("Image_Name"), key_of(" Unnamed: 0")
        ('imagename', 'unnamed0')
    """
    return _ODD.sub("", name).lower()


def is_photo(cell: object) -> bool:
    """Return whether a cell ends as the name of a photo, or is one; web addresses are none.

    Those of buckets are names, as no other column then has them.

    Example:
        >>> is_photo("a/b.JPG"), is_photo("https://example.org/b.jpg"), is_photo("dog")
        (True, False, False)
        >>> is_photo("gs://photos/b.jpg")
        True
        >>> is_photo("data:image/png;base64,iVBORw0KGgo=")
        True
    """
    text = str(cell)
    if text[:LONGEST_START].lstrip().lower().startswith("data:image/"):
        return True
    text = text.rstrip().lower()
    stem, dot, ending = text.rpartition(".")
    is_web = text.startswith(("http://", "https://", "ftp://"))
    return bool(dot) and f".{ending}" in ENDINGS and bool(stem) and not is_web


def is_address(cell: str) -> bool:
    """Return whether a cell is the web address of a photo.

    Example:
        >>> is_address("https://example.org/b.jpg?w=200"), is_address("https://example.org/b")
        (True, False)
    """
    text = cell.strip().lower()
    return text.startswith(("http://", "https://")) and is_photo(
        re.split("[?#]", text)[0].partition("://")[2]
    )


def names_photos(key: str) -> bool:
    """Return whether a column's name, as `key_of` gives it, may be that of the photos.

    Example:
        >>> [key for key in ("filename", "photo_path", "dog") if names_photos(key)]
        ['filename', 'photo_path']
    """
    return key in IMAGE_COLUMNS or any(name.search(key) for name in (MAYBE_IMAGE, MAYBE_IDS))
