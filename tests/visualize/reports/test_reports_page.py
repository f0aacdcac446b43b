"""The page that all reports are: safe whatever it shows, and with scripts of its own only."""

import base64
import hashlib
import re

import pytest
from report_page import Page

from tagsight.visualize.reports.elements import Html, element, name
from tagsight.visualize.reports.page import (
    Cell,
    Column,
    Section,
    html_page,
    resource,
    row,
    table,
)

HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=y>', "dog\u202egpj.exe")


def test_only_the_scripts_of_the_package_may_run_and_nothing_is_loaded():
    page = Page(html_page("title", Html(), [], data={"a": 1}))
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    digest = base64.b64encode(hashlib.sha256(resource("report.js").encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "http" not in resource("report.js") + resource("report.css")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup_wherever_it_stands(text):
    columns = [Column(text, number=False, meaning=text), Column(text)]
    content = table(text, columns, [row(columns, [name(text), Cell(text, None)])])
    sections = [Section("Labels", content), Section("Notes", content)]
    plain = html_page(text, element("p", text, title=text), sections)
    page, harmless = Page(plain), Page(html_page("a", element("p", "a", title="a"), []))
    assert {tag for tag, _ in page.tags} - {tag for tag, _ in harmless.tags} == {
        *("nav", "ul", "li", "a", "section", "h2", "div", "table", "thead", "tbody", "tr", "th"),
        *("td", "bdi"),
    }
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert "\u202e" not in plain


@pytest.mark.parametrize("text", [*HOSTILE, "<!--", "]]>", "\u2028 & é"])
def test_scripts_read_the_values_that_were_given(text):
    written = html_page("title", Html(), [], data={"names": [text]})
    assert Page(written).data == {"names": [text]}
    assert len(re.findall("<script", written)) == 2


def test_sections_without_content_are_left_out():
    sections = [Section(title, Html("x")) for title in ("One", "Two")]
    page = Page(html_page("title", Html(), [*sections, Section("Three", Html())]))
    assert [link["href"] for link in page.all("a")] == ["#one", "#two"]
    assert [section["id"] for section in page.all("section")] == ["one", "two"]


def test_a_page_of_one_section_has_no_list_of_sections():
    assert Page(html_page("title", Html(), [Section("One", Html("x"))])).all("nav") == []
