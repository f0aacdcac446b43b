"""The site of the documents: built strictly, complete, and without anything from elsewhere."""

import html
import re
from pathlib import Path

import pytest
from programs import python

import tagsight
from tagsight.cli import COMMANDS
from tagsight.config import TrainConfig

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Build the site; a link that leads nowhere ends that."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    python("-m", "mkdocs", "build", "--strict", "--site-dir", folder, cwd=ROOT)
    return folder


def shown(site: Path, page: str) -> str:
    text = (site / "reference" / page).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def test_the_reference_has_every_command_setting_and_public_name(site):
    commands, settings = shown(site, "commands.html"), shown(site, "settings.html")
    api = (site / "reference" / "api.html").read_text(encoding="utf-8")
    assert not [c.__name__ for c in COMMANDS if f"tagsight {c.__name__}" not in commands]
    assert "mkdocs" not in commands  # the program that writes the page
    assert not [n for n in TrainConfig.model_fields if f"training.{n}" not in settings]
    names = set(dir(tagsight)) - {"metrics", "search", "systems", "__version__"}
    assert not [name for name in names if not re.search(rf'id="tagsight\.[\w.]*\b{name}"', api)]


def test_no_page_loads_anything_from_elsewhere(site):
    loading = re.compile(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s>]+"
    )
    found = {
        page.name: loading.findall(page.read_text(encoding="utf-8"))
        for page in site.rglob("*.html")
    }
    assert not {name: links for name, links in found.items() if links}
