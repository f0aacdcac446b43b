"""The real Label Studio, started on this machine by ``make test-label-studio``.

Its password, token and photos are made for the test; nothing leaves the machine.
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parent / "server"))

from collections.abc import Iterator

from channels import NAMES, corner
from programs import ended
from served import RED, TOKEN, data_url, listening, recognizer

import tagsight as ts
from tagsight.cli import main
from tagsight.data.format import ReadOptions
from tagsight.errors import DataError
from tagsight.server.bridges.label_studio.brush import run_lengths
from tagsight.server.bridges.label_studio.client import LabelStudio
from tagsight.server.bridges.label_studio.connecting import Connection, connect
from tagsight.server.limits import Limits
from tagsight.server.service import Service
from tagsight.tagging.labelling.project import Project

PROGRAM = os.environ.get("LABEL_STUDIO", "")
pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.skipif(
        not PROGRAM, reason="make test-label-studio installs and starts the program"
    ),
]

USER, PASSWORD = "person@example.org", "only for this test"
LEGACY = "0123456789abcdef0123456789abcdef01234567"
PHOTOS_A_LABEL = 6


def diagonal() -> bytes:
    """Draw as the program does on a canvas: black, of full opacity where somebody painted."""
    canvas = np.zeros((64, 64, 4), np.uint8)
    canvas[:, :, 3] = np.eye(64) * 255
    file = BytesIO()
    Image.fromarray(canvas).save(file, "PNG")
    return file.getvalue()


REGIONS: dict[str, dict[str, Any]] = {
    "Rectangle": {"x": 10, "y": 10, "width": 30, "height": 30, "rotation": 0},
    "Ellipse": {"x": 25, "y": 25, "radiusX": 15, "radiusY": 15, "rotation": 0},
    "Polygon": {"points": [[10, 10], [40, 10], [25, 40]], "closed": True},
    "Brush": {"format": "rle", "rle": run_lengths(np.eye(64, dtype=np.uint8) * 255)},
    "Bitmask": {"imageDataURL": data_url(diagonal())},
    "KeyPoint": {"x": 25, "y": 25, "width": 1},
}
"""Kinds of regions, and what a person draws."""

LABELS = "".join(f'<Label value="{name}"/>' for name in NAMES)
CONFIG = """<View><Image name="image" value="$image"/>
<Choices name="labels" toName="image" choice="multiple">{choices}</Choices>
{regions}</View>""".format(
    choices="".join(f'<Choice value="{name}"/>' for name in (*NAMES, "grey")),
    regions="".join(
        f'<{kind}Labels name="{kind}" toName="image">{LABELS}</{kind}Labels>' for kind in REGIONS
    ),
)

DECODER = """
import json, sys
from label_studio_sdk.converter.brush import decode_rle
for mask in json.load(sys.stdin):
    values = decode_rle(mask["rle"]).reshape(mask["height"], mask["width"], 4)
    opaque = values[:, :, 3] > 0
    assert (values[opaque] == 255).all() and not values[~opaque].any()
    rows, columns = opaque.any(1).nonzero()[0], opaque.any(0).nonzero()[0]
    print(json.dumps([int(n) for n in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]))
"""
"""The program's own decoder: prints left, top, right and bottom of each mask."""


class Program(NamedTuple):
    """A Label Studio that runs."""

    url: str
    data: Path
    files: Path

    def client(self, token: str = f"Token {LEGACY}") -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": token}, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("label-studio")


