import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from channels import channels_model
from encoder_families import SMALL
from tiny import TINY, drawn, label_space, tiny_system

import tagsight
from tagsight.checkpoint.folder import LoadedModel, load_model, save_model
from tagsight.config import BackboneConfig, LowRankConfig, Resize
from tagsight.errors import DataError
from tagsight.inference import agreement as agreement_module
from tagsight.inference.agreement import RESHAPED, compare
from tagsight.inference.exporting import ENDINGS, delivering, export_model, written_onnx
from tagsight.inference.model_info import ModelInfo
from tagsight.inference.networks import open_network
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.labels.one_of import OneOf
from tagsight.nn.low_rank import LowRank
from tagsight.runtime.device import Runtime
from tagsight.systems.catalogue import SYSTEMS

LABELS = len(label_space())
SHORT = {"max_labels": 2, "beam": 2, "hidden": 32, "embedding": 16, "attention_width": 16}
SETTINGS: dict[str, dict[str, object]] = {
    "gcam": {"residual_attention": 0.5},
    "cnn-rnn": {"decoder": SHORT},
    "order-free-rnn": {"decoder": SHORT},
    "ml-zsl": {"steps": 2},
    "rnn-attention": {"regions": 2},
}
"""Settings of a recipe that change what is computed, and few repetitions: a graph has them all."""
FORWARDS = {
    system.forward: (name, "fit" if system.takes_padding else "warp")
    for name, system in SYSTEMS.items()
    if system.portable
}
"""A system with each way from photos to logits; most have a way of their own with padding too."""
OF_PHOTOS = [("gcam", resize, False) for resize in ("fit", "warp", "crop")]
"""Graphs that resize photos; that is the same whatever system follows, and half of the tracing."""
OF_SQUARES = [(*case, True) for case in FORWARDS.values() if (*case, False) not in OF_PHOTOS]


