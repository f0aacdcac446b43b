"""``tagsight formats``: the formats of labels, each with an example."""

from __future__ import annotations

from tagsight.commands.output import print_info, print_result


def formats() -> None:
    """List the formats of labels that are read, each with an example.

    ```console
    tagsight formats
    ```
    """
    print_info("formats, found by content; --format NAME decides. More: docs/how-to/own-data.md")

    from tagsight.data.readers import FORMATS

    for one in FORMATS.values():
        print_result([f"{one.name}: {one.description}", *_indented(one.example), ""])


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]
