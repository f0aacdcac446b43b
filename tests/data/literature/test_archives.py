import struct
import tarfile
import zipfile

import pytest
from archives import FILES, write_tar, write_zip

from tagsight.data.literature.archives import unpack
from tagsight.errors import DataError

WRITERS = {"tar": write_tar, "zip": write_zip}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def test_files_and_folders_come_out_as_they_went_in(tmp_path):
    folder = tarfile.TarInfo("VOC/empty")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    for archive in (
        write_tar(tmp_path / "a.tar", more=[folder]),
        write_zip(tmp_path / "a.zip", more=[("VOC/empty/", b"")]),
    ):
        told = []
        out = tmp_path / archive.suffix
        unpack(archive, out, progress=lambda done, _, told=told: told.append(done))
        files = [path for path in out.rglob("*") if path.is_file()]
        assert {path.relative_to(out).as_posix(): path.read_bytes() for path in files} == FILES
        assert (out / "VOC" / "empty").is_dir()
        assert told == [1, 2, 3]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:/x", "..\\x"])
def test_names_that_lead_out_of_the_folder_are_refused(write, tmp_path, name):
    archive = write(tmp_path / "archive", {name: b"x"})
    with pytest.raises(DataError, match="a name that leads out of the folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith("x")]


def refused(archive, out, message):
    with pytest.raises(DataError, match=message):
        unpack(archive, out)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    member, zipped = tarfile.TarInfo("link"), zipfile.ZipInfo("link")
    member.type, member.linkname = kind, "VOC/a.txt"
    zipped.external_attr = 0o120777 << 16
    for archive in (
        write_tar(tmp_path / "a.tar", more=[member]),
        write_zip(tmp_path / "a.zip", more=[(zipped, "/etc")]),
    ):
        refused(archive, tmp_path / archive.suffix, "got a link or device: 'link'")


@pytest.mark.parametrize("bound", ["MOST_MEMBERS", "MOST_BYTES"])
def test_more_than_the_bounds_is_refused(write, tmp_path, monkeypatch, bound):
    monkeypatch.setattr(f"tagsight.data.literature.archives.{bound}", 1)
    message = r"expected at most .* members and .* bytes, got"
    refused(write(tmp_path / "archive"), tmp_path / "out", message)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_comes_twice_is_refused(tmp_path):
    for archive in (
        write_tar(tmp_path / "a.tar", more=[tarfile.TarInfo("VOC/a.txt")]),
        write_zip(tmp_path / "a.zip", more=[("VOC/a.txt", b"other")]),
    ):
        refused(archive, tmp_path / archive.suffix, "expected every file once")


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_archive_is_refused(write, tmp_path, share):
    archive = write(tmp_path / "archive", {"a": bytes(range(256)) * 400})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    refused(archive, tmp_path / "out", "expected a sound tar or zip archive")


def test_a_zip_whose_check_sum_is_wrong_or_that_points_before_its_beginning_is_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as stored:
        stored.writestr("a.txt", b"the content")
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"the content", b"The content"))
    refused(archive, tmp_path / "out", "Bad CRC-32")
    place = content.rindex(b"PK\x05\x06") + 16  # of the offset of the list of members
    offset = struct.pack("<I", struct.unpack_from("<I", content, place)[0] + 5)
    archive.write_bytes(content[:place] + offset + content[place + 4 :])
    refused(archive, tmp_path / "other", "expected a sound tar or zip archive")


def test_a_folder_that_may_not_be_written_is_no_matter_of_the_archive(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "VOC").touch()
    with pytest.raises(OSError, match="VOC"):
        unpack(write_zip(tmp_path / "a.zip", {"VOC/deep/b.jpg": b""}), tmp_path / "out")


def test_a_header_of_endless_length_is_not_read(tmp_path):
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2**40
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2000))
    refused(path, tmp_path / "out", "expected headers of at most 1,048,576 bytes, got 1,099,")
