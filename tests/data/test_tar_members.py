from __future__ import annotations

import gzip
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_collections import add_member

from tagsight.data import tar_members
from tagsight.data.tar_members import members, read_member, tar_of
from tagsight.errors import DataError

CONTENTS = {f"{index:03}.jpg": os.urandom(10 + 700 * index) for index in range(20)}


def write(path: Path, contents=CONTENTS, *, more=(), form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in contents.items():
            add_member(tar, name, content)
        for member in more:
            tar.addfile(member)
    return path


@pytest.fixture
def tar(tmp_path) -> Path:
    return write(tmp_path / "train-000.tar")


def test_every_member_is_read_as_it_was_written(tar):
    assert list(members(tar)) == list(CONTENTS)
    for name, content in CONTENTS.items():
        assert read_member(tar, name) == content


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_are_read_whatever_the_form_of_the_tar(tmp_path, form):
    names = ["./a.jpg", "deep/er/b c.jpg", "n" * 90 + ".jpg"]
    if form != tarfile.USTAR_FORMAT:
        names += ["é" * 60 + ".jpg", "l" * 200 + "/" + "m" * 200 + ".jpg"]
    folder = tarfile.TarInfo("deep")
    folder.type = tarfile.DIRTYPE
    path = write(
        tmp_path / "a.tar", {name: name.encode() for name in names}, more=[folder], form=form
    )
    assert list(members(path)) == [name.removeprefix("./") for name in names]
    for name in names:
        assert read_member(path, name.removeprefix("./")) == name.encode()


def test_threads_read_members_side_by_side(tar):
    names = list(CONTENTS) * 20
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: read_member(tar, name), names))
    assert read == [CONTENTS[name] for name in names]


def test_headers_are_read_once_and_again_if_the_tar_changes(tar, monkeypatch):
    calls = []
    indexed = tar_members._indexed
    monkeypatch.setattr(tar_members, "_indexed", lambda path: calls.append(path) or indexed(path))
    for name in CONTENTS:
        read_member(tar, name)
    assert calls == [tar]
    write(tar, {"other.jpg": b"new"})
    assert read_member(tar, "other.jpg") == b"new"
    assert calls == [tar, tar]


def test_reading_leaves_no_file_open(tar):
    for name in CONTENTS:
        read_member(tar, name)
    handles = Path("/proc/self/fd")
    targets = [handle.resolve() for handle in handles.iterdir()] if handles.is_dir() else []
    assert tar not in targets


def test_a_path_into_a_tar_is_told_from_paths_of_the_disk(tar, tmp_path):
    assert tar_of(tar / "deep" / "a.jpg") == (tar, "deep/a.jpg")
    folder = tmp_path / "folder.tar"
    folder.mkdir()
    for path in (folder / "a.jpg", tmp_path / "a.jpg", tar, tmp_path / "none.tar" / "a.jpg"):
        assert tar_of(path) is None


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "a\x1b[2J.jpg"]
)
def test_malicious_names_that_lead_out_of_the_tar_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="expected a photo's path inside the folder"):
        members(write(tmp_path / "a.tar", {name: b"x"}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_malicious_links_and_devices_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("link.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="expected files and folders, got a link or device: 'link"):
        members(write(tmp_path / "a.tar", more=[member]))


def test_malicious_sparse_files_are_refused(tmp_path):
    member = tarfile.TarInfo("sparse.jpg")
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"}
    with pytest.raises(DataError, match=r"got a sparse file: 'sparse\.jpg'"):
        members(write(tmp_path / "a.tar", more=[member]))


def test_a_size_beyond_the_end_of_the_file_is_refused(tmp_path):
    member = tarfile.TarInfo("long.jpg")
    member.size = 10**9
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf() + bytes(2000))
    with pytest.raises(DataError, match=r"to lie within the file|expected a sound tar"):
        members(path)


def test_a_malicious_header_of_endless_length_is_not_read(tmp_path):
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2**40
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2000))
    with pytest.raises(
        DataError, match=r"a\.tar: expected headers of at most 1,048,576 bytes, got 1,099,"
    ):
        members(path)


