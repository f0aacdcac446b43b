"""A collection as a self-contained HTML page: counts, examples, problems, near twins and sizes."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.data.rules.problems import problem_lines
from tagsight.errors import DataError
from tagsight.inference.notebook import data_url
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.description import Description
    from tagsight.data.photos.check import Check

SIDE, QUALITY = 128, 72
"""Longest side of the pictures in pixels, and the quality of their JPEGs."""

PICTURES_SIZE = 4_000_000
"""Characters of all pictures of a page."""

EXAMPLES, MOST_LABELS, MOST_LISTED, MOST_TOGETHER = 4, 200, 20, 16
"""Pictures of a label, and labels, entries of a list, and labels of the table of pairs."""

SHADES = 6
"""Shades of the table of pairs, besides none."""

_STYLE = """
:root { color-scheme: light dark; --ink: #22262c; --faint: #5a626e; --paper: #fff; --card: #f3f4f6;
  --line: #d5d9df; --mark: 37, 99, 175; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaee; --faint: #aab1bc; --paper: #17191d; --card: #22252b; --line: #3b4048;
    --mark: 120, 170, 240; --warn: #f0b35c; }
}
* { box-sizing: border-box; }
body { margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1rem; list-style: none; padding: 0; }
a { color: inherit; }
:focus-visible { outline: 3px solid rgb(var(--mark)); outline-offset: 2px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: middle; }
td.number, th.number { text-align: right; white-space: nowrap; }
th.name { font-weight: 500; min-width: 7rem; max-width: 20rem; }
.bar { display: block; height: .3rem; margin-top: .2rem; border-radius: .2rem;
  background: rgb(var(--mark)); }
.pictures { display: flex; flex-wrap: wrap; gap: .3rem; }
img { display: block; max-width: 100%; border-radius: .25rem; background: var(--card); }
table + table, .wide + .wide { margin-top: 1rem; }
table .pictures { flex-wrap: nowrap; }
table img { height: 64px; width: auto; max-width: none; }
.matrix thead th { white-space: normal; min-width: 3.2rem; max-width: 7rem;
  vertical-align: bottom; }
.shade1 { background: rgba(var(--mark), 0.075); } .shade2 { background: rgba(var(--mark), 0.150); }
.shade3 { background: rgba(var(--mark), 0.225); } .shade4 { background: rgba(var(--mark), 0.300); }
.shade5 { background: rgba(var(--mark), 0.375); } .shade6 { background: rgba(var(--mark), 0.450); }
figure { margin: 0; width: 128px; background: var(--card); border-radius: .4rem; padding: 4px; }
figcaption, .faint { color: var(--faint); font-size: .85rem; }
.groups > li { margin-bottom: 1rem; }
.problems li { color: var(--warn); }
"""


class Pictures:
    """Small copies of photos as data URLs, until together they are too large.

    Args:
        size: Characters that all of them may take.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def __call__(self, path: Path) -> str:
        """Return an ``img`` element, or nothing if the photo does not open or there is no room."""
        if self._left <= 0:
            return ""
        try:
            photo = open_photo(path, least_side=SIDE)
        except (DataError, OSError):
            return ""
        photo.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        url = data_url(photo, quality=QUALITY)
        self._left -= len(url)
        if self._left < 0:
            return ""
        width, height = photo.size
        return f'<img src="{url}" width="{width}" height="{height}" alt="{_text(path.name)}">'


