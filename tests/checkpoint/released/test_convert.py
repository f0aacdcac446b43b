import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from released_checkpoints import (
    LABELS,
    SIDE,
    Checkpoint,
    Encoder,
    TResNet,
    csra,
    drawn,
    ml_decoder,
    ml_gcn,
    pickled,
    query2label,
    swin,
)
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.testing import assert_close

import tagsight as ts
from tagsight.checkpoint.folder import LoadedModel
from tagsight.cli import main
from tagsight.errors import DataError

MANY = tuple(f"label {number}" for number in range(9))


class Converted(NamedTuple):
    """A checkpoint, its file, and the model that was made of it."""

    checkpoint: Checkpoint
    file: Path
    model: LoadedModel


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Callable[[str], Converted]:
    """Convert a checkpoint of each origin, with a ResNet-18 or TResNet-M, once."""
    done: dict[str, Converted] = {}

    def of(origin: str) -> Converted:
        if origin not in done:
            torch.manual_seed(0)
            done[origin] = convert(origin, tmp_path_factory.mktemp(origin))
        return done[origin]

    return of


def convert(origin: str, folder: Path) -> Converted:
    file, out = folder / "checkpoint.pth", folder / "model"
    if origin == "ml-gcn":
        vectors = drawn(len(LABELS), 30, scale=1)
        np.savez(folder / "vectors.npz", names=np.array(LABELS), vectors=vectors.numpy())
        made = ml_gcn(vectors)
        # As the training loop saved it, with the format of torch 0.3.
        state = {"epoch": 20, "arch": None, "state_dict": made.tensors, "best_score": 0.83}
        torch.save(state, file, _use_new_zipfile_serialization=False)
        return Converted(
            made,
            file,
            ts.convert(file, origin, labels=LABELS, out=out, vectors=str(folder / "vectors.npz")),
        )
    if origin == "csra":
        made = csra(heads=2, attention=0.3)
        torch.save({f"module.{name}": tensor for name, tensor in made.tensors.items()}, file)
        settings = {"attention": 0.3}
        return Converted(
            made, file, ts.convert(file, origin, labels=LABELS, out=out, settings=settings)
        )
    if origin == "query2label":
        made = query2label()
        state = {"state_dict": made.tensors, "best_mAP": np.float64(84.9), "optimizer": {}}
        torch.save(state, file)
        return Converted(made, file, ts.convert(file, origin, labels=LABELS, out=out))
    made = ml_decoder(TResNet((3, 4, 11, 3), 64, bottlenecks=False), len(MANY), groups=4)
    torch.save({"model": made.tensors, "idx_to_class": dict(enumerate(MANY))}, file)
    return Converted(made, file, ts.convert(file, origin, out=out))


ORIGINS = ("ml-gcn", "csra", "query2label", "ml-decoder")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_model_has_the_logits_that_the_paper_s_equations_give(origin, converted):
    checkpoint, _, model = converted(origin)
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert_close(model.system(images).logits, checkpoint.logits(images), rtol=1e-4, atol=1e-4)
    assert model.labels.names == (MANY if origin == "ml-decoder" else LABELS)


@pytest.mark.parametrize(
    ("origin", "pixels", "normalization"),
    [
        ("ml-gcn", 448, "pretrained"),
        ("csra", 448, "none"),
        ("query2label", SIDE, "imagenet"),
        ("ml-decoder", 224, "none"),
    ],
)
def test_the_recipe_has_the_preprocessing_of_the_released_code(
    origin, pixels, normalization, converted
):
    _, file, model = converted(origin)
    assert model.recipe.training.image_size == pixels
    assert model.recipe.settings.backbone.normalization == normalization
    assert model.recipe.name == f"{origin}-released"
    assert model.facts["released"]["checkpoint"] == file.name
    assert model.decision.thresholds.tolist() == [0.5] * len(model.labels)


def test_a_converted_model_is_measured_like_any_other(converted, tmp_path):
    """The mAP of the report is scikit-learn's, over the logits of the equations."""
    checkpoint, _, model = converted("query2label")
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (8, len(LABELS)))
    photos = random.integers(0, 256, (8, SIDE, SIDE, 3), dtype=np.uint8)
    lines = [",".join(("image", *LABELS))]
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{number}.png")
        lines.append(",".join((f"{number}.png", *map(str, targets[number]))))
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    report = ts.evaluate(model, tmp_path / "labels.csv", progress=False)
    images = torch.from_numpy(photos).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        logits = checkpoint.logits(images).numpy()
    expected = 100 * np.mean(
        [average_precision_score(targets[:, i], logits[:, i]) for i in range(len(LABELS))]
    )
    assert report["mAP"] == pytest.approx(expected, abs=0.01)
    assert not report["thresholds_fitted"]


def test_the_card_says_where_the_weights_are_from_and_nothing_of_photos(converted):
    model = converted("csra").model
    assert model.folder is not None
    card = (model.folder / "README.md").read_text()
    assert "a checkpoint released with" in card
    assert "not trained by tagsight" in card
    for trained_here in ("epochs", "training photos with it", "fewer than"):
        assert trained_here not in card


