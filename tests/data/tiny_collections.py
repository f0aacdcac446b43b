"""A tiny collection, written in every format."""

import json
import tarfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from tagsight.data.formats import mirflickr
from tagsight.data.formats.mirflickr import POTENTIAL, RELEVANT
from tagsight.tagging.labelling.project import Project

NAMES = ("bird", "dining table", "person")
TARGETS = ((1, 0, 1), (0, 1, 0), (0, 0, 0), (-1, 0, 1), (1, 1, -1))
UNKNOWN_AS_ABSENT = tuple(tuple(max(value, 0) for value in row) for row in TARGETS)
PRESENT = [[name for name, value in zip(NAMES, row, strict=True) if value == 1] for row in TARGETS]
SPLITS = ("train", "train", "val", "train", "val")
ROWS = {"train": (0, 1, 3), "val": (2, 4)}
PHOTOS = ("a.jpg", "b c.jpg", "d.jpg", "e.jpg", "f.jpg")


class Example(NamedTuple):
    """A tiny collection in one format, and what a reader should say of it."""

    format: str
    source: Path
    photos: Path
    targets: tuple[tuple[int, ...], ...] = UNKNOWN_AS_ABSENT
    names: tuple[str, ...] = NAMES
    files: tuple[str, ...] = PHOTOS
    splits: tuple[str, ...] | None = SPLITS

    in_splits: bool = False

    @property
    def label_files(self) -> list[Path]:
        inside = [p for p in self.source.rglob("*") if p.is_file() and p.suffix != ".jpg"]
        return inside or [p for p in (self.source,) if p.is_file()]

    def path_of(self, photo: str) -> Path:
        """Where a photo is: shards hold those of their split."""
        split = SPLITS[PHOTOS.index(photo)] if photo in PHOTOS else ""
        if self.format == "shards":
            return self.photos / f"{split}-000.tar" / photo
        return self.photos / split / photo if self.in_splits else self.photos / photo


def write_csv_columns(folder: Path, photos) -> Example:
    rows = zip(photos, SPLITS, *zip(*TARGETS, strict=True), strict=True)
    file = _write_csv(folder, ["image", "split", *NAMES], rows)
    return Example("csv-columns", file, folder, TARGETS)


def write_csv_list(folder: Path, photos) -> Example:
    rows = zip(photos, map(";".join, PRESENT), SPLITS, strict=True)
    file = _write_csv(folder, ["image", "labels", "split"], rows)
    return Example("csv-list", file, folder / "images")


def write_csv_long(folder: Path, photos) -> Example:
    rows = [
        (photos[row], name, 0.9 * TARGETS[row][column])
        for row in range(len(photos))
        for column, name in enumerate(NAMES)
        if TARGETS[row][column] >= 0
    ]
    file = _write_csv(folder, ["image", "label", "confidence"], rows)
    return Example("csv-long", file, folder, TARGETS, splits=None)


def _write_csv(folder: Path, header, rows, name: str = "labels.csv") -> Path:
    file = folder / name
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in (header, *rows)))
    return file


def write_coco(folder: Path, photos) -> Example:
    ids = {name: 90 - 7 * index for index, name in enumerate(NAMES)}
    (folder / "annotations").mkdir()
    for split, rows in ROWS.items():
        objects = [(row, ids[name]) for row in rows for name in 2 * PRESENT[row]]
        content = {
            "images": [{"id": row, "file_name": photos[row]} for row in rows],
            "categories": [{"id": number, "name": name} for name, number in ids.items()],
            "annotations": [
                {"id": index, "image_id": row, "category_id": number, "bbox": [0, 0, 1, 1]}
                for index, (row, number) in enumerate(objects)
            ],
        }
        file = folder / "annotations" / f"instances_{split}2017.json"
        file.write_text(json.dumps(content))
    return Example("coco", folder, folder / "images")


def write_voc(folder: Path, photos) -> Example:
    main = folder / "VOC2012" / "ImageSets" / "Main"
    main.mkdir(parents=True)
    marks = {1: " 1", 0: "-1", -1: " 0"}
    for column, name in enumerate(NAMES):
        for split, rows in ROWS.items():
            lines = [f"{Path(photos[r]).with_suffix('')} {marks[TARGETS[r][column]]}" for r in rows]
            (main / f"{name}_{split}.txt").write_text("\n".join(lines) + "\n")
    return Example("voc", folder, folder / "VOC2012" / "JPEGImages", TARGETS)


