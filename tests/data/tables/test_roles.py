"""Columns beside the labels: numbers of rows, ids, splits, sentences, and what a row states."""

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LABELS = (("cat", "dog"), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    "content",
    [
        ",image,cat,dog\n0.0,a.jpg,1,0\n1.0,b.jpg,0,1\n",
        ",image,cat,dog\n0,a.jpg,1,0\n0,b.jpg,0,1\n",
        "level_0,image,cat,dog\n0,a.jpg,1,0\n1,b.jpg,0,1\n",
        "No.,image,cat,dog\n1,a.jpg,1,0\n2,b.jpg,0,1\n",
        "image,cat,dog,row\na.jpg,1,0,0\nb.jpg,0,1,1\n",
        ",cat,dog\na.jpg,1,0\nb.jpg,0,1\n",
        "image,annotation_id,cat,dog\na.jpg,1,1,0\nb.jpg,1,0,1\n",
        "image,cat,dog,PatientId\na.jpg,1,0,0\nb.jpg,0,1,1\n",
        "image,cat,dog,remark\na.jpg,1,0,-\nb.jpg,0,1,n/a\n",
        "StudyInstanceUID,cat,dog,PatientID\na.jpg,1,0,p\nb.jpg,0,1,p\n",
        "image,cat,dog,valid\na.jpg,1,0,1\nb.jpg,0,1,1\n",
        '"image", "cat", "dog", "remark"\n"a.jpg", "1", "0", "small, wet"\n"b.jpg", "0", "1", ""\n',
    ],
    ids=range(12),
)
def test_numbers_of_rows_ids_and_remarks_are_no_labels(write_csv, content):
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == LABELS
    assert rows.relative_names == ("a.jpg", "b.jpg")


def test_ids_of_studies_name_photos_if_all_of_them_differ(write_csv):
    content = (
        "PatientID,SOPInstanceUID,StudyInstanceUID,cat,dog\np,1.2.3,7.8,1,0\nq,1.2.4,7.8,0,1\n"
    )
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == LABELS
    assert rows.relative_names == ("1.2.3", "1.2.4")


def test_rows_of_several_people_are_refused_with_what_to_write(write_csv):
    content = "image,rater,cat,dog\na.jpg,R1,1,0\na.jpg,R2,0,1\n"
    with pytest.raises(DataError, match=r"labels.csv:3: .*write one row, of several people's"):
        read_annotations(write_csv(content), labels_only=True)


@pytest.mark.parametrize(
    "content",
    [
        "image,Data Split,cat,dog\na.jpg,Train,1,0\nb.jpg,Test,0,1\n",
        "image,cat,dog,use\na.jpg,1,0,training\nb.jpg,0,1,testing\n",
        "image,cat,dog,is_train\na.jpg,1,0,1\nb.jpg,0,1,0\n",
        "image,labels,purpose\na.jpg,cat,train\nb.jpg,dog,test\n",
        "TRAIN,gs://photos/a.jpg,cat\nTEST,gs://photos/b.jpg,dog\n",
        "image,cat,dog,set\na.jpg,1,0,train2017\nb.jpg,0,1,test2017\n",
        "image,labels,Usage\na.jpg,cat,Training\nb.jpg,dog,PrivateTest\n",
        "image,labels,jeu\na.jpg,cat,entraînement\nb.jpg,dog,test\n",
        "image,labels,split\na.jpg,cat,trainval\nb.jpg,dog,holdout\n",
        "image,cat,dog,test\na.jpg,1,0,0\nb.jpg,0,1,1\n",
    ],
    ids=range(10),
)
def test_a_split_is_recognised_by_its_cells(write_csv, content):
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist(), rows.splits) == (*LABELS, ("train", "test"))


def test_flags_of_records_are_splits_as_in_tables(tmp_path):
    table = tmp_path / "rows.jsonl"
    table.write_text(
        '{"image": "a.jpg", "cat": 1, "dog": 0, "is_test": false}\n'
        '{"image": "b.jpg", "cat": 0, "dog": 1, "is_test": true}\n'
    )
    rows = read_annotations(table, labels_only=True)
    assert (rows.names, rows.targets.tolist(), rows.splits) == (*LABELS, ("train", "test"))


TRAINS = "image,dog,train\na.jpg,1,1\nb.jpg,0,0\n"


def test_a_train_may_be_a_label_or_a_flag_which_is_said(write_csv, caplog):
    rows = read_annotations(write_csv(TRAINS), labels_only=True)
    assert (rows.names, rows.splits) == (("dog", "train"), None)
    assert "'train' taken for a label; if it is the split, name it as" in caplog.text
    options = ReadOptions(columns=Columns(split_column="train"))
    rows = read_annotations(write_csv(TRAINS), labels_only=True, options=options)
    assert (rows.names, rows.splits) == (("dog",), ("train", "test"))


@pytest.mark.parametrize(
    ("lists", "splits", "message"),
    [
        ({"train_val_list": "a.jpg\n", "test_list": "b.jpg\n"}, ("train", "test"), "are those of"),
        ({"train": "x/a\n\n", "test": "x\\b\n"}, ("train", "test"), "are those of"),
        ({"train": "a.jpg\n", "test": "c.jpg\n"}, None, "name 1 photo of 2 once, so that they"),
        ({"train": "a.jpg\n", "test": "a.jpg\nb.jpg\n"}, None, "name 1 photo of 2 once"),
        ({"train": "a.jpg\n"}, None, ""),
        ({"train": "a.jpg\n", "test": "Taken in May\n"}, None, ""),
    ],
)
def test_lists_beside_a_table_are_the_splits_if_they_name_each_photo_once(
    write_csv, tmp_path, caplog, lists, splits, message
):
    caplog.set_level("INFO")
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    rows = read_annotations(write_csv("image,labels\na.jpg,cat\nb.jpg,dog\n"), labels_only=True)
    assert (rows.splits, message in caplog.text) == (splits, True)


