"""Labels that may not mean what they say, found in names and targets before a photo is opened."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight.data.counting import photos_with
from tagsight.data.tables.encodings import read_as_unicode
from tagsight.data.tags.text import leaf
from tagsight.runtime.amounts import MOST_NAMED, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from tagsight.data.annotations import Annotations

Kind = Literal[
    "variants",
    "garbled",
    "joined",
    "adorned",
    "missing",
    "nothing",
    "numbers",
    "everywhere",
    "untrained",
    "inseparable",
    "rules",
]
KINDS: Mapping[Kind, str] = {
    "variants": "groups of names that look like one label",
    "garbled": "names in a wrong encoding",
    "joined": "names that look like several labels",
    "adorned": "names that look like a label with a number or a heading",
    "missing": "names that look like missing values",
    "nothing": "labels that may say that no other is present",
    "numbers": "labels that are numbers",
    "everywhere": "labels that all photos have",
    "untrained": "labels in no training photo",
    "inseparable": "groups of labels that always occur together",
    "rules": "photos that contradict the rules",
}
"""What there is more of, where not all problems of a kind are listed."""

MISSING = frozenset({"nan", "none", "null", "nil", "na", "n/a", "<na>", "undefined", "-", "?"})
"""Words for nothing, in lower case, that other programs write into empty cells."""

_PAIRS = (
    "\u0430a\u0432b\u0441c\u0435e\u043dh\u04bbh\u0456i\u0458j\u043ak\u043cm\u043eo\u0440p\u0455s\u0442t\u0443y\u0445x"
    "\u03b1a\u03b9i\u03bak\u03bfo\u03c1p\u03c4t\u03c5u\u03bdv\u03c7x"
)
LOOK_ALIKE = {ord(letter): latin for letter, latin in zip(_PAIRS[::2], _PAIRS[1::2], strict=True)}
"""Letters of the Cyrillic and the Greek alphabet, and the Latin ones that look like them."""

NOTHING = frozenset(
    {"nofinding", "nofindings", "empty", "blank", "background", "nothing", "noneoftheabove"}
    | {"nolabel", "unlabeled", "unlabelled", "noobject", "healthy", "normal", "negative"}
)
"""Names, reduced to letters, of labels that may say that no other is present."""

MOST_RENAMED = 5
"""Names that a message renames."""

_JOINTS = re.compile(r"[\s;,|/#&+_]+")
_SEPARATORS = re.compile(r"\s*[;|,#]\s*")
"""Marks that names hardly have, so that one part that is a label makes the others suspicious."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_ADORNED = {
    "a number": re.compile(r"(.*[^\W\d])\s*[:=]\s*[+-]?\d+([.,]\d+)?\s*%?"),
    "a heading": re.compile(
        r"(?:tag|keyword|label|category|categorie)s?\s*[:=]\s*(.+)", re.IGNORECASE
    ),
}
"""What a name has beside a label, such as a count or a confidence, and where the label is in it."""
_IN_RULES = re.compile("[=,]")


class LabelProblem(NamedTuple):
    """A suspicion about labels.

    Attributes:
        kind: A key of `KINDS`.
        labels: The labels it is about.
        message: The suspicion in a sentence, with the rule that mends it.
    """

    kind: Kind
    labels: tuple[str, ...]
    message: str


def label_problems(annotations: Annotations) -> tuple[LabelProblem, ...]:
    """Find labels that may not mean what they say, in the order of `KINDS`.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("a.jpg"), Path("b.jpg"))
        >>> rows = Annotations(("Red", "red"), paths, torch.eye(2), None, "any")
        >>> print(label_problems(rows)[0].message)
        'Red', 'red' look like one label; `merge` "Red=red" makes them one
    """
    names = annotations.names
    counts = dict(zip(names, photos_with(annotations.targets), strict=True))
    absent = dict(zip(names, photos_with(annotations.targets, 0), strict=True))
    everywhere = [name for name in names if not absent[name] and counts[name] > 1]
    return (
        *_variants(counts),
        *_garbled(names),
        *_joined(names),
        *_adorned(names),
        *_missing(names),
        *_nothing(annotations, counts),
        *_numbers(names),
        *(
            LabelProblem("everywhere", (name,), f"no photo is known to lack {name!r}")
            for name in everywhere
        ),
        *_untrained(annotations),
        *_inseparable(annotations, counts),
        *(
            LabelProblem("rules", labels, f"{photo}: {named(labels)} contradict the rules")
            for photo, labels in annotations.contradictions
        ),
    )