def model_of(name: str, resize: Resize = "warp") -> LoadedModel:
    """A model whose norms and biases are not where they start, as if it had been trained."""
    system = tiny_system(name, **SETTINGS.get(name, {}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return channels_model(system, names=label_space().names, temperature=1.5, resize=resize)


@pytest.mark.parametrize(
    ("name", "file", "options", "message"),
    [
        ("knn", "m.onnx", {}, "expected a system that ONNX can express, got KNN"),
        ("resnet", "m.pt", {}, r"expected a file that ends in .onnx or .xml, got .*m.pt"),
        ("resnet", "m.onnx", {"int8": True}, "expected `labels`, .* with `int8=True`, got none"),
        ("resnet", "m.onnx", {"labels": "a.csv"}, "expected `int8=True` with `labels`, .*got none"),
        (
            "resnet",
            "m.onnx",
            {"photos": []},
            "expected photos to compare the file .* got none",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, name, file, options, message):
    with pytest.raises(DataError, match=message):
        tagsight.export(model_of(name), tmp_path / file, **options, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "resize", "squares"),
    [
        OF_PHOTOS[0],
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (*OF_PHOTOS[1:], *OF_SQUARES)),
    ],
)
def test_a_system_agrees_with_its_files(name, resize, squares, photos, tmp_path):
    model = model_of(name, resize)
    trained = TrainedNetwork(model, Runtime.choose("cpu", "float32"))
    pixels = (drawn(33)[0] * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    if squares and resize == "fit":  # the photo covers all of its square
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], 3)
    # More photos than labels, as many and fewer: a runtime may take the one for the other.
    expected = {count: trained(pixels[:count]) for count in (1, LABELS, 33)}
    with written_onnx(model, squares=squares) as graph:
        # What depends on labels alone is a constant, so that the weights behind it are left out.
        constants = {one.name for one in onnx.load(graph).graph.initializer}
        assert not [name for name in constants if re.search("label_graph.*weight", name)]
        for ending in ENDINGS.values():
            with delivering(graph, tmp_path / f"m{ending}") as written:
                network = open_network(written, precision="float32")
            agreement = compare(model, network, photos, own_sizes=not squares)
            assert (agreement.photos, agreement.decisions) == (len(photos), 1)
            worst = max(agreement.scores, agreement.maps, agreement.embedding, agreement.astray)
            assert worst < 0.003
            for count, answer in expected.items():
                for got, wanted in zip(network(pixels[:count]), answer, strict=True):
                    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_graph_that_is_stored_sparsely_is_a_constant_of_the_file():
    labels = label_space()
    labels = replace(labels, cooccurrence=labels.cooccurrence.to_sparse())
    model = channels_model(tiny_system("gcam", labels), names=labels.names)
    trained = TrainedNetwork(model, Runtime.choose("cpu", "float32"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = trained(pixels)  # what is cached for torch does not hinder
    with written_onnx(model, squares=True) as graph:
        found = open_network(graph, precision="float32")(pixels)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("exported_once")
def test_a_photo_that_cannot_be_read_is_reported_and_skipped(model, photos, tmp_path):
    bad, problems = tmp_path / "bad.jpg", {}
    bad.write_bytes(b"no photo")
    files = tmp_path / "m.onnx", [bad, *photos]
    assert export_model(model, *files, on_problem=problems.__setitem__).photos == len(photos)
    assert list(problems) == [bad]
    assert "expected a photo" in problems[bad]
    with pytest.raises(DataError, match=r"expected photos .*, got none that can be read"):
        compare(model, open_network(files[0]), [bad])


def test_input_that_is_not_normalised_stays_so_in_folder_and_file(photos, tmp_path):
    plain = TINY.model_copy(update={"normalization": "none"})
    model = channels_model(tiny_system("resnet", backbone=plain), names=label_space().names)
    change = {"system": "resnet", "settings": model.system.config}
    recipe = model.recipe.model_copy(update=change)
    folder = tmp_path / "model"
    save_model(folder, model.system, model.labels, model.decision, recipe, {})
    read = load_model(folder)
    assert not read.system.backbone.mean.any()
    assert export_model(read, str(tmp_path / "m.onnx"), map(str, photos)).scores < 0.01
    assert "- input: values in [0, 1], not normalised" in (folder / "README.md").read_text()


def test_a_file_takes_any_batch_and_size_and_describes_itself(model, sound):
    session = onnxruntime.InferenceSession(str(sound[".onnx"]))
    for count, height, width in ((1, 32, 32), (5, 77, 300), (3, 640, 20)):
        batch = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        scores, maps, embedding, logits, features = session.run(None, {"photos": batch})
        assert scores.shape == logits.shape == (count, 5)
        assert maps.shape[:2] == (count, 5)
        assert embedding.shape == (count, 24)
        assert features.shape == (count, 24, *maps.shape[2:])
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits / 1.5)), atol=1e-6)
        one = session.run(None, {"photos": batch[:1]})[0]
        np.testing.assert_allclose(one[0], scores[0], atol=1e-5)
    info = ModelInfo.model_validate_json(session.get_modelmeta().custom_metadata_map["tagsight"])
    assert info.model == model.digest
    assert info.labels == model.labels.names
    assert info.fitted_decision().temperature == 1.5
    assert info.card.startswith("# channels: which of 5 labels")


@pytest.mark.usefixtures("exported_once")
def test_a_file_that_disagrees_is_not_delivered(sound, photos, tmp_path):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"of yesterday")
    other = model_of("gcam")
    with pytest.raises(DataError, match=r"within 0.01 of the model's, got a difference of 0\."):
        export_model(other, file, photos)
    with pytest.raises(DataError, match=r"a file ending in .onnx or .xml, got '.*m.pt'"):
        export_model(other, file.with_suffix(".pt"), photos)
    assert file.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    agreement = compare(other, open_network(sound[".onnx"]), photos)
    assert min(agreement.scores, agreement.embedding) > 0.01


def test_the_model_recognises_each_photo_once_for_a_comparison(photos, sound, model):
    seen: list[int] = []
    watched = model.system.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    try:
        compare(model, open_network(sound[".onnx"]), photos)
    finally:
        watched.remove()
    assert sum(seen) == len(photos) + 2 * min(RESHAPED, len(photos))


