"""Labels of several files at URLs are read as on a disk, or what to do is named."""

from pathlib import Path

import pytest
from photo_kinds import encoded
from PIL import Image
from tiny_collections import PHOTOS as NAMES
from tiny_collections import write_coco, write_shard

from tagsight.data.photos.reading import open_photo
from tagsight.data.readers import read_annotations
from tagsight.data.remote import copies, fetching
from tagsight.data.remote.places import is_remote, place, with_urls
from tagsight.errors import DataError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
memory = pytest.importorskip("fsspec.implementations.memory")


def photo(shade: int) -> bytes:
    return encoded(Image.new("L", (8, 6), shade), "JPEG")


PHOTOS = {"a.jpg": photo(20), "b.jpg": photo(90)}


def below(folder: str, files=PHOTOS) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


SEVERAL_FILES = {
    "obj.data": {
        **below("obj_train_data"),
        "obj_train_data/a.txt": "0 .5 .5 .1 .1\n",
        "obj.data": "classes = 2\ntrain = train.txt\nnames = obj.names\n",
        "obj.names": "dog\ncat\n",
        "train.txt": "data/obj_train_data/a.jpg\n",
    },
    "classes.txt": {
        **below("images"),
        "labels/a.txt": "0 .5 .5 .1 .1\n",
        "classes.txt": "dog\ncat\n",
    },
    "Anno/list_attr_img.txt": {
        **below("Img/img"),
        "Anno/list_attr_cloth.txt": "2\nattribute_name  attribute_type\ndog  1\ncat  1\n",
        "Anno/list_attr_img.txt": (
            "2\nimage_name  attribute_labels\nimg/a.jpg  1 -1\nimg/b.jpg  1  0\n"
        ),
        "Eval/list_eval_partition.txt": (
            "2\nimage_name  evaluation_status\nimg/a.jpg  train\nimg/b.jpg  test\n"
        ),
    },
    "labels.csv": {
        **PHOTOS,
        "labels.csv": "ImageID,Source,LabelName,Confidence\na,v,/m/01,1\nb,v,/m/02,1\n",
        "class-descriptions.csv": "/m/01,Dog\n/m/02,Cat\n",
    },
    "list.txt": {
        **PHOTOS,
        "list.txt": "a.jpg\t0,1\nb.jpg\t1,0\n",
        "label_list.txt": "dog\ncat\n",
    },
}
"""Files that say nothing without others, and those."""


def put(files) -> None:
    """Write files to memory://bucket."""
    fsspec.filesystem("memory").pipe({f"/bucket/{name}": files[name] for name in files})


def put_folder(folder: Path) -> None:
    """Write all files below a folder to memory://bucket."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    put({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


def read_alike(folder: Path, source: str) -> None:
    """Read labels in a folder and in its copy at memory://bucket, or refuse them in both."""
    try:
        here = read_annotations(folder / source)
    except DataError:
        with pytest.raises(DataError):
            read_annotations(f"memory://bucket/{source}")
        return
    there = read_annotations(f"memory://bucket/{source}")
    assert (there.format, there.names, there.splits) == (here.format, here.names, here.splits)
    assert there.targets.tolist() == here.targets.tolist()
    assert there.hash() == here.hash()
    assert there.origin is not None
    assert is_remote(there.origin.source)
    if here.format == "shards":  # the photos of a tar are read from its copy
        return
    bucket = place("memory://bucket")
    assert [bucket / path.relative_to(folder) for path in here.paths] == [*there.paths]


def test_labels_of_every_format_are_read_there_as_here(complete_example, tmp_path):
    if complete_example.format == "label-project":
        pytest.skip("a project is a folder of this machine")
    folder = tmp_path / "data"
    put_folder(folder)
    for source in {folder, complete_example.source, *sorted(complete_example.label_files)[:3]}:
        read_alike(folder, "" if source == folder else source.relative_to(folder).as_posix())


