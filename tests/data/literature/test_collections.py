import hashlib
import socket
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import pytest
from archives import write_tar, write_zip
from PIL import Image
from web_host import Host, serving

from tagsight.cli import main
from tagsight.data.literature.collections import (
    DOWNLOADS,
    Archive,
    Download,
    Part,
    by_hand,
    download,
)
from tagsight.data.literature.download import Remote, UnreachableError
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LABELS = ("cat", "dog")


ROOT = "VOCdevkit/VOC2007"


def voc_files(split: str, photos: list[str]) -> dict[str, bytes]:
    photo = BytesIO()
    Image.new("RGB", (8, 8)).save(photo, "JPEG")
    lists = "".join(f"{name}  1\n" for name in photos).encode()
    files = {f"{ROOT}/JPEGImages/{name}.jpg": photo.getvalue() for name in photos}
    return files | {f"{ROOT}/ImageSets/Main/{label}_{split}.txt": lists for label in LABELS}


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    train = write_tar(tmp_path / "a", voc_files("train", ["000001", "000002"])).read_bytes()
    test = write_zip(tmp_path / "b", voc_files("test", ["000003"])).read_bytes()
    with serving(Host(train)) as first, serving(Host(test)) as second:
        second.url = second.url.replace("archive.tar", "other.zip")
        md5 = hashlib.md5(train).hexdigest()
        remotes = (Remote(first.url, len(train), md5), Remote(second.url, len(test)))
        archives = tuple(Archive(remote, "", (ROOT,)) for remote in remotes)
        parts = (Part(ROOT, "JPEGImages/*.jpg", 3),)
        monkeypatch.setitem(DOWNLOADS, "voc2007", Download("two", archives, parts, ROOT))
        yield first, second


def change(monkeypatch, **remote) -> None:
    """Let the only archive of VOC 2007 be another file."""
    wanted = DOWNLOADS["voc2007"]
    archive = wanted.archives[0]
    archives = (archive._replace(remote=archive.remote._replace(**remote)),)
    monkeypatch.setitem(DOWNLOADS, "voc2007", wanted._replace(archives=archives))


def silently(_: str):
    return nullcontext(lambda _done, _total=None: None)


def test_a_download_is_what_the_reader_reads(hosts, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["download", "voc2007", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "verified, MD5" in said
    assert "no checksum is published" in said
    annotations = read_annotations(out / "VOCdevkit" / "VOC2007")
    assert annotations.names == LABELS
    assert annotations.split_sizes == {"train": 2, "test": 1}
    assert {path.name for path in out.iterdir()} == {"VOCdevkit", "archive.tar", "other.zip"}


def test_nothing_that_is_there_is_fetched_again_or_mixed(hosts, tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2007"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected 3 files JPEGImages/\*.jpg in .* move it away"):
        download("voc2007", tmp_path, silently)
    folder.rename(folder.with_name("VOC2012"))
    (tmp_path / "archive.tar").write_bytes(hosts[0].content)
    (tmp_path / "other.zip").write_bytes(hosts[1].content)
    download("voc2007", tmp_path, silently)
    assert folder.with_name("VOC2012").is_dir()
    for archive in ("archive.tar", "other.zip"):
        (tmp_path / archive).unlink()
    assert download("voc2007", tmp_path, silently)[-1].startswith("complete: ")
    assert hosts[0].asked == hosts[1].asked == []


def test_archives_with_too_little_in_them_are_refused_and_leave_nothing(
    hosts, tmp_path, monkeypatch
):
    wanted = DOWNLOADS["voc2007"]
    more = wanted._replace(parts=(wanted.parts[0]._replace(files=4),))
    monkeypatch.setitem(DOWNLOADS, "voc2007", more)
    with pytest.raises(DataError, match=r"expected 4 files .* of the archives of .*, got fewer"):
        download("voc2007", tmp_path / "out", silently)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"archive.tar", "other.zip"}


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(hosts, tmp_path, monkeypatch):
    change(monkeypatch, size=2**60)
    with pytest.raises(DataError, match=r"expected 2,305,.* free bytes for archives and photos"):
        download("voc2007", tmp_path / "out", silently)
    assert hosts[0].asked == []


def test_loose_files_may_have_a_folder_around_them(tmp_path, monkeypatch):
    for around in ("", "lists/"):
        out = tmp_path / f"out{len(around)}"
        out.mkdir()
        files = {f"{around}{name}.txt": b"1\n" for name in "ab"}
        size = write_zip(out / "lists.zip", files).stat().st_size
        archive = Archive(Remote("http://127.0.0.1/lists.zip", size), "all/lists", ("all/lists",))
        parts = (Part("all/lists", "*.txt", 2),)
        monkeypatch.setitem(DOWNLOADS, "tiny", Download("", (archive,), parts, "all"))
        download("tiny", out, silently)
        assert sorted(path.name for path in (out / "all" / "lists").iterdir()) == ["a.txt", "b.txt"]


def test_without_a_network_it_is_said_what_to_put_where(capsys, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.tar"
    change(monkeypatch, url=url)
    assert main(["download", "voc2007", "--out", str(tmp_path)]) == 2
    text = capsys.readouterr().err
    assert f"put these files into {tmp_path}" in text
    assert f"  {url} (460,032,000 bytes, MD5 c52e279531787c972589f7e41ab4ae64)" in text
    assert f"  {tmp_path / 'VOCdevkit' / 'VOC2007'}" in text
    assert "tagsight: " in text.splitlines()[-1]
    assert "refused" in text.splitlines()[-1]


def test_a_broken_host_keeps_what_has_come(hosts, tmp_path):
    hosts[1].status = 503
    with pytest.raises(UnreachableError, match="got the answer 503"):
        download("voc2007", tmp_path, silently)
    hosts[1].status = 200
    hosts[0].asked.clear()
    download("voc2007", tmp_path, silently)
    assert hosts[0].asked == []


def test_what_may_not_be_distributed_is_explained(capsys, tmp_path):
    assert main(["download", "nus-wide", "--out", str(tmp_path)]) == 2
    text = capsys.readouterr().err
    assert "cannot be distributed" in text
    assert "Groundtruth, ImageList, Concepts81.txt" in text


@pytest.mark.parametrize("name", DOWNLOADS)
def test_every_part_is_given_by_an_archive_and_lies_where_it_is_unpacked(name):
    wanted = DOWNLOADS[name]
    given = {folder for archive in wanted.archives for folder in archive.gives}
    assert given == {part.folder for part in wanted.parts}
    for archive in wanted.archives:
        assert archive.remote.url.startswith("https://") or archive.remote.md5
        assert all(folder.startswith(archive.into) for folder in archive.gives)
    assert len(by_hand(name, Path("data"))) == 2 + len(wanted.archives) + len(wanted.parts)


def test_the_archives_of_voc_are_those_that_torchvision_knows():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    ours = {a.remote.url: a.remote.md5 for a in DOWNLOADS["voc2007"].archives}
    theirs = [DATASET_YEAR_DICT[key] for key in ("2007", "2007-test")]
    assert ours == {entry["url"]: entry["md5"] for entry in theirs}
