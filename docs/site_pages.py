"""Pages of the site that are generated: start, reference of commands, settings and the API."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from tagsight.cli import app
from tagsight.config import Settings, TrainConfig
from tagsight.systems.catalogue import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OF_THE_ROOT = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
}
"""Files of the repository's root, with the pages that they become."""

INDEX = "index.md"
"""The page of a folder that leads to the others, and comes first."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the folders that the navigation names."""
    config.nav = [_with_pages(entry) for entry in config.nav or []]
    return config


def _with_pages(entry: object) -> object:
    if isinstance(entry, dict):
        return {title: _with_pages(below) for title, below in entry.items()}
    if isinstance(entry, list):
        return [_with_pages(below) for below in entry]
    if isinstance(entry, str) and entry.endswith("/"):
        names = (page.name for page in (ROOT / "docs" / entry).glob("*.md"))
        return [f"{entry}{name}" for name in sorted(names, key=lambda name: (name != INDEX, name))]
    return entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {to: (ROOT / name).read_text(encoding="utf-8") for name, to in OF_THE_ROOT.items()}
    pages["reference/commands.md"] = f"# Commands\n\n{_commands()}"
    pages["reference/settings.md"] = "\n".join(_settings())
    pages["reference/api.md"] = "\n".join(_names())
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to the pages that files of the root became, and theirs to the pages of docs."""
    depth = page.file.src_uri.count("/")
    for name, to in OF_THE_ROOT.items():
        markdown = markdown.replace(f"]({'../' * (depth + 1)}{name}", f"]({'../' * depth}{to}")
        if page.file.src_uri in OF_THE_ROOT.values():
            markdown = markdown.replace(f"]({name}", f"]({to}")
    if page.file.src_uri in OF_THE_ROOT.values():
        markdown = markdown.replace("](docs/", "](").replace("](decisions)", "](architecture.md)")
    return markdown


def _commands() -> str:
    """Write the help of every command.

    Cyclopts puts the running program into the usage of commands: it is `tagsight`, not mkdocs.
    """
    running, sys.argv = sys.argv, ["tagsight"]
    try:
        return app.generate_docs(flatten_commands=True, heading_level=2)
    finally:
        sys.argv = running


def _settings() -> Iterator[str]:
    """Write every setting of the training and of each system, with its default and meaning."""
    yield "# Settings\n"
    yield (
        "Each is a flag of `tagsight train`, a key of a TOML file, and a key of `settings` in "
        "`tagsight.train`. Recipes set other values than these defaults: `tagsight recipes NAME`.\n"
    )
    yield "## Training\n"
    yield from _table("training", TrainConfig)
    for name, system in sorted(SYSTEMS.items()):
        yield f"\n## System {name}\n"
        yield from _table("system", system.Config)


def _table(prefix: str, kind: type[Settings]) -> Iterator[str]:
    yield "| setting | default | meaning |\n| --- | --- | --- |"
    for name, default, meaning in _rows(prefix, kind):
        shown = str(default).replace("|", r"\|")
        yield f"| `{name}` | `{shown}` | {' '.join(meaning.split())} |".replace("||", r"\|\|")


def _rows(prefix: str, kind: type[Settings]) -> Iterator[tuple[str, object, str]]:
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Settings):
            yield from _rows(f"{prefix}.{name}", type(default))
        else:
            yield f"{prefix}.{name}", default, field.description or ""


def _names() -> Iterator[str]:
    """Refer to every public name, in the order of ``__init__.pyi``."""
    yield "# Python\n"
    stub = (ROOT / "src" / "tagsight" / "__init__.pyi").read_text(encoding="utf-8")
    for module, name in re.findall(r"^from \.([\w.]+) import (\w+) as", stub, re.MULTILINE):
        yield f"::: tagsight.{module}.{name}\n"
