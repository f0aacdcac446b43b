import json
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import webdataset
from collection import TINY_OPTIONS, write_collection
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_collections import write_shard as write

from tagsight.cli import main
from tagsight.data.photos.check import check_photos
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import PhotoStore, TrainingBatches
from tagsight.runtime.processes import Processes


def jpeg(shade: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (16, 12), (shade, 20, 30)).save(file, "JPEG")
    return file.getvalue()


def png(shade: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), (shade, 20, 30)).save(file, "PNG")
    return file.getvalue()


def read_one(folder: Path, labels: str, ending: str = "json"):
    write(folder / "a.tar", {"1.jpg": jpeg(1), f"1.{ending}": labels, "2.jpg": b"", "2.txt": "owl"})
    rows = read_annotations(folder)
    return dict(zip(rows.names, rows.targets[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("labels", "ending", "expected"),
    [
        ('{"labels": ["dog", "cat"]}', "json", {"cat": 1, "dog": 1, "owl": 0}),
        ('["dog"]', "json", {"dog": 1, "owl": 0}),
        ('{"label": "dog", "width": 640}', "json", {"dog": 1, "owl": 0}),
        ('{"width": 640, "tags": ["dog"]}', "json", {"dog": 1, "owl": 0}),
        ('{"labels": []}', "json", {"owl": 0}),
        (
            '{"labels": {"dog": 1, "cat": 0, "elk": null, "fox": -1, "gnu": true}}',
            "JSON",
            {"cat": 0, "dog": 1, "elk": -1, "fox": -1, "gnu": 1, "owl": -1},
        ),
        ('{"dog": 1, "cat": 0}', "json", {"cat": 0, "dog": 1, "owl": -1}),
        ("dog\n dining  table \n\n", "txt", {"dining table": 1, "dog": 1, "owl": 0}),
        ("dog;cat", "cls", {"cat": 1, "dog": 1, "owl": 0}),
        ("", "txt", {"owl": 0}),
        ("dog, cat,", "txt", {"cat": 1, "dog": 1, "owl": 0}),
        ('{"width": 640, "tags": "dog,cat"}', "json", {"cat": 1, "dog": 1, "owl": 0}),
        ('{"labels": [{"id": 7, "name": "dog"}]}', "json", {"dog": 1, "owl": 0}),
        ('{"label": 7}', "json", {"7": 1, "owl": 0}),
    ],
)
def test_what_is_not_listed_is_absent_and_what_is_not_in_a_table_is_unknown(
    tmp_path, labels, ending, expected
):
    assert read_one(tmp_path, labels, ending) == expected


LAION = {"caption": "A dog", "url": "https://x.org/1.jpg", "key": "1", "status": "success"}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"json": json.dumps({**LAION, "labels": ["dog"]}), "txt": "A dog"}, ("dog",)),
        ({"json": json.dumps({"width": 640, "height": 480}), "cls": "dog"}, ("dog",)),
        (
            {"json": json.dumps(LAION), "txt": "A dog"},
            r"expected 'labels' in \.json.*a caption, 'A d",
        ),
        (
            {"json": json.dumps({"width": 0.5, "txt": "A dog"})},
            r"expected 'labels' in \.json.*width",
        ),
        ({"txt": "A dog runs on a beach."}, "got captions such as 'A dog runs on a beach.'; write"),
        ({"json": '{"labels": [0, 1, 0]}'}, r"list of names or a table .*got '\[0, 1, 0\]'"),
        ({"json": '{"label": true}'}, r"list of names or a table of 1, 0 and null .*got 'True'"),
    ],
)
def test_labels_are_in_the_first_file_that_states_some_and_captions_are_none(
    tmp_path, files, names
):
    contents = {"1.jpg": b"", **{f"1.{ending}": text for ending, text in files.items()}}
    shard = write(tmp_path / "a.tar", contents)
    if isinstance(names, tuple):
        assert read_annotations(shard).names == names
    else:
        with pytest.raises(DataError, match=names):
            read_annotations(shard)


