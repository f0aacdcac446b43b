"""tagsight against the packages that one would use in its place: same photos, weights and run.

    make peers                     # drawn photos, in an environment of its own
    make peers PHOTOS=my-photos    # JPEGs of yours, at most 600 of them
    .venv/.peers/bin/python benchmarks/peers.py --quick    # whether the script works

The encoder is EfficientNet-Lite0 with the weights of the package that both sides read, in float32,
by torch. Ways take turns; the best of the rounds counts. Rows are: encoding photos from files,
against timm's loader and network as in its inference script and against fastai's `get_preds`; a
step of training from pixels, against fastai's training loop; fitting linear heads, against
scikit-learn; evidence maps, against pytorch-grad-cam; searches, against faiss. LightlyTrain is not
among them: its weights have to be downloaded.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from table import HEADER, alternated, row
from torch import Tensor, nn

from tagsight.config import BackboneConfig
from tagsight.inference.recognizer import Recognizer
from tagsight.labels.space import empty_label_space
from tagsight.nn.encoder_weights import create_encoder
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.systems.recipes import QUICK_BACKBONE

PEERS = {"fastai": "fastai", "faiss": "faiss-cpu", "pytorch_grad_cam": "grad-cam"}
ENCODER = BackboneConfig(
    name="efficientnet_lite0",
    frozen_stages=0,
    freeze_depthwise=False,
    freeze_batch_norm=False,
    class_scores=False,
)
LABELS, SIDE, THREADS = 20, 224, 2
STEP = 32
"""Photos in a step of training."""


class Sizes(NamedTuple):
    """How much of everything; small numbers only show that the script works."""

    photos: int = 600
    rounds: int = 3
    heads: int = 2_000
    exact: int = 40_000
    quantised: int = 100_000


QUICK = Sizes(photos=48, rounds=1, heads=200, exact=10_000, quantised=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", help="folder of JPEGs; else they are drawn")
    parser.add_argument("--quick", action="store_true", help="little of everything, to try it")
    options, _ = parser.parse_known_args()
    if missing := [name for module, name in PEERS.items() if find_spec(module) is None]:
        print(f"skipped: it needs {', '.join(missing)}, as in: make peers")
        return
    sizes = QUICK if options.quick else Sizes()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    with TemporaryDirectory() as temporary:
        photos = gathered(options.photos, Path(temporary), sizes.photos)
        print(HEADER)
        encoding(photos, sizes.rounds)
    training(sizes.rounds)
    heads(sizes)
    evidence(sizes.rounds)
    search(sizes)


def gathered(given: Path | None, folder: Path, count: int) -> Path:
    """A folder of JPEGs: links to those of the user, or drawn ones of 500 x 375 pixels."""
    from tag_rate import draw_folder

    if given is None or not given.is_dir():  # make bench gives a labels file
        draw_folder(folder / "photos", count, times=1)
        return folder / "photos"
    (folder / "photos").mkdir()
    found = (path for path in sorted(given.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg"})
    for number, path in zip(range(count), found, strict=False):
        (folder / "photos" / f"{number:04}.jpg").symlink_to(path.absolute())
    return folder / "photos"


def built(config: BackboneConfig = ENCODER) -> System:
    """The plain system around the encoder: mean of its features, a linear classifier."""
    recipe = RECIPES["resnet-quick"]
    settings = recipe.settings.model_copy(update={"backbone": config, "class_names": False})
    names = [f"label {number}" for number in range(LABELS)]
    return build_system(
        recipe.model_copy(update={"settings": settings}), empty_label_space(names)
    ).eval()


class Peer(nn.Module):
    """timm's network with the same weights, its own pooling and a classifier for the labels."""

    def __init__(self, labels: int = LABELS) -> None:
        super().__init__()
        self.encoder = create_encoder(ENCODER)
        self.head = nn.Linear(self.encoder.num_features, labels)

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder.forward_features(images)
        return self.head(self.encoder.forward_head(features, pre_logits=True))


def recognizer() -> Recognizer:
    from tagsight.checkpoint.decision import Decision
    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.networks.trained import TrainedNetwork

    system = built(ENCODER.model_copy(update={"freeze_batch_norm": True}))
    labels = empty_label_space([f"label {number}" for number in range(LABELS)])
    recipe = RECIPES["resnet-quick"]
    training = recipe.training.model_copy(update={"image_size": SIDE})
    recipe = recipe.model_copy(update={"training": training})
    model = LoadedModel(system, labels, Decision.default(LABELS), recipe, {}, "0" * 64)
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32", workers=THREADS)))


