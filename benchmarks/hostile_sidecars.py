"""Sidecars and journals that are made to cost: processor time and memory, against limits.

Each is as large as it may be, or larger and then refused. A sidecar is edited and the edit taken
back; a journal has one change that unpacks to much. The limits are 3 seconds, and 16 times the
largest sidecar.
"""

from __future__ import annotations

import sqlite3
import time
import tracemalloc
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from table import HEADER, row

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.tagging.sidecars.changes import Change
from tagsight.tagging.sidecars.edit import Edit, Stamp, Tag
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.xmp import add_keywords, remove_keywords

RDF = b'xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
HEAD, TAIL = b"<r:RDF " + RDF + b"><r:Description>", b"</r:Description></r:RDF>"
SECONDS = 3.0
NAMESPACES = b" ".join(b'xmlns:p%d="u%d"' % (i, i) for i in range(49_000))


def attributes(count: int) -> bytes:
    return b"<a " + b" ".join(b'b%d=""' % i for i in range(count)) + b"/>"


SIDECARS = {
    "160 KB of elements": HEAD + b"<a/>" * 40_000 + TAIL,
    "most elements": HEAD + b"<a/>" * 99_900 + TAIL,
    "16 MB of elements": HEAD + b"<a/>" * 4_000_000 + TAIL,
    "most attributes": HEAD + attributes(199_000) + TAIL,
    "a million attributes": HEAD + attributes(1_000_000) + TAIL,
    "long namespace": HEAD + b"<a xmlns:b='" + b"u" * 15_000_000 + b"'/>" + TAIL,
    "many namespaces": HEAD + b"<a " + NAMESPACES + b"/>" + b'<b xmlns:q="r"/>' * 90_000 + TAIL,
    "long text": HEAD + b"x\n&amp;" * 2_000_000 + TAIL,
    "long comment": HEAD + b"<!--" + b"x" * 15_000_000 + b"-->" + TAIL,
    "long value": HEAD + b"<a b='" + b"x" * 15_000_000 + b"'/>" + TAIL,
    "deep": HEAD + b"<a>" * 90 + b"<b/>" * 90_000 + b"</a>" * 90 + TAIL,
}


def edit_and_take_back(content: bytes) -> str:
    try:
        edit = add_keywords(content, [Tag("dog", 0.9)], Stamp("model", "now"))
    except DataError as error:
        return str(error)
    assert edit is not None
    assert remove_keywords(edit.content, edit.additions) == content
    return "edited"


BOMB = zlib.compress(bytes(2**30))


def read_change(_: bytes) -> str:
    with TemporaryDirectory() as folder, Journal(Path(folder) / "journal") as journal:
        run = journal.begin("model", "txt", ending=".txt")
        (number,) = journal.note(run, [Change(Path("/a/b.txt"), b"", Edit(b"", (), ()))])
        with sqlite3.connect(journal.file) as database:
            database.execute("UPDATE changes SET before = ?", (BOMB,))
        try:
            journal.change(number)
        except DataError as error:
            return str(error).partition(": ")[2]
    return "read"


def main() -> None:
    print(HEADER)
    for name, content in (SIDECARS | {"journal of a gigabyte": b""}).items():
        work = edit_and_take_back if content else read_change
        before = time.process_time()
        told = work(content)
        spent = time.process_time() - before
        tracemalloc.start()
        work(content)
        peak, most = tracemalloc.get_traced_memory()[1], 16 * LARGEST
        tracemalloc.stop()
        row(
            f"{name}: {told:.60}",
            f"{spent:.2f} s",
            f"{SECONDS:.2f} s",
            spent / SECONDS,
            1,
            wanted="most",
        )
        peaks = f"{peak / 2**20:.0f} MiB", f"{most / 2**20:.0f} MiB"
        row(f"{name}, memory", *peaks, peak / most, 1, wanted="most")


if __name__ == "__main__":
    main()
