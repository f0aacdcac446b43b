"""Files from a server in this process: whole, broken off, changed, wrong."""

from __future__ import annotations

import hashlib
import json
import socket
from typing import TYPE_CHECKING
from urllib.request import Request

import pytest
from web_host import CONTENT, Host, serving

from tagsight.data.download import Remote, UnreachableError, _NoDowngrade, fetch
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_a_file_arrives_whole_and_alone(host, tmp_path):
    path = fetch(remote(host), tmp_path / "new")
    assert path == tmp_path / "new" / "archive.tar"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_there_is_verified_and_not_fetched(host, tmp_path):
    fetch(remote(host), tmp_path)
    host.asked.clear()
    fetch(remote(host), tmp_path)
    assert host.asked == []
    (tmp_path / "archive.tar").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DataError, match=r"expected the MD5 .* remove .*archive.tar to fetch"):
        fetch(remote(host), tmp_path)


def test_a_transfer_that_breaks_off_goes_on_by_itself(host, tmp_path):
    host.breaks_after = 2**20
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    starts = [wanted for _, wanted in host.asked]
    assert starts == [None, *(f"bytes={n * 2**20}-" for n in (1, 2, 3))]


def test_what_broke_off_goes_on_at_the_next_call(host, tmp_path):
    broken_off(host, tmp_path)
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert host.asked == [("GET", f"bytes={2**20}-")]


def test_progress_counts_what_this_call_has_to_fetch(host, tmp_path):
    broken_off(host, tmp_path)
    told = []
    fetch(remote(host), tmp_path, progress=lambda done, total: told.append((done, total)))
    left = len(CONTENT) - 2**20
    assert told[-1] == (left, left)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_server_without_ranges_sends_the_file_from_its_beginning(host, tmp_path):
    broken_off(host, tmp_path)
    host.knows_ranges = False
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_comes_from_its_beginning(host, tmp_path):
    broken_off(host, tmp_path)
    host.content, host.tag = CONTENT[::-1], '"two"'
    wanted = remote(host, md5=hashlib.md5(host.content).hexdigest())
    assert fetch(wanted, tmp_path).read_bytes() == host.content


@pytest.mark.parametrize("change", [{"tag": '"two"'}, {"range_answer": "bytes 5-9/10"}])
def test_parts_of_different_files_are_never_joined(host, tmp_path, change):
    broken_off(host, tmp_path)
    host.minds_if_range = False
    for name, value in change.items():
        setattr(host, name, value)
    with pytest.raises(DataError, match="of an unchanged file"):
        fetch(remote(host), tmp_path)
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT


def test_a_part_longer_than_the_servers_file_is_given_up(host, tmp_path):
    broken_off(host, tmp_path)
    host.minds_if_range, host.content = False, b"short"
    with pytest.raises(DataError, match="got fewer; the partial file belonged to another"):
        fetch(remote(host), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_unknown_origin_is_not_gone_on_with(host, tmp_path):
    (tmp_path / "archive.tar.part").write_bytes(b"of something else")
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert host.asked == [("GET", None)]


@pytest.mark.parametrize("mark", ["", "[]", '{"validator": 3}', '{"validator": "a\\r\\nb"}'])
def test_a_damaged_mark_is_as_none(host, tmp_path, mark):
    broken_off(host, tmp_path)
    (tmp_path / "archive.tar.part.json").write_text(mark)
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert host.asked == [("GET", None)]


def test_a_weak_tag_promises_nothing(host, tmp_path):
    host.tag = 'W/"one"'
    broken_off(host, tmp_path)
    assert json.loads((tmp_path / "archive.tar.part.json").read_text()) == {"validator": ""}
    fetch(remote(host), tmp_path)
    assert host.asked == [("GET", None)]


def test_a_wrong_checksum_leaves_nothing_behind(host, tmp_path):
    with pytest.raises(DataError, match=f"expected the MD5 0+ of .*, got {MD5}; try again later"):
        fetch(remote(host, md5="0" * 32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_size_is_refused_before_it_comes(host, tmp_path):
    with pytest.raises(DataError, match=r"expected 5 bytes, got 3145735: it is no longer the file"):
        fetch(remote(host, size=5), tmp_path)


def test_a_file_of_another_size_that_is_there_is_refused(host, tmp_path):
    (tmp_path / "archive.tar").write_bytes(b"short")
    with pytest.raises(DataError, match=r"expected 3,145,735 bytes in .*, got 5; remove"):
        fetch(remote(host), tmp_path)


def test_a_size_that_nobody_states_is_asked_of_the_server(host, tmp_path):
    assert fetch(remote(host, size=None), tmp_path).read_bytes() == CONTENT
    assert [method for method, _ in host.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize("stated", [0, 2**31])
def test_a_size_without_sense_is_refused(host, tmp_path, stated):
    host.stated = stated
    with pytest.raises(DataError, match=f"expected 1 to 1,073,741,824 bytes, got {stated}"):
        fetch(remote(host, size=None), tmp_path)


@pytest.mark.parametrize("size", [5, None])
def test_a_closed_port_is_a_sentence(tmp_path, size):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.tar"
    with pytest.raises(UnreachableError, match=r"127.0.0.1 cannot be reached: .*refused"):
        fetch(Remote(url, size), tmp_path)


def test_an_answer_that_is_no_file_is_a_sentence(host, tmp_path):
    host.status = 404
    with pytest.raises(UnreachableError, match="expected the file, got the answer 404"):
        fetch(remote(host), tmp_path)


def test_redirections_are_followed(host, tmp_path):
    with serving(Host()) as other:
        host.redirect = other.url
        assert fetch(remote(host), tmp_path).read_bytes() == CONTENT


def test_an_encrypted_address_never_leads_to_a_plain_one():
    asked = Request("https://example.org/a.tar")
    with pytest.raises(UnreachableError, match="to stay encrypted, got redirected to http:"):
        _NoDowngrade().redirect_request(asked, None, 302, "", {}, "http://example.org/a.tar")