def agree(model: LoadedModel, checkpoint: Checkpoint, side: int) -> None:
    images = torch.rand(1, 3, side, side)
    with torch.no_grad():
        logits, expected = model.system(images).logits, checkpoint.logits(images)
    assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    assert logits.isfinite().all()


@pytest.mark.slow
def test_ml_gcn_of_coco_in_its_full_size_with_the_vectors_as_its_authors_store_them(tmp_path):
    vectors = drawn(80, 300, scale=0.4)
    checkpoint = ml_gcn(vectors, depth=101, hidden=1024)
    torch.save({"state_dict": checkpoint.tensors}, tmp_path / "coco_checkpoint.pth.tar")
    (tmp_path / "coco_glove_word2vec.pkl").write_bytes(pickled(vectors.numpy()))
    model = ts.convert(
        tmp_path / "coco_checkpoint.pth.tar",
        "ml-gcn",
        labels="coco",
        vectors=tmp_path / "coco_glove_word2vec.pkl",
        out=tmp_path / "model",
    )
    assert model.recipe.settings.backbone.name == "resnet101.tv_in1k"
    assert model.labels.names[:2] == ("airplane", "apple")
    agree(model, checkpoint, 128)


@pytest.mark.slow
def test_ml_decoder_of_coco_in_its_full_size(tmp_path):
    encoder = TResNet((3, 4, 23, 3), 64, bottlenecks=True)
    checkpoint = ml_decoder(encoder, 80, groups=80, width=768, hidden=2048)
    torch.save({"model": checkpoint.tensors}, tmp_path / "a.pth")
    model = ts.convert(tmp_path / "a.pth", "ml-decoder", labels="coco", out=tmp_path / "model")
    backbone, training = model.recipe.settings.backbone, model.recipe.training
    assert (backbone.name, training.image_size) == ("tresnet_v2_l", 448)
    agree(model, checkpoint, 64)


@pytest.mark.slow
def test_query2label_with_tresnet_and_swin(tmp_path):
    tresnet = TResNet((4, 5, 18, 3), 76, bottlenecks=False)
    named = {f"backbone.0.body.{name}": tensor for name, tensor in tresnet.tensors.items()}
    for encoder, side, name, normalization in (
        (Encoder(named, tresnet, tresnet.channels), 64, "tresnet_l", "none"),
        (swin(), 224, "swin_tiny_patch4_window7_224", "imagenet"),
    ):
        checkpoint = query2label(encoder, side=side)
        torch.save({"state_dict": checkpoint.tensors}, tmp_path / "a.pkl")
        model = ts.convert(tmp_path / "a.pkl", "query2label", labels=LABELS, out=tmp_path / "model")
        backbone, training = model.recipe.settings.backbone, model.recipe.training
        found = (backbone.name, backbone.normalization, training.image_size)
        assert found == (name, normalization, side)
        agree(model, checkpoint, side)


@pytest.mark.slow
@pytest.mark.parametrize("projected", [False, True])
def test_query2label_whose_width_is_that_of_the_features(projected, tmp_path):
    checkpoint = query2label(width=512, projected=projected)
    torch.save({"state_dict": checkpoint.tensors}, tmp_path / "a.pkl")
    model = ts.convert(tmp_path / "a.pkl", "query2label", labels=LABELS, out=tmp_path / "model")
    assert model.recipe.settings.projection == projected
    agree(model, checkpoint, SIDE)


