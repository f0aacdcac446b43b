"""What a GPU makes of training, tagging and evidence: python benchmarks/gpu_proof.py

At most 8 minutes on one CUDA device, without a download: weights are random or installed, photos
are drawn. What there is no time left for is named. A part that fails does not stop the others; the
exit code is then 1. ``--device cpu --quick`` executes each line on a processor, with networks and
photos so small that no figure means anything; ``--only`` names parts.

Parts, in this order: the device's matrix products; equal scores on the device and the processor;
one process of NCCL; training from pixels; G-CAM's four views; evidence; decoding and copying.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
import torch.distributed
from gcam_step import four_views, label_space, step_of
from table import HEADER, row
from tag_rate import draw_photo
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.flop_counter import FlopCounterMode

from tagsight.config import BackboneConfig, Recipe
from tagsight.data.photos.reading import open_photo
from tagsight.labels.space import LabelSpace, empty_label_space
from tagsight.loading.transforms import on_device, squared
from tagsight.runtime.device import Precision, Runtime
from tagsight.runtime.threads import batched
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.systems.gradcam import grad_cam

MINUTES = 8.0
TOLERANCE = 1e-3
SYSTEMS = ("resnet", "gcam", "csra", "query2label", "ml-decoder")
Way = Literal["plain", "channels last", "channels last, compiled"]


@dataclass
class Proof:
    """The device and the sizes of everything, and the time that is left."""

    runtime: Runtime
    quick: bool
    ends: float
    failed: list[str] = field(default_factory=list)

    def precision(self, precision: Precision) -> Runtime:
        return replace(self.runtime, precision=precision)

    def size(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    @property
    def left(self) -> float:
        return self.ends - time.perf_counter()

    @property
    def cuda(self) -> bool:
        return self.runtime.device.type == "cuda"

    def finish(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.cuda:
            torch.cuda.synchronize(self.runtime.device)

    def seconds(self, work: Callable[[], object], *, least: float = 1.0) -> float:
        """Seconds of one call: the best of several turns, after two that warm up."""
        least = 0.0 if self.quick else least
        work()
        work()
        self.finish()
        best, started, turns = float("inf"), time.perf_counter(), 0
        while turns < 2 or time.perf_counter() - started < least:
            before = time.perf_counter()
            work()
            self.finish()
            best, turns = min(best, time.perf_counter() - before), turns + 1
        return best

    def forget_memory(self) -> None:
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.runtime.device)

    def peak_memory(self) -> str:
        if self.cuda:
            return f"{torch.cuda.max_memory_allocated(self.runtime.device) / 2**30:.1f} GiB"
        return (
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of the process"
        )


class Trained(NamedTuple):
    """A training to measure."""

    encoder: str
    side: int
    precision: Precision
    way: Way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--only", nargs="*", help="names of parts")
    given = parser.parse_args()
    torch.manual_seed(0)
    runtime = Runtime.choose(given.device, "float32", photo_memory=0)
    proof = Proof(runtime, given.quick, time.perf_counter() + 60 * given.minutes)
    name = torch.cuda.get_device_name(runtime.device) if proof.cuda else "the processor"
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} CPUs")
    print(HEADER)
    limits: dict[Precision, float] = {}
    parts: dict[str, Callable[[], None]] = {
        "products": lambda: limits.update(products(proof)),
        "scores": lambda: agreement(proof),
        "nccl": lambda: one_process(proof),
        "training": lambda: training(proof, limits),
        "views": lambda: views(proof),
        "evidence": lambda: evidence(proof),
        "copying": lambda: copying(proof),
    }
    for name, work in parts.items():
        if not given.only or name in given.only:
            part(proof, name, work)
    print(f"{60 * given.minutes - proof.left:.0f} s")
    if proof.failed:
        sys.exit(f"failed: {', '.join(proof.failed)}")


def part(proof: Proof, name: str, work: Callable[[], None]) -> None:
    """Run a part, if there is time left, and go on if it fails."""
    if proof.left < 0:
        print(f"no time left for {name}")
        return
    try:
        work()
    except Exception:
        traceback.print_exc()
        proof.failed.append(name)
    finally:
        proof.forget_memory()


def products(proof: Proof) -> dict[Precision, float]:
    """Multiply-adds per second of large matrix products, in each precision."""
    side, limits = proof.size(8192, 256), {}
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        first, second = torch.randn(2, side, side, device=proof.runtime.device).to(dtype)
        limits[precision] = side**3 / proof.seconds(lambda a=first, b=second: a @ b)
        print(f"matrix products in {precision}: {limits[precision] / 1e12:.1f} T multiply-adds/s")
    return limits


def agreement(proof: Proof) -> None:
    """Scores of each system on the device against those on the processor, in float32."""
    side = proof.size(224, 64)
    photos = torch.stack([squared(draw_photo(n, 160, 120), side) for n in range(proof.size(8, 2))])
    for name in SYSTEMS:
        system, _ = built(f"{name}-cpu", 20)
        there = replace(proof.runtime, device=torch.device("cpu"))
        with torch.inference_mode():
            expected = system.eval()(on_device(photos, there)).logits.sigmoid()
            system.to(proof.runtime.device)
            found = system(on_device(photos, proof.runtime)).logits.sigmoid().cpu()
        most = float((found - expected).abs().max())
        shown = f"{most:.1g} (largest difference)"
        row(f"scores of {name}", shown, f"{TOLERANCE} (limit)", most, TOLERANCE, wanted="most")


def one_process(proof: Proof) -> None:
    """Gradients of a step that `DistributedDataParallel` takes alone, against plain ones."""
    backend = "nccl" if proof.cuda else "gloo"
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        total = torch.ones(3, device=proof.runtime.device)
        torch.distributed.all_reduce(total)
        assert total.tolist() == [1, 1, 1]
        system, _ = built("resnet-cpu", 20)
        system.to(proof.runtime.device).train()
        images = torch.rand(4, 3, 64, 64, device=proof.runtime.device)
        targets = torch.randint(2, (4, 20), device=proof.runtime.device)
        gradients = []
        devices = [proof.runtime.device] if proof.cuda else None
        for module in (Objective(system), DistributedDataParallel(Objective(system), devices)):
            system.zero_grad()
            module(images, targets).backward()
            kept = [p.grad.clone() for p in system.parameters() if p.grad is not None]
            gradients.append(torch.cat([gradient.flatten() for gradient in kept]))
        plain, together = gradients
        most = float((plain - together).abs().max() / plain.abs().max())
        limit = f"{TOLERANCE} (limit)"
        shown = f"{most:.1g} (largest difference)"
        row(f"gradients of {backend}", shown, limit, most, TOLERANCE, wanted="most")
    finally:
        torch.distributed.destroy_process_group()


class Objective(torch.nn.Module):
    """The sum of a system's losses."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        return torch.stack(list(self.system.losses(images, targets).values())).sum()