def lookalikes(names: Iterable[str], labels: Iterable[str]) -> str:
    r"""Describe the names that look like labels that are not among them; empty if none does.

    Args:
        names: Names of other data.
        labels: The labels of a model.

    Example:
        >>> lookalikes(["Dog", "sky"], ["dog", "sky"])
        '\'Dog\' looks like the label \'dog\'; `rename` "Dog=dog" makes it the label'
        >>> lookalikes(["sea"], ["dog"])
        ''
    """
    given = list(dict.fromkeys(names))
    missing = {_plain(label): label for label in labels if label not in set(given)}
    pairs = [
        (name, missing[key])
        for name in given
        for key in dict.fromkeys((_plain(name), _plain(leaf(name))))
        if key in missing
    ]
    if not pairs:
        return ""
    writable = [pair for pair in pairs if not any(_IN_RULES.search(name) for name in pair)]
    rules = " ".join(f'`rename` "{name}={label}"' for name, label in writable[:MOST_RENAMED])
    mends = f"{rules} makes it the label" if rules else "a file of `label_rules` mends it"
    (name, label), more = pairs[0], len(pairs) - 1
    others = f", and {more:,} more look like labels" if more else ""
    return f"{name!r} looks like the label {label!r}{others}; {mends}"


def problem_lines(problems: Iterable[LabelProblem], most: int, all_in: str) -> list[str]:
    """List problems, at most ``most`` of each kind.

    Args:
        problems: The problems.
        most: Number of problems of a kind to list.
        all_in: Says where all are listed.

    Example:
        >>> problems = [LabelProblem("untrained", (n,), f"{n!r} is rare") for n in "abc"]
        >>> problem_lines(problems, 2, "--json lists them all")
        ["'a' is rare", "'b' is rare", '1 more labels in no training photo; --json lists them all']
    """
    messages: dict[Kind, list[str]] = defaultdict(list)
    for problem in problems:
        messages[problem.kind].append(problem.message)
    lines: list[str] = []
    for kind, each in messages.items():
        lines += each[:most]
        if len(each) > most:
            lines.append(f"{len(each) - most:,} more {KINDS[kind]}; {all_in}")
    return lines


def _variants(counts: Mapping[str, int]) -> Iterator[LabelProblem]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        groups[_plain(name)].append(name)
    for group in groups.values():
        if len(group) > 1:
            yield LabelProblem(
                "variants",
                tuple(group),
                f"{named(group)} look like one label; {_merge(group, counts)}",
            )


def _plain(name: str) -> str:
    """Return a name without case, accents, blanks, hyphens and the plural of its last word.

    Letters of other alphabets that look like Latin ones are these.
    """
    name = repaired(name)
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    key = re.sub(r"[\W_]+", "", bare.casefold()).translate(LOOK_ALIKE) or name
    if len(key) > 3 and key.endswith("s") and not key.endswith(("ss", "us", "is")):
        key = re.sub(r"ies$", "y", key) if key.endswith("ies") else key
        key = re.sub(r"(?<=sh|ch|ss)es$|(?<=[xz])es$|s$", "", key)
    return key


def _merge(group: Sequence[str], counts: Mapping[str, int]) -> str:
    label = max(group, key=lambda name: counts[name])
    others = [name for name in group if name != label]
    if len(group) > MOST_NAMED or any(_IN_RULES.search(name) for name in group):
        return "a file of `label_rules` can make them one"
    return f'`merge` "{label}={",".join(others)}" makes them one'


def repaired(name: str) -> str:
    r"""Return a name that was written in UTF-8 and read as Windows-1252 as it was.

    Example:
        >>> repaired("gr\u00c3\u00bcn") == "gr\u00fcn", repaired("caf\u00e9") == "caf\u00e9"
        (True, True)
    """
    try:
        return name if name.isascii() else name.encode("cp1252").decode()
    except UnicodeError:
        return name


def _garbled(names: Sequence[str]) -> Iterator[LabelProblem]:
    for name, readings in read_as_unicode(names).items():
        meant = " or ".join(f"{text!r} in {encoding}" for encoding, text in readings.items())
        yield LabelProblem(
            "garbled",
            (name,),
            f"{name!r} would be {meant}; if so, name the table's `encoding`, "
            f'such as "{next(iter(readings))}"',
        )
    for name in names:
        if (meant := repaired(name)) != name:
            mends = "a file of `label_rules` can rename it"
            if not _IN_RULES.search(name + meant):
                mends = f'`rename` "{name}={meant}" mends it' * (meant not in names) or _merge(
                    (name, meant), {name: 0, meant: 1}
                )
            yield LabelProblem(
                "garbled", (name,), f"{name!r} looks like {meant!r} in a wrong encoding; {mends}"
            )