@pytest.mark.parametrize("source", SEVERAL_FILES)
def test_a_file_that_needs_others_is_read_there_as_here(tmp_path, source):
    for name, content in SEVERAL_FILES[source].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    put_folder(tmp_path)
    read_alike(tmp_path, source)
    assert len(read_annotations(f"memory://bucket/{source}").names) == 2


def test_photos_stay_there_unless_the_format_opens_them(tmp_path, cache):
    write_coco(tmp_path, NAMES)
    put_folder(tmp_path)
    put(below("images", dict.fromkeys(NAMES, photo(20))))
    read_annotations("memory://bucket")
    assert {file.suffix for file in cache.folder.rglob("*.*")} == {".json"}
    put(below("dog") | below("cat"))
    read_annotations("memory://bucket", format="label-folders")
    assert {file.suffix for file in cache.folder.rglob("*.*")} == {".json", ".jpg"}


@pytest.mark.parametrize("name", ["../../../out.txt", "more/../../../out.json", "a\0.txt"])
def test_a_key_that_leaves_its_folder_is_refused(name, monkeypatch):
    system = fsspec.filesystem("memory")
    key = f"/leaving/{name}"
    monkeypatch.setitem(system.store, key, memory.MemoryFile(system, key, b"dog"))
    for ask in (fetching.sizes_below, fetching.files_below, copies.copy_of):
        with pytest.raises(DataError, match="expected files that stay in memory://leaving, got"):
            ask(place("memory://leaving"))


def test_photos_in_a_tar_are_read_from_its_copy(tmp_path):
    contents = {**PHOTOS, "a.json": '["dog"]', "b.json": '["cat"]'}
    put({"shards/0.tar": write_shard(tmp_path / "0.tar", contents).read_bytes()})
    there = read_annotations("memory://bucket/shards")
    assert [open_photo(path).size for path in there.paths] == [(8, 6)] * 2


def test_labels_beyond_the_budget_of_the_cache_are_refused(tmp_path, monkeypatch, cache):
    write_coco(tmp_path, NAMES)
    put_folder(tmp_path)
    put(below("images", dict.fromkeys(NAMES, photo(20))))
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.json"))
    monkeypatch.setattr(copies, "budget", lambda: size - 1)
    message = rf"at most {size - 1:,} bytes of labels at memory://bucket, got {size:,}: copy"
    with pytest.raises(DataError, match=message):
        read_annotations("memory://bucket")
    assert not cache.folder.exists()
    monkeypatch.setattr(copies, "budget", lambda: size)
    read_annotations("memory://bucket")


@pytest.mark.parametrize("name", ["data.yaml", "obj.data", "classes.txt"])
def test_a_place_without_a_list_of_files_says_how_to_copy_them(name):
    with pytest.raises(
        DataError,
        match=rf"one file at https://host/{name}, got '{name}', .*wget -r -np https://host'",
    ):
        read_annotations(f"https://host/{name}")


def test_messages_name_urls_and_not_copies(caplog):
    caplog.set_level("INFO")
    put({"labels.csv": b"image,split,labels\na.jpg,third,dog\n", "no.csv": b"image,dog\na.jpg,1\n"})
    for name, message in (
        ("labels.csv", "memory://bucket/labels.csv:2: expected the split"),
        ("no.csv", "is not in memory://bucket nor in memory://bucket/images"),
        ("nothing.csv", "expected a file or folder at memory://bucket/nothing.csv, got none"),
        ("", "expected one source of labels in memory://bucket, got 2: labels.csv, no.csv"),
    ):
        with pytest.raises(DataError) as caught:
            read_annotations(f"memory://bucket/{name}")
        assert message in str(caught.value)
    assert "memory://bucket: 2 files of labels copied, 0.0 MiB; 0 photos stay there" in caplog.text
    assert with_urls("photos/s3:/a.jpg") == "photos/s3:/a.jpg"