def write_mirflickr(folder: Path, _photos=None) -> Example:
    lists = folder / "mirflickr25k_annotations_v080"
    lists.mkdir()
    (lists / "README.txt").write_text("12 topics, or 24?\n")
    numbers = range(1, mirflickr.PHOTOS + 1)
    shown = dict.fromkeys((*POTENTIAL, *RELEVANT), (mirflickr.PHOTOS,))
    shown |= {"bird": (1, 5), "food": (2, 5), "people": (1, 4)}
    for topic, photos in shown.items():
        (lists / f"{topic}.txt").write_text("".join(f"{number}\n" for number in photos))
    targets = tuple(tuple(int(n in shown[topic]) for topic in POTENTIAL) for n in numbers)
    files = tuple(f"im{number}.jpg" for number in numbers)
    return Example("mirflickr", folder, folder / "mirflickr", targets, POTENTIAL, files, None)


def write_nus_wide(folder: Path, photos) -> Example:
    marks = folder / "Groundtruth" / "TrainTestLabels"
    for place in (marks, folder / "ImageList", folder / "ConceptsList"):
        place.mkdir(parents=True)
    (folder / "ConceptsList" / "Concepts81.txt").write_text("\n".join(reversed(NAMES)) + "\n")
    for part, rows in zip(("Train", "Test"), ROWS.values(), strict=True):
        lines = "".join(f"{photos[row]}\n" for row in rows)
        (folder / "ImageList" / f"{part}Imagelist.txt").write_text(lines)
        for column, name in enumerate(NAMES):
            values = "".join(f"{UNKNOWN_AS_ABSENT[row][column]} \n" for row in rows)
            (marks / f"Labels_{name}_{part}.txt").write_text(values)
    splits = tuple("test" if split == "val" else split for split in SPLITS)
    return Example("nus-wide", folder, folder / "Flickr", splits=splits)


def write_shards(folder: Path, photos) -> Example:
    values = {1: 1, 0: 0, -1: None}
    for split, rows in ROWS.items():
        contents = {}
        for row in rows:
            labels = {n: values[v] for n, v in zip(NAMES, TARGETS[row], strict=True)}
            contents[photos[row]] = b"a photo"
            contents[Path(photos[row]).with_suffix(".json").as_posix()] = json.dumps(labels)
        write_shard(folder / f"{split}-000.tar", contents)
    return Example("shards", folder, folder, TARGETS)


SUBJECT = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
  xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>