def data_report(
    description: Description,
    annotations: Annotations,
    check: Check | None,
    title: str,
    *,
    pictures_size: int = PICTURES_SIZE,
) -> str:
    """Show a collection on a page that contains small copies of some photos.

    The page has no scripts and loads nothing.

    Args:
        description: Summary of the collection (`describe`).
        annotations: Its rows.
        check: Result of `check_photos`; None for a page without pictures and sizes.
        title: Heading of the page.
        pictures_size: Characters that all pictures may take.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.data.description import describe
        >>> rows = Annotations(("<b>",), (Path("a.jpg"),), torch.ones(1, 1), None, "any")
        >>> page = data_report(describe(rows), rows, None, "labels.csv")
        >>> "&lt;b&gt;" in page, "<b>" in page, "http" in page.replace("http-equiv", "")
        (True, False, False)
    """
    pictures: Callable[[Path], str] = Pictures(pictures_size) if check else lambda _: ""
    sections = {
        "Problems": _problems(description, pictures),
        "Labels": _labels(description, annotations, check, pictures),
        "Labels together": _together(annotations),
        "Copies and near twins": _copies(description, pictures),
        "Sizes and colour profiles": _sizes(check) if check else "",
    }
    shown = {name: content for name, content in sections.items() if content}
    links = "".join(f'<li><a href="#{_anchor(name)}">{name}</a></li>' for name in shown)
    parts = "".join(
        f'<section id="{_anchor(name)}"><h2>{name}</h2>{content}</section>'
        for name, content in shown.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{_text(title)}</h1><p>{_text(_summary(description))}</p>"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>{parts}</main></body></html>\n'
    )


def _summary(description: Description) -> str:
    splits = ", ".join(f"{size:,} {split}" for split, size in description.splits.items())
    return (
        f"{amount(description.photos, 'photo')} ({splits or 'no split'}), "
        f"{amount(description.labels, 'label')}, {description.labels_per_photo:.2f} labels per "
        f"photo; {amount(description.unlabelled, 'photo')} without a label, "
        f"{amount(description.unknown, 'unknown target')}. Format {description.format}."
    )


def _problems(description: Description, pictures: Callable[[Path], str]) -> str:
    lines = problem_lines(description.label_problems, MOST_LISTED, "'tagsight data --json' has all")
    lines += [leak.sentence() for leak in description.leaks]
    photos = [
        f"{pictures(path)}{_text(path)}: {_text(reason)}"
        for path, reason in description.problems[:MOST_LISTED]
    ]
    items = [*(_text(line.replace("`", "")) for line in lines), *photos]
    items += _more(len(description.problems), "photo that cannot be used")
    if not items:
        return "<p>None were found.</p>" if description.checked else ""
    return f'<ul class="problems">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _labels(
    description: Description,
    annotations: Annotations,
    check: Check | None,
    pictures: Callable[[Path], str],
) -> str:
    columns = ["all", *description.splits]
    head = "".join(f'<th scope="col" class="number">{column}</th>' for column in columns)
    largest = max((count["all"] for count in description.counts.values()), default=0) or 1
    order = sorted(description.counts, key=lambda name: -description.counts[name]["all"])
    place = {name: column for column, name in enumerate(annotations.names)}
    rows = []
    for name in order[:MOST_LABELS]:
        count = description.counts[name]
        share = 100 * count["all"] / largest
        examples = "".join(map(pictures, _examples(annotations, check, place[name])))
        rows.append(
            f'<tr><th scope="row" class="name">{_text(name)}'
            f'<span class="bar" style="width:{share:.0f}%"></span></th>'
            + "".join(f'<td class="number">{count[column]:,}</td>' for column in columns)
            + (f'<td><div class="pictures">{examples}</div></td>' if check else "")
            + "</tr>"
        )
    head += '<th scope="col">examples</th>' if check else ""
    left = len(order) - MOST_LABELS
    more = f"<p>Left out: {amount(left, 'rarer label')}.</p>" if left > 0 else ""
    return _table("Photos of each label", f'<th scope="col">label</th>{head}', rows) + more


