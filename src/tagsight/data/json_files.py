"""JSON files of others: a look at their beginning, and reading within bounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.json_comments import COMMENT, behind_comments, without_comments
from tagsight.data.source import is_file, require_file
from tagsight.errors import DataError
from tagsight.runtime.collection import no_collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK = 2**20
"""Bytes of a file that are looked at to find its format."""

LARGEST_FILE = 2 * 2**30
LONGEST_LINE = 2**24
MOST_ENTRIES = 2**25
"""Objects and lists in a file; the official training file of COCO has about four million."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|:\s*(?=(\S?))|[^"{}\[\]:]+', re.DOTALL)
_TO_VALUE = re.compile(rb"\s*+:\s*+(?=[\[{])")
_BRACKET = re.compile(rb'[\[{]()|[\]}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


class Outline(NamedTuple):
    """The form of a JSON file, as its beginning shows it.

    Attributes:
        top: ``{``, ``[`` or, if it is no JSON object or list, nothing.
        keys: Keys of the object, or of the first object in the list, each with the first character
            of its value.
        lines: Whether another object follows the first: JSON lines.
    """

    top: str = ""
    keys: dict[str, str] = {}  # noqa: RUF012 - the default of a named tuple, never changed
    lines: bool = False


def outline(file: Path, *within: str) -> Outline:
    """Look at the first MiB of a file; what is no JSON has an empty outline.

    Args:
        file: The file.
        within: A key of its object, and keys in its value, of whose value the outline is instead.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "labels.json")
        ...     _ = file.write_text('{"photos": [{"image": "a.jpg", "labels": ["dog"]}]}')
        ...     outline(file), outline(file, "photos").keys
        (Outline(top='{', keys={'photos': '['}, lines=False), {'image': '"', 'labels': '['})
    """
    if not is_file(file):
        return Outline()
    status = file.stat()
    version = file, status.st_mtime_ns, status.st_size
    return _outline(*version, *within)[0]


@lru_cache(maxsize=64)  # every format asks
def _outline(
    file: Path, changed: int, size: int, *within: str
) -> tuple[Outline, dict[str, int], int]:
    """Return an outline, where the value of each of its keys begins, and where it begins itself."""
    if not within:
        return (*_outline_of(_beginning(file, changed, size)), 0)
    *above, key = within
    _, places, start = _outline(file, changed, size, *above)
    if key not in places:
        return Outline(), {}, 0
    start += places[key]
    return (*_outline_of(_beginning(file, changed, size)[start:]), start)


def beginning(file: Path, *within: str) -> str:
    """Return the text of the first MiB of a JSON file, or of it from the value of a key on.

    Comments in it are blanks.

    Args:
        file: The file.
        within: As for `outline`.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("labels.json").write_text('{"dog": ["a.jpg"]}')
        >>> beginning(Path("labels.json"))
        '{"dog": ["a.jpg"]}'
    """
    status = file.stat()
    version = file, status.st_mtime_ns, status.st_size
    return _beginning(*version)[_outline(*version, *within)[2] if within else 0 :]


@lru_cache(maxsize=4)
def _beginning(file: Path, _changed: int, _size: int) -> str:
    with file.open("rb") as handle:
        start = handle.read(LOOK)
    text = start.decode(_encoding(start), errors="replace").lstrip("\ufeff \t\r\n")
    return without_comments(behind_comments(text)) if "//" in text or "/*" in text else text


def _outline_of(text: str) -> tuple[Outline, dict[str, int]]:
    """Return the outline of JSON, and where the value of each of its keys begins."""
    if not text.startswith(("{", "[")):
        return Outline(), {}
    level = 1 if text[0] == "{" else 2
    keys: dict[str, str] = {}
    places: dict[str, int] = {}
    depth = position = 0
    last = ""
    while match := _TOKEN.match(text, position):
        position = match.end()
        token = match[0]
        if token in {"{", "["}:
            depth += 1
            if depth == level and token == "[":
                break
        elif token in {"}", "]"}:
            depth -= 1
            if depth < level:
                lines = level == 1 and text[position:].lstrip().startswith("{")
                return Outline(text[0], keys, lines), places
        elif depth == level and token[0] == '"':
            last = token[1:-1]
        elif depth == level and token[0] == ":":
            keys[last], places[last] = match[1], position
    return Outline(text[0], keys), places


def _encoding(start: bytes) -> str:
    """Return the encoding of JSON that begins with some bytes, as `json.loads` finds it."""
    return json.detect_encoding(start).replace("utf-8-sig", "utf-8")


def read_json(
    file: Path,
    kind: type[dict[str, Any]] | type[list[Any]],
    what: str,
    *,
    without: str | None = None,
    once: bool = False,
) -> Any:  # noqa: ANN401 - plain-data border
    """Read a JSON file.

    Args:
        file: The file.
        kind: ``dict`` or ``list``, for what the file must hold.
        what: Words for the error, such as "a list of tasks".
        without: A key whose lists and objects are left out (`without_values`).
        once: Whether to refuse a key that an object has twice, of which Python keeps the last.

    Comments, and commas behind the last entry, are passed over.

    Raises:
        DataError: If the file is too large, has too many entries or too deep ones, or is no JSON
            of this kind.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "tasks.json")
        ...     _ = file.write_text('[{"id": 1}]')
        ...     read_json(file, list, "a list of tasks")
        [{'id': 1}]
    """
    text = require_file(file, largest=LARGEST_FILE).read_bytes()
    if without is not None:
        text = without_values(text, without)
    # Each takes at least fifty bytes of memory, however short its text.
    if (entries := text.count(b"{") + text.count(b"[")) > MOST_ENTRIES:
        msg = f"{file}: expected at most {MOST_ENTRIES:,} objects and lists, got {entries:,}"
        raise DataError(msg)
    with no_collection():  # parsing makes no circles of objects
        try:
            content = _parsed(text, str(file), what, once=once)
        except _MalformedError:  # a comment may hold brackets
            text = _plain(file.read_bytes())
            text = text if without is None else without_values(text, without)
            content = _parsed(text, str(file), what, once=once)
    if not isinstance(content, kind):
        msg = f"{file}: expected {what}, got {shortened(content)}"
        raise DataError(msg)
    return content


def without_values(text: bytes, key: str) -> bytes:
    """Return JSON with null in place of the lists and objects under a key.

    Most of a large file may be values that nobody needs, such as outlines of objects; they then
    take no time to parse, and no memory.

    Example:
        >>> without_values(b'{"id": 1, "outline": [[1.5, 2], ["]"]], "size": [3]}', "outline")
        b'{"id": 1, "outline": null, "size": [3]}'
    """
    quoted = json.dumps(key).encode()
    kept: list[bytes] = []
    done = position = 0
    while (position := text.find(quoted, position)) >= 0:
        is_escaped = text[position - 1 : position] == b"\\"
        position += len(quoted)
        value = None if is_escaped else _TO_VALUE.match(text, position)
        if value is None:
            continue
        end = _end(text, value.end())
        if end is None:
            break
        kept += text[done : value.end()], b"null"
        done = position = end
    return b"".join([*kept, text[done:]])


def _end(text: bytes, start: int) -> int | None:
    """Return where the list or object ends that starts at a position, or None if it does not."""
    # A list of numbers, as most are, ends at the last bracket before the next key, or the end of
    # the object it is in. This looks for single bytes, as patterns would take the most time.
    quote = text.find(b'"', start)
    stop = len(text) if quote < 0 else quote
    brace = text.find(b"}", start, stop)
    stop = stop if brace < 0 else brace
    end = text.rfind(b"]", start, stop) + 1
    opened = text.count(b"[", start, end)
    if opened and opened == text.count(b"]", start, end) and text.find(b"{", start, end) < 0:
        return end
    depth = 0
    for match in _BRACKET.finditer(text, start):
        if match[0][0] != ord('"'):
            depth += 1 if match[1] is not None else -1
            if depth == 0:
                return match.end()
    return None


def read_json_lines(
    file: Path,
    what: str,
    *,
    once: bool = False,
    kind: type[dict[str, Any]] | type[list[Any]] = dict,
) -> Iterator[tuple[int, Any]]:
    r"""Yield the number and the object of each line that is not blank.

    Objects may also be indented, as ``jq`` prints them: if the first line is a bracket alone, each
    object ends with the next line that begins with one, and its number is that of its first line.

    Args:
        file: The file.
        what: Words for the error, such as "a task".
        once: Whether to refuse a key that an object has twice, of which Python keeps the last.
        kind: ``dict`` or ``list``, for what each line must hold.

    Raises:
        DataError: If the file, a line or an object is too large, or a line holds something else.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "photos.jsonl")
        ...     _ = file.write_text('{"id": 1}\n\n{"id": 2}\n')
        ...     list(read_json_lines(file, "an object of a photo"))
        [(1, {'id': 1}), (3, {'id': 2})]
    """
    with require_file(file, largest=LARGEST_FILE).open("rb") as handle:
        encoding = _encoding(handle.read(4))
    for number, text in _objects(file, encoding):
        content = text.encode(errors="surrogateescape")
        if text.startswith(COMMENT):
            continue
        try:
            value = _parsed(content, f"{file}:{number}", what, once=once)
        except _MalformedError:
            value = _parsed(_plain(content), f"{file}:{number}", what, once=once)
        if not isinstance(value, kind):
            msg = f"{file}:{number}: expected {what}, got {shortened(value)}"
            raise DataError(msg)
        yield number, value


def _objects(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield the first line's number and the text of each object."""
    begun: list[str] = []
    first = size = 0
    is_indented: bool | None = None
    for number, line in enumerate(_lines(file, encoding), 1):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        is_indented = text == "{" if is_indented is None else is_indented
        if not is_indented:
            yield number, text
            continue
        if begun and line.startswith("}"):
            yield first, "".join([*begun, "}"])
            begun, size, text = [], 0, text[1:].lstrip()
        if text:
            first = first if begun else number
            begun.append(text)
            size += len(text)
        if size > LONGEST_LINE:
            msg = f"{file}:{first}: expected objects of at most {LONGEST_LINE:,} characters"
            raise DataError(f"{msg}, got a larger one: write one object a line")
    if begun:
        yield first, "".join(begun)


def _lines(file: Path, encoding: str) -> Iterator[str]:
    """Yield lines of bounded length; bytes that are no UTF-8 are kept, for `_parsed` to refuse."""
    with file.open(encoding=encoding, errors="surrogateescape") as handle:
        try:
            yield from iter(lambda: handle.readline(LONGEST_LINE), "")
        except UnicodeDecodeError as error:
            msg = f"{file}: expected JSON in {encoding}, got: {error}"
            raise DataError(msg) from error


def _once(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        msg = f"{where}: expected each key once, got {twice!r} several times: join what they have"
        raise DataError(msg)
    return found


class _MalformedError(DataError):
    """Text is no JSON, or JSON with comments."""


def _plain(text: bytes) -> bytes:
    """Return JSON without comments, or as it is if it is none in its encoding."""
    try:
        return without_comments(text.decode(_encoding(text[:4]))).encode()
    except UnicodeDecodeError:
        return text


def _parsed(text: bytes, where: str, what: str, *, once: bool = False) -> Any:  # noqa: ANN401 - plain-data border
    try:
        return json.loads(text, object_pairs_hook=partial(_once, where) if once else None)
    except DataError:
        raise
    except RecursionError:
        msg = f"{where}: expected {what}, got JSON that is nested too deeply"
        raise DataError(msg) from None
    except ValueError as error:
        msg = f"{where}: expected JSON, got: {error}"
        raise _MalformedError(msg) from error


def shortened(value: object) -> str:
    """Return a value as an error shows it.

    Example:
        >>> shortened(["cat", "dog"])
        "['cat', 'dog']"
        >>> len(shortened("cat" * 100))
        79
    """
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]}..."
