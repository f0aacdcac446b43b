"""Whether a page fits its window and is accessible, as axe judges it."""

import json
from typing import Any


def require_accessible(page: Any, view: str = "page") -> None:
    from axe_playwright_python.sync_playwright import Axe

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    violations = Axe().run(page).response["violations"]
    assert not violations, view + json.dumps(violations, indent=1)[:3000]