def extended(kind: bytes, **words: str) -> bytes:
    """A header about the member behind it, or about all of them."""
    return tarfile.TarInfo._create_pax_generic_header(words, kind, "utf-8")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([extended(tarfile.XHDTYPE, comment="x")] * 2_000, "recursion|headers of at most"),
        ([extended(tarfile.XGLTYPE, **{f"k{i}": "x"}) for i in range(300)], "at most 100 headers"),
        (
            [extended(tarfile.XGLTYPE, **{f"k{i}": "x" * 200_000}) for i in range(8)],
            "headers of at most 1,048,576 bytes",
        ),
        ([extended(tarfile.XHDTYPE, size="9" * 3_000)], "lie within the file"),
    ],
)
def test_headers_about_headers_end(tmp_path, parts, message):
    member = tarfile.TarInfo("a.jpg")
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(parts) + member.tobuf() + bytes(1024))
    with pytest.raises(DataError, match=message) as caught:
        members(path)
    assert len(str(caught.value)) < 500


def test_members_that_come_twice_are_refused(tmp_path):
    path = write(tmp_path / "a.tar", {"a.jpg": b"1", "./a.jpg": b"2"})
    with pytest.raises(DataError, match=r"expected every file once, got 'a\.jpg' twice"):
        members(path)


def test_too_many_members_are_refused(tar, monkeypatch):
    monkeypatch.setattr(tar_members, "MOST_MEMBERS", 19)
    with pytest.raises(DataError, match="expected at most 19 members, got more"):
        members(tar)


def test_a_compressed_tar_is_refused_with_the_reason(tar, tmp_path):
    path = tmp_path / "packed.tar"
    path.write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(DataError, match="got gzip, which can only be read from its beginning"):
        members(path)


@pytest.mark.parametrize("start", [0, 100, 1024, 2560])
def test_what_is_no_tar_is_refused(tar, start):
    content = bytearray(tar.read_bytes())
    content[start : start + 400] = b"x" * 400
    tar.write_bytes(bytes(content))
    with pytest.raises(DataError, match="expected a sound tar"):
        members(tar)


@pytest.mark.parametrize("blocks", [1, 2, 20])
def test_a_tar_without_its_end_is_refused_lest_photos_be_lost(tmp_path, blocks):
    path = write(tmp_path / "a.tar", {"a.jpg": b"x" * 512, "b.jpg": b"y" * 512})
    path.write_bytes(path.read_bytes()[: 512 * 4])
    with pytest.raises(DataError, match="no mark at its end: was it copied as a whole"):
        members(path)
    path.write_bytes(path.read_bytes() + bytes(512 * blocks))
    assert list(members(path)) == ["a.jpg", "b.jpg"]


def test_a_member_that_is_missing_is_named(tar):
    with pytest.raises(DataError, match=r"does not exist in train-000\.tar"):
        read_member(tar, "no.jpg")


def test_a_member_of_no_sensible_size_is_not_read(tar, monkeypatch):
    monkeypatch.setattr(tar_members, "LARGEST_MEMBER", 5)
    with pytest.raises(DataError, match="expected at most 5 bytes, got 10"):
        read_member(tar, "000.jpg")


def test_a_tar_that_is_cut_short_after_it_was_indexed_gives_no_half_photo():
    span = tar_members.Span(512, 100)
    with pytest.raises(DataError, match="expected 100 bytes in the tar, got 88"):
        tar_members.read_span(io.BytesIO(bytes(600)), span)


@settings(max_examples=200, deadline=None)
@given(
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_malicious_headers_lead_nowhere_but_to_a_message(tmp_path_factory, damage, form):
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    write(path, {"a.jpg": b"x", "é" * 60 + ".jpg": b"y", "l" * 150 + "/b.jpg": b"z"}, form=form)
    content = bytearray(path.read_bytes())
    for place, value in damage:
        content[place % len(content)] = value
    for start in range(0, len(content), 512):  # with check sums that are right
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            total = sum(content[start : start + 512])
            content[start + 148 : start + 156] = b"%06o\0 " % total
    path.write_bytes(bytes(content))
    try:
        found = tar_members._indexed(path)
    except DataError as error:
        message = str(error)
    else:
        message = str(path)
        assert all(span.offset + span.size <= len(content) for span in found.values())
    assert message.startswith(str(path))
