"""Files from a server in this process: whole, broken off, changed, wrong."""

import hashlib
import json
import socket
from collections.abc import Iterator
from urllib.request import Request

import pytest
from web_host import CONTENT, Host, serving

from tagsight.data.literature.download import Remote, UnreachableError, _NoDowngrade, fetch
from tagsight.errors import DataError

MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def host() -> Iterator[Host]:
    with serving(Host()) as host:
        yield host


def remote(host: Host, **changes) -> Remote:
    return Remote(host.url, len(CONTENT), MD5)._replace(**changes)


def broken_off(host: Host, folder, after: int = 2**20) -> None:
    """Leave a part of the file in a folder, as a transfer does that breaks off."""
    host.breaks_after = after
    host.knows_ranges, before = False, host.knows_ranges
    with pytest.raises(UnreachableError, match="the connection was closed"):
        fetch(remote(host), folder)
    host.breaks_after, host.knows_ranges = None, before
    host.asked.clear()


def test_a_file_arrives_whole_and_alone_and_is_verified_and_not_fetched_again(host, tmp_path):
    path = fetch(remote(host), tmp_path / "new")
    assert path == tmp_path / "new" / "archive.tar"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    host.asked.clear()
    fetch(remote(host), path.parent)
    assert host.asked == []
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DataError, match=r"expected the MD5 .* remove .*archive.tar to fetch"):
        fetch(remote(host), path.parent)
    path.write_bytes(b"short")
    with pytest.raises(DataError, match=r"expected 3,145,735 bytes in .*, got 5; remove"):
        fetch(remote(host), path.parent)


def test_a_transfer_that_breaks_off_goes_on_by_itself(host, tmp_path):
    host.breaks_after = 2**20
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    starts = [wanted for _, wanted in host.asked]
    assert starts == [None, *(f"bytes={n * 2**20}-" for n in (1, 2, 3))]


def test_another_call_resumes_and_counts_what_it_has_to_fetch(host, tmp_path):
    broken_off(host, tmp_path)
    told = []
    path = fetch(remote(host), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert host.asked == [("GET", f"bytes={2**20}-")]
    left = len(CONTENT) - 2**20
    assert told[-1] == (left, left)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def changed(host: Host, **values) -> None:
    for name, value in values.items():
        setattr(host, name, value)


@pytest.mark.parametrize("change", [{"knows_ranges": False}, {"tag": '"two"'}])
def test_without_ranges_or_after_a_change_a_file_comes_from_its_beginning(host, tmp_path, change):
    broken_off(host, tmp_path)
    changed(host, content=CONTENT[::-1], **change)
    wanted = remote(host, md5=hashlib.md5(host.content).hexdigest())
    assert fetch(wanted, tmp_path).read_bytes() == host.content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tag": '"two"'}, "of an unchanged file"),
        ({"range_answer": "bytes 5-9/10"}, "of an unchanged file"),
        ({"content": b"short"}, "got fewer; the partial file belonged to another"),
    ],
)
def test_parts_of_different_files_are_never_joined(host, tmp_path, change, message):
    broken_off(host, tmp_path)
    changed(host, minds_if_range=False, **change)
    with pytest.raises(DataError, match=message):
        fetch(remote(host), tmp_path)
    assert list(tmp_path.iterdir()) == []
    host.content = CONTENT
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("mark", ["", "[]", '{"validator": 3}', '{"validator": "a\\r\\nb"}', None])
def test_a_damaged_mark_or_a_weak_tag_is_as_none(host, tmp_path, mark):
    host.tag = host.tag if mark is not None else 'W/"one"'
    broken_off(host, tmp_path)
    file = tmp_path / "archive.tar.part.json"
    if mark is None:
        assert json.loads(file.read_text()) == {"validator": ""}
    else:
        file.write_text(mark)
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert host.asked == [("GET", None)]


@pytest.mark.parametrize(
    ("server", "wanted", "message"),
    [
        ({}, {"md5": "0" * 32}, f"expected the MD5 0+ of .*, got {MD5}; try again later"),
        ({}, {"size": 5}, "expected 5 bytes, got 3145735: it is no longer the file"),
        ({"stated": 0}, {"size": None}, "expected 1 to 1,073,741,824 bytes, got 0"),
        ({"stated": 2**31}, {"size": None}, "expected 1 to 1,073,741,824 bytes, got 2147483648"),
        ({"status": 404}, {}, "expected the file, got the answer 404"),
    ],
)
def test_what_is_not_the_file_leaves_nothing_behind(host, tmp_path, server, wanted, message):
    changed(host, **server)
    with pytest.raises(DataError, match=message):
        fetch(remote(host, **wanted), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_nobody_states_is_asked_of_the_server(host, tmp_path):
    assert fetch(remote(host, size=None), tmp_path).read_bytes() == CONTENT
    assert [method for method, _ in host.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize("size", [5, None])
def test_a_closed_port_is_a_sentence(tmp_path, size):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.tar"
    with pytest.raises(UnreachableError, match=r"127.0.0.1 cannot be reached: .*refused"):
        fetch(Remote(url, size), tmp_path)


def test_redirections_are_followed(host, tmp_path):
    with serving(Host()) as other:
        host.redirect = other.url
        assert fetch(remote(host), tmp_path).read_bytes() == CONTENT


def test_an_encrypted_address_never_leads_to_a_plain_one():
    asked = Request("https://example.org/a.tar")
    with pytest.raises(UnreachableError, match="to stay encrypted, got redirected to http:"):
        _NoDowngrade().redirect_request(asked, None, 302, "", {}, "http://example.org/a.tar")
