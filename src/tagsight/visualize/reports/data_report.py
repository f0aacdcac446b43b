"""A collection as a self-contained HTML page: counts, examples, problems, near twins and sizes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tagsight.data.rules.problems import problem_lines
from tagsight.runtime.amounts import amount
from tagsight.visualize.reports.elements import Html, element, joined, name, text
from tagsight.visualize.reports.page import Cell, Column, Section, html_page, row, table
from tagsight.visualize.reports.pictures import BUDGET, Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.description import Description
    from tagsight.data.photos.check import Check

    Picture = Callable[[Path], Html]

EXAMPLES, MOST_LABELS, MOST_LISTED, MOST_TOGETHER = 4, 200, 20, 16
"""Pictures of a label, and labels, entries of a list, and labels of the table of pairs."""

SHADES = 6
"""Shades of the table of pairs, besides none."""


def data_report(
    description: Description,
    annotations: Annotations,
    check: Check | None,
    title: str,
    *,
    pictures_size: int = BUDGET,
    further: Sequence[Section] = (),
) -> str:
    """Show a collection on a page that contains small copies of some photos.

    Args:
        description: Summary of the collection (`describe`).
        annotations: Its rows.
        check: Result of `check_photos`; None for a page without pictures and sizes.
        title: Heading of the page.
        pictures_size: Characters that all pictures may take.
        further: Sections that follow the labels.

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
    pictures: Picture = Pictures(pictures_size).photo if check else lambda _: Html()
    sections = (
        Section("Problems", _problems(description, pictures)),
        Section("Labels", _labels(description, annotations, check, pictures)),
        *further,
        Section("Labels together", _together(annotations)),
        Section("Copies and near twins", _copies(description, pictures)),
        Section("Sizes and colour profiles", _sizes(check) if check else Html()),
    )
    return html_page(title, element("p", _summary(description)), sections)


def _summary(description: Description) -> str:
    splits = ", ".join(f"{size:,} {split}" for split, size in description.splits.items())
    return (
        f"{amount(description.photos, 'photo')} ({splits or 'no split'}), "
        f"{amount(description.labels, 'label')}, {description.labels_per_photo:.2f} labels per "
        f"photo; {amount(description.unlabelled, 'photo')} without a label, "
        f"{amount(description.unknown, 'unknown target')}. Format {description.format}."
    )


def _problems(description: Description, pictures: Picture) -> Html:
    lines = problem_lines(description.label_problems, MOST_LISTED, "'tagsight data --json' has all")
    items = [text(line.replace("`", "")) for line in lines]
    items += [text(leak.sentence()) for leak in description.leaks]
    items += [
        joined(pictures(path), f"{path}: {reason}")
        for path, reason in description.problems[:MOST_LISTED]
    ]
    items += _more(len(description.problems), "photo that cannot be used")
    if not items:
        return element("p", "None were found.") if description.checked else Html()
    return element("ul", [element("li", item) for item in items], class_="problems")


def _labels(
    description: Description, annotations: Annotations, check: Check | None, pictures: Picture
) -> Html:
    counted = ["all", *description.splits]
    columns = [Column("label", number=False), *map(Column, counted)]
    columns += [Column("examples", number=False, sortable=False)] if check else []
    largest = max((count["all"] for count in description.counts.values()), default=0) or 1
    order = sorted(description.counts, key=lambda label: -description.counts[label]["all"])
    place = {label: column for column, label in enumerate(annotations.names)}
    rows = []
    for label in order[:MOST_LABELS]:
        count = description.counts[label]
        bar = element("span", class_="bar", style=f"width:{100 * count['all'] / largest:.0f}%")
        cells: list[object] = [joined(name(label), bar)]
        cells += [f"{count[column]:,}" for column in counted]
        if check:
            examples = [pictures(path) for path in _examples(annotations, check, place[label])]
            cells.append(element("div", examples, class_="pictures"))
        rows.append(row(columns, cells))
    left = len(order) - MOST_LABELS
    more = element("p", f"Left out: {amount(left, 'rarer label')}.") if left > 0 else None
    return joined(table("Photos of each label", columns, rows), more)


