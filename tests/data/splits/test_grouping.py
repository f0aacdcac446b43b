"""Near twins and groups: who stays on one side of a split."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import process_time

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageEnhance

from tagsight.data.annotations import Annotations
from tagsight.data.format import ReadOptions
from tagsight.data.photos.check import Check, check_photos
from tagsight.data.photos.reading import photo_traits
from tagsight.data.photos.traits import Look, PhotoTraits
from tagsight.data.readers import read_annotations
from tagsight.data.splits.alike import BLOCK
from tagsight.data.splits.grouping import Grouping, Leak, leaks, split_groups
from tagsight.data.splits.near_twins import near_twins, twins_by_embedding, united
from tagsight.data.splits.split import complete_splits
from tagsight.errors import DataError


def scene(seed: int) -> Image.Image:
    """A photo of soft random shapes."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(cells).resize((360, 270), Image.Resampling.BICUBIC)


def rows(paths, grouping=(), **fields) -> Annotations:
    targets = torch.ones(len(paths), 1)
    return Annotations(
        ("dog",),
        tuple(map(Path, paths)),
        targets,
        None,
        "any",
        grouping=Grouping(*grouping),
        **fields,
    )


def checked(traits) -> Check:
    hashes = {Path(path): str(index).encode() for index, path in enumerate(traits)}
    return Check((), hashes, {Path(path): each for path, each in traits.items()})


