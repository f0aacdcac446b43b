import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from programs import python

from tagsight.inference.diagnosis import DEVELOPMENT, diagnose

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, str]:
    """What the command says on a machine whose folders have telling names."""
    world = tmp_path_factory.mktemp("machine")
    home, cache, broken = (world / n for n in ("alice-home", "alice-cache", "alice-broken"))
    (cache / "tagsight" / "remote").mkdir(parents=True)
    (cache / "tagsight" / "remote" / "a.jpg").write_bytes(bytes(2048))
    (cache / "tagsight" / "a.features").write_bytes(bytes(7))
    (cache / "tagsight" / "remote" / "link").symlink_to(ROOT / "README.md")
    hub = home / "hub"
    for name in ("models--timm--resnet50.a1_in1k", "models--alice--private"):
        (hub / name).mkdir(parents=True)
    (broken / "onnxruntime").mkdir(parents=True)
    message = f"cannot open {home}/lib.so"
    (broken / "onnxruntime" / "__init__.py").write_text(f"raise ImportError({message!r})")
    path = os.pathsep.join([str(broken), str(ROOT / "src")])
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(cache), "HF_HUB_CACHE": str(hub)}
    environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    code = (
        "from tagsight.cli import main; print('==='); main(['doctor', '--json']); "
        "print('==='); main(['doctor'])"
    )
    done = python("-c", code, env=environment)
    _, as_json, as_text = done.stdout.split("===\n")
    return {"json": as_json, "text": as_text, "stderr": done.stderr}


def test_no_private_path_is_told(outputs):
    assert not [name for name, text in outputs.items() if "alice" in text]
    assert "~/hub" in outputs["text"] or "$HF_HUB_CACHE" in outputs["text"]
    assert "$XDG_CACHE_HOME/tagsight" in outputs["text"]


def test_caches_are_counted_without_following_links(outputs):
    found = json.loads(outputs["json"])
    sizes = {cache["content"].split()[0]: cache for cache in found["caches"]}
    assert sizes["features"]["files"] == 1
    assert sizes["features"]["bytes"] == 7
    (remote,) = (cache for cache in found["caches"] if cache["place"].endswith("/remote"))
    assert remote["files"] == 2
    assert 2048 < remote["bytes"] < 2048 + 4096


def test_a_runtime_that_does_not_start_says_why_and_ends_nothing(outputs):
    told = json.loads(outputs["json"])["runtimes"]["onnxruntime"]
    assert told == "does not start: ImportError cannot open ~/lib.so"


def test_encoders_of_the_hub_are_told_and_models_of_others_are_not(outputs):
    assert json.loads(outputs["json"])["encoders"]["resnet50.a1_in1k"] == "cache of the hub"
    assert "private" not in outputs["text"]


def test_every_extra_that_users_need_is_looked_at():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[><=~]", one)[0] for one in declared["dependencies"]}
    found = diagnose().extras
    assert set(found[""]) == names
    known = set(declared["optional-dependencies"])
    assert set(found) - {""} <= known - DEVELOPMENT
    assert known >= DEVELOPMENT
    assert all(found["torch"].values())