def _joined(names: Sequence[str]) -> Iterator[LabelProblem]:
    known = {_plain(name): name for name in names}
    for name in names:
        found = _labels_in(name, known)
        if found and name not in found:
            mends = "a file of `label_rules` can give its photos each"
            if not any(_IN_RULES.search(one) for one in (name, *found)):
                mends = (
                    f'`implies` "{name}=>{",".join(found)}" with `drop` "{name}" gives its photos '
                    "each"
                )
            yield LabelProblem(
                "joined", (name,), f"{name!r} looks like several labels, {named(found)}; {mends}"
            )


def _labels_in(name: str, known: Mapping[str, str]) -> list[str]:
    """Return the labels that a name joins: all of its parts, or those between separators."""
    parts = [_plain(part) for part in _JOINTS.split(name) if part]
    if len(parts) > 1 and known.keys() >= set(parts):
        return [known[part] for part in parts]
    divided = [part for part in _SEPARATORS.split(name) if part]
    found = [known.get(_plain(part), part) for part in divided]
    return found if len(found) > 1 and any(_plain(part) in known for part in divided) else []


def _adorned(names: Sequence[str]) -> Iterator[LabelProblem]:
    for what, pattern in _ADORNED.items():
        meant = {name: found[1] for name in names if (found := pattern.fullmatch(name))}
        for label in dict.fromkeys(meant.values()):
            group = tuple(name for name, own in meant.items() if own == label)
            mends = "a file of `label_rules` can make it the label"
            if not any(_IN_RULES.search(name) for name in (label, *group)):
                mends = f'`merge` "{label}={",".join(group)}" makes it the label'
            looks = "looks" if len(group) == 1 else "look"
            yield LabelProblem(
                "adorned", group, f"{named(group)} {looks} like {label!r} with {what}; {mends}"
            )


def _missing(names: Sequence[str]) -> Iterator[LabelProblem]:
    for name in names:
        if name.casefold() in MISSING:
            mends = (
                f'`drop` "{name}" leaves it out; `no_finding` "{name}" takes it as no other label'
            )
            yield LabelProblem(
                "missing", (name,), f"{name!r} is a label, and looks like a missing value; {mends}"
            )


def _nothing(annotations: Annotations, counts: Mapping[str, int]) -> Iterator[LabelProblem]:
    for column, name in enumerate(annotations.names):
        if counts[name] and re.sub(r"[\W_]+", "", name.casefold()) in NOTHING:
            rows = annotations.targets[annotations.targets[:, column] == 1]
            if int((rows == 1).sum()) == len(rows) < len(annotations):
                yield LabelProblem(
                    "nothing",
                    (name,),
                    f"{name!r} is on photos without any other label: if it says that none is "
                    f'present, `no_finding` "{name}" takes it so',
                )


def _numbers(names: Sequence[str]) -> Iterator[LabelProblem]:
    numbers = tuple(name for name in names if _NUMBER.fullmatch(name))
    if numbers:
        are = "are numbers" if len(numbers) > 1 else "is a number"
        yield LabelProblem(
            "numbers",
            numbers,
            f'{named(numbers)} {are}; `rename` "{numbers[0]}=its name" gives a label a name',
        )


def _untrained(annotations: Annotations) -> Iterator[LabelProblem]:
    rows = annotations.are_in("train") if "train" in annotations.split_sizes else None
    trained = photos_with(annotations.targets, rows=rows)
    for name, count in zip(annotations.names, trained, strict=True):
        if not count:
            yield LabelProblem("untrained", (name,), f"{name!r} is in no training photo")


def _inseparable(annotations: Annotations, counts: Mapping[str, int]) -> Iterator[LabelProblem]:
    groups: dict[bytes, list[str]] = defaultdict(list)
    alike = Counter(counts.values())  # others differ in a photo at least
    for column, name in enumerate(annotations.names):
        if counts[name] and alike[counts[name]] > 1:
            groups[_digest(annotations.targets[:, column] == 1)].append(name)
    for group in groups.values():
        if len(group) > 1:
            yield LabelProblem(
                "inseparable",
                tuple(group),
                f"{named(group)} always occur together: no model can tell them apart; "
                f"{_merge(group, counts)}",
            )


def _digest(column: Tensor) -> bytes:
    return blake2b(column.numpy().tobytes(), digest_size=16).digest()
