import re
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from served import GREEN, LIMITS, RED, TOKEN, client_of, data_url, recognizer

from tagsight.commands.serve import serve
from tagsight.inference.evidence_outlines import evidence_outlines, outline_mask
from tagsight.server.bridges import BRIDGES
from tagsight.server.bridges.label_studio.brush import run_lengths
from tagsight.server.service import Service

CONFIG = """
<View>
  <Header value="What is in it?"/>
  <Image name="img" value="$picture"/>
  <Choices name="tag" toName="img" choice="multiple" showInline="true">
    <Choice value="Red"/> <Choice value="green" hotkey="2"/> <Choice value="other"/>
  </Choices>
</View>
"""
VERSION = f"channels {'c' * 12}"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = Service(recognizer(), limits=LIMITS, bridges=("label-studio",))
    with client_of(service) as client:
        yield client


def predict(client: TestClient, *pictures: Any, config: str = CONFIG) -> Any:
    tasks = [
        {"id": number, "data": {"picture": picture}, "annotations": [], "is_labeled": False}
        for number, picture in enumerate(pictures)
    ]
    body = {"tasks": tasks, "project": "1.1735", "label_config": config, "params": {"context": 1}}
    return client.post("/predict", json=body)


def test_a_project_with_labels_of_the_model_is_connected(client):
    assert client.get("/health").json()["status"] == "UP"
    body = {"project": "1.1735", "schema": CONFIG, "hostname": "http://x", "access_token": "t"}
    assert client.post("/setup", json=body).json() == {"model_version": VERSION}
    body["schema"] = CONFIG.replace("Red", "mauve").replace("green", "beige")
    refused = client.post("/setup", json=body)
    assert refused.status_code == 422
    assert "labels of the model such as red, green, blue" in refused.json()["error"]
    for path in ("/webhook", "/train"):
        assert client.post(path, json={"action": "START_TRAINING"}).status_code == 200


def test_labels_are_suggested_in_the_spelling_of_the_configuration(client):
    answer = predict(client, data_url(RED), data_url(GREEN)).json()
    assert answer["model_version"] == VERSION
    red, green = answer["results"]
    (suggestion,) = red["result"]
    assert suggestion["value"] == {"choices": ["Red"]}
    assert (suggestion["from_name"], suggestion["to_name"]) == ("tag", "img")
    assert suggestion["type"] == "choices"
    assert red["score"] == pytest.approx(recognizer()(RED).scores[0])
    assert green["result"][0]["value"] == {"choices": ["green"]}


def test_single_choices_get_the_best_label_and_photos_without_one_get_none(client):
    single = CONFIG.replace('choice="multiple"', 'choice="single"').replace("other", "blue")
    (found,) = predict(client, data_url(RED), config=single).json()["results"]
    assert found["result"][0]["value"]["choices"] == ["Red"]
    other = CONFIG.replace("Red", "blue")
    (found,) = predict(client, data_url(RED), config=other).json()["results"]
    assert (found["result"], found["score"]) == ([], 0)


UNFETCHED = "to fetch it from Label Studio, start with its address"
NO_PHOTO = "expected a photo in the field 'picture'"


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        ("http://127.0.0.1:9/photo.jpg", UNFETCHED),
        ("/data/upload/1/photo.jpg", UNFETCHED),
        ("file:///etc/passwd", UNFETCHED),
        ("s3://bucket/photo.jpg", UNFETCHED),
        ("data:image/png,notbase64", "expected photo 1 within the request"),
        ("", f"{NO_PHOTO}, got none"),
        (None, f"{NO_PHOTO}, got none"),
        (7, f"{NO_PHOTO}, got int"),
        (data_url(b"no photo"), "expected a photo"),
    ],
)
def test_a_task_without_an_answer_costs_no_other_its_own_and_the_log_says_why(
    client, caplog, picture, reason
):
    caplog.set_level("INFO", "tagsight")
    none, red = predict(client, picture, data_url(RED)).json()["results"]
    assert none == []  # so that Label Studio stores no prediction, and asks again
    assert red["result"][0]["value"] == {"choices": ["Red"]}
    (why,) = [record.getMessage() for record in caplog.records if "task 0" in record.getMessage()]
    assert why.startswith("label studio: task 0 gets no suggestion: ")
    assert reason in why


ENTITY = "<!DOCTYPE v [<!ENTITY a 'b'>]><View>&a;</View>"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("<View>", "expected a labelling configuration in XML"),
        (ENTITY, "a document type"),
        ("<View><Text name='t' value='$t'/></View>", "expected Choices, Taxonomy"),
    ],
)
def test_a_configuration_that_cannot_be_answered_has_a_reason(client, config, reason):
    answer = predict(client, data_url(RED), config=config)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]


