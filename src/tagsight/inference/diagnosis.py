"""Diagnosis of an installation: versions, devices, runtimes, installed encoders, caches."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.runtime.files import default_cache
from tagsight.runtime.packages import installed_version
from tagsight.runtime.private_paths import without_private_paths
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEVELOPMENT = frozenset({"bench", "browser", "dev", "distribution", "docs", "mutation"})
"""Extras that no user needs."""

MOST_FILES = 200_000
"""Files of a cache that are counted."""

PATIENCE = 10.0
"""Seconds that another program may take to tell its version."""

_REQUIREMENT = re.compile(
    r"""(?P<name>[\w.-]+)[^;]*?(?:;.*\bextra\s*==\s*["'](?P<extra>[\w-]+))?"""
)
_IN_HUB = re.compile(r"models--timm--(.+)")


@dataclass(frozen=True)
class Cache:
    """A folder that can be deleted, as its content can be computed or fetched again.

    Args:
        content: What is kept there.
        place: The folder, without private parts.
        files: Number of files.
        bytes: Their size.
        complete: Whether all files were counted.
    """

    content: str
    place: str
    files: int
    bytes: int
    complete: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """The contents of an installation.

    Args:
        tagsight: Version of the package.
        python: Version and kind of Python.
        system: Operating system and type of processor.
        processors: Number of processors.
        memory: Memory of the machine, in bytes; None if it does not tell.
        devices: What torch can compute on, by the value of ``device``.
        runtimes: Version of each runtime and its devices, or why it does not start.
        extras: Versions of each extra's packages; None for a missing one. The packages that every
            use needs are under the empty name.
        encoders: Encoders whose pretrained weights are on this machine, and where from.
        programs: Versions of other programs that are used; None for a missing one.
        caches: The caches.
        free: Bytes that are free on the disk of the caches.

    Example:
        >>> found = diagnose()
        >>> found.tagsight == __version__, "cpu" in found.devices
        (True, True)
    """

    tagsight: str
    python: str
    system: str
    processors: int
    memory: int | None
    devices: Mapping[str, str]
    runtimes: Mapping[str, str]
    extras: Mapping[str, Mapping[str, str | None]]
    encoders: Mapping[str, str]
    programs: Mapping[str, str | None]
    caches: tuple[Cache, ...]
    free: int


def diagnose() -> Diagnosis:
    """Look at this installation. Nothing is fetched, and no private path is told.

    Example:
        >>> sorted(diagnose().runtimes)
        ['onnxruntime', 'openvino', 'torch']
    """
    kind = platform.python_implementation()
    return Diagnosis(
        tagsight=__version__,
        python=f"{platform.python_version()} ({kind})",
        system=" ".join([platform.system(), platform.release(), platform.machine()]),
        processors=os.cpu_count() or 1,
        memory=_memory(),
        devices=_devices(),
        runtimes={name: _attempt(tell) for name, tell in _RUNTIMES.items()},
        extras=_extras(),
        encoders=dict(_encoders()),
        programs={"exiftool": _program("exiftool", "-ver")},
        caches=tuple(_caches()),
        free=shutil.disk_usage(_nearest(default_cache())).free,
    )


def _attempt(tell: Callable[[], str]) -> str:
    try:
        return tell()
    except ModuleNotFoundError:
        return "not installed"
    except Exception as error:  # libraries that do not start fail in many ways
        reason = next(iter(str(error).splitlines()), "")
        return without_private_paths(f"does not start: {type(error).__name__} {reason}".rstrip())


def _torch() -> str:
    torch = import_module("torch")
    toolkit = torch.version.cuda or torch.version.hip
    return torch.__version__ + (f", built for {toolkit}" if toolkit else "")


def _onnxruntime() -> str:
    runtime = import_module("onnxruntime")
    return f"{runtime.__version__}, {', '.join(runtime.get_available_providers())}"


def _openvino() -> str:
    openvino = import_module("openvino")
    devices = ", ".join(openvino.Core().available_devices)
    return f"{openvino.__version__.partition('-')[0]}, {devices}"


_RUNTIMES: Mapping[str, Callable[[], str]] = {
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}


def _devices() -> dict[str, str]:
    """Describe the devices of torch; without torch, the processor alone."""
    found = {"cpu": _processor()}
    with suppress(Exception):  # told by the runtime
        import torch

        from tagsight.runtime.device import Runtime

        found["cpu"] += f", trains in {Runtime.choose('cpu').precision}"
        for number in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(number)
            memory = f"{facts.total_memory / 2**30:.1f} GiB"
            found[f"cuda:{number}"] = f"{facts.name}, {memory}, {facts.major}.{facts.minor}"
        for name in ("mps", "xpu"):
            module = getattr(torch, name, None)
            if module is not None and module.is_available():
                found[name] = "there, and used if it is named"
    return found


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    with suppress(AttributeError, OSError, ValueError):  # not on every system
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _extras() -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for line in requires("tagsight") or ():
        parts = _REQUIREMENT.fullmatch(line.rstrip("\"'"))
        if parts is None or parts["extra"] in DEVELOPMENT:
            continue
        name = parts["name"]
        if name != "tagsight":
            found.setdefault(parts["extra"] or "", {})[name] = installed_version(name)
    return found


def _encoders() -> Iterator[tuple[str, str]]:
    """Yield encoders with weights in installed packages, and those of timm in the hub's cache."""
    with suppress(ImportError):
        from tagsight.nn.encoder_weights import INSTALLED

        for name, weights in INSTALLED.items():
            if find_spec(weights.package) is not None:
                yield name, "installed"
    hub = _hub_cache()
    names = sorted(path.name for path in hub.iterdir()) if hub and hub.is_dir() else []
    for found in filter(None, map(_IN_HUB.fullmatch, names)):
        yield found[1], "cache of the hub"


def _hub_cache() -> Path | None:
    with suppress(ImportError):
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE)
    return None


def _program(name: str, option: str) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [path, option], check=False, capture_output=True, text=True, timeout=PATIENCE
        )
        return next(iter(done.stdout.splitlines()), None)
    return None


_KEPT = {
    "remote": "photos and tables fetched from URLs",
    "photos": "photos that were inside files",
    "runtimes": "models exported for the runtime that is fastest here",
}


def _caches() -> Iterator[Cache]:
    folder = default_cache()
    yield _counted("features of frozen encoder stages", folder, deep=False)
    for name, content in _KEPT.items():
        yield _counted(content, folder / name)
    if hub := _hub_cache():
        yield _counted("models of the Hugging Face Hub, of all programs", hub)


def _counted(content: str, folder: Path, *, deep: bool = True) -> Cache:
    files = size = 0
    for path in _files(folder, deep=deep):
        if files == MOST_FILES:
            break
        with suppress(OSError):  # deleted meanwhile
            size += path.stat(follow_symlinks=False).st_size
            files += 1
    place = without_private_paths(str(folder))
    return Cache(content, place, files, size, complete=files < MOST_FILES)


def _files(folder: Path, *, deep: bool) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a folder, following no links."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if deep:
                yield from _files(Path(entry.path), deep=True)
        else:
            yield entry


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one around it that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())