def changed(tensors: dict[str, Tensor], changes: dict[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: t for name, t in (tensors | changes).items() if t is not None}


@pytest.mark.parametrize(
    ("origin", "changes", "message"),
    [
        ("ml-gcn", {"A": None}, r"expected a tensor 'A' of 2 dimensions, got none"),
        ("ml-gcn", {"gc2.weight": torch.ones(3, 512)}, r"gc2.weight \(3, 512\) instead of \(64,"),
        ("ml-gcn", {"gc1.bias": torch.ones(64)}, r"gc1.bias is left over"),
        ("ml-gcn", {"features.4.0.conv1.weight": None}, r"got another, with tensors such as"),
        ("csra", {"layer2.0.bn1.bias": None}, r"layer2.0.bn1.bias is missing"),
        ("csra", {"fc.weight": torch.ones(2)}, r"fc.weight is left over"),
        ("csra", {"classifier.bias": torch.ones(5)}, r"classifier.bias is left over"),
        ("csra", {}, r"expected `system.attention`, which the checkpoint does not state"),
        ("csra", {"cls_token": torch.ones(1)}, r"leaves the class token out, which our cells"),
        ("query2label", {"fc.b": torch.ones(1, 4)}, r"fc.b \(1, 4\) instead of \(1, 5\)"),
        (
            "query2label",
            {"transformer.decoder.layers.0.self_attn.out_proj.bias": torch.ones(64)},
            r"a decoder without self-attention",
        ),
        ("query2label", {"backbone.1.pe": torch.ones(1, 64, 3, 3)}, r"the sines of DETR"),
        (
            "query2label",
            {"backbone.0.body.layer4.2.conv1.weight": torch.ones(1)},
            r"expected one of resnet18.*, got \(2, 2, 2, 3\) blocks",
        ),
        ("ml-decoder", {"head.decoder.wordvec": torch.ones(1)}, r"word vectors as queries"),
        (
            "ml-decoder",
            {"head.decoder.duplicate_pooling": torch.ones(4, 32, 2)},
            r"groups of all 9 labels, got 4 groups of 2",
        ),
        (
            "ml-decoder",
            {"body.layer1.2.se.fc1.bias": None, "body.layer1.2.se.fc3.bias": torch.ones(1)},
            r"body.layer1.2.se.fc1.bias is missing and body.layer1.2.se.fc3.bias is left over",
        ),
    ],
)
def test_checkpoints_of_other_networks_are_refused_with_what_is_missing_or_left_over(
    origin, changes, message, converted, tmp_path
):
    tensors = changed(converted(origin).checkpoint.tensors, changes)
    torch.save(tensors, tmp_path / "a.pth")
    names = MANY if origin == "ml-decoder" else LABELS
    vectors = converted("ml-gcn").file.parent / "vectors.npz"
    with pytest.raises(DataError, match=message) as refused:
        ts.convert(
            tmp_path / "a.pth", origin, labels=names, out=tmp_path / "model", vectors=vectors
        )
    assert str(tmp_path / "a.pth") in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_settings_that_the_checkpoint_does_not_tell_can_be_given(converted, tmp_path):
    checkpoint, file, _ = converted("query2label")
    settings = {"decoder.heads": 8, "backbone.normalization": "none", "training.image_size": 64}
    model = ts.convert(file, "query2label", labels=LABELS, out=tmp_path, settings=settings)
    assert model.recipe.settings.decoder.heads == 8
    assert model.recipe.training.image_size == 64
    images = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        assert not torch.allclose(model.system(images).logits, checkpoint.logits(images), atol=0.1)
    with pytest.raises(DataError, match=r"settings that fit .* encoder.1.attention.* missing"):
        ts.convert(
            file,
            "query2label",
            labels=LABELS,
            out=tmp_path,
            settings={"encoder_layers": 2},
        )


def test_weights_that_are_not_finite_are_refused(converted, tmp_path):
    tensors = converted("csra").checkpoint.tensors
    torch.save(tensors | {"bn1.bias": torch.full((64,), torch.nan)}, tmp_path / "a.pth")
    settings = {"attention": 0.3}
    with pytest.raises(DataError, match=r"finite weights, got others in 'backbone.network.bn1"):
        ts.convert(tmp_path / "a.pth", "csra", labels=LABELS, out=tmp_path / "m", settings=settings)


class RanError(Exception):
    """A file has run code."""


class Hostile:
    def __reduce__(self):
        return exec, ("raise RanError",)


def bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data/0", "w", force_zip64=True) as member:
            member.write(bytes(2**20))
        archive.getinfo("archive/data/0").file_size = 2**40


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda file: torch.save({"state_dict": Hostile()}, file),
            r"objects of other kinds, which are never unpickled",
        ),
        (lambda file: file.write_bytes(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."), r"cannot be"),
        (lambda file: torch.save([torch.ones(2)], file), r"it holds list"),
        (lambda file: torch.save({"a": 1}, file), r"0 numbers in tensors"),
        (
            lambda file: torch.save({"A": torch.ones(1).expand(2**40)}, file),
            r"1,099,511,627,776 numbers in tensors",
        ),
        (bomb, r"it has 1,099,511,\d+,\d+ bytes|cannot be read"),
        (lambda file: file.write_bytes(b""), r"got an empty file"),
        (lambda file: file.mkdir(), r"got a folder"),
    ],
)
def test_hostile_and_unsuitable_files_are_refused_in_a_sentence(write, message, tmp_path):
    write(tmp_path / "a.pth")
    with pytest.raises(DataError, match=message):
        ts.convert(tmp_path / "a.pth", "csra", labels=LABELS, out=tmp_path / "model")


def test_the_command_converts_and_says_what_it_is(converted, tmp_path, capsys):
    file = str(converted("csra").file)
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    labels, out = str(tmp_path / "names.txt"), str(tmp_path / "model")
    words = ["convert", file, "--from", "csra", "--labels", labels, "--out"]
    assert main([*words, out]) == 2
    assert "expected --system.attention, which" in capsys.readouterr().err
    assert main([*words, str(tmp_path)]) == 2
    assert "expected a model folder" in capsys.readouterr().err
    assert main([*words, out, "--system.attention", "0.3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "csra with resnet18.tv_in1k, photos of 448 x 448 pixels, 5 labels: ant, ... elk",
        out,
    ]


def test_an_unknown_origin_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a checkpoint of ml-gcn, .*, got 'srn'"):
        ts.convert("a.pth", "srn", labels="coco", out=tmp_path)
