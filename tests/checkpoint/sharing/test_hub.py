"""Models on the Hub: the real client against a server of its API on this machine."""

import os
from pathlib import Path

import pytest
from hub_server import hub_server
from programs import python
from shared_model import shared_model

from tagsight.checkpoint.config import CARD, CONFIG, WEIGHTS
from tagsight.checkpoint.folder import model_digest

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

TESTS = Path(__file__).parents[2]


def tagsight(url: str, home: Path, line: str, code: int = 0) -> str:
    """Run a command in a process of its own: the client reads its settings when it is imported."""
    own = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_TOKEN": "secret"}
    own["HF_HUB_DISABLE_XET"] = "1"  # the server takes files by the older protocol
    return python(TESTS / "tiny.py", *line.split(), env={**os.environ, **own}, code=code).stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return shared_model(tmp_path_factory.mktemp("model") / "model")


@pytest.mark.slow
def test_a_model_is_pushed_to_the_hub_in_one_commit_and_pulled_again(model, tmp_path):
    pulled = tmp_path / "pulled"
    with hub_server() as hub:
        hub.token = "secret"
        for line in (f"push {model} hf://me/birds", f"pull hf://me/birds --out {pulled}"):
            tagsight(hub.url, tmp_path / "home", line)
        assert hub.private == {"me/birds": True}
        assert set(hub.files["me/birds"]) == {WEIGHTS, CONFIG, CARD}
        assert [one for one in hub.asked if "/commit/" in one] == [
            "POST /api/models/me/birds/commit/main"
        ]
    assert model_digest(pulled) == model_digest(model)
    from huggingface_hub import ModelCard

    data = ModelCard.load(pulled / CARD).data
    assert (data.library_name, data.pipeline_tag) == ("tagsight", "image-classification")
    assert [one.metric_type for one in data.eval_results or []] == ["mean_average_precision"]


@pytest.mark.slow
@pytest.mark.parametrize("line", ["push {model} hf://me/birds", "pull hf://me/birds --out {out}"])
def test_who_may_not_gets_one_sentence_with_the_remedy(line, model, tmp_path):
    with hub_server() as hub:
        hub.token = "another"
        words = line.format(model=model, out=tmp_path / "pulled")
        told = tagsight(hub.url, tmp_path / "home", words, code=2)
    assert "hf auth login" in told
    assert "Traceback" not in told
    assert "secret" not in told
    assert not (tmp_path / "pulled").exists()
