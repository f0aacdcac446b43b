import numpy as np
import pytest
from tiny_collections import NAMES, PHOTOS, write_nus_wide

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

OFFICIAL = tuple(f"actor\\000{number}_{99 - number}.jpg" for number in range(5))


@pytest.fixture
def official(tmp_path):
    return write_nus_wide(tmp_path, OFFICIAL).source


@pytest.mark.parametrize("folder", ["Flickr", "images", "."])
def test_photos_are_found_below_the_folder_that_the_list_names(official, folder):
    photo = official / folder / "actor" / "0003_96.jpg"
    photo.parent.mkdir(parents=True)
    photo.touch()
    paths = read_annotations(official, format="nus-wide").paths
    assert any(path.samefile(photo) for path in paths if path.is_file())
    assert (
        read_annotations(official, images=photo.parent.parent, format="nus-wide").paths[0].parent
        == photo.parent
    )


def test_photos_that_were_gathered_are_found_by_the_last_part_of_their_name(official):
    (official / "images").mkdir()
    (official / "images" / "0000_99.jpg").touch()
    rows = read_annotations(official, format="nus-wide")
    assert rows.paths[0] == official / "images" / "0000_99.jpg"
    assert rows.relative_names[0] == "0000_99.jpg"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a\\1.jpg", "b\\1.jpg", *OFFICIAL[2:]], "found none of 5: 'a/1.jpg' is not in"),
        (["a.jpg", "b.jpg", "a.jpg", *PHOTOS[3:]], "each photo once in its lists, got 'a.jpg'"),
    ],
)
def test_photos_without_a_name_of_their_own_are_refused(tmp_path, names, message):
    source = write_nus_wide(tmp_path, names).source
    (source / "images").mkdir()
    (source / "images" / "1.jpg").touch()
    with pytest.raises(DataError, match=message):
        read_annotations(source, format="nus-wide")


def test_neither_order_of_concepts_nor_white_space_nor_folders_matter(official):
    before = read_annotations(official, labels_only=True, format="nus-wide").hash()
    marks = official / "Groundtruth" / "TrainTestLabels"
    for file in marks.iterdir():
        file.write_text("  ".join(file.read_text().split()) + "  \r\n\r\n")
    assert read_annotations(official, labels_only=True, format="nus-wide").hash() == before
    marks.rename(official / "TrainTestLabels")
    (official / "ConceptsList" / "Concepts81.txt").rename(official / "Concepts81.txt")
    (official / "Concepts81.txt").write_text("\r\n".join(NAMES))
    assert read_annotations(official, labels_only=True, format="nus-wide").hash() == before


def test_the_sample_has_the_counts_that_its_readme_states(shared_data):
    rows = read_annotations(shared_data / "nus-wide-15k", labels_only=True)
    present = rows.targets == 1
    assert rows.split_sizes == {"train": 10_000, "test": 5_000}
    assert present.sum() / len(rows) == pytest.approx(2.43, abs=0.005)
    assert present.any(1).all()
    graph = np.load(shared_data / "label-graphs" / "nuswide_cooccurrence.npz")
    assert rows.names == tuple(graph["names"].tolist())
    assert np.corrcoef(present.float().mean(0).numpy(), graph["counts"])[0, 1] > 0.99