REGIONS = """
<View>
  <Image name="img" value="$picture"/>
  <RectangleLabels name="box" toName="img"><Label value="red"/><Label value="x"/></RectangleLabels>
  <EllipseLabels name="oval" toName="img"><Label value="red"/></EllipseLabels>
  <PolygonLabels name="outline" toName="img"><Label value="RED"/></PolygonLabels>
  <BrushLabels name="mask" toName="img"><Label value="red"/></BrushLabels>
  <BitmaskLabels name="bits" toName="img"><Label value="Red"/></BitmaskLabels>
  <KeyPointLabels name="point" toName="img"><Label value="Red"/></KeyPointLabels>
  <Taxonomy name="tree" toName="img"><Choice value="red"/><Choice value="x"/></Taxonomy>
  <Choices name="of-box" toName="img" perRegion="true"><Choice value="red"/></Choices>
</View>
"""


def test_regions_lie_where_the_evidence_is(client):
    (found,) = predict(client, data_url(RED), config=REGIONS).json()["results"]
    by_control = {one["from_name"]: one for one in found["result"]}
    assert by_control.keys() == {"box", "oval", "outline", "mask", "bits", "point", "tree"}
    box, point = by_control["box"], by_control["point"]
    assert (box["type"], box["value"]["rectanglelabels"]) == ("rectanglelabels", ["red"])
    assert (point["type"], point["value"]["keypointlabels"]) == ("keypointlabels", ["Red"])
    assert by_control["tree"]["value"] == {"taxonomy": [["red"]]}
    evidence = recognizer()(RED).map("red")
    row, column = np.unravel_index(evidence.argmax(), evidence.shape)
    across, down = (column + 0.5) * 100 / evidence.shape[1], (row + 0.5) * 100 / evidence.shape[0]
    assert (point["value"]["x"], point["value"]["y"]) == pytest.approx((across, down))
    left, top, width, height = (box["value"][side] for side in ("x", "y", "width", "height"))
    assert left <= across <= left + width <= 100
    assert top <= down <= top + height <= 100
    assert width * height < 100 * 100 / 2
    oval = by_control["oval"]["value"]
    assert (oval["x"], oval["y"]) == pytest.approx((left + width / 2, top + height / 2))
    assert (oval["radiusX"], oval["radiusY"]) == pytest.approx((width / 2, height / 2))
    corners = by_control["outline"]["value"]["points"]
    assert by_control["outline"]["value"]["polygonlabels"] == ["RED"]
    for axis, first, length in ((0, left, width), (1, top, height)):
        along = [corner[axis] for corner in corners]
        assert (min(along), max(along) - min(along)) == pytest.approx((first, length), abs=2)
    assert (box["original_width"], box["original_height"]) == recognizer()(RED).photo_size


def test_the_token_is_sent_as_a_password():
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("label-studio",))
    with client_of(service) as client:
        for auth, status in ((None, 401), (("any", "wrong password"), 401), (("any", TOKEN), 200)):
            client.auth = auth
            assert predict(client, data_url(RED)).status_code == status


def test_a_bridge_exists_only_on_request_and_the_command_offers_every_one():
    with client_of(Service(recognizer(), limits=LIMITS)) as client:
        assert client.get("/health").status_code == 404
    assert set(re.findall(r"'([^']+)'", serve.__annotations__["bridge"])) == set(BRIDGES)


def test_brush_and_bitmask_regions_are_masks_of_all_pixels_of_the_photo(client):
    (found,) = predict(client, data_url(RED), config=REGIONS).json()["results"]
    mask, bits = (one for one in found["result"] if one["from_name"] in {"mask", "bits"})
    assert (mask["type"], mask["value"]["format"]) == ("brushlabels", "rle")
    assert mask["value"]["brushlabels"] == ["red"]
    result = recognizer()(RED)
    pixels = outline_mask(evidence_outlines(result.map("red"), result.frame), result.photo_size)
    assert mask["value"]["rle"] == run_lengths(pixels)
    assert 0.05 < (pixels > 0).mean() < 0.5
    assert (bits["type"], bits["value"]["bitmasklabels"]) == ("bitmasklabels", ["Red"])
    with Image.open(BytesIO(b64decode(bits["value"]["imageDataURL"].partition(",")[2]))) as picture:
        assert picture.format == "PNG"
        *colours, opacity = picture.convert("RGBA").split()
    assert not np.asarray(colours).any()
    assert np.array_equal(opacity, pixels)