def _examples(annotations: Annotations, check: Check | None, column: int) -> Iterator[Path]:
    """Yield some photos of a label, evenly from all that can be opened."""
    rows = (annotations.targets[:, column] == 1).nonzero().flatten().tolist()
    usable = [
        annotations.paths[row] for row in rows if check and annotations.paths[row] in check.hashes
    ]
    for part in range(min(EXAMPLES, len(usable))):
        yield usable[part * len(usable) // min(EXAMPLES, len(usable))]


def _together(annotations: Annotations) -> Html:
    present = annotations.targets == 1
    counts = present.sum(0)
    order = counts.argsort(descending=True, stable=True)[:MOST_TOGETHER]
    order = order[counts[order] > 0]
    if len(order) < 2:
        return Html()
    chosen = present[:, order].float()
    together, own = (chosen.T @ chosen).long().tolist(), counts[order].tolist()
    names = [annotations.names[i] for i in order.tolist()]
    columns = [Column("", number=False), *(Column(name(label)) for label in names)]
    rows = [
        row(
            columns,
            [name(label), *(Cell(f"{n:,}", n, f"shade{round(SHADES * n / own[i])}") for n in line)],
        )
        for i, (label, line) in enumerate(zip(names, together, strict=True))
    ]
    note = (
        "Photos with both labels, of the most frequent ones. The shade is the share of the photos "
        "with the row's label."
    )
    return joined(
        element("p", note, class_="faint"),
        table("Photos with two labels", columns, rows, kind="matrix fixed"),
    )


def _copies(description: Description, pictures: Picture) -> Html:
    parts = []
    for groups, kind in (
        (description.duplicates, "group of equal files"),
        (description.twins, "group of photos that look alike"),
    ):
        if groups:
            shown = [
                element("li", element("div", _figures(group, pictures), class_="pictures"))
                for group in groups[:MOST_LISTED]
            ]
            counted = amount(len(groups), "group") + kind.removeprefix("group")
            parts += [element("h3", counted), element("ul", shown, class_="groups")]
            parts += [element("p", line) for line in _more(len(groups), kind)]
    return joined(parts)


def _figures(group: Sequence[Path], pictures: Picture) -> Html:
    figures = [
        element("figure", pictures(path), element("figcaption", name(path.name)))
        for path in group[:EXAMPLES]
    ]
    left = len(group) - EXAMPLES
    more = element("p", f"and {left:,} more", class_="faint") if left > 0 else None
    return joined(figures, more)


def _sizes(check: Check) -> Html:
    sizes = Counter(traits.size for traits in check.traits.values())
    profiles = Counter(traits.profile or "none, taken as sRGB" for traits in check.traits.values())
    if not sizes:
        return Html()
    smallest = min(map(min, sizes))
    largest = max(sizes, key=lambda size: size[0] * size[1])
    note = (
        f"{amount(len(sizes), 'different size')}; the smallest side is {smallest:,} pixels, the "
        f"largest photo {_size(largest)}."
    )
    common = [(_size(size), count) for size, count in sizes.most_common(10)]
    return joined(
        element("p", note),
        _counts("width x height", common),
        _counts("colour profile", profiles.most_common(MOST_LISTED)),
    )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]:,} x {size[1]:,}"


def _counts(what: str, counts: Iterable[tuple[str, int]]) -> Html:
    columns = [Column(what, number=False), Column("photos")]
    rows = [row(columns, [name(value), f"{count:,}"]) for value, count in counts]
    return table(f"Photos by {what}", columns, rows)


def _more(count: int, thing: str) -> list[Html]:
    left = count - MOST_LISTED
    if left <= 0:
        return []
    return [text(f"{left:,} more of the kind: {thing}; 'tagsight data --json' has all")]