def encoding(folder: Path, rounds: int) -> None:
    """Photos per second from files: decoded, made squares of 224 pixels, encoded."""
    paths = sorted(folder.iterdir())
    ours = recognizer()

    def tagsight() -> None:
        assert sum(1 for _ in ours.recognize(paths)) == len(paths)

    ways = [tagsight, timm_encoding(folder, len(paths)), fastai_encoding(paths)]
    mine, *theirs = alternated(ways, rounds=rounds)
    for name, taken in zip(("timm's loader", "fastai's get_preds"), theirs, strict=True):
        row(
            f"photos recognised, {len(paths)} JPEGs",
            f"{len(paths) / mine:.0f}/s",
            f"{len(paths) / taken:.0f}/s ({name})",
            taken / mine,
        )


def timm_encoding(folder: Path, count: int) -> Callable[[], None]:
    """What timm's inference script does: its data set, its loader and a loop over batches."""
    from timm.data import create_dataset, create_loader

    network = Peer().eval()
    data = create_dataset("", root=str(folder))

    @torch.inference_mode()
    def encode() -> None:
        loader = create_loader(
            data,
            input_size=(3, SIDE, SIDE),
            batch_size=16,
            use_prefetcher=False,
            num_workers=THREADS,
            device=torch.device("cpu"),
        )
        assert sum(len(network(images)) for images, _ in loader) == count

    return encode


def fastai_encoding(paths: Sequence[Path]) -> Callable[[], None]:
    """`Learner.get_preds` on a test loader, which resizes by Pillow as fastai does."""
    from fastai.vision.all import (
        BCEWithLogitsLossFlat,
        DataBlock,
        ImageBlock,
        Learner,
        MultiCategoryBlock,
        Resize,
    )

    names = [f"label {number}" for number in range(LABELS)]
    of_path = {path: [names[i % LABELS]] for i, path in enumerate(paths)}
    data = DataBlock(
        blocks=(ImageBlock, MultiCategoryBlock(vocab=names)),
        get_y=lambda path: of_path[path],
        item_tfms=Resize(SIDE, method="squish"),
    ).dataloaders(list(paths), bs=16, num_workers=0, device=torch.device("cpu"))
    learner = Learner(data, Peer(), loss_func=BCEWithLogitsLossFlat())

    def encode() -> None:
        loader = learner.dls.test_dl(paths, bs=16, num_workers=THREADS)
        with learner.no_bar(), quiet():
            scores, _ = learner.get_preds(dl=loader)
        assert len(scores) == len(paths)

    return encode


