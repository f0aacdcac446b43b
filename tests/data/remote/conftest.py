import pytest

from tagsight.data.remote import fetching
from tagsight.data.remote.cache import DiskCache


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> DiskCache:
    """An own cache, no memory of earlier requests, and nothing at memory://."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    cache = DiskCache(tmp_path / "cache", budget=2**20)
    monkeypatch.setattr(fetching, "_cache", lambda: cache)
    fetching._facts.cache_clear()
    fsspec.filesystem("memory").store.clear()
    return cache