@pytest.mark.parametrize("photos_held", [2, LABELS + 1])
def test_the_largest_batch_of_a_comparison_has_few_maps(
    photos, sound, model, photos_held, monkeypatch
):
    network, seen = open_network(sound[".onnx"]), []
    run = type(network).__call__
    monkeypatch.setattr(
        type(network),
        "__call__",
        lambda self, pixels: seen.append(len(pixels)) or run(self, pixels),
    )
    cells = (model.recipe.training.image_size // model.system.backbone.stride) ** 2
    monkeypatch.setattr(agreement_module, "LARGEST_MAPS", photos_held * LABELS * cells)
    compare(model, network, photos[:1])
    assert max(seen) == photos_held


def encoder_model(name: str, rank: int = 0) -> LoadedModel:
    """A baseline on an encoder with random weights, at five by five cells or its only size."""
    torch.manual_seed(0)
    lora = LowRankConfig(rank=rank)
    backbone = BackboneConfig(name=name, weights="none", frozen_stages=1, lora=lora)
    system = tiny_system("resnet", backbone=backbone)
    side = system.backbone.only_side or 5 * system.backbone.stride
    model = channels_model(system, names=label_space().names)
    training = model.recipe.training.model_copy(update={"image_size": side})
    return replace(model, recipe=model.recipe.model_copy(update={"training": training}))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        SMALL["vit_small_patch16_dinov3"],  # rotary positions
        SMALL["vit_small_patch16_rope_mixed_224"],  # others in each block
        SMALL["swin_tiny_patch4_window7_224"],  # windows, channels last
        "test_resnet+test_convnext",  # joined
    ],
)
def test_encoders_of_all_kinds_agree_with_their_files(name, tmp_path, photos):
    model = encoder_model(name)
    with written_onnx(model, squares=True) as graph:
        for ending in ENDINGS.values():
            with delivering(graph, tmp_path / f"m{ending}") as written:
                network = open_network(written, precision="float32")
            agreement = compare(model, network, photos, own_sizes=False)
            assert max(agreement.scores, agreement.embedding) < 0.01, ending
            assert agreement.maps < 0.02, ending


@pytest.mark.slow
def test_low_rank_updates_are_stored_in_a_folder_and_merged_in_a_file(tmp_path, photos):
    model = encoder_model(SMALL["vit_small_patch14_reg4_dinov2"], rank=2)  # registers too
    updates = [module for module in model.system.modules() if isinstance(module, LowRank)]
    assert updates
    with torch.no_grad():
        for update in updates:
            update.up.normal_()
    change = {"system": "resnet", "settings": model.system.config}
    recipe = model.recipe.model_copy(update=change)
    save_model(tmp_path / "model", model.system, model.labels, model.decision, recipe, {})
    read = load_model(tmp_path / "model")
    kept, expected = read.system.state_dict(), model.system.state_dict()
    assert kept.keys() == expected.keys()
    assert all(torch.equal(kept[key], expected[key]) for key in expected)
    assert export_model(read, tmp_path / "m.onnx", photos).scores < 0.01
    weights = onnx.load(tmp_path / "m.onnx").graph.initializer
    assert not [one.name for one in weights if one.name.endswith((".up", ".down"))]


def test_labels_that_exclude_each_other_share_a_softmax_in_the_file(tmp_path):
    groups = (OneOf((0, 2), complete=True), OneOf((1, LABELS - 1)))
    model = model_of("gcam")
    model = replace(model, decision=replace(model.decision, one_of=groups))
    model.system.one_of = groups
    squares = np.random.default_rng(0).integers(0, 256, (33, 32, 32, 3), dtype=np.uint8)
    with written_onnx(model, squares=True) as graph:
        for ending in ENDINGS.values():
            with delivering(graph, tmp_path / f"m{ending}") as written:
                open_network(written, precision="float32")  # it has nothing that is refused
                scored = scores_of_onnx if ending == ".onnx" else scores_of_openvino
                for count in (1, LABELS, 33):
                    scores, logits = scored(written, squares[:count])
                    np.testing.assert_allclose(scores, model.decision.scores(logits), atol=1e-5)
                    np.testing.assert_allclose(scores[:, [0, 2]].sum(1), 1, atol=1e-5)
                    assert (scores[:, [1, LABELS - 1]].sum(1) < 1).all()


def scores_of_onnx(file: Path, squares: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(file))
    return session.run(["probabilities", "logits"], {"squares": squares})


def scores_of_openvino(file: Path, squares: np.ndarray) -> list[np.ndarray]:
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(file), "CPU", exact)
    answer = compiled({"squares": squares})
    return [answer["probabilities"], answer["logits"]]