def started(folder: Path, **settings: str) -> Iterator[Program]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = folder / "files"
    files.mkdir(exist_ok=True)
    environment = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_USERNAME": USER,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": LEGACY,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        **settings,
    }
    command = [
        PROGRAM,
        "start",
        "--no-browser",
        "--internal-host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = folder / "log.txt"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        program = Program(f"http://127.0.0.1:{port}", folder / "data", files)
        try:
            transport = httpx.HTTPTransport(retries=10)  # with growing pauses, until it listens
            with httpx.Client(transport=transport, timeout=120) as client:
                while True:
                    assert process.poll() is None, log.read_text()[-2000:]
                    try:
                        assert client.get(f"{program.url}/health").status_code == 200
                        break
                    except httpx.ConnectError:
                        continue
            yield program
        finally:
            process.terminate()


def test_a_refusal_names_the_setting(folder):
    """Label Studio as it comes asks no address of its own machine."""
    for program in started(folder):
        with program.client() as client:
            made = client.post("/api/projects/", json={"title": "x", "label_config": CONFIG})
        studio = LabelStudio(program.url, LEGACY)
        with listening(Service(recognizer(), bridges=("label-studio",))) as (host, port):
            wanted = Connection(made.json()["id"], f"http://{host}:{port}", None, records=True)
            with pytest.raises(DataError, match="USE_DEFAULT_BANNED_SUBNETS=false") as refused:
                asyncio.run(connect(studio, wanted))
        assert re.search("reserved network address", str(refused.value))
        with pytest.raises(DataError, match="personal access token"):
            asyncio.run(LabelStudio(program.url, "f" * 40).call("GET", "/api/projects/"))


@pytest.fixture(scope="module")
def program(folder) -> Iterator[Program]:
    yield from started(folder, USE_DEFAULT_BANNED_SUBNETS="false")


@pytest.fixture(scope="module")
def photos(folder) -> Path:
    """Photos of the three labels, all of them different."""
    made = folder / "photos"
    made.mkdir()
    for name in NAMES:
        for number in range(PHOTOS_A_LABEL):
            photo = corner(name, brightness=255 - 10 * number)
            photo.save(made / f"{name}-{number}.png")
    return made


@pytest.fixture(scope="module")
def project(program, photos) -> int:
    """A project with uploads, a photo of a local storage, and one within its task."""
    with program.client() as client:
        made = client.post("/api/projects/", json={"title": "colours", "label_config": CONFIG})
        number = made.raise_for_status().json()["id"]
        for photo in sorted(photos.iterdir()):
            content = {"file": (photo.name, photo.read_bytes(), "image/png")}
            answer = client.post(f"/api/projects/{number}/import", files=content)
            assert answer.status_code == 201, answer.text
        local = program.files / "trip"
        local.mkdir(exist_ok=True)
        corner("green", brightness=99).save(local / "local one.png")
        storage = {"path": str(local), "project": number, "use_blob_urls": True}
        answer = client.post("/api/storages/localfiles", json=storage | {"regex_filter": ".*png"})
        assert answer.status_code == 201, answer.text
        answer = client.post(f"/api/storages/localfiles/{answer.json()['id']}/sync")
        assert answer.status_code == 200, answer.text
        tasks = [
            {"data": {"image": value}} for value in (data_url(RED), "http://127.0.0.1:9/x.jpg")
        ]
        answer = client.post(f"/api/projects/{number}/import", json=tasks)
        assert answer.status_code == 201, answer.text
    return number


def tasks_of(client: httpx.Client, project: int) -> list[dict[str, Any]]:
    answer = client.get(
        "/api/tasks", params={"project": project, "page_size": 100, "fields": "all"}
    )
    tasks: list[dict[str, Any]] = answer.raise_for_status().json()["tasks"]
    return sorted(tasks, key=lambda task: task["id"])


def personal_token(program: Program) -> str:
    with program.client() as client:
        answer = client.post("/api/token/")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


def colour_of(task: dict[str, Any]) -> str:
    """The label that a task's photo has."""
    value = task["data"]["image"]
    named = [name for name in NAMES if f"{name}-" in value[-40:]]
    return named[0] if named else "red" if value.startswith("data:") else "green"


@pytest.mark.parametrize("kind", ["legacy", "personal"])
def test_all_kinds_of_tasks_get_choices_and_regions(program, project, kind, caplog):
    caplog.set_level("INFO", "tagsight")
    key = LEGACY if kind == "legacy" else personal_token(program)
    studio = LabelStudio(program.url, key)
    service = Service(
        recognizer(), token=TOKEN, limits=Limits(), bridges=("label-studio",), label_studio=studio
    )
    with listening(service) as (host, port), program.client() as client:
        wanted = Connection(project, f"http://{host}:{port}", TOKEN, records=False)
        asyncio.run(connect(studio, wanted))
        asyncio.run(connect(studio, wanted))
        (model,) = client.get("/api/ml/", params={"project": project}).json()[-1:]
        assert model["readable_state"] == "Connected", model
        tasks = tasks_of(client, project)
        for task in tasks:
            for one in task["predictions"]:
                client.delete(f"/api/predictions/{one['id']}/").raise_for_status()
        ids = [task["id"] for task in tasks]
        answer = client.post(
            "/api/dm/actions",
            params={"id": "retrieve_tasks_predictions", "project": project},
            json={"selectedItems": {"all": False, "included": ids}},
        )
        assert answer.status_code == 200, answer.text
        tasks = tasks_of(client, project)
    assert len(tasks) == 3 * PHOTOS_A_LABEL + 3
    answered = [task for task in tasks if task["predictions"]]
    assert len(answered) == len(tasks) - 1
    for task in answered:
        (prediction,) = task["predictions"]
        found = {one["type"]: one["value"] for one in prediction["result"]}
        assert found["choices"]["choices"] == [colour_of(task)], task
        for region in REGIONS:
            type_ = f"{region.lower()}labels"
            assert found[type_][type_] == [colour_of(task)]
        box = found["rectanglelabels"]
        assert box["x"] + box["width"] < 70
        assert box["y"] + box["height"] < 70
    masks_lie_in_their_polygons([task["predictions"][0]["result"] for task in answered])
    (unanswered,) = [task for task in tasks if not task["predictions"]]
    told = [record.getMessage() for record in caplog.records]
    assert any(f"task {unanswered['id']} gets no suggestion" in line for line in told), told
    with program.client() as client:
        client.delete(f"/api/ml/{model['id']}").raise_for_status()


def masks_lie_in_their_polygons(results: list[list[dict[str, Any]]]) -> None:
    """Compare what the program decodes with the polygons, which it takes as they are."""
    by_type = [{one["type"]: one for one in result} for result in results]
    masks = [
        {
            "rle": one["brushlabels"]["value"]["rle"],
            "width": one["brushlabels"]["original_width"],
            "height": one["brushlabels"]["original_height"],
        }
        for one in by_type
    ]
    program = Path(PROGRAM).with_name("python")
    decoder = ended(program, "-c", DECODER, input=json.dumps(masks))
    bounds = [json.loads(line) for line in decoder.stdout.splitlines()]
    for one, mask, bound in zip(by_type, masks, bounds, strict=True):
        url = one["bitmasklabels"]["value"]["imageDataURL"]
        with Image.open(BytesIO(b64decode(url.partition(",")[2]))) as bitmask:
            assert bitmask.size == (mask["width"], mask["height"])
            assert list(bitmask.getchannel("A").getbbox() or ()) == bound
        points = one["polygonlabels"]["value"]["points"]
        sides = [[point[axis] / 100 for point in points] for axis in (0, 1)]
        size = mask["width"], mask["height"]
        ends = [of(side) * n for of in (min, max) for side, n in zip(sides, size, strict=True)]
        assert bound == pytest.approx(ends, abs=1)


def test_annotations_become_judgements_and_their_export_trains_a_model(
    program, project, photos, folder
):
    studio = LabelStudio(program.url, LEGACY)
    with Project(folder / "judgements", photos) as judgements, program.client() as client:
        judgements.photos.search(lambda: None)
        service = Service(
            recognizer(),
            token=TOKEN,
            bridges=("label-studio",),
            label_studio=studio,
            judgements=judgements,
        )
        with listening(service) as (host, port):
            wanted = Connection(project, f"http://{host}:{port}", TOKEN, records=True)
            asyncio.run(connect(studio, wanted))
            tasks = [
                task for task in tasks_of(client, project) if "upload" in task["data"]["image"]
            ]
            kinds = ("", *REGIONS)  # the first has no region, but chosen labels
            said = [
                drawn(kinds[number % len(kinds)], colour_of(task))
                for number, task in enumerate(tasks)
            ]
            made = [annotate(client, *pair) for pair in zip(tasks, said, strict=True)]
            assert len(judgements.photos.there()) == len(made) == 3 * PHOTOS_A_LABEL
            assert judgements.counts().sum(0).tolist() == [18, 18 * 3]
            before = judgements.revision
            changed = client.patch(
                f"/api/annotations/{made[0]}/", json={"result": chosen(["grey"])}
            )
            assert changed.status_code == 200, changed.text
            assert judgements.revision == before + 1
            (batch,) = judgements.since(before, 10)
            assert sorted(change.value for change in batch.changes) == [0, 1]
            changed = client.patch(
                f"/api/annotations/{made[0]}/", json={"result": chosen([colour_of(tasks[0])])}
            )
            (model,) = client.get("/api/ml/", params={"project": project}).json()[-1:]
            client.post(f"/api/ml/{model['id']}/train").raise_for_status()
            assert judgements.revision == before + 2
            assert not list(folder.glob("judgements/**/model*"))
        assert judgements.counts().sum(0).tolist() == [18, 18 * 3]
        exported = client.get(f"/api/projects/{project}/export", params={"exportType": "JSON"})
        (folder / "export.json").write_bytes(exported.raise_for_status().content)
    own = ReadOptions(label_studio_files=program.data)
    table = ts.read_annotations(folder / "export.json", options=own)
    assert set(table.names) == set(NAMES)
    assert (table.targets == 1).sum(0).tolist() == [PHOTOS_A_LABEL] * 3
    options = ["--recipe", "gcam-quick", "--training.epochs", "1", "--training.least_steps", "1"]
    for source in ("export.json", "judgements"):
        files = ["--label-studio-files", str(program.data)] if source == "export.json" else []
        out = folder / f"run-{source}"
        assert main(["train", str(folder / source), "--out", str(out), *files, *options]) == 0
        assert set(ts.load(out / "model").labels) >= set(NAMES)


def chosen(labels: list[str]) -> list[dict[str, Any]]:
    value = {"choices": labels}
    return [{"from_name": "labels", "to_name": "image", "type": "choices", "value": value}]


def drawn(kind: str, label: str) -> list[dict[str, Any]]:
    """Return the region of a kind with a label, or without a kind the label as a choice."""
    if not kind:
        return chosen([label])
    type_ = f"{kind.lower()}labels"
    named = {"id": "drawn", "from_name": kind, "to_name": "image", "type": type_}
    size = {"original_width": 64, "original_height": 64, "image_rotation": 0}
    return [{**named, **size, "value": {**REGIONS[kind], type_: [label]}}]


def annotate(client: httpx.Client, task: dict[str, Any], result: list[dict[str, Any]]) -> int:
    answer = client.post(f"/api/tasks/{task['id']}/annotations/", json={"result": result})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])
