"""Files of tensors: ``.safetensors``, and PyTorch's own, of which no code is run."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, NamedTuple

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST_FILE = 2**33
"""Bytes of a file, also after unpacking: a large encoder with the state of its optimiser."""

MOST_NUMBERS = 2**31
"""Numbers in all tensors of a file: twice the largest encoder of timm."""

PLACES = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries under which projects store the tensors; averaged ones come first."""

IGNORED = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
"""Names in files that stand beside the tensors, such as NumPy's of a score; nothing is called."""


class TensorFile(NamedTuple):
    """Content of a file.

    Attributes:
        tensors: Tensors by name, without the prefixes of parallel training.
        others: Other entries of the file by name.
    """

    tensors: dict[str, Tensor]
    others: Mapping[str, object]


def read_tensor_file(path: Path) -> TensorFile:
    """Read the tensors of a file and what stands beside them.

    A file of PyTorch is read with ``weights_only=True``. Its size is checked before it is read, and
    the size of its tensors before they are used.

    Args:
        path: A ``.safetensors`` file, or one of PyTorch with the tensors or with an entry of
            `PLACES`.

    Raises:
        DataError: If it cannot be read, is too large, or has no tensors.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.pth"
        ...     torch.save({"state_dict": {"module.bias": torch.ones(2)}, "epoch": 3}, file)
        ...     read_tensor_file(file)
        TensorFile(tensors={'bias': tensor([1., 1.])}, others={'epoch': 3})
    """
    try:
        _check_size(path)
        content = load_file(path) if path.suffix == ".safetensors" else _restricted(path)
        tensors, others = _separated(content)
    except Exception as error:  # a damaged file raises errors of any kind
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if not any(letter.isalpha() for letter in reason):  # the key of a KeyError
            reason = "it is damaged, or of another kind"
        msg = f"expected a file of tensors by name, got {path}, which cannot be read: {reason:.160}"
        raise DataError(msg) from error
    return TensorFile(timm.models.clean_state_dict(tensors), others)


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    if size > LARGEST_FILE:
        msg = f"it has {size:,} bytes, more than {LARGEST_FILE:,}"
        raise ValueError(msg)


class _Nothing:
    """Stands for what `IGNORED` names."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def _restricted(path: Path) -> object:
    names = (*IGNORED, "argparse.Namespace")
    ignored: list[Callable[..., Any] | tuple[Callable[..., Any], str]]
    ignored = [(_Nothing, name) for name in names]
    try:
        with torch.serialization.safe_globals(ignored):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        msg = "it is no file of tensors, or holds objects of other kinds, which are never unpickled"
        raise ValueError(msg) from error


def _separated(content: object) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Separate the tensors of a file from its other entries."""
    if not isinstance(content, Mapping):
        msg = f"it holds {type(content).__name__}"
        raise TypeError(msg)
    place = next((name for name in PLACES if isinstance(content.get(name), Mapping)), None)
    tensors = dict(_named_tensors(content if place is None else content[place]))
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if not tensors or numbers > MOST_NUMBERS:
        msg = f"it holds {numbers:,} numbers in tensors"
        raise ValueError(msg)
    others = {
        str(name): value
        for name, value in content.items()
        if name != place and not isinstance(value, Tensor)
    }
    return tensors, others


def _named_tensors(content: Mapping[object, object]) -> Iterator[tuple[str, Tensor]]:
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            yield name, value