def training(proof: Proof, limits: dict[Precision, float]) -> None:
    """Photos per second of whole training steps, and their share of the matrix products' rate."""
    sides = (224, 448) if not proof.quick else (64, 96)
    ways: list[tuple[Precision, Way]] = [
        ("float32", "plain"),
        ("float32", "channels last"),
        ("bfloat16", "plain"),
        ("bfloat16", "channels last"),
        ("bfloat16", "channels last, compiled"),
    ]
    encoders = {"resnet101": ways, "vit_small_patch16_224": [ways[1], ways[3], ways[4]]}
    # Compiling takes longest and comes last.
    listed = [
        Trained(encoder, side, precision, way)
        for compiled in (False, True)
        for side in sides
        for encoder, chosen in encoders.items()
        for precision, way in chosen
        if ("compiled" in way) == compiled
    ]
    reserve = 0.25 * 60 * MINUTES  # for the parts that follow
    for one in listed:
        name = f"training {one.encoder} at {one.side} in {one.precision}, {one.way}"
        if proof.left < reserve and not proof.quick:
            print(f"no time left for {name}")
            continue
        proof.forget_memory()
        rate, work = trained_rate(proof, one)
        limit = limits.get(one.precision, float("nan"))
        shown = f"{rate:.0f} photos/s, {proof.peak_memory()}"
        row(name, shown, f"{limit / 1e12:.1f} T/s (matrix product)", rate * work / limit)


def trained_rate(proof: Proof, one: Trained) -> tuple[float, float]:
    """Photos per second, and multiply-adds for a photo."""
    batch = proof.size(64 if one.side == 224 else 32, 2)
    while True:
        try:
            return _trained_rate(proof, one, batch)
        except torch.cuda.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            proof.forget_memory()
            print(f"out of memory: {one.encoder} at {one.side} goes on with {batch} photos")


def _trained_rate(proof: Proof, one: Trained, batch: int) -> tuple[float, float]:
    device, runtime = proof.runtime.device, proof.precision(one.precision)
    system, recipe = built("resnet-cpu", 80, encoder=one.encoder, side=one.side)
    last = "channels last" in one.way
    layout = torch.channels_last if last else torch.contiguous_format
    system.to(device, memory_format=layout).train()
    images = torch.rand(batch, 3, one.side, one.side, device=device).to(memory_format=layout)
    targets = torch.randint(2, (batch, 80), device=device)
    step = step_of(system, recipe, [images], targets, runtime)
    with FlopCounterMode(display=False) as counter:
        step()
    if "compiled" in one.way:
        system.backbone.compile(backend="eager" if proof.quick else "inductor")
    work = counter.get_total_flops() / 2 / batch
    return batch / proof.seconds(step, least=2.0), work


def built(
    recipe: str, labels: int, *, encoder: str | None = None, side: int | None = None
) -> tuple[System, Recipe]:
    """A recipe's system, or one whose encoder is another with random weights, all of it trained."""
    chosen = RECIPES[recipe]
    space: LabelSpace = empty_label_space([f"label {number}" for number in range(labels)])
    if chosen.system != "resnet":
        space = label_space(torch.randint(2, (64, labels)))
    backbone = chosen.settings.backbone
    if encoder is not None:
        backbone = BackboneConfig(
            name=encoder,
            weights="none",
            frozen_stages=0,
            freeze_depthwise=False,
            freeze_batch_norm=False,
        )
    training = chosen.training
    if side is not None:
        training = training.model_copy(update={"image_size": side})
    settings = chosen.settings.model_copy(update={"backbone": backbone})
    chosen = chosen.model_copy(update={"settings": settings, "training": training})
    return build_system(chosen, space), chosen


