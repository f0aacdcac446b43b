"""Labels of several files at URLs are read as on a disk, or what to do is named."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.data.readers import read_annotations
from tagsight.data.remote import copies, fetching
from tagsight.data.remote.places import is_remote, place, with_urls
from tagsight.errors import DataError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
memory = pytest.importorskip("fsspec.implementations.memory")


def photo(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 6), shade).save(file, "JPEG")
    return file.getvalue()


PHOTOS = {"a.jpg": photo(20), "b.jpg": photo(90)}
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [{"image_id": n, "category_id": n, "bbox": [1, 1, 2, 2]} for n in (1, 2)],
    }
)
DATUMARO = json.dumps(
    {
        "info": {},
        "categories": {"label": {"labels": [{"name": "dog"}]}},
        "items": [
            {
                "id": "a",
                "annotations": [{"type": "label", "label_id": 0}],
                "image": {"path": "a.jpg"},
            }
        ],
    }
)
CVAT = (
    "<annotations><version>1.1</version><meta/><image id='0' name='a.jpg' width='8' height='6'>"
    "<tag label='dog' source='manual'></tag></image></annotations>"
)
VOC = (
    "<annotation><filename>a.jpg</filename><size><width>8</width><height>6</height></size><object>"
    "<name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>"
    "</object></annotation>"
)
XMP = (
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
    "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
    "xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag><rdf:li>dog</rdf:li>"
    "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def below(folder: str, files=PHOTOS) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


CASES = {
    "yolo": (
        {
            **below("train/images"),
            "train/labels/a.txt": "0 .5 .5 .1 .1\n",
            "train/labels/b.txt": "1 .5 .5 .1 .1\n",
            "data.yaml": "train: train/images\nval: valid/images\nnames: [dog, cat]\n",
        },
        ("data.yaml", ""),
    ),
    "darknet": (
        {
            **below("obj_train_data"),
            "obj_train_data/a.txt": "0 .5 .5 .1 .1\n",
            "obj.data": "classes = 2\ntrain = train.txt\nnames = obj.names\n",
            "obj.names": "dog\ncat\n",
            "train.txt": "data/obj_train_data/a.jpg\n",
        },
        ("obj.data", ""),
    ),
    "classes of YOLO": (
        {**below("images"), "labels/a.txt": "0 .5 .5 .1 .1\n", "classes.txt": "dog\ncat\n"},
        ("classes.txt", ""),
    ),
    "Roboflow, multi-label": (
        {
            **below("train"),
            **below("valid", {"c.jpg": photo(5)}),
            "train/_classes.csv": "filename,dog,cat\na.jpg,1,0\nb.jpg,0,1\n",
            "valid/_classes.csv": "filename,dog,cat\nc.jpg,1,0\n",
        },
        ("", "train/_classes.csv"),
    ),
    "Roboflow, COCO": (
        {**below("train"), "train/_annotations.coco.json": COCO},
        ("", "train/_annotations.coco.json"),
    ),
    "COCO": (
        {**below("train2017"), "annotations/instances_train2017.json": COCO},
        ("", "annotations/instances_train2017.json"),
    ),
    "PASCAL VOC": ({**below("JPEGImages"), "Annotations/a.xml": VOC}, ("",)),
    "lists of PASCAL VOC": (
        {**below("JPEGImages"), "ImageSets/Main/dog_train.txt": "a  1\nb -1\n"},
        ("",),
    ),
    "CVAT": ({**below("images"), "annotations.xml": CVAT}, ("", "annotations.xml")),
    "Datumaro": (
        {**below("images/train"), "annotations/train.json": DATUMARO},
        ("", "annotations/train.json"),
    ),
    "FiftyOne": (
        {
            **below("data"),
            "labels.json": json.dumps(
                {"classes": ["dog", "cat"], "labels": {"a": ["dog"], "b": ["cat"]}}
            ),
        },
        ("", "labels.json"),
    ),
    "imagefolder": (
        {**below("train"), "train/metadata.jsonl": '{"file_name":"a.jpg","labels":["dog"]}\n'},
        ("", "train/metadata.jsonl"),
    ),
    "folders": (
        {**below("dog"), **below("cat", {"c.jpg": PHOTOS["a.jpg"], "d.jpg": photo(7)})},
        ("",),
    ),
    "text": ({**PHOTOS, "a.txt": "dog, cat", "b.txt": "dog"}, ("",)),
    "sidecars": ({**below("x"), "x/a.xmp": XMP}, ("",)),
    "Open Images": (
        {
            **PHOTOS,
            "labels.csv": "ImageID,Source,LabelName,Confidence\na,v,/m/01,1\nb,v,/m/02,1\n",
            "class-descriptions.csv": "/m/01,Dog\n/m/02,Cat\n",
        },
        ("labels.csv",),
    ),
    "PaddleClas": (
        {**PHOTOS, "list.txt": "a.jpg\t0,1\nb.jpg\t1,0\n", "label_list.txt": "dog\ncat\n"},
        ("list.txt",),
    ),
}


def put(files, folder: Path) -> None:
    """Write files below a folder, and to memory://bucket."""
    memory = fsspec.filesystem("memory")
    for name, given in files.items():
        content = given if isinstance(given, bytes) else given.encode()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        memory.pipe(f"/bucket/{name}", content)


