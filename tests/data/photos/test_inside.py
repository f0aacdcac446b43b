"""Photos inside files of labels are read as photos beside them are."""

import csv
import io
import json
from base64 import b64encode
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from photo_kinds import encoded
from PIL import Image

from tagsight.data.format import ReadOptions
from tagsight.data.photos import inside
from tagsight.data.photos.inside import PhotoInside, PhotosInside
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LABELS = [["dog"], ["dog", "sky"]]


def photo(shade: int) -> bytes:
    return encoded(Image.new("RGB", (9, 7), (shade, 0, 0)), "PNG")


CONTENT = [photo(1), photo(2)]
HELD = [{"bytes": one, "path": f"{row}.png"} for row, one in enumerate(CONTENT)]
TEXT = [b64encode(one).decode() for one in CONTENT]
ADDRESSES = [f"data:image/png;base64,{text}" for text in TEXT]


def parquet(folder: Path, images) -> Path:
    pq.write_table(pa.table({"image": images, "labels": LABELS}), folder / "rows.parquet")
    return folder / "rows.parquet"


def saved(folder: Path, images) -> Path:
    table = pa.table({"image": images, "labels": LABELS})
    with pa.ipc.new_stream(folder / "data-0.arrow", table.schema) as out:
        out.write_table(table)
    for name in ("dataset_info.json", "state.json"):
        (folder / name).write_text("{}")
    return folder


def records(folder: Path, images) -> Path:
    rows = [{"image": one, "labels": of} for one, of in zip(images, LABELS, strict=True)]
    (folder / "rows.json").write_text(json.dumps(rows))
    return folder / "rows.json"


def frame(_: Path, images) -> pd.DataFrame:
    return pd.DataFrame({"image": images, "labels": LABELS})


def tasks(folder: Path, images) -> Path:
    rows = [
        {
            "data": {"image": one},
            "annotations": [{"result": [{"from_name": "a", "value": {"choices": of}}]}],
        }
        for one, of in zip(images, LABELS, strict=True)
    ]
    (folder / "tasks.json").write_text(json.dumps(rows))
    return folder / "tasks.json"


def table(folder: Path, images, delimiter: str = ",") -> Path:
    with (folder / "rows.csv").open("w", newline="") as out:
        write = csv.writer(out, delimiter=delimiter)
        write.writerow(["picture", "labels"])
        write.writerows([one, "|".join(of)] for one, of in zip(images, LABELS, strict=True))
    return folder / "rows.csv"


def tabbed(folder: Path, images) -> Path:
    return table(folder, images, "\t")


def columns(folder: Path, images) -> Path:
    rows = [f'"{one}",1,{sky}' for sky, one in enumerate(images)]
    (folder / "rows.csv").write_text("\n".join(["photo,dog,sky", *rows]))
    return folder / "rows.csv"


def long(folder: Path, images) -> Path:
    rows = [f'"{one}";{name}' for one, of in zip(images, LABELS, strict=True) for name in of]
    (folder / "rows.csv").write_text("\n".join(["Held;label", *rows]))
    return folder / "rows.csv"


KINDS = [
    *((parquet, one) for one in (HELD, CONTENT)),
    *((saved, one) for one in (HELD, CONTENT)),
    *((records, one) for one in (ADDRESSES, [{"bytes": text} for text in TEXT])),
    *((frame, one) for one in (HELD, CONTENT, ADDRESSES)),
    (tasks, ADDRESSES),
    *((write, ADDRESSES) for write in (table, tabbed, columns, long)),
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("write", "images"), KINDS)
def test_photos_inside_are_written_once_whatever_holds_them(tmp_path, caplog, write, images):
    caplog.set_level("INFO")
    source = write(tmp_path, images)
    named = read_annotations(source, labels_only=True, options=ReadOptions(write_photos=False))
    assert not (tmp_path / "cache").exists()
    assert "2 photos inside, 0.0 MiB: not written" in caplog.text
    rows = read_annotations(source)
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 0], [1, 1]])
    assert [path.read_bytes() for path in rows.paths] == CONTENT
    assert all((tmp_path / "cache") in path.parents for path in rows.paths)
    assert rows.hash() == named.hash()
    assert "2 of them written now" in caplog.text
    assert read_annotations(source).hash() == rows.hash()
    assert "0 of them written now" in caplog.text


def test_a_folder_of_photos_takes_the_place_of_those_inside(tmp_path):
    for row in range(2):
        (tmp_path / f"{row}.png").touch()
    for write in (parquet, saved, frame):
        folder = tmp_path / write.__name__
        folder.mkdir()
        rows = read_annotations(write(folder, HELD), images=tmp_path)
        assert [path.name for path in rows.paths] == ["0.png", "1.png"]
    assert not (tmp_path / "cache").exists()


def test_a_cell_may_hold_a_large_photo_and_others_name_one(tmp_path):
    """A cell of a CSV has at most 128 KiB by default of Python; errors show none in full."""
    noise = Image.effect_noise((500, 500), 90)
    file = io.BytesIO()
    noise.save(file, "PNG")
    (tmp_path / "there.png").write_bytes(CONTENT[1])
    large = f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
    for images in (None, tmp_path):
        rows = read_annotations(table(tmp_path, [large, "there.png"]), images=images)
        assert [path.read_bytes() for path in rows.paths] == [file.getvalue(), CONTENT[1]]
    source = columns(tmp_path, [large])
    source.write_text(source.read_text() + ",1")
    with pytest.raises(DataError, match="expected 3 cells as in the header, got 4") as caught:
        read_annotations(source)
    assert len(str(caught.value).replace(str(source), "")) < 500


def test_equal_photos_with_other_labels_stay_two(tmp_path):
    rows = read_annotations(records(tmp_path, ADDRESSES[:1] * 2))
    assert rows.targets.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("stated", ["../../etc/a.png", "C:\\x\\..\\a.png", "\x1b/.a .png", "." * 9])
def test_a_stated_path_never_leaves_the_folder(stated):
    photos = PhotosInside("rows", write=True)
    name = photos.add(PhotoInside(CONTENT[0], stated), "rows: record 1")
    assert [file.name for file in photos.folder.iterdir()] == [name]
    assert name.isascii()
    assert name.isprintable()
    assert not name.startswith(".")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("LARGEST_PHOTO", 9, r"record 1: expected at most 9 bytes of a photo, got \d+ and more"),
        ("LARGEST_TOTAL", 99, "record 2: expected at most 99 bytes of the photos inside"),
        ("SPARE", 2**62, "free bytes in .* for the photos inside .*XDG_CACHE_HOME"),
    ],
)
def test_what_is_too_large_is_refused_and_no_part_is_left(
    tmp_path, monkeypatch, limit, value, message
):
    monkeypatch.setattr(inside, limit, value)
    with pytest.raises(DataError, match=message):
        read_annotations(records(tmp_path, ADDRESSES))
    written = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert {file.read_bytes() for file in written} <= {*CONTENT}