def views(proof: Proof) -> None:
    """A step of G-CAM with four views, against the same pixels through the baseline."""
    consistent, plain = four_views(), RECIPES["resnet-cpu"]
    batch, large, small = proof.size(64, 2), proof.size(224, 64), proof.size(192, 32)
    device, runtime = proof.runtime.device, proof.precision("bfloat16")
    targets = torch.randint(2, (batch, 20))
    labels = label_space(targets)
    ours, peer = (build_system(recipe, labels).to(device).train() for recipe in (consistent, plain))
    first, second = (torch.rand(batch, 3, side, side, device=device) for side in (large, small))
    targets = targets.to(device)
    steps = (
        step_of(ours, consistent, [first], targets, runtime),
        step_of(peer, plain, [first, first, second, second], targets, runtime),
    )
    with_views, without = (proof.seconds(step) for step in steps)
    shown, base = f"{1000 * with_views:.0f} ms", f"{1000 * without:.0f} ms (baseline, same pixels)"
    row(
        f"step of G-CAM, 4 views of {batch} photos",
        shown,
        base,
        with_views / without,
        1.10,
        wanted="most",
    )


def evidence(proof: Proof) -> None:
    """Recognition with maps of many labels, against the encoder alone and against Grad-CAM."""
    batch, side, compared = proof.size(32, 2), proof.size(448, 64), proof.size(20, 2)
    for labels in (80, 1000):
        system, _ = built("resnet-cpu", labels, encoder="resnet101", side=side)
        system.to(proof.runtime.device).eval()
        images = torch.rand(batch, 3, side, side, device=proof.runtime.device)

        @torch.inference_mode()
        def maps(system: System = system, images: Tensor = images) -> Tensor:
            return system(images).maps

        @torch.inference_mode()
        def encoder(system: System = system, images: Tensor = images) -> Tensor:
            return system.backbone(images)

        def gradients(system: System = system, images: Tensor = images) -> Tensor:
            return grad_cam(system, images, range(compared))

        own, alone, others = (proof.seconds(work) for work in (maps, encoder, gradients))
        name, taken = f"maps of {labels:,} labels", f"{1000 * own / batch:.2f} ms a photo"
        row(name, taken, f"{1000 * alone / batch:.2f} ms (encoder alone)", alone / own)
        peer = f"{1000 * others / batch:.2f} ms (Grad-CAM of {compared} labels)"
        row(name, taken, peer, others / own)


def copying(proof: Proof) -> None:
    """Decoding and copying while the device computes, against the slower of them alone."""
    batch, side = proof.size(64, 2), proof.size(224, 64)
    content = jpegs(side)
    files = [content[number % len(content)] for number in range(batch * proof.size(20, 2))]
    system, _ = built("resnet-cpu", 80, encoder="resnet101", side=side)
    runtime = proof.precision("bfloat16")
    system.to(runtime.device, memory_format=torch.channels_last).eval()

    def decode(part: Sequence[bytes]) -> Tensor:
        return torch.stack([squared(open_photo(one), side) for one in part])

    @torch.inference_mode()
    def recognise(pixels: Tensor) -> Tensor:
        with runtime.autocast():
            return system(on_device(pixels, runtime)).logits

    ready = decode(files[:batch])
    resident = on_device(ready, runtime)

    @torch.inference_mode()
    def compute() -> Tensor:
        with runtime.autocast():
            return system(resident).logits

    def all_of_it() -> None:
        for _ in runtime.pipeline(decode, recognise, batched(files, batch)):
            pass

    def decode_all() -> None:
        for _ in runtime.pipeline(decode, lambda pixels: pixels, batched(files, batch)):
            pass

    count = len(files)
    both, decoding = (count / proof.seconds(work, least=2.0) for work in (all_of_it, decode_all))
    copied, computed = (batch / proof.seconds(work) for work in (lambda: recognise(ready), compute))
    copy = proof.seconds(lambda: on_device(ready, runtime))
    print(f"a batch of {batch}: {1000 * copy:.2f} ms to pin, copy and convert")
    peer = f"{computed:.0f} photos/s (pixels on the device)"
    row("recognising, pixels copied", f"{copied:.0f} photos/s", peer, copied / computed)
    limit = min(decoding, copied)
    peer = f"{limit:.0f} photos/s (the slower of decoding {decoding:.0f} and computing)"
    row("decoding while computing", f"{both:.0f} photos/s", peer, both / limit, 0.9)


def jpegs(side: int) -> list[bytes]:
    """Photos of about the size of those on the web."""
    made = []
    for number in range(4):
        buffer = io.BytesIO()
        draw_photo(number, 2 * side, 3 * side // 2).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


if __name__ == "__main__":
    main()