def test_copies_of_a_photo_are_near_twins_and_other_photos_are_not(tmp_path):
    for seed in range(12):
        scene(seed).save(tmp_path / f"{seed}.png")
    photo = scene(3)
    photo.resize((120, 90)).save(tmp_path / "small.jpg", quality=60)
    ImageEnhance.Brightness(photo).enhance(1.06).save(tmp_path / "brighter.jpg")
    photo.crop((2, 1, 359, 269)).save(tmp_path / "cropped.webp")
    Image.merge("RGB", photo.split()[::-1]).point(lambda v: v // 3).save(tmp_path / "other.png")
    (tmp_path / "3 again.png").write_bytes((tmp_path / "3.png").read_bytes())
    check = check_photos(sorted(tmp_path.iterdir()), workers=1)
    (group,) = near_twins(check)
    assert [path.name for path in group] == [
        *("3 again.png", "3.png", "brighter.jpg", "cropped.webp", "small.jpg"),
    ]
    assert near_twins(Check((), {})) == ()


def test_any_two_photos_that_differ_in_four_bits_are_found_and_in_five_are_not():
    generator = np.random.default_rng(0)
    for apart, found in ((4, True), (5, False)):
        for _ in range(50):
            bits = generator.choice(64, apart, replace=False).tolist()
            code = int(generator.integers(2**63))
            looks = [Look(code, (9, 9, 9)), Look(code ^ sum(1 << bit for bit in bits), (9, 9, 30))]
            check = checked({str(i): PhotoTraits((9, 9), look) for i, look in enumerate(looks)})
            assert bool(near_twins(check)) == found


def test_time_does_not_grow_with_the_square_of_the_photos():
    codes = np.random.default_rng(0).integers(2**63, size=20_000).tolist()
    traits = {f"{i}": PhotoTraits((9, 9), Look(code, (9, 9, 9))) for i, code in enumerate(codes)}
    check, start = checked(traits), process_time()
    assert near_twins(check) == ()
    traits = {path: PhotoTraits((9, 9), Look(codes[0], (9, 9, 9))) for path in traits}
    (group,) = near_twins(checked(traits))
    assert len(group) == 20_000
    assert process_time() - start < 5


def test_the_traits_of_a_photo_are_its_upright_size_its_time_camera_and_profile():
    file, exif = BytesIO(), Image.Exif()
    exif[274], exif[271], exif[272] = 6, "Ricoh", "GR"
    exif.get_ifd(0x8769)[36867] = "2024:05:01 10:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene(0).save(file, "JPEG", exif=exif, icc_profile=profile)
    traits = photo_traits(file.getvalue())
    assert (traits.size, traits.camera) == ((270, 360), "Ricoh GR")
    assert traits.taken == 1714557600
    assert "sRGB" in traits.profile
    plain = BytesIO()
    scene(0).save(plain, "PNG", icc_profile=b"no profile")
    assert photo_traits(plain.getvalue())[2:] == (None, "", "damaged")


@pytest.mark.parametrize("count", [3, BLOCK + 2])
def test_twins_by_embedding_are_near_in_direction_whatever_all_have_in_common(count):
    numbers = np.random.default_rng(0)
    embeddings = numbers.normal(size=(count, 64)) + 100
    embeddings[-1] = embeddings[0] + 0.1 * numbers.normal(size=64)
    paths = [Path(f"{row:04}.jpg") for row in range(count)]
    check = Check((), {path: path.name.encode() for path in paths})
    twins = twins_by_embedding(check, paths, embeddings)
    assert twins == ((paths[0], paths[-1]),)
    copies = Check((), dict.fromkeys(paths, b"the same"))
    assert twins_by_embedding(copies, paths, embeddings) == ()
    other = ((paths[1], paths[-1]),)
    assert united(twins, other, ()) == ((paths[0], paths[1], paths[-1]),)


def test_folders_sessions_twins_and_columns_stay_together():
    times = {
        "a/1": (0, "x"),
        "a/2": (1799, "x"),
        "b/1": (3600, "x"),
        "b/2": (60, "y"),
        "c/1": (None, ""),
    }
    looks = dict.fromkeys(times, None) | {"a/1": Look(1, (0, 0, 0)), "c/1": Look(3, (0, 0, 0))}
    check = checked({p: PhotoTraits((9, 9), looks[p], t, c) for p, (t, c) in times.items()})
    twins = near_twins(check)

    def together(*by, **fields) -> list[int]:
        found = split_groups(rows(times, (by, 30.0), **fields), check, twins).values()
        order = list(dict.fromkeys(found))
        return [order.index(group) for group in found]

    assert together() == [0, 1, 2, 3, 4]
    assert together("folder") == [0, 0, 1, 1, 2]
    assert together("session") == [0, 0, 1, 2, 3]
    assert together("near-twins") == together("encoder-twins") == [0, 1, 2, 3, 0]
    assert together("folder", "near-twins") == [0, 0, 1, 1, 0]
    assert together("patient", groups=("p", "q", "p", "r", "q")) == [0, 1, 0, 2, 1]


def test_a_division_keeps_groups_whole_and_labels_in_shares():
    paths = tuple(Path(f"/photos/{row // 5}/{row}.jpg") for row in range(200))
    targets = torch.tensor([[int(row // 5 % 2 == 0), int(row % 5 == 0)] for row in range(200)])
    grouped = Annotations(
        ("dog", "sky"), paths, targets, None, "any", grouping=Grouping(("folder",))
    )
    divided = complete_splits(grouped, {}, 0, groups=split_groups(grouped, Check((), {})))
    sides = {(path.parent, split) for path, split in zip(paths, divided.splits, strict=True)}
    assert len(sides) == 40
    assert divided.split_sizes["test"] == pytest.approx(30, abs=5)
    share = (divided.rows("test").targets == 1).sum(0) / (targets == 1).sum(0)
    assert share.tolist() == pytest.approx([0.15, 0.15], abs=0.05)


def test_a_leak_counts_the_photos_that_resemble_training_photos():
    paths = [Path(name) for name in "abcdef"]
    splits = ("train", "train", "val", "test", "test", "test")
    divided = replace(rows("abcdef"), splits=splits)
    twins = [(paths[0], paths[3]), (paths[1], paths[2], paths[4]), (paths[5], Path("elsewhere"))]
    assert leaks(divided, twins) == (Leak("val", 1, 1), Leak("test", 2, 3))
    assert leaks(rows("abcdef"), twins) == ()


def test_a_group_that_no_table_has_is_refused():
    with pytest.raises(DataError, match="a column 'patient' for `group`, or folder, session"):
        read_annotations(rows("ab"), options=ReadOptions(grouping=Grouping(("patient",))))


def test_the_column_of_a_table_is_the_group_and_no_label(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("image,patient,labels\na.jpg,7,dog\nb.jpg,8,sky;dog\nc.jpg,7,sky\nd.jpg,,sky\n")
    options = ReadOptions(grouping=Grouping(("patient",)))
    found = read_annotations(file, labels_only=True, options=options)
    assert (found.names, found.groups) == (("dog", "sky"), ("7", "8", "7", "row 5"))
    assert found.select([2, 1]).groups == ("7", "8")
    with pytest.raises(DataError, match=r"a column of the table as `group`.*got 'doctor'"):
        read_annotations(
            file, labels_only=True, options=ReadOptions(grouping=Grouping(("doctor",)))
        )
    with pytest.raises(DataError, match="one column of a table"):
        Grouping(("patient", "doctor")).column  # noqa: B018 - the property raises
