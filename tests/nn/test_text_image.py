"""Text-image encoders of a few random numbers: that they are read, and that others are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_run import RUNTIME

from tagsight.errors import DataError
from tagsight.nn.text_image import CONFIG, TextImageEncoder

open_clip = pytest.importorskip("open_clip", reason="the extra 'text' is not installed")

SENTENCES = ("a photo of a Dog.", "cat")
VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
CLIP = {
    "embed_dim": 8,
    "vision_cfg": VISION,
    "text_cfg": {"context_length": 12, "width": 8, "heads": 2, "layers": 1},
}
SIGLIP = {
    "embed_dim": 8,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": VISION,
    "text_cfg": {
        "context_length": 12,
        "width": 8,
        "heads": 2,
        "layers": 1,
        "vocab_size": 9,
        "hf_tokenizer_name": "someone/tokens",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True,
        "pool_type": "last",
    },
}
WORDS = {"<pad>": 0, "<eos>": 1, "<unk>": 2, "a": 3, "photo": 4, "of": 5, "dog": 6, "cat": 7}


def written(folder: Path, settings: dict[str, Any]) -> Path:
    """Write a model with random weights, as open_clip writes it."""
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps({"model_cfg": settings, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))
    return folder


@pytest.fixture(params=[CLIP, SIGLIP], ids=["clip", "siglip"])
def folder(request, tmp_path) -> Path:
    return written(tmp_path / "model", request.param)


def changed(folder: Path, part: str, **values: object) -> None:
    content = json.loads((folder / CONFIG).read_text())
    content["model_cfg"][part].update(values)
    (folder / CONFIG).write_text(json.dumps(content))


def test_embeddings_are_those_of_open_clip_with_length_1(folder):
    encoder = TextImageEncoder.load(folder, RUNTIME)
    model, _, square = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    photo = Image.effect_noise((50, 40), 90).convert("RGB")
    images, texts = encoder.images([encoder.square(photo)]), encoder.texts(SENTENCES)
    with torch.inference_mode():
        expected = model.encode_image(square(photo)[None], normalize=True)
        tokens = encoder.tokens(SENTENCES)
        assert torch.allclose(images, expected, atol=1e-5)
        assert torch.allclose(texts, model.encode_text(tokens, normalize=True), atol=1e-5)
    assert images.shape == (1, encoder.dimensions) == (1, 8)
    assert torch.allclose(texts.norm(dim=1), torch.ones(2))
    assert encoder.side == 32


def test_tokens_are_cleaned_ended_and_filled_up(tmp_path):
    encoder = TextImageEncoder.load(written(tmp_path / "model", SIGLIP), RUNTIME)
    assert encoder.tokens(SENTENCES).tolist() == [
        [3, 4, 5, 3, 6, 1, 0, 0, 0, 0, 0, 0],
        [7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_other_weights_have_another_name(tmp_path):
    names = {
        TextImageEncoder.load(written(tmp_path / str(kind), settings), RUNTIME).name[-16:]
        for kind, settings in enumerate((CLIP, SIGLIP))
    }
    assert len(names) == 2


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("vision_cfg", {"width": 64}, "of the described shape"),
        ("vision_cfg", {"width": 10**6, "layers": 10}, "of the described shape"),
        ("text_cfg", {"hf_model_name": "bert"}, "hf_model_name"),
        ("text_cfg", {"tokenizer_kwargs": {"trust_remote_code": True}}, "trust_remote_code"),
        ("text_cfg", {"context_length": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_or_could_run_code_is_refused(folder, part, values, message):
    changed(folder, part, **values)
    with pytest.raises(DataError, match=message):
        TextImageEncoder.load(folder, RUNTIME)


def test_a_folder_without_settings_or_safe_weights_is_refused(folder):
    weights = folder / "open_clip_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(DataError, match=r"one .safetensors file"):
        TextImageEncoder.load(folder, RUNTIME)
    (folder / CONFIG).write_text("{}")
    with pytest.raises(DataError, match="model_cfg"):
        TextImageEncoder.load(folder, RUNTIME)
    (folder / CONFIG).unlink()
    with pytest.raises(DataError, match="as open_clip writes it"):
        TextImageEncoder.load(folder, RUNTIME)