def test_numbers_of_labels_are_named_by_a_file_beside_the_shards(tmp_path):
    shard = write(tmp_path / "a.tar", {"1.jpg": b"", "1.cls": "0", "2.jpg": b"", "2.cls": "2"})
    (tmp_path / "classnames.txt").write_text("owl\ncat\ndog\n")
    rows = read_annotations(shard)
    assert (rows.names, rows.targets.tolist()) == (("dog", "owl"), [[0, 1], [1, 0]])


def test_some_sentences_among_the_tags_of_shards_are_left_out(tmp_path, caplog):
    texts = ("dog, cat", "cat, A cat sits here.", "dog")
    contents = {f"{i}.txt": text for i, text in enumerate(texts)}
    contents |= {f"{i}.jpg": b"" for i in range(3)}
    rows = read_annotations(write(tmp_path / "a.tar", contents))
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 1], [1, 0], [0, 1]])
    assert "sentences in the text of 1 photo are no labels" in caplog.text


def test_a_sample_is_what_has_one_name_up_to_the_first_dot(tmp_path):
    contents = {"x/1.jpg": b"", "y/1.jpg": b"", "x/1.json": '["cat"]', "y/1.json": '["dog"]'}
    others = {"x/1.seg.png": b"", "x/1.left.json": "{", "readme.md": b"", ".hidden.jpg": b""}
    rows = read_annotations(write(tmp_path / "a.tar", contents | others))
    assert rows.relative_names == ("a.tar/x/1.jpg", "a.tar/y/1.jpg")
    assert rows.targets.tolist() == [[1, 0], [0, 1]]


def test_the_split_is_the_word_that_a_shard_begins_with(tmp_path):
    for name in ("train-000", "training_1", "val-0", "validation.2", "test000"):
        write(tmp_path / f"{name}.tar", {f"{name[:3]}.jpg": b"", f"{name[:3]}.txt": "cat"})
    assert read_annotations(tmp_path).splits == ("test", "train", "train", "val", "val")
    other = write(tmp_path / "trainer-0.tar", {"x.jpg": b"", "x.txt": "cat"})
    with pytest.raises(DataError, match=r"got 'trainer-0\.tar' among others that do"):
        read_annotations(tmp_path)
    assert read_annotations(other).splits is None


def test_the_split_may_be_the_folder_of_the_shards(tmp_path):
    for folder, name in (("train", "val-0"), ("train", "1"), ("valid", "1")):
        (tmp_path / folder).mkdir(exist_ok=True)
        write(tmp_path / folder / f"{name}.tar", {f"{name}.jpg": b"", f"{name}.txt": "cat"})
    rows = read_annotations(tmp_path)
    assert (rows.format, rows.splits) == ("shards", ("train", "train", "val"))
    assert rows.relative_names[0] == "train/1.tar/1.jpg"


@pytest.mark.parametrize(
    ("members", "photo"),
    [
        (["1.input.png", "1.target.txt"], "1.input.png"),
        (["1.image.jpg", "1.mask.png", "1.labels.txt"], "1.image.jpg"),
        (["1.jpg", "1.input.png", "1.txt", "1.caption.txt"], "1.jpg"),
    ],
)
def test_a_part_of_the_name_may_say_what_a_member_is(tmp_path, members, photo):
    texts = {"1.caption.txt": "dog"}
    contents = {n: texts.get(n, "cat") if n.endswith("txt") else b"" for n in members}
    rows = read_annotations(write(tmp_path / "a.tar", contents))
    assert (rows.names, rows.relative_names) == (("cat",), (f"a.tar/{photo}",))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (["1.input.png", "1.rgb.png"], "one photo a sample, got '1.input.png' and '1.rgb.png'"),
        (
            ["v1.2-a.jpg", "v1.2-a.txt"],
            r"first dot of the name, got members such as 'v1",
        ),
    ],
)
def test_samples_whose_photo_is_not_plain_are_refused(tmp_path, members, told):
    with pytest.raises(DataError, match=told):
        read_annotations(write(tmp_path / "a.tar", dict.fromkeys(members, "cat")))


