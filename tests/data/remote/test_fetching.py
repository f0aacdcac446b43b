"""Photos and tables at URLs: read as those of this machine, fetched once, and within limits."""

import contextlib
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from photo_kinds import encoded
from PIL import Image

from tagsight.data.photos.check import check_photos
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.data.readers import read_annotations
from tagsight.data.remote import asking, fetching
from tagsight.data.remote.cache import DiskCache
from tagsight.data.remote.fetching import local_file, names_in, read_ahead
from tagsight.data.remote.places import is_remote, missing, place, secret_of, shown
from tagsight.errors import DataError, TooLargeError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


def photo(shade: int) -> bytes:
    return encoded(Image.new("L", (8, 6), shade), "PNG")


@pytest.fixture
def bucket() -> str:
    """Photos, a table of labels, and what is no photo, in the memory of this process."""
    memory = fsspec.filesystem("memory")
    for name, shade in {"a.png": 40, "more/b.png": 80, ".hidden/c.png": 1}.items():
        memory.pipe(f"/bucket/photos/{name}", photo(shade))
    memory.pipe("/bucket/photos/notes.txt", b"no photo")
    memory.pipe("/bucket/labels.csv", b"image,labels\na.png,dog\nmore/b.png,cat;dog\n")
    return "memory://bucket"


@pytest.mark.parametrize(
    ("given", "path", "url"),
    [
        ("s3://bucket/a/b.jpg", "/s3:/bucket/a/b.jpg", "s3://bucket/a/b.jpg"),
        (Path("s3://bucket/a/"), "/s3:/bucket/a", "s3://bucket/a"),
        ("https://me:word@host:80/a.jpg?key=1#x", "/https:/host:80/a.jpg", "https://host:80/a.jpg"),
        ("file:///photos/a%20b.jpg", "/photos/a b.jpg", "/photos/a b.jpg"),
        ("photos/s3:/a.jpg", "photos/s3:/a.jpg", "photos/s3:/a.jpg"),
        ("S3://Bucket/a.jpg", "/s3:/Bucket/a.jpg", "s3://Bucket/a.jpg"),
        ("s3x://bucket/a.jpg", "s3x:/bucket/a.jpg", "s3x:/bucket/a.jpg"),
        ("hf://datasets/me/set/a.jpg", "/hf:/datasets/me/set/a.jpg", "hf://datasets/me/set/a.jpg"),
    ],
)
def test_a_url_is_a_path_and_its_secrets_are_no_part_of_it(given, path, url):
    found = place(given)
    assert (found.as_posix(), shown(found)) == (path, url)
    assert place(found) == found
    assert place(url) == found
    assert is_remote(found) == (path != url)
    assert not is_remote(found) or found == found.absolute()


@pytest.mark.parametrize("url", ["s3x://bucket/a.csv", "ftp://host/a", "abfs://container/a"])
def test_of_a_url_that_is_not_read_those_that_are_read_are_named(url):
    scheme = url.partition(":")[0]
    assert missing(Path(url)).startswith(
        f"expected a URL of s3, gs, hf, https, http or file, got one of {scheme!r}: copy the files"
    )
    for given in ({"labels": url}, {"labels": "labels.csv", "images": url}):
        with pytest.raises(DataError, match=f"URL of s3, gs, .* got one of '{scheme}'"):
            read_annotations(**given)
    assert missing(Path("photos/a:/b")) == '"photos/a:/b" does not exist.'
    assert missing(Path("C:/photos")) == '"C:/photos" does not exist.'


def test_what_was_given_with_a_folder_goes_with_its_files():
    folder = place("https://me:word@example.org/photos?key=1")
    assert secret_of(folder / "more" / "a.jpg") == ("me:word", "key=1")
    assert secret_of(folder.parent / "a.jpg") == ("", "")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://key:secret@bucket/a", "a URL of s3 without a user, got one: set AWS_ACCESS_KEY_ID"),
        ("s3://bucket/../a", "expected a URL such as s3://place/photos"),
        ("https://", "expected a URL such as https://place/photos"),
    ],
)
def test_a_url_without_a_place_or_with_a_password_that_nobody_needs_is_refused(url, message):
    with pytest.raises(DataError, match=message) as caught:
        place(url)
    assert "secret" not in str(caught.value)


def test_photos_are_found_decoded_and_checked_as_those_of_this_machine(bucket):
    found = list(find_photos([Path(f"{bucket}/photos")]))
    assert [shown(path) for path in found] == [
        f"{bucket}/photos/a.png",
        f"{bucket}/photos/more/b.png",
    ]
    assert [open_photo(path).getpixel((0, 0))[0] for path in found] == [40, 80]
    missing = found[0].with_name("missing.png")
    check = check_photos([*found, missing], workers=2)
    assert set(check.hashes) == set(found)
    assert check.problems[0].reason == f"expected a file or folder at {shown(missing)}, got none"
    assert list(find_photos(found[:1])) == found[:1]


