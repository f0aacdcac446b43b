from tagsight.training.label_quality import (
    FILE,
    LabelQuality,
    labels_to_look_at,
    read_quality,
    write_quality,
)

LABELS = [
    LabelQuality('=dog, "big"', 90.25, 40, 500),
    LabelQuality("owl", None, 0, 3),
    LabelQuality("cat", 12.5, 8, 9),
]


def test_what_is_written_is_read_again(tmp_path):
    write_quality(tmp_path, LABELS)
    assert read_quality(tmp_path) == LABELS


def test_other_files_are_no_quality(tmp_path):
    assert read_quality(tmp_path) == []
    for content in ("", "a,b\n", "label,AP,validation photos,training photos\ncat,x,1,2\n"):
        (tmp_path / FILE).write_text(content)
        assert read_quality(tmp_path) == []


def test_labels_that_cannot_be_ranked_are_not_looked_at():
    assert [label.name for label in labels_to_look_at(LABELS)] == ["cat", '=dog, "big"']