"""
UNTAGGED = tuple(row if any(row) else (-1, -1, -1) for row in UNKNOWN_AS_ABSENT)


def write_photo_tags(folder: Path, photos) -> Example:
    for photo, present in zip(photos, PRESENT, strict=True):
        (folder / photo).touch()
        items = "".join(f"<rdf:li>{name}</rdf:li>" for name in present)
        (folder / f"{photo}.xmp").write_text(SUBJECT.format(items))
    return Example("photo-tags", folder, folder, UNTAGGED, splits=None)


def write_text_tags(folder: Path, photos) -> Example:
    for photo, present in zip(photos, PRESENT, strict=True):
        (folder / photo).touch()
        (folder / photo).with_suffix(".txt").write_text(", ".join(present))
    return Example("text-tags", folder, folder, UNTAGGED, splits=None)


def _json(file: Path, content) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def write_json_records(folder: Path, photos) -> Example:
    rows = [
        {"path": photo, "tags": tags, "split": split}
        for photo, tags, split in zip(photos, PRESENT, SPLITS, strict=True)
    ]
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Example("json-records", file, folder / "photos")


def write_parquet(folder: Path, photos) -> Example:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        name: list(map(_or_none, column))
        for name, column in zip(NAMES, zip(*TARGETS, strict=True), strict=True)
    }
    table = pa.table({"file_name": list(photos), "split": list(SPLITS)} | columns)
    pq.write_table(table, folder / "rows.parquet")
    return Example("parquet", folder / "rows.parquet", folder, TARGETS)


def _or_none(value: int) -> int | None:
    return None if value == -1 else value


def write_saved_dataset(folder: Path, photos) -> Example:
    import pyarrow as pa

    for split, rows in ROWS.items():
        (folder / split).mkdir()
        table = pa.table({"image": [photos[r] for r in rows], "labels": [PRESENT[r] for r in rows]})
        with pa.ipc.new_stream(folder / split / "data-00000-of-00001.arrow", table.schema) as out:
            out.write_table(table)
        for name in ("dataset_info", "state"):
            _json(folder / split / f"{name}.json", {})
    _json(folder / "dataset_dict.json", {"splits": list(ROWS)})
    return Example("saved-dataset", folder, folder)


def write_label_folders(folder: Path, photos=PHOTOS) -> Example:
    for photo, labels, split in zip(photos, PRESENT, SPLITS, strict=True):
        for label in labels:
            file = folder / split / label / photo
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"the photo {photo}")
    kept = [row for row, labels in enumerate(PRESENT) if labels]
    return Example(
        "label-folders",
        folder,
        folder,
        tuple(UNKNOWN_AS_ABSENT[row] for row in kept),
        files=tuple(f"{SPLITS[row]}/{PRESENT[row][0]}/{PHOTOS[row]}" for row in kept),
        splits=tuple(SPLITS[row] for row in kept),
    )


def write_split_folders(folder: Path, photos) -> Example:
    for split, rows in ROWS.items():
        lines = [[photos[row], *UNKNOWN_AS_ABSENT[row]] for row in rows]
        (folder / split).mkdir()
        _write_csv(folder / split, ["filename", *NAMES], lines, "_classes.csv")
    return Example("split-folders", folder, folder, in_splits=True)


def write_label_studio(folder: Path, photos) -> Example:
    tasks = [
        {
            "id": row,
            "annotations": [
                {"result": [{"from_name": "tags", "value": {"choices": PRESENT[row]}}]}
            ],
            "data": {"image": f"/data/upload/1/{photos[row]}"},
        }
        for row in range(len(photos))
    ]
    file = _json(folder / "project.json", tasks)
    return Example("label-studio", file, folder / "images", splits=None)


def write_cvat(folder: Path, photos) -> Example:
    images = "".join(
        f'<image id="{row}" name={quoteattr(photos[row])} subset="{SPLITS[row]}">'
        + "".join(f'<tag label="{label}"/>' for label in PRESENT[row])
        + "</image>"
        for row in range(len(photos))
    )
    (folder / "annotations.xml").write_text(f"<annotations>{images}</annotations>")
    return Example("cvat", folder, folder / "images")


def write_voc_xml(folder: Path, photos) -> Example:
    for row, photo in enumerate(photos):
        objects = "".join(
            f"<object><name>{name}</name><difficult>{int(value == -1)}</difficult></object>"
            for name, value in zip(NAMES, TARGETS[row], strict=True)
            if value
        )
        file = folder / "Annotations" / f"{_stem(photo)}.xml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"<annotation><filename>{photo}</filename>{objects}</annotation>")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for split, rows in ROWS.items():
        stems = "".join(f"{_stem(photos[row])}\n" for row in rows)
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(stems)
    return Example("voc-xml", folder, folder / "JPEGImages", TARGETS)


def write_yolo(folder: Path, photos) -> Example:
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(NAMES))
    (folder / "data.yaml").write_text(f"train: train.txt\nval: val.txt\nnames:\n{names}")
    for split, rows in ROWS.items():
        lines = "".join(f"./{photos[row]}\n" for row in rows)
        (folder / f"{split}.txt").write_text(lines)
    for photo, row in zip(photos, UNKNOWN_AS_ABSENT, strict=True):
        lines = [f"{index} 0.5 0.5 1 1\n" for index, value in enumerate(row) if value]
        (folder / f"{_stem(photo)}.txt").write_text("".join(lines))
    return Example("yolo", folder, folder)


def _stem(photo: str) -> str:
    """Return the name of a file about a photo, which a malicious name must not keep from being."""
    return photo.replace("/", "_").removesuffix(".jpg")[:100]


def write_fiftyone(folder: Path, photos) -> Example:
    samples = [
        {
            "filepath": f"data/{photo}",
            "tags": [split],
            "ground_truth": {"classifications": [{"label": label} for label in labels]},
        }
        for photo, labels, split in zip(photos, PRESENT, SPLITS, strict=True)
    ]
    _json(folder / "samples.json", {"samples": samples})
    return Example("fiftyone", folder, folder / "data")


def write_createml(folder: Path, photos) -> Example:
    rows = [
        {"image": photo, "annotations": [{"label": label} for label in labels]}
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    return Example("createml", _json(folder / "rows.json", rows), folder, splits=None)


def write_photo_json(folder: Path, photos) -> Example:
    for photo, labels in zip(photos, PRESENT, strict=True):
        shapes = [{"label": label, "points": [[1, 1], [9, 9]]} for label in labels]
        file = folder / f"{_stem(photo)}.json"
        _json(file, {"flags": {}, "shapes": shapes, "imagePath": photo, "imageData": None})
    return Example("photo-json", folder, folder, splits=None)


def write_via(folder: Path, photos) -> Example:
    entries = {
        f"{photo}9": {
            "filename": photo,
            "size": 9,
            "regions": [],
            "file_attributes": {"kind": dict.fromkeys(labels, True), "caption": "A day out"},
        }
        for photo, labels in zip(photos, PRESENT, strict=True)
    }
    return Example("via", _json(folder / "via.json", entries), folder / "images", splits=None)


def write_labelbox(folder: Path, photos) -> Example:
    rows = [
        {
            "data_row": {"id": "c7", "external_id": photo},
            "projects": {"p": {"labels": [{"annotations": {"classifications": [
                {"name": "kind", "checklist_answers": [{"name": label} for label in labels]}
            ]}}]}},
        }
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]  # fmt: skip
    return Example("labelbox", _lines(folder / "export.ndjson", rows), folder, splits=None)


def write_hasty(folder: Path, photos) -> Example:
    classes = [{"class_name": name, "class_type": "object"} for name in NAMES]
    images = [
        {
            "image_name": photo,
            "dataset_name": "first",
            "image_status": "DONE",
            "tags": labels[:1],
            "labels": [{"class_name": label, "bbox": [1, 1, 9, 9]} for label in labels[1:]],
        }
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    content = {"project_name": "pets", "label_classes": classes, "images": images}
    return Example("hasty", _json(folder / "export.json", content), folder, splits=None)


def write_prodigy(folder: Path, photos) -> Example:
    options = [{"id": name, "text": name} for name in NAMES]
    rows = [
        {"image": photo, "_task_hash": 7, "options": options, "accept": labels, "answer": "accept"}
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    return Example("prodigy", _lines(folder / "tasks.jsonl", rows), folder, splits=None)


def write_photoprism(folder: Path, photos) -> Example:
    for photo, labels in zip(photos, PRESENT, strict=True):
        details = {"Keywords": ", ".join(labels), "KeywordsSrc": "manual"}
        lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in details.items())
        text = f"TakenAt: 2024-05-01T10:00:00Z\nUID: pq1\nType: image\nDetails:\n{lines}"
        (folder / photo).touch()
        (folder / f"{photo}.yml").write_text(text)
    return Example("photoprism", folder, folder, UNTAGGED, splits=None)


def write_vertex(folder: Path, photos) -> Example:
    rows = [
        {
            "imageGcsUri": photo,
            "classificationAnnotations": [{"displayName": label} for label in labels],
            "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": split},
        }
        for photo, labels, split in zip(photos, PRESENT, SPLITS, strict=True)
    ]
    return Example("vertex", _lines(folder / "rows.jsonl", rows), folder)


def write_sagemaker(folder: Path, photos) -> Example:
    names = {str(index): name for index, name in enumerate(NAMES)}
    rows = [
        {
            "source-ref": photo,
            "animals": [NAMES.index(label) for label in labels],
            "animals-metadata": {"class-map": names},
        }
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    return Example("sagemaker", _lines(folder / "output.manifest", rows), folder, splits=None)


def write_clarifai(folder: Path, photos) -> Example:
    inputs = [
        {
            "id": photo,
            "data": {
                "image": {"url": photo},
                "concepts": [
                    {"id": name, "value": value}
                    for name, value in zip(NAMES, row, strict=True)
                    if value >= 0
                ],
            },
        }
        for photo, row in zip(photos, TARGETS, strict=True)
    ]
    file = _json(folder / "inputs.json", {"inputs": inputs})
    return Example("clarifai", file, folder, TARGETS, splits=None)


def write_imaterialist(folder: Path, photos) -> Example:
    rows = [
        {"imageId": photo, "labelId": labels} for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    file = _json(folder / "train.json", {"annotations": rows})
    return Example("imaterialist", file, folder, splits=None)


def write_deepfashion(folder: Path, photos) -> Example:
    marks = {1: "1", 0: "-1", -1: "0"}
    rows = [
        f"{p}  {' '.join(marks[v] for v in row)}\n" for p, row in zip(photos, TARGETS, strict=True)
    ]
    header = f"{len(photos)}\nimage_name  attribute_labels\n"
    (folder / "list_attr_img.txt").write_text(header + "".join(rows))
    names = "".join(f"{name}  1\n" for name in NAMES)
    (folder / "list_attr_cloth.txt").write_text(f"3\nattribute_name  attribute_type\n{names}")
    return Example("deepfashion", folder / "list_attr_img.txt", folder, TARGETS, splits=None)


def write_mturk(folder: Path, photos) -> Example:
    header = ["HITId", "AssignmentStatus", "Input.image_url", *(f"Answer.{one}" for one in NAMES)]
    rows = [
        (row, "Approved", photo, *("true" if value else "" for value in UNKNOWN_AS_ABSENT[row]))
        for row, photo in enumerate(photos)
    ]
    return Example("mturk", _write_csv(folder, header, rows), folder, splits=None)


def write_zooniverse(folder: Path, photos) -> Example:
    lines = ["classification_id,annotations,subject_data\n"]
    for row, (photo, labels) in enumerate(zip(photos, PRESENT, strict=True)):
        tasks = json.dumps([{"task": "T0", "value": [{"choice": one} for one in labels]}])
        subject = json.dumps({str(row): {"Filename": photo}})
        cells = (cell.replace('"', '""') for cell in (tasks, subject))
        lines.append(f"{row}," + ",".join(f'"{cell}"' for cell in cells) + "\n")
    (folder / "labels.csv").write_text("".join(lines))
    return Example("zooniverse", folder / "labels.csv", folder, splits=None)


def write_osxphotos(folder: Path, photos) -> Example:
    rows = [
        {"uuid": photo, "original_filename": photo, "keywords": labels, "labels": ["Plant"]}
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    file = _json(folder / "photos.json", rows)
    return Example("osxphotos", file, folder, UNTAGGED, splits=None)


def write_camtrap_dp(folder: Path, photos) -> Example:
    rows = [(number, "d1", "", photo, "image/jpeg") for number, photo in enumerate(photos)]
    header = ["mediaID", "deploymentID", "timestamp", "filePath", "fileMediatype"]
    _write_csv(folder, header, rows, "media.csv")
    seen = [("d1", row, "animal", one) for row, labels in enumerate(PRESENT) for one in labels]
    blank = [("d1", row, "blank", "") for row, labels in enumerate(PRESENT) if not labels]
    header = ["deploymentID", "mediaID", "observationType", "scientificName"]
    _write_csv(folder, header, [*seen, *blank], "observations.csv")
    _json(folder / "datapackage.json", {"profile": "camtrap-dp-profile.json"})
    return Example("camtrap-dp", folder, folder, splits=None)


def write_darwin_core(folder: Path, photos) -> Example:
    """Write an archive of the photos that have a species, as others are in none."""
    seen = [(photo, one) for photo, labels in zip(photos, PRESENT, strict=True) for one in labels]
    rows = [f"{number}\t{one}\n" for number, (_, one) in enumerate(seen)]
    media = [f"{number}\tStillImage\t{photo}\n" for number, (photo, _) in enumerate(seen)]
    (folder / "occurrence.txt").write_text("gbifID\tspecies\n" + "".join(rows))
    (folder / "multimedia.txt").write_text("gbifID\ttype\tidentifier\n" + "".join(media))
    kept = [row for row, labels in enumerate(PRESENT) if labels]
    targets = tuple(UNKNOWN_AS_ABSENT[row] for row in kept)
    files = tuple(photos[row] for row in kept)
    return Example("darwin-core", folder, folder, targets, files=files, splits=None)


def write_megadetector(folder: Path, photos) -> Example:
    names = {str(number): name for number, name in enumerate(NAMES, 1)}
    numbers = {name: number for number, name in names.items()}
    images = [
        {"file": photo, "detections": [{"category": numbers[one], "conf": 0.9} for one in labels]}
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    file = _json(folder / "md.json", {"images": images, "detection_categories": names})
    return Example("megadetector", file, folder, splits=None)


def _lines(file: Path, rows) -> Path:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def write_datumaro(folder: Path, photos) -> Example:
    labels = {"label": {"labels": [{"name": name} for name in NAMES]}}
    for split, rows in ROWS.items():
        items = [
            {
                "id": str(row),
                "image": {"path": photos[row]},
                "annotations": [{"label_id": NAMES.index(name)} for name in PRESENT[row]],
            }
            for row in rows
        ]
        content = {"categories": labels, "items": items}
        _json(folder / "annotations" / f"{split}.json", content)
    return Example("datumaro", folder, folder / "images")


def write_mmpretrain(folder: Path, photos) -> Example:
    rows = [
        {"img_path": photo, "gt_label": [NAMES.index(label) for label in labels]}
        for photo, labels in zip(photos, PRESENT, strict=True)
    ]
    content = {"metainfo": {"classes": NAMES}, "data_list": rows}
    return Example("mmpretrain", _json(folder / "rows.json", content), folder, splits=None)


def write_label_lists(folder: Path, photos) -> Example:
    for name, column in zip(NAMES, zip(*TARGETS, strict=True), strict=True):
        marks = [
            f"{photo} {value}\n" for photo, value in zip(photos, column, strict=True) if value >= 0
        ]
        (folder / f"{name}.txt").write_text("".join(marks))
    for split, rows in ROWS.items():
        (folder / f"{split}.txt").write_text("".join(f"{photos[row]}\n" for row in rows))
    return Example("label-lists", folder, folder, TARGETS)


def write_label_project(folder: Path, photos) -> Example:
    (folder / "photos").mkdir()
    with Project(folder / "project", folder / "photos") as project:
        ids = project.photos.note((photo, 1, 1) for photo in photos)
        for column, name in enumerate(NAMES):
            label = project.labels.make(name).id
            for photo, row in zip(ids, TARGETS, strict=True):
                project.judge([photo], label, row[column], "me")
    place = folder / "photos"
    return Example("label-project", folder / "project", place, TARGETS, splits=None)


def write_shard(path: Path, contents, *, more=(), form=tarfile.PAX_FORMAT) -> Path:
    """Write a tar of contents by name, bytes or text, and of more members."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
        for member in more:
            tar.addfile(member)
    return path