def test_labels_and_photos_may_be_here_or_there(bucket, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("image,labels\nA.PNG,dog\nmore/b.png,cat;dog\n")
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for name in ("a.png", "more/b.png"):
        (tmp_path / "photos" / name).write_bytes(photo(7))
    there = place(f"{bucket}/photos")
    for labels, images in (
        (f"{bucket}/labels.csv", None),
        (f"{bucket}/labels.csv", f"{bucket}/photos"),
        (table, f"{bucket}/photos"),
    ):
        rows = read_annotations(labels, images=images)
        assert (rows.names, rows.paths) == (
            ("cat", "dog"),
            (there / "a.png", there / "more" / "b.png"),
        )
        assert rows.relative_names == ("a.png", "more/b.png")
        assert read_annotations(labels, images=images).hash() == rows.hash()
    here = read_annotations(f"{bucket}/labels.csv", images=tmp_path / "photos")
    assert here.paths[1] == tmp_path / "photos" / "more" / "b.png"
    assert here.hash() == rows.hash()


@pytest.mark.parametrize(
    ("source", "images"),
    [("labels.csv", None), ("memory://bucket/labels.csv", "memory://bucket/photos")],
)
def test_a_data_file_at_a_url_is_read_as_one_here_and_names_urls_alone(bucket, source, images):
    memory = fsspec.filesystem("memory")
    lines = [f'source = "{source}"', 'format = "csv-list"']
    lines += [f'images = "{images}"'] if images else []
    memory.pipe("/bucket/data.toml", "\n".join(lines).encode())
    rows = read_annotations(f"{bucket}/data.toml")
    assert rows.hash() == read_annotations(f"{bucket}/labels.csv").hash()
    for name, outside in {"root": "/etc/labels.csv", "above": "../other/labels.csv"}.items():
        content = f'source = "{outside}"\nformat = "csv-list"'
        memory.pipe(f"/bucket/{name}.toml", content.encode())
        with pytest.raises(DataError, match="expected paths below its folder, or URLs, got"):
            read_annotations(f"{bucket}/{name}.toml")


def test_a_name_in_a_table_leads_to_no_other_place(bucket, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("image,labels\na.png,dog\nhttps://example.org/x.png,cat\ns3:/a/b.png,cat\n")
    folder = place(f"{bucket}/photos")
    assert all(folder in path.parents for path in read_annotations(table, images=folder).paths)


def test_a_file_is_fetched_once_and_again_when_it_has_changed(bucket, cache, monkeypatch):
    path = place(f"{bucket}/photos/a.png")
    memory, fetched = fsspec.filesystem("memory"), []
    whole = memory.open

    def opened(address: str, mode: str = "rb", **options: object) -> object:
        fetched.extend([address] * (mode == "rb"))
        return whole(address, mode, **options)

    monkeypatch.setattr(memory, "open", opened)
    assert {local_file(path) for _ in read_ahead([path] * 5)} == {local_file(path)}
    fetching._facts.cache_clear()  # as another process
    assert local_file(path).read_bytes() == photo(40)
    assert len(fetched) == 1
    memory.pipe("/bucket/photos/a.png", photo(41))
    fetching._facts.cache_clear()
    assert local_file(path).read_bytes() == photo(41)
    assert len(fetched) == 2


def test_a_file_stays_while_the_thread_that_was_given_it_may_read_it(tmp_path):
    cache = DiskCache(tmp_path / "own", budget=1000)

    def given(name):
        return cache.add(name, ".bin", lambda file: file.write_bytes(bytes(600)))

    with ThreadPoolExecutor(1) as other:
        reading = other.submit(given, "being read").result()
        for name in "abc":
            given(name)
        assert reading.exists()
        other.submit(cache.release).result()
        given("d")
        assert not reading.exists()


def test_a_file_that_is_being_written_stays_and_one_left_by_a_killed_process_goes(tmp_path):
    cache = DiskCache(tmp_path / "cache", budget=10)
    cache.add("first", ".txt", lambda file: file.write_bytes(b"12345"))
    (folder,) = cache.folder.iterdir()
    left = folder / ".left.txt.0123abcd~"
    left.write_bytes(b"a part")
    os.utime(left, (0, 0))

    def write(file: Path) -> None:
        file.write_bytes(b"123")
        for word in ("second", "third", "fourth"):
            cache.add(word, ".txt", lambda other: other.write_bytes(b"12345"))

    assert cache.add("slow", ".txt", write).read_bytes() == b"123"
    assert not left.exists()


def test_the_cache_keeps_what_was_used_last_within_its_budget(tmp_path):
    cache = DiskCache(tmp_path / "own", budget=1000)
    for age, key in enumerate("cba"):  # file systems may give all of a moment the same time
        os.utime(cache.add(key, ".jpg", lambda file: file.write_bytes(b"x" * 300)), (0, -age))
    assert cache.find("a", ".jpg") is not None
    cache.add("d", ".jpg", lambda file: file.write_bytes(b"x" * 300))
    assert [key for key in "abcd" if cache.find(key, ".jpg")] == ["a", "c", "d"]
    with pytest.raises(ZeroDivisionError):
        cache.add("e", ".jpg", lambda _: 1 / 0)
    assert cache.find("e", ".jpg") is None
    assert all(file.name.count(".") == 1 for file in cache.folder.rglob("*.*"))
    cache.add("f", ".jpg", lambda file: file.write_bytes(b"x" * 5000))
    assert [key for key in "acdf" if cache.find(key, ".jpg")] == ["f"]


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(bucket, cache):
    with pytest.raises(TooLargeError, match="expected a file of at most 10 bytes at memory://"):
        local_file(place(f"{bucket}/photos/a.png"), most=10)
    assert not cache.folder.exists()


class FailingError(Exception):
    """As of a client for HTTP: with a status, and the whole URL."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}, url='https://host/?key=secret'")
        self.status = status


@pytest.mark.parametrize(
    ("error", "tries", "message"),
    [
        (FailingError(503), 3, "expected a file or folder at memory://bucket/a, got FailingError"),
        (FailingError(403), 1, "expected access to memory://bucket/a, got none"),
        (ConnectionResetError(), 3, "got ConnectionResetError"),
        (TimeoutError(), 3, "expected an answer from memory://bucket/a within 60 s, got none in 3"),
        (PermissionError(), 1, "expected access to memory://bucket/a"),
        (FileNotFoundError(), 1, "expected a file or folder at memory://bucket/a, got none"),
        (ValueError("key=secret"), 1, "got ValueError"),
    ],
)
def test_what_goes_wrong_is_a_sentence_without_secrets(error, tries, message, monkeypatch):
    asked = []

    class Failing:
        def info(self, _address: str) -> None:
            asked.append(1)
            raise error

    monkeypatch.setattr(asking, "_system", lambda _: Failing())
    monkeypatch.setattr(asking, "PAUSE", 0)
    with pytest.raises(DataError, match=message) as caught:
        local_file(place("memory://bucket/a"))
    assert "secret" not in str(caught.value)
    assert len(asked) == tries


def test_a_place_that_does_not_answer_is_given_up(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(asking, "PATIENCE", 0.01)
    monkeypatch.setattr(asking, "PAUSE", 0)
    system = type("Silent", (), {"info": lambda _, __: never.wait()})()
    monkeypatch.setattr(asking, "_system", lambda _: system)
    with pytest.raises(DataError, match=r"an answer from memory://bucket/b within 0\.01 s"):
        local_file(place("memory://bucket/b"))
    never.set()


@pytest.mark.parametrize("scheme", ["s3", "gs", "hf", "https"])
def test_a_missing_package_is_named(scheme, monkeypatch):
    def missing(*_: object) -> None:
        raise ImportError

    monkeypatch.setattr(asking, "_opened", missing)
    with pytest.raises(DataError, match=rf"expected another package for {scheme}://.*pip install"):
        local_file(place(f"{scheme}://bucket/a.jpg"))


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder to those who know a key."""

    def send_head(self):
        if "key=word" not in self.path:
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *_: object) -> None:
        pass


def test_photos_of_a_web_server_are_read_with_the_key_of_their_folder(tmp_path):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo(40))
    (tmp_path / "labels.csv").write_text("image,labels\na.png,dog\nb.png,cat\n")
    handler = functools.partial(Handler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        with contextlib.closing(server.socket):
            rows = read_annotations(f"{host}/labels.csv?key=word", images=f"{host}/photos?key=word")
            assert open_photo(rows.paths[0]).getpixel((0, 0))[0] == 40
            with pytest.raises(DataError, match=r"b\.png, got none"):
                open_photo(rows.paths[1])
            with pytest.raises(DataError, match=r"expected access to .*labels\.csv\.") as caught:
                local_file(place(f"{host}/labels.csv.other"))
            assert "word" not in str(caught.value).replace("password", "")
            server.shutdown()
    assert names_in(rows.paths[0].parent) is None
