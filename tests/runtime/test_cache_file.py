import sqlite3
from contextlib import closing

import pytest

from tagsight.runtime import cache_file
from tagsight.runtime.cache_file import CacheFile

SETUP = ["CREATE TABLE IF NOT EXISTS squares (root INTEGER)", "INSERT INTO squares VALUES (2)"]
PROBES = ["SELECT root FROM squares"]


def test_a_file_that_another_process_keeps_locked_is_not_taken_for_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_file, "PATIENCE", 0.1)
    file = tmp_path / "cache.sqlite"
    with CacheFile(file, SETUP, PROBES), closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        before = file.stat().st_ino
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            CacheFile(file, SETUP, PROBES)
        assert file.stat().st_ino == before
        other.rollback()
        with CacheFile(file, SETUP, PROBES) as again:
            assert again._database.execute("SELECT count(*) FROM squares").fetchone() == (2,)


@pytest.mark.parametrize("content", [b"damaged", b"SQLite format 3\x00" + bytes(84)])
def test_a_damaged_file_is_made_anew(tmp_path, content):
    file = tmp_path / "cache.sqlite"
    file.write_bytes(content)
    with CacheFile(file, SETUP, PROBES) as cache:
        assert cache._database.execute("SELECT root FROM squares").fetchall() == [(2,)]
