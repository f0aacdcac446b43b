"""Programs that tests run to their end."""

import os
import subprocess
import sys
from typing import Any


def ended(*command: object, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program that ends with this exit code, and return what it wrote."""
    words = [*map(str, command)]
    options = {"capture_output": True, "text": True} | options
    done = subprocess.run(words, check=False, **options)
    assert done.returncode == code, done.stderr[-5000:]
    return done


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this Python, which finds what these tests find, with arguments such as a script."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return ended(sys.executable, *arguments, **{"env": environment} | options)
