"""The function for CVAT, run by CVAT's own command line over a task of a server that plays CVAT's.

The server's answers have the fields that cvat-sdk 2.60 to 2.80 requires; CVAT runs in containers
only.
"""

import io
import json
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from programs import ended

import tagsight as ts
from tagsight.errors import DataError

pytest.importorskip("cvat_sdk")

from tagsight.tagging.cvat_function import create

TASK = 42


class Host:
    """A task of photos and labels on a server, and what was uploaded to it."""

    def __init__(self, photos: list[Path], labels: dict[str, str]) -> None:
        self.photos, self.uploaded = photos, list[Any]()
        self.labels = [
            {"id": 100 + n, "name": name, "type": kind, "attributes": [], "sublabels": []}
            for n, (name, kind) in enumerate(labels.items())
        ]
        self.names = {label["id"]: label["name"] for label in self.labels}
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(host.content(self.path))

            def do_PATCH(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                host.uploaded.append(sent)
                self._answer({"version": 0, "tags": [], "shapes": [], "tracks": []} | sent)

            def _answer(self, content: Any) -> None:
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                kind = "application/zip" if isinstance(content, bytes) else "application/json"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def content(self, path: str) -> Any:
        place, _, query = path.partition("?")
        if place == "/api/server/about":
            names = ("name", "description", "logo_url", "subtitle")
            return dict.fromkeys(names, "") | {"version": "2.80.0"}
        if place == f"/api/tasks/{TASK}":
            return {
                "id": TASK,
                "organization": None,
                "size": len(self.photos),
                "data_chunk_size": len(self.photos),
                "data_original_chunk_type": "imageset",
                "updated_date": "2026-01-01T00:00:00Z",
                "jobs": {"completed": 0, "validation": 0},
                "labels": {},
            }
        if place == "/api/labels":
            assert f"task_id={TASK}" in query
            return {"count": len(self.labels), "next": None, "results": self.labels}
        if place == f"/api/tasks/{TASK}/data/meta":
            frames = [
                {"name": p.name, "width": 1, "height": 1, "related_files": 0} for p in self.photos
            ]
            return {"chunks_updated_date": "2026-01-01T00:00:00Z", "frames": frames} | {
                "deleted_frames": [],
                "image_quality": 70,
            }
        assert place == f"/api/tasks/{TASK}/data/", path
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as chunk:
            for number, photo in enumerate(self.photos):
                chunk.write(photo, f"{number:06}{photo.suffix}")
        return file.getvalue()


@pytest.fixture
def model(world_of_examples) -> Path:
    return world_of_examples / "runs" / "first" / "model"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    folder, drawn = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / "a.png", folder / "b.jpg"]
    for path in paths:
        Image.fromarray(drawn.integers(0, 256, (60, 100, 3), np.uint8)).save(path)
    return paths


@contextmanager
def served(photos: list[Path], labels: dict[str, str]) -> Iterator[Host]:
    host = Host(photos, labels)
    thread = threading.Thread(target=host.server.serve_forever)
    thread.start()
    try:
        yield host
    finally:
        host.server.shutdown()
        thread.join()
        host.server.server_close()


def annotated(host: Host, model: Path, cache: Path, *options: str, code: int = 0) -> str:
    """Run CVAT's command line over the task, and return what it printed of errors."""
    function = ("--function-module", "tagsight.tagging.cvat_function", "-p", f"model=str:{model}")
    command = ("-m", "cvat_cli", "--server-host", host.url, "task", "auto-annotate", TASK)
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    own = {"XDG_CACHE_HOME": str(cache), "CVAT_ACCESS_TOKEN": "token"}
    done = ended(
        sys.executable, *command, *function, *options, code=code, env=os.environ | path | own
    )
    return done.stderr


def test_every_photo_of_a_task_gets_the_tags_that_the_model_finds(tmp_path, model, photos):
    recognizer = ts.load(model)
    with served(photos, dict.fromkeys(recognizer.labels, "tag")) as host:
        annotated(host, model, tmp_path)
        (uploaded,) = host.uploaded
        found = {(tag["frame"], host.names[tag["label_id"]]) for tag in uploaded["tags"]}
        expected = {
            (frame, label.name)
            for frame, result in enumerate(recognizer.recognize(photos))
            for label in result.labels
        }
        assert found == expected
        assert {tag["source"] for tag in uploaded["tags"]} == {"auto"}
        assert uploaded["shapes"] == []


def test_a_threshold_of_cvat_counts_instead_of_the_models(tmp_path, model, photos):
    recognizer = ts.load(model)
    scores = np.array([result.scores for result in recognizer.recognize(photos)])
    least = float(np.median(scores))
    with served(photos, dict.fromkeys(recognizer.labels, "any")) as host:
        annotated(host, model, tmp_path, "--conf-threshold", repr(least))
        (uploaded,) = host.uploaded
        found = np.zeros_like(scores, dtype=bool)
        for tag in uploaded["tags"]:
            found[tag["frame"], recognizer.labels.index(host.names[tag["label_id"]])] = True
    np.testing.assert_array_equal(found, scores >= least)


def test_where_labels_are_rectangles_they_lie_around_the_evidence_in_pixels(
    tmp_path, model, photos
):
    recognizer = ts.load(model)
    with served(photos, dict.fromkeys(recognizer.labels, "rectangle")) as host:
        annotated(host, model, tmp_path, "-p", "boxes=bool:true", "--conf-threshold", "0")
        (uploaded,) = host.uploaded
        boxes: dict[tuple[int, str], list[list[float]]] = {}
        for shape in uploaded["shapes"]:
            assert shape["type"] == "rectangle"
            key = shape["frame"], host.names[shape["label_id"]]
            boxes.setdefault(key, []).append(shape["points"])
    assert len(boxes) == len(photos) * len(recognizer.labels)
    for (frame, name), found in boxes.items():
        (panel,) = recognizer(photos[frame]).panels([name])
        row, column = np.unravel_index(panel.evidence.argmax(), panel.evidence.shape)
        height, width = panel.evidence.shape
        x, y = 100 * (column + 0.5) / width, 60 * (row + 0.5) / height
        assert all(
            0 <= left < right <= 100 and 0 <= top < bottom <= 60
            for left, top, right, bottom in found
        )
        assert any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in found)


def test_labels_that_the_task_lacks_are_dropped_only_if_that_is_allowed(tmp_path, model, photos):
    first, *_ = ts.load(model).labels
    with served(photos, {first: "tag", "other": "tag"}) as host:
        assert "is not in dataset" in annotated(host, model, tmp_path, code=1)
        assert host.uploaded == []
        annotated(host, model, tmp_path, "--conf-threshold", "0", "--allow-unmatched-labels")
        (uploaded,) = host.uploaded
    assert [host.names[tag["label_id"]] for tag in uploaded["tags"]] == [first, first]


def test_an_unknown_strictness_is_told_with_the_known_ones(model):
    with pytest.raises(DataError, match=r"one of more, balanced, sure, got 'high'"):
        create(model=str(model), strictness="high")


@pytest.mark.parametrize("strictness", ["more", "balanced", "sure"])
def test_a_strictness_moves_the_thresholds(model, photos, strictness):
    context = SimpleNamespace(conf_threshold=None)
    result = ts.load(model).at(strictness)(photos[0])
    with Image.open(photos[0]) as photo:
        tags = create(model=str(model), strictness=strictness).detect(context, photo)
    assert [result.names[tag.label_id] for tag in tags] == [
        name for name, found in zip(result.names, result.predicted, strict=True) if found
    ]
