"""Memory that is returned while an index is written."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import os
from pathlib import Path
from tagsight.search.library import LARGEST, returning_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

assert len(b"x" * (LARGEST - 2**18))  # freed, it lets glibc put blocks of this size into heaps
with returning_memory():
    blocks, lasting = [], []
    for _ in range(12):
        blocks.append(b"x" * 2**22)
        lasting.append(b"x" * 2**18)
    before = resident()
    blocks.clear()
    print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are not told")
def test_what_is_freed_between_what_lasts_is_returned_while_an_index_is_built():
    # In a process of its own: gaps that other work has left are filled first.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert int(done.stdout) > 0.9 * 12 * 2**22
