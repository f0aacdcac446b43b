"""Cache of the runtime chosen for a model folder, and of the files exported for it.

An entry is a folder. It is written under another name and renamed, so that a part of one is never
read. Its name depends on the model, the versions of the runtimes and the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, ValidationError

from tagsight.checkpoint.config import CONFIG, WEIGHTS, model_folder
from tagsight.config import Settings
from tagsight.errors import DataError
from tagsight.inference.networks.exported import ENDINGS
from tagsight.inference.networks.openvino_file import weights_file
from tagsight.runtime.files import default_cache
from tagsight.runtime.machine import machine
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.inference.networks.exported import Form

OWN = ".runtimes"
"""Name of the cache within a model folder."""

PACKAGES: dict[Form, str] = {"openvino": "openvino", "onnx": "onnxruntime"}
"""Packages of the runtimes."""

KEPT = 8
"""Models in the user's cache; the one written longest ago is removed first."""

ABANDONED = 24 * 3600
"""Seconds after which an unfinished entry is removed."""

_CHOICE, _FORMAT = "choice.json", 1


class Choice(Settings):
    """The runtime chosen for a model on a machine."""

    format: Literal[1] = 1
    """Version of this file."""

    runtime: Literal["torch", "onnx", "openvino"]
    """The runtime."""

    reason: str = Field(max_length=2000)
    """The runtime and why it was chosen, in words."""


@dataclass(frozen=True)
class RuntimeCache:
    """Entries of one model on this machine.

    Args:
        model: Digest of the model's weights and settings, hexadecimal.
        weights: Digest of the weights.
        places: Folders of entries, in the order in which they are tried.

    Example:
        >>> cache = RuntimeCache.of(Path("runs/first/model"))
        >>> cache.choice() is None, cache.file("onnx") is None
        (True, True)
    """

    model: str
    weights: str
    places: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find the cache of a model folder: within it, and the user's where it is read-only.

        Raises:
            DataError: If it is not a model folder.
        """
        folder = model_folder(folder)
        digests = []
        for name in (CONFIG, WEIGHTS):
            with (folder / name).open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
        model = hashlib.sha256(" ".join(digests).encode()).hexdigest()
        return cls(model, digests[1], (folder / OWN, default_cache() / "runtimes"))

    def choice(self) -> Choice | None:
        """Return the runtime chosen for these versions of all runtimes, if one was."""
        for place in self.places:
            with suppress(OSError, ValidationError):
                text = (self._entry(place, "choice") / _CHOICE).read_text(encoding="utf-8")
                return Choice.model_validate_json(text)
        return None

    def remember(self, choice: Choice) -> None:
        """Record the runtime chosen.

        Raises:
            DataError: If no folder can be written.
        """
        with self._adding("choice") as entry:
            (entry / _CHOICE).write_text(choice.model_dump_json(indent=2), encoding="utf-8")

    def file(self, form: Form) -> Path | None:
        """Return the file exported for a runtime, if there is one."""
        files = (self._entry(place, form) / f"model{ENDINGS[form]}" for place in self.places)
        return next((file for file in files if file.is_file()), None)

    def add(self, form: Form, exported: Path) -> Path:
        """Copy an exported file, with the weights of OpenVINO beside it, and return its place.

        Raises:
            DataError: If no folder can be written.
        """
        with self._adding(form) as entry:
            for part in [exported, *([weights_file(exported)] if form == "openvino" else [])]:
                shutil.copyfile(part, entry / f"model{part.suffix}")
        found = self.file(form)
        assert found is not None
        return found

    def forget(self) -> None:
        """Remove all entries of the model."""
        for place in self.places:
            shutil.rmtree(place / self.model[:16], ignore_errors=True)

    def _entry(self, place: Path, name: Form | Literal["choice"]) -> Path:
        packages = ["torch", *PACKAGES.values()] if name == "choice" else [PACKAGES[name]]
        depends = [self.model, __version__, _FORMAT, [_version(one) for one in packages], machine()]
        key = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
        return place / self.model[:16] / f"{name}-{key[:16]}"

    @contextmanager
    def _adding(self, name: Form | Literal["choice"]) -> Iterator[Path]:
        """Yield a temporary folder, which becomes an entry if the block succeeds."""
        place = self._writable()
        with TemporaryDirectory(prefix=".new-", dir=place, ignore_cleanup_errors=True) as outer:
            entry = Path(outer) / "entry"
            entry.mkdir()
            yield entry
            for written in entry.iterdir():
                with written.open("rb") as opened:
                    os.fsync(opened.fileno())
            target = self._entry(place, name)
            target.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                target.rename(Path(outer) / "earlier")
            with suppress(OSError):  # another process was faster
                entry.rename(target)
        self._tidy(place)

    def _writable(self) -> Path:
        for place in self.places:
            with suppress(OSError):
                place.mkdir(parents=True, exist_ok=True)
                with TemporaryDirectory(prefix=".new-", dir=place):
                    return place
        msg = f"expected a folder that can be written, got neither {self.places[0]} nor "
        raise DataError(msg + f"{self.places[1]}; use `runtime=torch`")

    def _tidy(self, place: Path) -> None:
        """Remove entries of replaced models, and what a crash has left."""
        models = sorted((one.stat().st_mtime, one) for one in place.iterdir() if one.is_dir())
        unfinished = [one for one in models if one[1].name.startswith(".new-")]
        others = [one for one in models if one not in unfinished and self.model[:16] != one[1].name]
        old = others if place.name == OWN else others[: max(0, len(others) - KEPT + 1)]
        abandoned = [one for one in unfinished if one[0] < time.time() - ABANDONED]
        for _, folder in (*old, *abandoned):
            shutil.rmtree(folder, ignore_errors=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
