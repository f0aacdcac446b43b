import json
from pathlib import Path

import pytest

from tagsight.checkpoint.released.label_order import BY_NUMBER, ORDERS, label_order
from tagsight.errors import DataError
from tagsight.labels.names import LABEL_ORDERS


def test_ml_gcn_sorts_the_labels_of_coco_by_name_and_the_others_by_number():
    """Its coco.py: ``sorted(category_id.values())``; the others: ascending category ids."""
    assert ORDERS["ml-gcn"]["coco"] == tuple(sorted(BY_NUMBER["coco"]))
    assert set(BY_NUMBER["coco"]) == set(LABEL_ORDERS["coco"])
    for origin in ("csra", "query2label", "ml-decoder"):
        order = label_order("coco", origin, 80)
        places = (order[0], order[11], order[40], order[79])
        assert places == ("person", "stop sign", "wine glass", "toothbrush")
    for origin in ORDERS:
        assert label_order("voc", origin, 20)[::19] == ("aeroplane", "tvmonitor")


def test_known_labels_may_be_given_in_any_order_and_as_any_file(tmp_path):
    shuffled = sorted(LABEL_ORDERS["voc"], key=lambda name: name[::-1])
    (tmp_path / "names.txt").write_text("\n".join(shuffled))
    (tmp_path / "labels.csv").write_text(
        "\n".join([",".join(("image", *shuffled)), ",".join(("a.jpg", *"01" * 10))])
    )
    for given in (shuffled, tmp_path / "names.txt", str(tmp_path / "labels.csv")):
        assert label_order(given, "csra", 20) == LABEL_ORDERS["voc"]
    categories = [{"id": i, "name": name} for i, name in enumerate(LABEL_ORDERS["coco"])]
    images = [{"id": 1, "file_name": "a.jpg"}]
    annotations = [{"id": 1, "image_id": 1, "category_id": 3}]
    content = {"categories": categories, "images": images, "annotations": annotations}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    assert label_order(tmp_path / "instances.json", "csra", 80) == BY_NUMBER["coco"]


def test_other_labels_are_taken_in_the_order_in_which_they_are_given(tmp_path):
    (tmp_path / "names.txt").write_text("zebra\nant\n")
    for given in (["zebra", "ant"], "zebra, ant", tmp_path / "names.txt"):
        assert label_order(given, "query2label", 2) == ("zebra", "ant")


@pytest.mark.parametrize("given", ["nus", "labels.csv"])
def test_labels_whose_order_is_not_that_of_the_authors_are_refused(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("image,zebra,ant\na.jpg,1,0\n")
    with pytest.raises(DataError, match=r"labels of coco or voc, .* give a file with the names"):
        label_order(given, "csra", 2)


def test_labels_of_another_number_are_refused():
    with pytest.raises(DataError, match=r"expected the 80 labels .* `labels`, got 20: aeroplane,"):
        label_order("voc", "csra", 80)
    with pytest.raises(
        DataError, match=r"as `labels`, which it does not list, got none: give coco"
    ):
        label_order(None, "csra", 80)


def test_labels_that_the_checkpoint_lists_come_first():
    assert label_order(None, "ml-decoder", 2, ["b", "a"]) == ("b", "a")
    assert label_order("a,b", "ml-decoder", 2, ["b", "a"]) == ("b", "a")
    with pytest.raises(DataError, match=r"lists, such as \['b', 'a'\], as `labels`, got others"):
        label_order("a,c", "ml-decoder", 2, ["b", "a"])