@contextlib.contextmanager
def quiet():  # noqa: ANN201
    """Hide the table that fastai prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def training(rounds: int) -> None:
    """Steps from pixels that lie ready; all weights are trained, then those after block 6."""
    images, targets = torch.rand(STEP, 3, SIDE, SIDE), torch.randint(2, (STEP, LABELS))
    theirs = fastai_step(images, targets.float())
    last_block = built(QUICK_BACKBONE.model_copy(update={"frozen_stages": 6}))
    steps = {"all weights": our_step(built(), images, targets), "the last block's weights":
             our_step(last_block, images, targets)}  # fmt: skip
    *mine, peer = alternated([*steps.values(), theirs], rounds=rounds)
    for name, taken in zip(steps, mine, strict=True):
        row(
            f"photos trained on, {name}",
            f"{STEP / taken:.0f}/s",
            f"{STEP / peer:.0f}/s (fastai, all weights)",
            peer / taken,
        )


def our_step(system: System, images: Tensor, targets: Tensor) -> Callable[[], None]:
    from tagsight.training.loop import build_optimizer

    optimizer = build_optimizer(system.train(), RECIPES["resnet-quick"].training)

    def step() -> None:
        optimizer.zero_grad()
        torch.stack(list(system.losses(images, targets).values())).sum().backward()
        optimizer.step()

    return step


def fastai_step(images: Tensor, targets: Tensor) -> Callable[[], None]:
    """One batch of `Learner.fit`, callbacks and optimiser included."""
    from fastai.vision.all import BCEWithLogitsLossFlat, DataLoaders, Learner

    data = DataLoaders([(images, targets)], [])  # nothing to validate on
    learner = Learner(data, Peer(), loss_func=BCEWithLogitsLossFlat())

    def step() -> None:
        with learner.no_bar(), learner.no_logging(), quiet():
            learner.fit(1, lr=1e-4)

    return step


def heads(sizes: Sizes) -> None:
    """Linear heads on features, with thresholds and quality ours; the mean AP of each is shown."""
    from label_update import drawn
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    from tagsight.metrics.classification import mean_average_precision
    from tagsight.training.heads import fit_heads

    features, targets = drawn(2 * sizes.heads)
    targets = targets.clip(0)  # scikit-learn knows no unknown targets
    targets = targets[:, targets[: sizes.heads].any(0) & targets[sizes.heads :].any(0)]
    seen, unseen = np.split(features, 2)
    labels, truth = np.split(targets, 2)
    kept: dict[str, NDArray[Any]] = {}

    def ours() -> None:
        kept["ours"] = fit_heads(seen, labels).logits(unseen)

    def peer() -> None:
        model = OneVsRestClassifier(LogisticRegression(max_iter=1_000)).fit(seen, labels)
        kept["peer"] = model.decision_function(unseen)

    mine, theirs = alternated([ours, peer], rounds=1)
    quality = {name: mean_average_precision(truth, logits) for name, logits in kept.items()}
    row(
        f"heads for {labels.shape[1]} labels, {sizes.heads:,} photos, mAP {quality['ours']:.3f} "
        f"and {quality['peer']:.3f}",
        f"{mine:.2f} s",
        f"{theirs:.2f} s (scikit-learn)",
        theirs / mine,
    )


def evidence(rounds: int) -> None:
    """Maps of all labels of a photo: one forward pass ours, Grad-CAM of a batch of copies."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    system, network, passes = built(), Peer().eval(), 10
    image = torch.rand(1, 3, SIDE, SIDE)
    wanted = [ClassifierOutputTarget(label) for label in range(LABELS)]

    @torch.inference_mode()
    def ours() -> None:
        for _ in range(passes):
            assert system(image).maps.shape[1] == LABELS

    with GradCAM(network, [network.encoder.bn2]) as method:

        def peer() -> None:
            method(input_tensor=image.repeat(LABELS, 1, 1, 1), targets=wanted)

        mine, theirs = alternated([ours, peer], rounds=rounds)
    row(
        f"maps of {LABELS} labels of a photo",
        f"{1000 * mine / passes:.0f} ms",
        f"{1000 * theirs:.0f} ms (pytorch-grad-cam)",
        passes * theirs / mine,
    )


def search(sizes: Sizes) -> None:
    """Ten nearest of vectors of 1280: an index on the disk, against faiss in memory."""
    import faiss
    from drawn_vectors import drawn_vectors
    from search_rate import FACTORS, LENGTH, K, filled

    queries = drawn_vectors(20, LENGTH, FACTORS, seed=1)
    faiss.omp_set_num_threads(THREADS)
    for count, name in ((sizes.exact, "exact"), (sizes.quantised, "4 bits, then exact")):
        if not count:
            continue
        with TemporaryDirectory() as folder:
            index, held = filled(Path(folder) / "index", count)
            peer = faiss_index(faiss, held, exact=name == "exact")
            nearest = np.argsort(-(queries @ held.T), axis=1)[:, :K]

            def ours(index: Any = index) -> list[list[int]]:  # noqa: ANN401
                return [[int(hit.path.stem) for hit in index.like(one, K)] for one in queries]

            def theirs(peer: Any = peer) -> list[list[int]]:  # noqa: ANN401
                return [peer.search(one[None], K)[1][0].tolist() for one in queries]

            recalls = [
                np.mean([len({*f} & {*n}) / K for f, n in zip(way(), nearest, strict=True)])
                for way in (ours, theirs)
            ]
            mine, other = alternated([ours, theirs], rounds=sizes.rounds)
        row(
            f"searches among {count:,}, recall {recalls[0]:.3f} and {recalls[1]:.3f}",
            f"{len(queries) / mine:.0f}/s",
            f"{len(queries) / other:.0f}/s (faiss in memory, {name})",
            other / mine,
        )


def faiss_index(faiss: Any, held: NDArray[np.float32], *, exact: bool) -> Any:  # noqa: ANN401
    length = held.shape[1]
    if exact:
        index = faiss.IndexFlatIP(length)
    else:
        kind = faiss.ScalarQuantizer.QT_4bit
        short = faiss.IndexScalarQuantizer(length, kind, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexRefineFlat(short)
        index.k_factor = 5
        index.train(held[:10_000])
    index.add(held)
    return index


if __name__ == "__main__":
    os.environ.setdefault("FASTPROGRESS_NO_COLOR", "1")
    sys.exit(main())
