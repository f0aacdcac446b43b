"""The files of a model folder, and the content of ``config.json``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue, ValidationError, field_validator
from pydantic_core import from_json

from tagsight.config import Resize, Settings
from tagsight.data.rules.rules import LabelRules
from tagsight.data.source import check_labels
from tagsight.errors import DataError, settings_sentence
from tagsight.runtime.files import surviving_folder
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.config import Recipe

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
FORMAT = 1
"""Increased whenever older versions of tagsight would misread a new folder."""

LARGEST_CONFIG = 2**23
"""Bytes; a label with its name, threshold and metrics takes a few hundred."""

_PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"})
"""Suffixes of weight files that use ``pickle``."""


class Preprocessing(Settings):
    """Preprocessing of photos."""

    image_size: int
    """Side of the square, in pixels."""

    resize: Resize = "warp"
    """How a photo is made a square."""


class ModelConfig(Settings):
    """Content of ``config.json``: all of a model that is not a tensor."""

    format: Literal[1] = 1
    """Version of this format."""

    tagsight: str
    """Version of the package that wrote the folder."""

    labels: tuple[str, ...]
    """Names of the labels, in the order of the outputs."""

    recipe: dict[str, JsonValue]
    """The `Recipe` of the system, as plain values."""

    system_class: str = Field("", max_length=1000)
    """Module and class of the system, for messages; never imported."""

    decision: dict[str, JsonValue]
    """The `Decision`, as plain values."""

    preprocessing: Preprocessing
    """How photos are preprocessed."""

    label_rules: LabelRules = LabelRules()
    """The rules that were applied to the labels of the training data."""

    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of the weights file, hexadecimal."""

    facts: dict[str, JsonValue]
    """Recorded data, split and metrics."""

    _labels_are_names = field_validator("labels")(check_labels)


def check_replaceable(folder: Path) -> None:
    """Check that a model written here would replace a model or nothing.

    Raises:
        DataError: If the folder holds anything else.

    Example:
        >>> from pathlib import Path
        >>> check_replaceable(Path("runs/first/model"))  # a model may be replaced
    """
    if folder.exists() and not folder.is_dir():
        msg = f"expected a folder for the model, got the file {folder}"
        raise DataError(msg)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CONFIG).is_file():
        msg = (
            f"expected a model folder, an empty one or none at {folder}, "
            "got a folder with other files; choose another `out`"
        )
        raise DataError(msg)


def model_folder(path: Path) -> Path:
    """Locate the files of a model.

    Raises:
        DataError: If a file is missing; the message names pickles.

    Example:
        >>> from pathlib import Path
        >>> model_folder(Path("runs/first/model")).as_posix()
        'runs/first/model'
    """
    folder = surviving_folder(path)
    if not folder.exists():
        msg = f"expected a model folder at {path}, which does not exist"
        raise DataError(msg)
    if not folder.is_dir():
        raise _file_for_folder(path)
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if not missing:
        return folder
    msg = f"expected a model folder with {CONFIG} and {WEIGHTS}, got {path} without {missing}"
    if (folder / "model" / CONFIG).is_file():
        msg += f"; did you mean {path / 'model'}?"
    elif pickles := sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES):
        msg += f"; {pickles[0]} is a pickle, which is never loaded"
    raise DataError(msg)


def _file_for_folder(file: Path) -> DataError:
    """Explain why a file is not a model folder, judging by its name.

    Its first bytes cannot tell: a safetensors file begins with the length of its header, which may
    equal the first bytes of a pickle.
    """
    if (described := file.with_suffix(".xml")).is_file() and file.suffix.lower() == ".bin":
        return DataError(f"expected a model, got the weights {file}; did you mean {described}?")
    if file.suffix.lower() in _PICKLES:
        msg = (
            f"refusing to load a pickle, which may run any code: {file}; "
            "expected a model folder as `tagsight.train()` writes it"
        )
        return DataError(msg)
    return DataError(f"expected a model folder, got the file {file}; did you mean {file.parent}?")


@contextmanager
def about(file: Path) -> Iterator[None]:
    """Raise errors of the block as `DataError` that name the file.

    Example:
        >>> from pathlib import Path
        >>> try:
        ...     with about(Path("config.json")):
        ...         raise ValueError("expected a number")
        ... except DataError as error:
        ...     print(error)
        config.json: expected a number
    """
    try:
        yield
    except ValidationError as error:
        msg = f"{file}: {settings_sentence(error)}"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{file}: {error}"
        raise DataError(msg) from error


def read_config(file: Path) -> ModelConfig:
    """Read ``config.json``.

    Raises:
        DataError: If it is too large, not JSON, of a newer format, or malformed.

    Example:
        >>> from pathlib import Path
        >>> read_config(Path("runs/first/model/config.json")).labels
        ('dog', 'sky')
    """
    if (size := file.stat().st_size) > LARGEST_CONFIG:
        msg = f"expected at most {LARGEST_CONFIG:,} bytes in {file}, got {size:,}"
        raise DataError(msg)
    with about(file):
        values = from_json(file.read_bytes(), allow_inf_nan=False)
        if not isinstance(values, dict) or not isinstance(values.get("format"), int):
            msg = "expected the settings of a model with their 'format', got something else"
            raise DataError(msg)
        if values["format"] > FORMAT:
            msg = (
                f"written by a newer tagsight ({values.get('tagsight')!r:.40}) in format "
                f"{values['format']}, while {__version__} reads {FORMAT}; install a newer tagsight"
            )
            raise DataError(msg)
        return ModelConfig.model_validate(values)


def check_preprocessing(preprocessing: Preprocessing, recipe: Recipe) -> None:
    """Check that preprocessing and recipe agree.

    Raises:
        DataError: If they differ.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> config = read_config(Path("runs/first/model/config.json"))
        >>> check_preprocessing(config.preprocessing, load_model(Path("runs/first/model")).recipe)
    """
    for name, value in preprocessing:
        if value != (wanted := getattr(recipe.training, name)):
            msg = f"expected preprocessing.{name} to be {wanted} as in recipe.training, got {value}"
            raise DataError(msg)