PHOTOS_INSIDE = {"shards", "label-folders", "photo-tags", "text-tags", "photoprism"}
"""Formats that list the photos themselves: they are inside the labels, or beside them."""

NUMBERED = {"mirflickr"}
"""Formats in which the files give no names of photos."""

EXAMPLES = {
    "csv-columns": write_csv_columns,
    "csv-list": write_csv_list,
    "csv-long": write_csv_long,
    "json-records": write_json_records,
    "parquet": write_parquet,
    "label-folders": write_label_folders,
    "split-folders": write_split_folders,
    "label-lists": write_label_lists,
    "label-project": write_label_project,
    "label-studio": write_label_studio,
    "cvat": write_cvat,
    "coco": write_coco,
    "voc": write_voc,
    "voc-xml": write_voc_xml,
    "yolo": write_yolo,
    "fiftyone": write_fiftyone,
    "createml": write_createml,
    "datumaro": write_datumaro,
    "photo-json": write_photo_json,
    "via": write_via,
    "labelbox": write_labelbox,
    "hasty": write_hasty,
    "prodigy": write_prodigy,
    "vertex": write_vertex,
    "sagemaker": write_sagemaker,
    "clarifai": write_clarifai,
    "mturk": write_mturk,
    "zooniverse": write_zooniverse,
    "imaterialist": write_imaterialist,
    "mmpretrain": write_mmpretrain,
    "saved-dataset": write_saved_dataset,
    "mirflickr": write_mirflickr,
    "nus-wide": write_nus_wide,
    "deepfashion": write_deepfashion,
    "shards": write_shards,
    "photo-tags": write_photo_tags,
    "text-tags": write_text_tags,
    "photoprism": write_photoprism,
    "osxphotos": write_osxphotos,
    "camtrap-dp": write_camtrap_dp,
    "darwin-core": write_darwin_core,
    "megadetector": write_megadetector,
}
