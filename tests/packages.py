"""A machine on which packages are missing."""

import pytest

from tagsight.labels import word_files


def without_packages(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    monkeypatch.setattr(word_files, "find_spec", lambda name: None if name in missing else object())
