"""What other programs export is read by the command that the how-to names."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tiny_collections import EXAMPLES, PHOTOS

from tagsight.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-data.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `(tagsight data [^`]+)` \|$", re.MULTILINE)
ROWS = [(source, export.strip("`"), line) for source, export, line in ROW.findall(PAGE.read_text())]
LABELS = {"a.png": ["dog"], "b.png": ["cat", "dog"], "c.png": []}
COUNTS = {"cat": 1, "dog": 2}
CLASSES = ["cat", "dog"]


def draw(folder: str, *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or LABELS:
        shade = 40 * (1 + list(LABELS).index(name.rpartition("-")[2]))
        Image.new("L", (8, 8), shade).save(Path(folder, name))


def write(name: str, content: object) -> None:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def coco(file: str, names: list[str], prefix: str = "", *, tags_only: bool = False) -> None:
    objects = [
        {"image_id": i, "category_id": CLASSES.index(label), "bbox": [1, 1, 2, 2]}
        for i, name in enumerate(names)
        for label in LABELS[name]
    ]
    images = [{"id": i, "file_name": prefix + name} for i, name in enumerate(names)]
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
    content = {"images": images, "categories": categories}
    write(file, content | {"annotations": [] if tags_only else objects})


def voc(folder: str, names: list[str]) -> None:
    for name in names:
        objects = "".join(f"<object><name>{label}</name></object>" for label in LABELS[name])
        text = f"<annotation><filename>{name}</filename>{objects}</annotation>"
        write(f"{folder}/{Path(name).stem}.xml", text)


def yolo(folder: str, names: list[str]) -> None:
    for name in names:
        lines = [f"{CLASSES.index(label)} 0.5 0.5 0.1 0.1\n" for label in LABELS[name]]
        write(f"{folder}/{Path(name).stem}.txt", "".join(lines))


HALVES = {"train": ["b.png", "c.png"], "valid": ["a.png"]}


def roboflow(export: str) -> None:
    for split, names in HALVES.items():
        folder = f"export/{split}"
        photos = f"{folder}/images" if export == "YOLOv8" else folder
        draw(photos, *names)
        if export == "Multi-Label Classification":
            marks = {n: [str(int(label in LABELS[n])) for label in CLASSES] for n in names}
            rows = [", ".join([name, *marks[name]]) for name in names]
            write(f"{folder}/_classes.csv", "\n".join(["filename, cat, dog", *rows]) + "\n")
        elif export == "COCO":
            coco(f"{folder}/_annotations.coco.json", names)
        elif export == "Pascal VOC":
            voc(folder, names)
        elif export == "CreateML":
            boxes = {n: [{"label": label} for label in LABELS[n]] for n in names}
            entries = [{"image": name, "annotations": boxes[name]} for name in names]
            write(f"{folder}/_annotations.createml.json", entries)
        elif export == "YOLO Darknet":
            write(f"{folder}/_darknet.labels", "".join(f"{label}\n" for label in CLASSES))
            yolo(folder, names)
        else:
            yolo(f"{folder}/labels", names)
    if export == "YOLOv8":
        text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\n"
        write("export/data.yaml", f"{text}names: ['cat', 'dog']\n")


def label_studio(export: str) -> None:
    draw("photos", *(f"0a1b2c3d-{name}" for name in LABELS))
    uploads = {name: f"/data/upload/1/0a1b2c3d-{name}" for name in LABELS}
    about = {"annotator": 1, "annotation_id": 1, "lead_time": 2.5}
    if export == "JSON":
        tasks = [label_studio_task(uploads[name], name) for name in LABELS]
        write("project.json", tasks)
    elif export == "COCO":
        draw("export/images")
        coco("export/result.json", list(LABELS), "images\\")
    elif export == "JSON-MIN":
        choices = [{"choices": labels} for labels in LABELS.values()]
        rows = zip(uploads.values(), choices, strict=True)
        write("project.json", [{"image": i, "id": 1, "tags": c} | about for i, c in rows])
    else:
        cells = ["dog", '"{""choices"": [""cat"", ""dog""]}"', ""]
        lines = [f"1,1,{c},1,{i},2.5" for c, i in zip(cells, uploads.values(), strict=True)]
        header = "annotation_id,annotator,choice,id,image,lead_time"
        write("project.csv", "\n".join([header, *lines]) + "\n")


def label_studio_task(image: str, name: str) -> dict[str, object]:
    result = {"from_name": "tags", "type": "choices", "value": {"choices": LABELS[name]}}
    return {"data": {"image": image}, "annotations": [{"result": [result]}], "predictions": []}


def local_storage(_: str) -> None:
    draw("files/holiday")
    url = "/data/local-files/?d=holiday/"
    write("project.json", [label_studio_task(url + name, name) for name in LABELS])


def cvat(export: str) -> None:
    if export.startswith("COCO"):
        draw("photos")
        coco("export/annotations/instances_default.json", list(LABELS), tags_only=True)
    else:
        draw("export/obj_train_data")
        yolo("export/obj_train_data", list(LABELS))
        write("export/obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
        write("export/obj.names", "cat\ndog\n")
        write("export/train.txt", "".join(f"data/obj_train_data/{name}\n" for name in LABELS))


def labelimg(export: str) -> None:
    draw("photos")
    if export == "Pascal VOC":
        voc("photos", list(LABELS))
        return
    write("photos/classes.txt", "".join(f"{name}\n" for name in CLASSES))
    for name, labels in LABELS.items():
        boxes = "".join(f"{CLASSES.index(label)} 0.5 0.5 0.2 0.2\n" for label in labels)
        write(f"photos/{name.removesuffix('.png')}.txt", boxes)


def ultralytics(_: str) -> None:
    draw("export/images/train")
    yolo("export/labels/train", ["a.png", "b.png"])
    write("export/data.yaml", "path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n")


def fiftyone(_: str) -> None:
    draw("export/data")
    numbers = {n: [CLASSES.index(c) for c in LABELS[n]] for n in LABELS}
    write("export/labels.json", {"classes": CLASSES, "labels": numbers})


def hugging_face(_: str) -> None:
    draw("export/train")
    rows = [json.dumps({"file_name": n, "labels": LABELS[n]}) for n in LABELS]
    write("export/train/metadata.jsonl", "\n".join(rows) + "\n")


def pandas(export: str) -> None:
    from pandas import DataFrame

    draw("photos")
    frame = DataFrame({"file_name": list(LABELS), "labels": list(LABELS.values())})
    if export == "to_parquet":
        frame.to_parquet("rows.parquet")
    else:
        frame.to_json("rows.jsonl", orient="records", lines=True)


def via(_: str) -> None:
    draw("photos")
    rows = ["filename,file_size,file_attributes,region_count,region_id,"]
    rows[0] += "region_shape_attributes,region_attributes"
    for name, labels in LABELS.items():
        kinds = [f'"{{""kind"":""{label}""}}"' for label in labels] or ['"{}"']
        count = len(labels)
        rows += [f'{name},9,"{{}}",{count},{i},"{{}}",{kind}' for i, kind in enumerate(kinds)]
    write("via.csv", "\n".join(rows) + "\n")


def supervisely(_: str) -> None:
    draw("export/ds/img")
    write("export/meta.json", {"classes": [{"title": c} for c in CLASSES], "tags": []})
    for name, labels in LABELS.items():
        objects = [{"classTitle": label, "geometryType": "rectangle"} for label in labels]
        content = {"size": {"width": 8, "height": 8}, "tags": [], "objects": objects}
        write(f"export/ds/ann/{name}.json", content)


def v7(_: str) -> None:
    draw("photos")
    for name, labels in LABELS.items():
        item = {"name": name, "path": "/"}
        annotations = [{"name": label, "bounding_box": {}} for label in labels]
        content = {"version": "2.0", "item": item, "annotations": annotations}
        write(f"export/{Path(name).stem}.json", content)


def superannotate(_: str) -> None:
    draw("photos")
    for name, labels in LABELS.items():
        instances = [{"type": "bbox", "className": label} for label in labels[:1]]
        content = {"metadata": {"name": name}, "instances": instances, "tags": labels[1:]}
        write(f"export/{name}.json", content)


def dataloop(_: str) -> None:
    draw("export/items")
    for name, labels in LABELS.items():
        annotations = [{"label": label, "type": "class"} for label in labels]
        content = {"filename": f"/{name}", "annotations": annotations}
        write(f"export/json/{Path(name).stem}.json", content)


def lines(name: str, rows: list[dict[str, object]]) -> None:
    draw("photos")
    write(name, "".join(f"{json.dumps(row)}\n" for row in rows))


def labelbox(_: str) -> None:
    draw("photos")
    table = [
        ("ID", "Labeled Data", "Label", "External ID"),
        *(
            (n, f"https://example.org/{n}", json.dumps({"kind": labels}), n)
            for n, labels in LABELS.items()
        ),
    ]
    cells = [['"{}"'.format(cell.replace('"', '""')) for cell in row] for row in table]
    write("export.csv", "".join(",".join(row) + "\n" for row in cells))


def kaggle(_: str) -> None:
    draw("photos")
    rows = [f"{name.removesuffix('.png')},{' '.join(LABELS[name])}\n" for name in LABELS]
    write("train.csv", "image_name,tags\n" + "".join(rows))


def segments(_: str) -> None:
    draw("photos")
    rows = [f"{n}_{c},{'1 3 7 2' * (c in LABELS[n])}\n" for n in LABELS for c in CLASSES]
    write("train.csv", "Image_Label,EncodedPixels\n" + "".join(rows))


def fastai(_: str) -> None:
    draw("photos")
    rows = [f"{name},{' '.join(LABELS[name])},{name == 'c.png'}\n" for name in LABELS]
    write("labels.csv", "fname,labels,is_valid\n" + "".join(rows))


def nih(_: str) -> None:
    draw("photos")
    rows = [f"{n},{'|'.join(LABELS[n]) or 'No Finding'},0,1,058Y,M,PA\n" for n in LABELS]
    head = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View Position"
    write("entries.csv", f"{head}\n" + "".join(rows))


def chexpert(_: str) -> None:
    draw("photos")
    head = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,cat,dog\n"
    marks = {"a.png": ",0.0,1.0", "b.png": ",1.0,1.0", "c.png": "1.0,-1.0,"}
    rows = [f"CheXpert/train/{name},Female,68,Frontal,AP,{marks[name]}\n" for name in LABELS]
    write("train.csv", head + "".join(rows))


def open_images(export: str) -> None:
    codes = {"cat": "/m/01yrx", "dog": "/m/0bt9lr"}
    if export.startswith("a folder"):
        split_tables(codes)
        return
    draw("photos")
    rows = [
        f"{name.removesuffix('.png')},verification,{codes[label]},{int(label in labels)}\n"
        for name, labels in LABELS.items()
        for label in CLASSES
    ]
    write("labels.csv", "ImageID,Source,LabelName,Confidence\n" + "".join(rows))
    write("class-descriptions.csv", "".join(f"{code},{name}\n" for name, code in codes.items()))


def split_tables(codes: dict[str, str]) -> None:
    """Write tables of Open Images, one for each split, with codes for the labels."""
    for split, names in (("train", ["a.png", "b.png"]), ("validation", ["c.png"])):
        draw(f"export/images/{split}", *names)
        rows = [f"{n[0]},x,{codes[c]},{int(c in LABELS[n])}\n" for n in names for c in CLASSES]
        file = f"export/annotations/{split}-annotations-human-imagelabels.csv"
        write(file, "ImageID,Source,LabelName,Confidence\n" + "".join(rows))
    named = "".join(f"{code},{name}\n" for name, code in codes.items())
    write("export/annotations/class-descriptions.csv", named)


def eagle(_: str) -> None:
    for name, tags in LABELS.items():
        draw(f"animals.library/images/{name}.info", name)
        content = {"id": name, "name": name[0], "ext": "png", "tags": tags, "folders": []}
        write(f"animals.library/images/{name}.info/metadata.json", content)
    write("animals.library/metadata.json", {"folders": [], "applicationVersion": "4.0"})


def photoprism(_: str) -> None:
    draw("photos/2024")
    for name, labels in LABELS.items():
        details = f"  Keywords: {', '.join(labels)}\n  KeywordsSrc: manual\n"
        text = f"TakenAt: 2024-05-01T10:00:00Z\nUID: pq1\nType: image\nDetails:\n{details}"
        write(f"sidecar/2024/{name.removesuffix('.png')}.yml", text)


def vertex(export: str) -> None:
    bucket = "gs://bucket/photos/"
    if export == "CSV":
        draw("photos")
        rows = ["TRAINING", "VALIDATION", "TEST"]
        cells = [[use, bucket + n, *LABELS[n]] for use, n in zip(rows, LABELS, strict=True)]
        write("rows.csv", "".join(",".join(row) + "\n" for row in cells))
        return
    named = {n: [{"displayName": label} for label in LABELS[n]] for n in LABELS}
    lines(
        "rows.jsonl",
        [{"imageGcsUri": bucket + n, "classificationAnnotations": named[n]} for n in LABELS],
    )


def sagemaker(export: str) -> None:
    names = {str(index): name for index, name in enumerate(CLASSES)}
    rows = []
    for name, labels in LABELS.items():
        row: dict[str, object] = {"source-ref": f"s3://bucket/{name}"}
        if export == "manifest":
            for label in labels:
                row |= {f"is_{label}": 1, f"is_{label}-metadata": {"class-name": label}}
        else:
            row |= {"job": [CLASSES.index(c) for c in labels], "job-metadata": {"class-map": names}}
        rows.append(row)
    lines("output.manifest", rows)


def supervision(_: str) -> None:
    draw("export/images")
    yolo("export/labels", list(LABELS))
    write("export/data.yaml", f"nc: 2\nnames: [{', '.join(CLASSES)}]\n")


def datumaro(export: str) -> None:
    if export == "open_images":
        split_tables({name: name for name in CLASSES})
        return
    for split, names in (("train", ["a.png", "b.png"]), ("val", ["c.png"])):
        draw("export/images", *names)
        tags = {n: "".join(f'<tag label="{label}"/>' for label in LABELS[n]) for n in names}
        images = "".join(f'<image name="{n}">{tag}</image>' for n, tag in tags.items())
        write(f"export/{split}.xml", f"<annotations>{images}</annotations>")


def azure(_: str) -> None:
    urls = {name: f"azureml://datastores/x/paths/{name}" for name in LABELS}
    lines("rows.jsonl", [{"image_url": urls[n], "label": LABELS[n]} for n in LABELS])


def exiftool(export: str) -> None:
    draw(".")
    if export.startswith("-csv"):
        rows = [f'./{name},"{", ".join(labels)}"\n' for name, labels in LABELS.items()]
        write("keywords.csv", "SourceFile,Keywords\n" + "".join(rows))
        return
    rows = [{"SourceFile": n, "Keywords": one[0] if len(one) == 1 else one, "Subject": one}
            for n, one in LABELS.items() if one]  # fmt: skip
    write("keywords.json", rows)


def file_manager(_: str) -> None:
    draw("photos/dog", "a.png", "b.png")
    draw("photos/cat", "b.png")


def script(export: str) -> None:
    draw("photos")
    if export.endswith("labels by photo"):
        write("labels.json", LABELS)
        return
    have = {label: [n for n, labels in LABELS.items() if label in labels] for label in CLASSES}
    write("labels.yaml", "".join(f"{label}: [{', '.join(have[label])}]\n" for label in CLASSES))


PROGRAMS: dict[str, Callable[[str], None]] = {
    "Label Studio": label_studio,
    "Label Studio, local storage": local_storage,
    "CVAT": cvat,
    "Roboflow": roboflow,
    "labelImg": labelimg,
    "supervision": supervision,
    "Datumaro": datumaro,
    "Ultralytics": ultralytics,
    "FiftyOne": fiftyone,
    "Hugging Face": hugging_face,
    "pandas": pandas,
    "VGG Image Annotator": via,
    "Supervisely": supervisely,
    "V7 Darwin": v7,
    "SuperAnnotate": superannotate,
    "Dataloop": dataloop,
    "Labelbox": labelbox,
    "Kaggle": kaggle,
    "Kaggle, segments": segments,
    "fastai": fastai,
    "NIH ChestX-ray14": nih,
    "CheXpert": chexpert,
    "Open Images": open_images,
    "PhotoPrism": photoprism,
    "Eagle": eagle,
    "Google Vertex AI": vertex,
    "Google AutoML": vertex,
    "Amazon SageMaker": sagemaker,
    "Amazon Rekognition": sagemaker,
    "Azure Machine Learning": azure,
    "exiftool": exiftool,
    "a script": script,
    "a file manager": file_manager,
}


OF_FORMATS = {
    ("CVAT", "CVAT for images 1.1"): "cvat",
    ("CVAT", "Datumaro 1.0"): "datumaro",
    ("FiftyOne", "FiftyOneDataset"): "fiftyone",
    ("Hugging Face", "save_to_disk"): "saved-dataset",
    ("MMPretrain", "annotation file"): "mmpretrain",
    ("LabelMe", "a JSON file for each photo"): "photo-json",
    ("VGG Image Annotator", "JSON"): "via",
    ("Labelbox", "NDJSON"): "labelbox",
    ("Hasty", "JSON 1.1"): "hasty",
    ("Prodigy", "db-out"): "prodigy",
    ("Lightroom, digiKam, darktable", "sidecars, or keywords inside photos"): "photo-tags",
    ("kohya_ss, TagGUI", "a .txt file for each photo"): "text-tags",
    ("osxphotos", "query --json"): "osxphotos",
    ("Clarifai", "inputs"): "clarifai",
    ("DeepFashion", "list_attr_img.txt"): "deepfashion",
    ("iMaterialist", "train.json"): "imaterialist",
    ("Zooniverse", "classifications"): "zooniverse",
    ("Amazon Mechanical Turk", "results"): "mturk",
    ("a text editor", "a list of photos for each label"): "label-lists",
    ("Agouti, TRAPPER", "Camtrap DP"): "camtrap-dp",
    ("GBIF", "Darwin Core archive"): "darwin-core",
    ("MegaDetector", "results, which nobody has confirmed"): "megadetector",
}
"""Exports that are the example of a format; `PROGRAMS` writes the others."""


def replaced(words: list[str], form: str) -> tuple[list[str], dict[str, int]]:
    """Write the example of a format; a command with its places, and the counts of its labels."""
    example = EXAMPLES[form](Path(), PHOTOS)
    for shade, name in enumerate(example.files):
        photo = example.path_of(name)
        photo.parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), 40 * (shade + 1)).save(photo)
    words[1] = str(example.source)
    if "--images" in words:
        words[words.index("--images") + 1] = str(example.photos)
    present = [row.count(1) for row in zip(*example.targets, strict=True)]
    return words, dict(zip(example.names, present, strict=True))


@pytest.mark.parametrize(("source", "export", "line"), ROWS)
def test_what_a_program_exports_is_read_by_the_command(
    tmp_path, monkeypatch, capsys, source, export, line
):
    monkeypatch.chdir(tmp_path)
    words, counts = shlex.split(line)[1:], COUNTS
    if form := OF_FORMATS.get((source, export)):
        words, counts = replaced(words, form)
    else:
        PROGRAMS[source](export)
    code = main([*words, "--json", "summary.json"])
    if "loses tags" in export:
        assert code == 2
        assert "tags of whole photos are lost in this format" in capsys.readouterr().err
        return
    assert code == 0
    summary = json.loads(Path("summary.json").read_text())
    assert {label: count["all"] for label, count in summary["counts"].items()} == counts
    assert not summary["problems"]


def test_the_table_has_all_programs():
    assert {*OF_FORMATS} <= {row[:2] for row in ROWS}
    assert {row[0] for row in ROWS if row[:2] not in OF_FORMATS} == PROGRAMS.keys()