def test_photos_of_the_cloud_need_no_split(write_csv):
    content = "UNASSIGNED,gs://photos/a.jpg,cat\nUNASSIGNED,gs://photos/b.jpg,dog\n"
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist(), rows.splits) == (*LABELS, None)
    with pytest.raises(DataError, match=r"labels.csv:1: expected every photo .* got 'unassigned'"):
        read_annotations(write_csv(content + "TEST,gs://photos/c.jpg,cat\n"), labels_only=True)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("present", "1010"),
        ("value", ["yes", "no", "yes", "no"]),
        ("Is_Positive", ["True", "False", "True", "False"]),
        ("score", ["0.9", "0.1", "0.8", "0"]),
    ],
)
def test_a_row_that_states_an_absence_does_not_make_a_label_present(write_csv, column, cells):
    pairs = ("a.jpg,cat", "a.jpg,dog", "b.jpg,dog", "b.jpg,cat")
    lines = "\n".join(map(",".join, zip(pairs, cells, strict=True)))
    rows = read_annotations(write_csv(f"image,label,{column}\n{lines}\n"), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == LABELS


def test_a_row_that_states_nothing_leaves_its_label_unknown(write_csv):
    content = "image,label,present\na.jpg,cat,1\na.jpg,dog,-1\nb.jpg,dog,\n"
    rows = read_annotations(write_csv(content), labels_only=True)
    assert rows.targets.tolist() == [[1, -1], [-1, -1]]


@pytest.mark.parametrize(
    ("yes", "no", "nothing"),
    [
        *(("Y", "N", "N/A"), ("1.000e+00", "0.000e+00", "nan"), ("1,0", "0,0", "-1,0")),
        *(("WAHR", "FALSCH", "#NA"), ("1.", "0.00", "<NA>"), ("vrai", "FAUX", "NULL")),
    ],
)
def test_targets_are_understood_as_other_programs_write_them(write_csv, yes, no, nothing):
    content = f"image;cat;dog\na.jpg;{yes};{no}\nb.jpg;{no};{nothing}\n"
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 0], [0, -1]])


def test_the_folder_of_a_photo_may_have_a_column_of_its_own(write_csv, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    rows = read_annotations(write_csv("folder,file,cat,dog\nx,1.jpg,1,0\ny,1.jpg,0,1\n"))
    assert (rows.names, rows.targets.tolist()) == LABELS
    assert rows.relative_names == ("x/1.jpg", "y/1.jpg")


@pytest.mark.parametrize("column", ["target", "value", "answer"])
def test_a_column_beside_lists_of_labels_does_not_make_them_absent(write_csv, column):
    content = f"image,labels,{column}\na.jpg,cat,0\nb.jpg,dog,1\n"
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == LABELS


@pytest.mark.parametrize("name", ["{}_pred", "{} Prediction", "pred_{}", "predicted {}", "{}_prob"])
def test_what_a_model_says_beside_a_label_is_no_label(write_csv, name, caplog):
    dog, sky = map(name.format, ("dog", "sky"))
    read = read_annotations(write_csv(f"image,dog,sky,{dog},{sky}\na.jpg,1,0,1,1\nb.jpg,0,1,1,1\n"))
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 0], [0, 1]])
    assert f"not used as labels: '{dog}', '{sky}'" in caplog.text


def test_a_prediction_without_its_label_is_a_label(write_csv):
    text = "image,dog_pred,sky_pred\na.jpg,1,0\nb.jpg,0,1\n"
    assert read_annotations(write_csv(text)).names == ("dog_pred", "sky_pred")


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("yes", "no"), ("Y", "N")])
def test_yes_and_no_alone_are_no_names_of_labels(write_csv, yes, no):
    rows = f"a.jpg,{yes}\nb.jpg,{no}\n"
    with pytest.raises(DataError, match="alone: call the column what it says is present"):
        read_annotations(write_csv(f"image,label\n{rows}"))
    read = read_annotations(write_csv(f"image,dog\n{rows}"))
    assert (read.names, read.targets.tolist()) == (("dog",), [[1], [0]])


def test_ids_name_photos_that_their_addresses_do_not(tmp_path, write_csv):
    for name in ("7.jpg", "8.jpg"):
        (tmp_path / name).touch()
    rows = "".join(
        f"{7 + n},Film {n},{tags},https://example.org/x{n}_V1.jpg\n"
        for n, tags in enumerate(("Drama|War", "War"))
    )
    read = read_annotations(write_csv(f"imdbId,Title,Genre,Poster\n{rows}"))
    assert [path.name for path in read.paths] == ["7.jpg", "8.jpg"]
    assert (read.names, read.targets.tolist()) == (("Drama", "War"), [[1, 1], [0, 1]])


def test_a_map_of_any_such_name_names_numbers(tmp_path, write_csv):
    (tmp_path / "label_num_to_disease_map.json").write_text('{"0": "blight", "1": "rust"}')
    read = read_annotations(write_csv("image_id,label\na.jpg,0\na.jpg,1\nb.jpg,1\n"))
    assert (read.names, read.targets.tolist()) == (("blight", "rust"), [[1, 1], [0, 1]])
