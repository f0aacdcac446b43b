import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """The elements of a report, which must be nested as HTML demands.

    Attributes:
        tags: Each element with its attributes.
        text: All text but that of styles and scripts.
        data: The JSON values for its scripts, if there are any.
    """

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data: Any = None
        self.feed(content)
        assert self.open == []
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open[-1:] == ["script"]:
            if self.tags[-1][1].get("type") == "application/json":
                self.data = json.loads(data)
        elif self.open[-1:] != ["style"]:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]
