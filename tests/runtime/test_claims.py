"""A file is held by one process at a time, also while another deletes it."""

import os
from pathlib import Path

import pytest
from forks import FORKS

from tagsight.errors import DataError
from tagsight.runtime.claims import claimed
from tagsight.tagging.unfinished import written_lines

PROCESSES, TIMES = 3, 300

HOLDING = {
    "a file": lambda folder: claimed(folder / "claim", "held"),
    "the lines of a run": lambda folder: written_lines(folder / "lines", [], "", "", step=1),
}


def hold_again_and_again(name: str, folder: Path) -> None:
    """Count how often the file was held, and fail if another process was inside as well."""
    held = 0
    for _ in range(TIMES):
        try:
            with HOLDING[name](folder):
                (folder / "inside").mkdir()  # fails if it exists
                for _ in range(20):
                    os.sched_yield()
                (folder / "inside").rmdir()
                held += 1
        except DataError:
            continue
    (folder / f"held-{os.getpid()}").write_text(str(held))


@pytest.mark.skipif(not hasattr(os, "sched_yield"), reason="open files are not deleted here")
@pytest.mark.parametrize("name", HOLDING)
def test_no_two_processes_hold_a_file_that_is_deleted_after_each_use(tmp_path, name):
    processes = [
        FORKS.Process(target=hold_again_and_again, args=(name, tmp_path)) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    assert sum(int(file.read_text()) for file in tmp_path.glob("held-*")) > 0
    with HOLDING[name](tmp_path):
        pass
    hidden = [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "claim"))]
    assert not hidden