@pytest.mark.parametrize("table", ["image,cat,dog\n{},1,\n", "image,labels\n{},cat\n"])
@pytest.mark.parametrize("name", ["x/1.jpg", "train-0.tar/x/1.jpg"])
def test_labels_may_be_in_a_csv_beside_the_shards(tmp_path, table, name):
    write(tmp_path / "train-0.tar", {"x/1.jpg": b"", "x/2.jpg": b""})
    (tmp_path / "labels.csv").write_text(table.format(name))
    rows = read_annotations(tmp_path)
    assert rows.relative_names == ("train-0.tar/x/1.jpg",)
    assert (rows.targets[0, 0], rows.splits) == (1, ("train",))


@pytest.mark.parametrize(("name", "found"), [("1.jpg", 2), ("3.jpg", 0)])
def test_a_row_of_the_csv_is_one_photo_of_one_shard(tmp_path, name, found):
    for shard in ("a.tar", "b.tar"):
        write(tmp_path / shard, {"1.jpg": b""})
    (tmp_path / "labels.csv").write_text(f"image,cat\n{name},1\n")
    with pytest.raises(DataError, match=rf"'{name}' to be one photo .*, got {found}; name"):
        read_annotations(tmp_path)


def test_shards_that_cannot_be_read_are_refused_with_the_reason(tmp_path):
    with pytest.raises(DataError, match=r"expected a tar or a folder with some"):
        read_annotations(tmp_path, format="shards")
    for ending in (".tar.gz", ".tgz", ".tar.zst"):
        (tmp_path / f"a{ending}").write_bytes(b"packed")
        for source in (tmp_path, tmp_path / f"a{ending}"):
            with pytest.raises(DataError, match="which can only be read from its beginning"):
                read_annotations(source)
    write(tmp_path / "a.tar", {"1.jpg": b"", "1.txt": "cat"})
    with pytest.raises(DataError, match=r"expected no `images` for .*, as photos are in the"):
        read_annotations(tmp_path, images=tmp_path)
    (tmp_path / "b.tar").symlink_to("b.tar")
    with pytest.raises(DataError, match=r"b.tar, got a link that cannot be followed"):
        read_annotations(tmp_path, format="shards")


def test_the_check_finds_the_bad_photos_of_a_shard(tmp_path):
    photos = {"1.jpg": jpeg(1), "2.jpg": jpeg(2)[:-30], "3.jpg": jpeg(1)}
    shard = write(tmp_path / "a.tar", photos)
    file = tmp_path / "same.jpg"
    file.write_bytes(photos["1.jpg"])
    check = check_photos([file, *(shard / name for name in (*photos, "4.jpg"))], workers=2)
    assert {path.name: reason[:12] for path, reason in check.problems} == {
        "2.jpg": "expected a w",
        "4.jpg": "does not exi",
    }
    assert check.hashes[shard / "1.jpg"] == check.hashes[shard / "3.jpg"] == check.hashes[file]


def test_photos_in_shards_are_found_like_those_in_folders(tmp_path):
    shard = write(tmp_path / "a.tar", {"1.jpg": jpeg(1), "1.json": "[]", "x/2.PNG": b""})
    assert list(find_photos([shard])) == [shard / "1.jpg", shard / "x" / "2.PNG"]
    assert list(find_photos([shard / "1.jpg"])) == [shard / "1.jpg"]
    assert open_photo(shard / "1.jpg").size == (16, 12)
    with pytest.raises(DataError, match=r"a\.tar/x/2\.PNG: expected a photo, got an empty file"):
        open_photo(shard / "x" / "2.PNG")


