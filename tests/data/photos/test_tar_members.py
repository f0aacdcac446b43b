import gzip
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_collections import write_shard

from tagsight.data.photos import tar_members
from tagsight.data.photos.tar_members import members, read_member, tar_of
from tagsight.errors import DataError

CONTENTS = {f"{index:03}.jpg": os.urandom(10 + 700 * index) for index in range(20)}


@pytest.fixture
def tar(tmp_path) -> Path:
    return write_shard(tmp_path / "train-000.tar", CONTENTS)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_are_read_whatever_the_form_of_the_tar(tmp_path, form):
    names = ["./a.jpg", "deep/er/b c.jpg", "n" * 90 + ".jpg"]
    if form != tarfile.USTAR_FORMAT:
        names += ["é" * 60 + ".jpg", "l" * 200 + "/" + "m" * 200 + ".jpg"]
    folder = [of_kind(tarfile.DIRTYPE)]
    path = write_shard(tmp_path / "a.tar", {n: n for n in names}, more=folder, form=form)
    read = {name: read_member(path, name).decode() for name in members(path)}
    assert read == {name.removeprefix("./"): name for name in names}


def test_threads_read_members_side_by_side_and_close_the_tar(tar):
    names = list(CONTENTS) * 20
    assert list(members(tar)) == list(CONTENTS)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: read_member(tar, name), names))
    assert read == [CONTENTS[name] for name in names]
    handles = Path("/proc/self/fd")
    targets = [handle.resolve() for handle in handles.iterdir()] if handles.is_dir() else []
    assert tar not in targets


def test_headers_are_read_once_and_again_if_the_tar_changes(tar, monkeypatch):
    calls = []
    indexed = tar_members._indexed
    monkeypatch.setattr(tar_members, "_indexed", lambda path: calls.append(path) or indexed(path))
    for name in CONTENTS:
        read_member(tar, name)
    assert calls == [tar]
    write_shard(tar, {"other.jpg": b"new"})
    assert read_member(tar, "other.jpg") == b"new"
    assert calls == [tar, tar]


def test_a_path_into_a_tar_is_told_from_paths_of_the_disk(tar, tmp_path):
    assert tar_of(tar / "deep" / "a.jpg") == (tar, "deep/a.jpg")
    folder = tmp_path / "folder.tar"
    folder.mkdir()
    for path in (folder / "a.jpg", tmp_path / "a.jpg", tar, tmp_path / "none.tar" / "a.jpg"):
        assert tar_of(path) is None


def of_kind(kind: bytes, size: int = 0, **words: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("link.jpg")
    member.type, member.size, member.linkname, member.pax_headers = kind, size, "/etc/passwd", words
    return member


SPARSE = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"}


@pytest.mark.parametrize(
    ("contents", "more", "message"),
    [
        ({"../x.jpg": b"x"}, [], "expected a photo's path inside the folder"),
        ({"a.jpg": b"1", "./a.jpg": b"2"}, [], r"every file once, got 'a\.jpg' twice"),
        ({str(number): b"" for number in range(20)}, [], "expected at most 19 members, got more"),
        ({}, [of_kind(tarfile.SYMTYPE)], "files and folders, got a link or device: 'link"),
        ({}, [of_kind(tarfile.LNKTYPE)], "files and folders, got a link or device: 'link"),
        ({}, [of_kind(tarfile.CHRTYPE)], "files and folders, got a link or device: 'link"),
        ({}, [of_kind(tarfile.REGTYPE, **SPARSE)], r"got a sparse file: 'link\.jpg'"),
    ],
)
def test_members_that_are_no_photos_are_refused(tmp_path, monkeypatch, contents, more, message):
    monkeypatch.setattr(tar_members, "MOST_MEMBERS", 19)
    with pytest.raises(DataError, match=message):
        members(write_shard(tmp_path / "a.tar", contents, more=more))


def test_a_member_that_is_missing_too_large_or_cut_short_is_not_read(tar, monkeypatch):
    with pytest.raises(DataError, match=r"does not exist in train-000\.tar"):
        read_member(tar, "no.jpg")
    monkeypatch.setattr(tar_members, "LARGEST_MEMBER", 5)
    with pytest.raises(DataError, match="expected at most 5 bytes, got 10"):
        read_member(tar, "000.jpg")
    monkeypatch.undo()
    with pytest.raises(DataError, match="expected 100 bytes in the tar, got 88"):
        tar_members.read_span(io.BytesIO(bytes(600)), tar_members.Span(512, 100))


def extended(kind: bytes, **words: str) -> bytes:
    return tarfile.TarInfo._create_pax_generic_header(words, kind, "utf-8")


def of_length(kind: bytes, size: int) -> bytes:
    return of_kind(kind, size).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([extended(tarfile.XHDTYPE, comment="x")] * 2_000, "recursion|headers of at most"),
        ([extended(tarfile.XGLTYPE, **{f"k{i}": "x"}) for i in range(300)], "at most 100 headers"),
        ([extended(tarfile.XGLTYPE, k="x" * 200_000)] * 8, "headers of at most 1,048,576 bytes"),
        ([extended(tarfile.XHDTYPE, size="9" * 3_000)], "lie within the file"),
        ([of_length(tarfile.REGTYPE, 10**9)], "to lie within the file|expected a sound tar"),
        ([of_length(tarfile.GNUTYPE_LONGNAME, 2**40)], "of at most 1,048,576 bytes, got 1,099,"),
    ],
)
def test_headers_about_headers_end(tmp_path, parts, message):
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(parts) + tarfile.TarInfo("a.jpg").tobuf() + bytes(1024))
    with pytest.raises(DataError, match=message) as caught:
        members(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (gzip.compress, "got gzip, which can only be read from its beginning"),
        (lambda content: b"x" * 400 + content[400:], "expected a sound tar"),
        (lambda content: content[:1024] + b"x" * 400 + content[1424:], "expected a sound tar"),
    ],
)
def test_what_is_no_tar_or_a_compressed_one_is_refused(tar, spoil, message):
    tar.write_bytes(spoil(tar.read_bytes()))
    with pytest.raises(DataError, match=message):
        members(tar)


@pytest.mark.parametrize("blocks", [1, 20])
def test_a_tar_without_its_end_is_refused_lest_photos_be_lost(tmp_path, blocks):
    path = write_shard(tmp_path / "a.tar", {"a.jpg": b"x" * 512, "b.jpg": b"y" * 512})
    path.write_bytes(path.read_bytes()[: 512 * 4])
    with pytest.raises(DataError, match="no mark at its end: was it copied as a whole"):
        members(path)
    path.write_bytes(path.read_bytes() + bytes(512 * blocks))
    assert list(members(path)) == ["a.jpg", "b.jpg"]


@settings(max_examples=80)
@given(
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_malicious_headers_lead_nowhere_but_to_a_message(tmp_path_factory, damage, form):
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    contents = {"a.jpg": b"x", "é" * 60 + ".jpg": b"y", "l" * 150 + "/b.jpg": b"z"}
    write_shard(path, contents, form=form)
    content = bytearray(path.read_bytes())
    for place, value in damage:
        content[place % len(content)] = value
    for start in range(0, len(content), 512):  # with check sums that are right
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            total = sum(content[start : start + 512])
            content[start + 148 : start + 156] = b"%06o\0 " % total
    path.write_bytes(bytes(content))
    message = str(path)
    try:
        found = tar_members._indexed(path)
        assert all(span.offset + span.size <= len(content) for span in found.values())
    except DataError as error:
        message = str(error)
    assert message.startswith(str(path))