def _examples(annotations: Annotations, check: Check | None, column: int) -> Iterator[Path]:
    """Yield some photos of a label, evenly from all that can be opened."""
    rows = (annotations.targets[:, column] == 1).nonzero().flatten().tolist()
    usable = [
        annotations.paths[row] for row in rows if check and annotations.paths[row] in check.hashes
    ]
    for part in range(min(EXAMPLES, len(usable))):
        yield usable[part * len(usable) // min(EXAMPLES, len(usable))]


def _together(annotations: Annotations) -> str:
    present = annotations.targets == 1
    counts = present.sum(0)
    order = counts.argsort(descending=True, stable=True)[:MOST_TOGETHER]
    order = order[counts[order] > 0]
    if len(order) < 2:
        return ""
    chosen = present[:, order].float()
    together, own = (chosen.T @ chosen).long().tolist(), counts[order].tolist()
    names = [annotations.names[i] for i in order.tolist()]
    head = "".join(f'<th scope="col" class="number">{_text(name)}</th>' for name in names)
    rows = [
        f'<tr><th scope="row" class="name">{_text(name)}</th>'
        + "".join(f'<td class="number shade{round(SHADES * n / own[i])}">{n:,}</td>' for n in line)
        + "</tr>"
        for i, (name, line) in enumerate(zip(names, together, strict=True))
    ]
    note = (
        '<p class="faint">Photos with both labels, of the most frequent ones. The shade is the '
        "share of the photos with the row's label.</p>"
    )
    return note + _table("Photos with two labels", f"<td></td>{head}", rows, " matrix")


def _copies(description: Description, pictures: Callable[[Path], str]) -> str:
    parts = []
    for groups, kind in (
        (description.duplicates, "group of equal files"),
        (description.twins, "group of photos that look alike"),
    ):
        if groups:
            shown = "".join(
                f'<li><div class="pictures">{_figures(group, pictures)}</div></li>'
                for group in groups[:MOST_LISTED]
            )
            more = "".join(f"<p>{line}</p>" for line in _more(len(groups), kind))
            counted = amount(len(groups), "group") + kind.removeprefix("group")
            parts.append(f'<h3>{counted}</h3><ul class="groups">{shown}</ul>{more}')
    return "".join(parts)


def _figures(group: Sequence[Path], pictures: Callable[[Path], str]) -> str:
    figures = "".join(
        f"<figure>{pictures(path)}<figcaption>{_text(path.name)}</figcaption></figure>"
        for path in group[:EXAMPLES]
    )
    left = len(group) - EXAMPLES
    return figures + (f'<p class="faint">and {left:,} more</p>' if left > 0 else "")


def _sizes(check: Check) -> str:
    sizes = Counter(traits.size for traits in check.traits.values())
    profiles = Counter(traits.profile or "none, taken as sRGB" for traits in check.traits.values())
    if not sizes:
        return ""
    smallest = min(map(min, sizes))
    largest = max(sizes, key=lambda size: size[0] * size[1])
    note = (
        f"<p>{amount(len(sizes), 'different size')}; the smallest side is {smallest:,} pixels, the "
        f"largest photo {_size(largest)}.</p>"
    )
    common = [(_size(size), count) for size, count in sizes.most_common(10)]
    return (
        note
        + _counts("width x height", common)
        + _counts("colour profile", profiles.most_common(MOST_LISTED))
    )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]:,} x {size[1]:,}"


def _counts(what: str, counts: Iterable[tuple[str, int]]) -> str:
    rows = [
        f'<tr><th scope="row" class="name">{_text(name)}</th><td class="number">{count:,}</td></tr>'
        for name, count in counts
    ]
    head = f'<th scope="col">{what}</th><th scope="col" class="number">photos</th>'
    return _table(f"Photos by {what}", head, rows)


def _table(label: str, head: str, rows: Iterable[str], kind: str = "") -> str:
    return (
        f'<div class="wide{kind}" role="region" aria-label="{label}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _more(count: int, thing: str) -> list[str]:
    left = count - MOST_LISTED
    return (
        [f"{left:,} more of the kind: {thing}; 'tagsight data --json' has all"] if left > 0 else []
    )


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _text(value: object) -> str:
    return escape(printable(str(value)))
