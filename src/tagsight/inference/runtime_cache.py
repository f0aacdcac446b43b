"""Cache of the runtime chosen for a model folder, and of the files exported for it.

It is the user's, outside model folders: a folder may come from a stranger, and a file in it that
claims to be exported from the model could decide otherwise. An entry is a folder. It is written
under another name and renamed, so that a part of one is never read. Its name depends on the
content of the model, the versions of the runtimes and the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, ValidationError

from tagsight.checkpoint.config import CONFIG, WEIGHTS, model_folder
from tagsight.config import Settings
from tagsight.errors import DataError
from tagsight.inference.networks.exported import ENDINGS
from tagsight.inference.networks.openvino_file import weights_file
from tagsight.runtime.files import default_cache, sha256_of
from tagsight.runtime.machine import machine
from tagsight.runtime.packages import installed_version
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.inference.networks.exported import Form

PACKAGES: dict[Form, str] = {"openvino": "openvino", "onnx": "onnxruntime"}
"""Packages of the runtimes."""

KEPT = 8
"""Models in the cache; the one used longest ago is removed first."""

ABANDONED = 24 * 3600
"""Seconds after which an unfinished entry is removed."""

ATTEMPTS = 100
"""How often an entry is put in its place while other processes add and remove entries of it."""

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
        place: Folder of the entries of all models.

    Example:
        >>> cache = RuntimeCache.of(Path("runs/first/model"))
        >>> cache.choice() is None, cache.file("onnx") is None
        (True, True)
    """

    model: str
    weights: str
    place: Path

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find the entries of a model, by the content of its folder.

        Raises:
            DataError: If it is not a model folder.
        """
        folder = model_folder(folder)
        digests = [sha256_of(folder / name).hex() for name in (CONFIG, WEIGHTS)]
        model = hashlib.sha256(" ".join(digests).encode()).hexdigest()
        return cls(model, digests[1], default_cache() / "runtimes")

    def check(self, folder: Path) -> None:
        """Check that a folder has this model still, so that no other is exported as this one.

        Raises:
            DataError: If it has another.
        """
        if type(self).of(folder).model != self.model:
            msg = f"expected the model that was opened in {folder}, got another; open it again"
            raise DataError(msg)

    def check_writable(self) -> None:
        """Check that entries can be written.

        Raises:
            DataError: If they cannot.
        """
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".new-", dir=self.place):
                pass
        except OSError as error:
            msg = f"expected a folder that can be written, got {self.place}: use `runtime=torch`"
            raise DataError(msg) from error

    def choice(self) -> Choice | None:
        """Return the runtime chosen for these versions of all runtimes, if one was."""
        try:
            text = (self._entry("choice") / _CHOICE).read_text(encoding="utf-8")
            choice = Choice.model_validate_json(text)
        except (OSError, ValidationError):
            return None
        with suppress(OSError):
            os.utime(self._own)
        return choice

    def remember(self, choice: Choice) -> None:
        """Record the runtime chosen.

        Raises:
            DataError: If the cache cannot be written.
        """
        with self._adding("choice") as entry:
            (entry / _CHOICE).write_text(choice.model_dump_json(indent=2), encoding="utf-8")

    def file(self, form: Form) -> Path | None:
        """Return the file exported for a runtime, if there is one."""
        file = self._file(form)
        return file if file.is_file() else None

    def add(self, form: Form, exported: Path) -> Path:
        """Copy an exported file, with the weights of OpenVINO beside it, and return its place.

        Raises:
            DataError: If the cache cannot be written.
        """
        with self._adding(form) as entry:
            for part in [exported, *([weights_file(exported)] if form == "openvino" else [])]:
                shutil.copyfile(part, entry / f"model{part.suffix}")
        return self._file(form)

    def forget(self) -> None:
        """Remove all entries of the model."""
        shutil.rmtree(self._own, ignore_errors=True)

    @property
    def _own(self) -> Path:
        return self.place / self.model

    def _file(self, form: Form) -> Path:
        return self._entry(form) / f"model{ENDINGS[form]}"

    def _entry(self, name: Form | Literal["choice"]) -> Path:
        packages = ["torch", *PACKAGES.values()] if name == "choice" else [PACKAGES[name]]
        depends = [__version__, _FORMAT, [installed_version(one) for one in packages], machine()]
        key = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
        return self._own / f"{name}-{key[:16]}"

    @contextmanager
    def _adding(self, name: Form | Literal["choice"]) -> Iterator[Path]:
        """Yield a temporary folder, which becomes an entry if the block succeeds."""
        self.check_writable()
        with TemporaryDirectory(
            prefix=".new-", dir=self.place, ignore_cleanup_errors=True
        ) as outer:
            entry = Path(outer) / "entry"
            entry.mkdir()
            yield entry
            for written in entry.iterdir():
                with written.open("rb") as opened:
                    os.fsync(opened.fileno())
            target = self._entry(name)
            for attempt in range(ATTEMPTS):
                with suppress(OSError):  # another process adds the same, or removes the model
                    target.parent.mkdir(exist_ok=True)
                    with suppress(FileNotFoundError):
                        target.rename(Path(outer) / f"earlier-{attempt}")
                    entry.rename(target)
                    break
            else:
                msg = f"expected a cache that takes new entries, got one at {target} that does not"
                raise DataError(msg)
        self._tidy()

    def _tidy(self) -> None:
        """Remove the models used longest ago, and what a crash has left."""
        found = []
        for folder in self.place.iterdir():
            with suppress(OSError):  # another process has removed it
                found.append((folder.stat().st_mtime, folder))
        unfinished = [one for one in found if one[1].name.startswith(".new-")]
        others = sorted(one for one in found if one not in unfinished and one[1] != self._own)
        abandoned = [one for one in unfinished if one[0] < time.time() - ABANDONED]
        for _, folder in (*others[: max(0, len(others) - KEPT + 1)], *abandoned):
            shutil.rmtree(folder, ignore_errors=True)
