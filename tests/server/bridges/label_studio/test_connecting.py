import asyncio
import json
from typing import Any

import httpx
import pytest

from tagsight.errors import DataError
from tagsight.server.bridges.label_studio.client import LabelStudio
from tagsight.server.bridges.label_studio.connecting import Connection, connect

WANTED = Connection(7, "http://127.0.0.1:8000", "a long token of ours", records=True)


class Program:
    """Label Studio's lists of models and webhooks."""

    def __init__(self, refusal: dict[str, Any] | None = None) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self._refusal = refusal

    def __call__(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.split("/")[2]
        if request.method == "GET":
            return httpx.Response(200, json=[self.made[kind]] if kind in self.made else [])
        if self._refusal is not None:
            return httpx.Response(400, json=self._refusal)
        assert (request.method == "PATCH") == (kind in self.made)
        self.made[kind] = {"id": 3, **json.loads(request.content)}
        return httpx.Response(201, json=self.made[kind])


def connected(program: Program, wanted: Connection = WANTED) -> None:
    studio = LabelStudio("http://studio", "0" * 20, transport=httpx.MockTransport(program))
    asyncio.run(connect(studio, wanted))


def test_a_project_is_connected_once_as_model_and_sender_of_annotations():
    program = Program()
    connected(program)
    connected(program)
    model, hook = program.made["ml"], program.made["webhooks"]
    assert (model["url"], model["project"]) == ("http://127.0.0.1:8000", 7)
    assert (model["auth_method"], model["basic_auth_pass"]) == ("BASIC_AUTH", WANTED.token)
    assert hook["url"] == "http://127.0.0.1:8000/webhook"
    assert hook["headers"] == {"Authorization": f"Bearer {WANTED.token}"}
    assert "ANNOTATION_CREATED" in hook["actions"]
    alone = Program()
    connected(alone, WANTED._replace(records=False, token=None))
    assert alone.made.keys() == {"ml"}
    assert alone.made["ml"]["auth_method"] == "NONE"


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        ("URL resolves to a reserved network address (block: 127.0.0.0/8)", "USE_DEFAULT_BANNED"),
        ("Can't resolve hostname tagsight", "--own-url|`own_url`"),
        ("Can't connect to ML backend, health check failed.", "--own-url|`own_url`"),
    ],
)
def test_a_refusal_names_the_setting_that_decides(said, setting):
    with pytest.raises(DataError, match=setting) as refused:
        connected(Program({"url": [said]}))
    assert WANTED.token not in str(refused.value)
