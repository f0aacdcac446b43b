"""Description of the machine, as far as it decides how fast a model runs. Imports no torch."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

PROCESSOR_FILE = Path("/proc/cpuinfo")
"""File in which Linux describes the processors."""

GPU_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
"""Files that are there if a driver for GPUs is loaded: NVIDIA's, Windows' within Linux, AMD's."""


def machine() -> str:
    """Describe the processors and whether there is a GPU, in one line.

    Machines that are alike have equal descriptions; the name of the machine is not part of it.

    Example:
        >>> machine() == machine()
        True
    """
    gpu = any(file.exists() for file in GPU_FILES)
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    kind = f"{platform.system()} {platform.machine()}"
    return f"{kind}, {os.cpu_count() or 1} x {_processor()}, GPU {shown if gpu else 'none'}"


def _processor() -> str:
    """Return the processor's name and a digest of its instruction sets."""
    try:
        lines = PROCESSOR_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system
        return platform.processor()
    found = dict(line.partition(":")[::2] for line in lines if ":" in line)
    values = {name.strip(): value.strip() for name, value in found.items()}
    instructions = values.get("flags") or values.get("Features") or ""
    digest = hashlib.sha256(instructions.encode()).hexdigest()[:12]
    return f"{values.get('model name', platform.processor())} {digest}"