@pytest.mark.parametrize(
    ("files", "source"),
    [
        pytest.param(files, source, id=f"{name}-{source or 'folder'}")
        for name, (files, sources) in CASES.items()
        for source in sources
    ],
)
def test_labels_of_several_files_are_read_there_as_here(tmp_path, files, source):
    put(files, tmp_path / "here")
    here = read_annotations(tmp_path / "here" / source)
    there = read_annotations(f"memory://bucket/{source}")
    assert (there.format, there.names, there.splits) == (here.format, here.names, here.splits)
    assert there.targets.tolist() == here.targets.tolist()
    bucket = place("memory://bucket")
    assert [bucket / path.relative_to(tmp_path / "here") for path in here.paths] == [*there.paths]
    assert there.hash() == here.hash()
    assert there.origin is not None
    assert is_remote(there.origin.source)


def test_photos_stay_there_unless_the_format_opens_them(tmp_path, cache):
    put(CASES["COCO"][0], tmp_path / "here")
    read_annotations("memory://bucket")
    assert {file.suffix for file in cache.folder.rglob("*.*")} == {".json"}
    put(below("dog") | below("cat"), tmp_path / "here")
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
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in {**PHOTOS, "a.json": b'["dog"]', "b.json": b'["cat"]'}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    put({"shards/0.tar": file.getvalue()}, tmp_path / "here")
    here = read_annotations(tmp_path / "here" / "shards")
    there = read_annotations("memory://bucket/shards")
    assert there.targets.tolist() == here.targets.tolist()
    assert there.hash() == here.hash()
    assert [open_photo(path).size for path in there.paths] == [(8, 6)] * 2


def test_labels_beyond_the_budget_of_the_cache_are_refused(tmp_path, monkeypatch, cache):
    put(CASES["COCO"][0], tmp_path / "here")
    monkeypatch.setattr(copies, "budget", lambda: 10)
    with pytest.raises(
        DataError, match=r"at most 10 bytes of labels at memory://bucket, got \d+: copy"
    ):
        read_annotations("memory://bucket")
    assert not cache.folder.exists()


@pytest.mark.parametrize("name", ["data.yaml", "obj.data", "classes.txt"])
def test_a_place_without_a_list_of_files_says_how_to_copy_them(name):
    with pytest.raises(
        DataError, match=rf"one file at https://host/{name}, got '{name}', .*wget -r"
    ):
        read_annotations(f"https://host/{name}")


def test_messages_name_urls_and_not_copies(tmp_path, caplog):
    caplog.set_level("INFO")
    put(
        {"labels.csv": "image,split,labels\na.jpg,third,dog\n", "no.csv": "image,dog\na.jpg,1\n"},
        tmp_path,
    )
    for name, message in (
        ("labels.csv", "memory://bucket/labels.csv:2: expected the split"),
        ("no.csv", "is not in memory://bucket nor in memory://bucket/images"),
        ("nothing.csv", "expected a file or folder at memory://bucket/nothing.csv, got none"),
        ("", "expected one file of labels in memory://bucket, got 2: labels.csv, no.csv"),
    ):
        with pytest.raises(DataError) as caught:
            read_annotations(f"memory://bucket/{name}")
        assert message in str(caught.value)
    assert "memory://bucket: 2 files of labels copied, 0.0 MiB; 0 photos stay there" in caplog.text
    assert with_urls("photos/s3:/a.jpg") == "photos/s3:/a.jpg"