def test_a_folder_of_shards_has_their_photos_unless_it_has_photos_of_its_own(tmp_path):
    folder = tmp_path / "set"
    (folder / "val").mkdir(parents=True)
    one, two = folder / "train.tar", folder / "val" / "0.tar"
    for shard in (one, two):
        write(shard, {"1.jpg": jpeg(1), "1.json": "[]"})
    assert list(find_photos([folder])) == [one / "1.jpg", two / "1.jpg"]
    assert list(find_photos([folder], only_files=True)) == []
    own = folder / "a.jpg"
    own.touch()
    assert list(find_photos([folder])) == [own]
    assert list(find_photos([folder, folder])) == [own]  # the second time there is no new photo
    assert list(find_photos([folder, one])) == [own, one / "1.jpg"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_photos_are_those_that_webdataset_writes_and_reads(tmp_path):
    names, random = ["cat", "dining table", "dog"], np.random.default_rng(0)
    with webdataset.ShardWriter(str(tmp_path / "train-%03d.tar"), maxcount=7, verbose=0) as writer:
        for row in range(20):
            labels = [name for name in names if random.random() < 0.5]
            writer.write({"__key__": f"{row:06}", "jpg": jpeg(row), "json": {"labels": labels}})
    shards = sorted(map(str, tmp_path.glob("*.tar")))
    theirs = {
        sample["__key__"]: (sample["jpg"], json.loads(sample["json"])["labels"])
        for sample in webdataset.WebDataset(shards, shardshuffle=False)
    }
    rows = read_annotations(tmp_path)
    assert len({path.parent for path in rows.paths}) == len(shards) == 3
    assert rows.split_sizes == {"train": 20}
    assert [path.stem for path in rows.paths] == list(theirs)
    for path, row in zip(rows.paths, rows.targets.tolist(), strict=True):
        photo, labels = theirs[path.stem]
        assert [n for n, t in zip(rows.names, row, strict=True) if t] == labels
        assert np.array_equal(np.asarray(open_photo(path)), np.asarray(open_photo(photo)))


@pytest.mark.slow
def test_training_from_shards_gives_the_weights_of_training_from_files(tmp_path, capsys):
    labels = write_collection(tmp_path / "files")
    shards = tmp_path / "shards"
    shards.mkdir()
    (shards / "labels.csv").write_bytes(labels.read_bytes())
    photos = sorted(labels.parent.glob("*.png"))
    for start in range(0, len(photos), 11):
        contents = {path.name: path.read_bytes() for path in photos[start : start + 11]}
        write(shards / f"part-{start:03}.tar", contents)
    weights = {}
    for source in (labels, shards):
        out = tmp_path / "runs" / source.name
        assert main(["train", str(source), "--out", str(out), *TINY_OPTIONS]) == 0
        weights[source] = (out / "model" / "model.safetensors").read_bytes()
    assert weights[labels] == weights[shards]
    capsys.readouterr()
    assert main(["tag", str(out / "model"), str(shards / "part-000.tar"), "--write", "jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["path"]).name for line in lines] == [path.name for path in photos[:11]]
    photo = str(shards / "part-000.tar" / "000.png")
    assert main(["explain", str(out / "model"), photo, "--out", str(tmp_path / "evidence")]) == 0
    assert (tmp_path / "evidence" / "000.png").is_file()
    assert main(["tag", str(out / "model"), photo.replace("part-000", "none")]) == 2
    assert 'none.tar/000.png" does not exist' in capsys.readouterr().err


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=7),
    ranks=st.sampled_from([2, 3]),
    step=st.integers(3, 8),
    epoch=st.integers(0, 3),
)
@settings(max_examples=25)
def test_ranks_see_each_photo_of_any_shards_once_an_epoch_except_for_an_unfilled_step(
    sizes, ranks, step, epoch
):
    """The shade of a photo is its number."""
    photos = sum(sizes)
    assume(photos >= ranks)
    numbers = iter(range(photos))
    with TemporaryDirectory() as folder:
        for shard, size in enumerate(sizes):
            names = {f"{number:03}": number for number in islice(numbers, size)}
            contents = {f"{name}.png": png(number) for name, number in names.items()}
            contents |= {f"{name}.txt": "dog" for name in names}
            write(Path(folder) / f"train-{shard:03}.tar", contents)
        rows = read_annotations(Path(folder))
        plain = Augmentation(side=8, crop=1.0, flip=False, seed=0)
        whole = TrainingBatches(PhotoStore(rows.paths, 8, 0), rows.targets, plain, step, workers=1)
        shares = [replace(whole, processes=Processes(rank, ranks)) for rank in range(ranks)]
        seen = [[batch.images[:, 0, 0, 0].tolist() for batch in share(epoch)] for share in shares]
    assert {len(batches) for batches in seen} == {len(whole)}
    shades = [shade for batches in seen for batch in batches for shade in batch]
    assert len(set(shades)) == len(shades) == min(photos, len(whole) * step)
