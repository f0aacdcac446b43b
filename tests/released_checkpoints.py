"""Checkpoints as authors release them, with random weights and few labels, and their logits.

Names and shapes are those of the released code; the logits are computed by the equations of the
papers, from the tensors alone.
"""

import math
import pickle
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

LABELS = ("ant", "bee", "cow", "dog", "elk")
SIDE = 96
"""Side of the photos in pixels: grids of 3 x 3 cells."""

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class Checkpoint(NamedTuple):
    """Tensors by name, and what they make of photos ``(B, 3, H, W)`` in [0, 1]: ``(B, L)``."""

    tensors: dict[str, Tensor]
    logits: Callable[[Tensor], Tensor]


def drawn(*shape: int, scale: float = 0.1) -> Tensor:
    return scale * torch.randn(shape)


def resnet(depth: int = 18) -> nn.Module:
    """torchvision's network, with norms that do something."""
    network = getattr(torchvision.models, f"resnet{depth}")()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            move(module)
    return network.eval()


def move(norm: nn.BatchNorm2d) -> None:
    for tensor in (norm.weight.data, norm.running_var):
        tensor.uniform_(0.5, 1.2)
    for tensor in (norm.bias.data, norm.running_mean):
        tensor.normal_(std=0.1)


def grid(network: nn.Module, images: Tensor) -> Tensor:
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        images = getattr(network, name)(images)
    return images


def encoder_state(network: nn.Module) -> dict[str, Tensor]:
    return {n: t for n, t in network.state_dict().items() if not n.startswith("fc.")}


def pickled(matrix: np.ndarray) -> bytes:
    """As NumPy 1 pickled the authors' file, which NumPy 2 does a little otherwise."""
    content = pickle.dumps(matrix, protocol=3)
    content = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return content.replace(b"\x89\x88\x87", b"K\x00K\x01\x87")  # False, True as 0, 1


def ml_gcn(vectors: Tensor, depth: int = 18, hidden: int = 64) -> Checkpoint:
    """Y = X (A' f(A' Z W1) W2)^T with A' = D A^T D, D the inverse root of A's row sums."""
    labels, length = vectors.shape
    network = resnet(depth)
    channels = network.fc.in_features
    places = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    numbered = {}
    for name, tensor in encoder_state(network).items():
        place, _, rest = name.partition(".")
        numbered[f"features.{places[place]}.{rest}"] = tensor
    edges = (torch.rand(labels, labels) < 0.4).float().fill_diagonal_(0)
    graph = 0.25 * edges / (edges.sum(0) + 1e-6) + torch.eye(labels)
    first, second = drawn(length, hidden), drawn(hidden, channels)

    def logits(images: Tensor) -> Tensor:
        features = grid(network, (images - MEAN) / STD).amax((2, 3))
        root = torch.diag(graph.sum(1) ** -0.5)
        adjacency = (graph @ root).T @ root
        nodes = F.leaky_relu(adjacency @ vectors @ first, 0.2)
        return features @ (adjacency @ nodes @ second).T

    return Checkpoint({**numbered, "A": graph, "gc1.weight": first, "gc2.weight": second}, logits)


def csra(heads: int = 2, attention: float = 0.3, depth: int = 18) -> Checkpoint:
    """Sum over heads of mean + lambda attended score, of unit classifiers; the last a maximum."""
    network = resnet(depth)
    weights = [drawn(len(LABELS), network.fc.in_features, 1, 1) for _ in range(heads)]
    temperatures = [*range(1, heads), 99]

    def logits(images: Tensor) -> Tensor:
        features, total = grid(network, images).flatten(2), torch.tensor(0.0)
        for weight, temperature in zip(weights, temperatures, strict=True):
            unit = weight[:, :, 0, 0] / weight.norm(dim=1)[:, :, 0]
            scores = torch.einsum("ld,bdn->bln", unit, features)
            attended = (scores * (temperature * scores).softmax(-1)).sum(-1)
            if temperature == 99:
                attended = scores.amax(-1)
            total = total + scores.mean(-1) + attention * attended
        return total

    named = {f"classifier.multi_head.{i}.head.weight": w for i, w in enumerate(weights)}
    return Checkpoint({**encoder_state(network), **named}, logits)


def attention_state(name: str, width: int) -> dict[str, Tensor]:
    return {
        f"{name}.in_proj_weight": drawn(3 * width, width),
        f"{name}.in_proj_bias": drawn(3 * width),
        f"{name}.out_proj.weight": drawn(width, width),
        f"{name}.out_proj.bias": drawn(width),
    }


def linear_state(name: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    return {f"{name}.weight": drawn(outputs, inputs), f"{name}.bias": drawn(outputs)}


def norm_state(name: str, width: int) -> dict[str, Tensor]:
    return {f"{name}.weight": 1 + drawn(width), f"{name}.bias": drawn(width)}


class Layers:
    """Layers of a transformer by the names of their tensors; ``(B, N, D)`` everywhere."""

    def __init__(self, tensors: dict[str, Tensor], heads: int) -> None:
        self.tensors, self.heads = tensors, heads

    def attend(self, name: str, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        get = self.tensors.__getitem__
        weights, biases = (
            get(f"{name}.in_proj_weight").chunk(3),
            get(f"{name}.in_proj_bias").chunk(3),
        )
        query, key, value = (
            F.linear(x, w, b).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x, w, b in zip((queries, keys, values), weights, biases, strict=True)
        )
        shares = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
        joined = (shares @ value).transpose(1, 2).flatten(2)
        return F.linear(joined, get(f"{name}.out_proj.weight"), get(f"{name}.out_proj.bias"))

    def linear(self, name: str, states: Tensor) -> Tensor:
        return F.linear(states, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def norm(self, name: str, states: Tensor) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.layer_norm(states, (len(weight),), weight, bias)

    def hidden(self, name: str, states: Tensor) -> Tensor:
        return self.linear(f"{name}.linear2", F.relu(self.linear(f"{name}.linear1", states)))


def sines(rows: int, columns: int, width: int) -> Tensor:
    """DETR's positions of cells, normalised: ``(1, D, h, w)``."""
    half = width // 2
    slowness = 10000 ** (2 * (torch.arange(half) // 2) / half)
    code = torch.zeros(1, width, rows, columns)
    for row in range(rows):
        for column in range(columns):
            for start, place in ((0, (row + 1) / rows), (half, (column + 1) / columns)):
                angles = 2 * math.pi * place / slowness
                code[0, start : start + half : 2, row, column] = angles[0::2].sin()
                code[0, start + 1 : start + half : 2, row, column] = angles[1::2].cos()
    return code


class Encoder(NamedTuple):
    """An encoder as a part of Query2Label, and its features of photos in [0, 1]."""

    tensors: dict[str, Tensor]
    features: Callable[[Tensor], Tensor]
    channels: int


def frozen_resnet(depth: int = 18) -> Encoder:
    """With norms that do not count."""
    network = resnet(depth)
    tensors = {
        f"backbone.0.body.{name}": tensor
        for name, tensor in encoder_state(network).items()
        if "num_batches" not in name
    }
    return Encoder(
        tensors, lambda images: grid(network, (images - MEAN) / STD), network.fc.in_features
    )


def swin(name: str = "swin_tiny_patch4_window7_224") -> Encoder:
    """timm's network under the names of its authors, who count a merging to the stage before."""
    network = timm.create_model(name, num_classes=0).eval()
    tensors = {}
    for key, tensor in network.state_dict().items():
        parts = key.split(".")
        if "downsample" in parts:
            parts[1] = str(int(parts[1]) - 1)
        tensors[".".join(["backbone", "0", *parts])] = tensor
    index = "backbone.0.layers.0.blocks.0.attn.relative_position_index"
    tensors[index] = torch.zeros(49, 49, dtype=torch.long)  # theirs are stored, and computed anew

    def features(images: Tensor) -> Tensor:
        return network.forward_features((images - MEAN) / STD).movedim(-1, 1)

    return Encoder(tensors, features, network.num_features)


def query2label(
    encoder_part: Encoder | None = None,
    *,
    width: int = 64,
    hidden: int = 32,
    heads: int = 4,
    projected: bool = True,
    side: int = SIDE,
) -> Checkpoint:
    """An encoder layer over cells, two decoder layers from labels to cells, classifiers."""
    part = encoder_part or frozen_resnet()
    labels, channels = len(LABELS), part.channels
    tensors = dict(part.tensors)
    tensors["backbone.1.pe"] = sines(side // 32, side // 32, width)
    if projected:
        tensors["input_proj.weight"] = drawn(width, channels, 1, 1)
        tensors["input_proj.bias"] = drawn(width)
    tensors["query_embed.weight"] = drawn(labels, width, scale=1)
    tensors["fc.W"], tensors["fc.b"] = drawn(1, labels, width), drawn(1, labels)
    tensors |= norm_state("transformer.decoder.norm", width)
    encoder, decoder = "transformer.encoder.layers", "transformer.decoder.layers"
    for name, attention, norms in (
        (f"{encoder}.0", "self_attn", ("norm1", "norm2")),
        (f"{decoder}.0", "multihead_attn", ("norm2", "norm3")),
        (f"{decoder}.1", "multihead_attn", ("norm2", "norm3")),
    ):
        tensors |= attention_state(f"{name}.{attention}", width)
        tensors |= linear_state(f"{name}.linear1", hidden, width)
        tensors |= linear_state(f"{name}.linear2", width, hidden)
        for norm in norms:
            tensors |= norm_state(f"{name}.{norm}", width)
    layers = Layers(tensors, heads)

    def logits(images: Tensor) -> Tensor:
        features = part.features(images)
        if projected:
            features = F.conv2d(features, tensors["input_proj.weight"], tensors["input_proj.bias"])
        cells = features.flatten(2).mT
        places = tensors["backbone.1.pe"].flatten(2).mT
        seen = layers.attend(f"{encoder}.0.self_attn", cells + places, cells + places, cells)
        cells = layers.norm(f"{encoder}.0.norm1", cells + seen)
        cells = layers.norm(f"{encoder}.0.norm2", cells + layers.hidden(f"{encoder}.0", cells))
        queries = tensors["query_embed.weight"][None]
        states = torch.zeros(len(images), labels, width)
        for name in (f"{decoder}.0", f"{decoder}.1"):
            seen = layers.attend(f"{name}.multihead_attn", states + queries, cells + places, cells)
            states = layers.norm(f"{name}.norm2", states + seen)
            states = layers.norm(f"{name}.norm3", states + layers.hidden(name, states))
        states = layers.norm("transformer.decoder.norm", states)
        return (tensors["fc.W"] * states).sum(-1) + tensors["fc.b"]

    return Checkpoint(tensors, logits)


class TResNet:
    """TResNet by the names of its tensors: ridged ReLUs, blur pooling, squeeze and excitation."""

    def __init__(self, blocks: tuple[int, ...], width: int, *, bottlenecks: bool) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.blocks = blocks
        self._norm_conv("body.conv1", width, 48, 3)
        channels = width
        for stage, count in enumerate(blocks):
            planes = width * 2**stage
            wide = bottlenecks or stage > 1
            for block in range(count):
                name, stride = f"body.layer{stage + 1}.{block}", 2 if stage and not block else 1
                out = planes * (4 if wide else 1)
                self._block(name, channels, planes, out, stride, squeezed=stage < 3)
                if not block and (stride == 2 or channels != out):
                    place = 1 if stride == 2 else 0  # a pooling comes first
                    self._norm_conv(f"{name}.downsample.{place}", out, channels, 1)
                channels = out
        self.channels = channels

    def _block(
        self, name: str, inputs: int, planes: int, out: int, stride: int, *, squeezed: bool
    ) -> None:
        pooled = ".0" if stride == 2 else ""  # beside the blur pooling
        if out == planes:
            self._norm_conv(f"{name}.conv1{pooled}", planes, inputs, 3)
            self._norm_conv(f"{name}.conv2", planes, planes, 3)
            reduced = max(planes // 4, 64)
        else:
            self._norm_conv(f"{name}.conv1", planes, inputs, 1)
            self._norm_conv(f"{name}.conv2{pooled}", planes, planes, 3)
            self._norm_conv(f"{name}.conv3", out, planes, 1)
            reduced = max(planes * 4 // 8, 64)
        if squeezed:
            for part, shape in (("fc1", (reduced, planes)), ("fc2", (planes, reduced))):
                self.tensors[f"{name}.se.{part}.weight"] = drawn(*shape, 1, 1)
                self.tensors[f"{name}.se.{part}.bias"] = drawn(shape[0])

    def _norm_conv(self, name: str, outputs: int, inputs: int, size: int) -> None:
        scale = (inputs * size * size) ** -0.5
        self.tensors[f"{name}.0.weight"] = drawn(outputs, inputs, size, size, scale=scale)
        self.tensors[f"{name}.1.weight"] = drawn(outputs, scale=1)  # also below 0
        self.tensors[f"{name}.1.bias"] = drawn(outputs)
        self.tensors[f"{name}.1.running_mean"] = drawn(outputs)
        self.tensors[f"{name}.1.running_var"] = 0.5 + torch.rand(outputs)

    def _convolved(self, name: str, images: Tensor) -> Tensor:
        """Convolve, then normalise with the absolute value of the weight, as in-place norms do."""
        get = self.tensors.__getitem__
        kernel = get(f"{name}.0.weight")
        images = F.conv2d(images, kernel, padding=kernel.shape[-1] // 2)
        mean, variance = get(f"{name}.1.running_mean"), get(f"{name}.1.running_var")
        weight = get(f"{name}.1.weight").abs() + 1e-5
        return F.batch_norm(images, mean, variance, weight, get(f"{name}.1.bias"), eps=1e-5)

    def __call__(self, images: Tensor) -> Tensor:
        """Encode: ``(B, 3, H, W) -> (B, D, H / 32, W / 32)``."""
        photos, _, height, width = images.shape
        cells = images.view(photos, 3, height // 4, 4, width // 4, 4)
        cells = cells.permute(0, 3, 5, 1, 2, 4).reshape(photos, 48, height // 4, width // 4)
        cells = F.leaky_relu(self._convolved("body.conv1", cells), 1e-2)
        for stage, count in enumerate(self.blocks):
            for block in range(count):
                cells = self._through(f"body.layer{stage + 1}.{block}", cells)
        return cells

    def _through(self, name: str, cells: Tensor) -> Tensor:
        shortcut = cells
        for place in (0, 1):
            if f"{name}.downsample.{place}.0.weight" in self.tensors:
                if place == 1:
                    shortcut = F.avg_pool2d(cells, 2, ceil_mode=True, count_include_pad=False)
                shortcut = self._convolved(f"{name}.downsample.{place}", shortcut)
        wide = f"{name}.conv3.0.weight" in self.tensors
        for part in ("conv1", "conv2"):
            pooled = f"{name}.{part}.0.0.weight" in self.tensors
            cells = self._convolved(f"{name}.{part}{'.0' if pooled else ''}", cells)
            if wide or part == "conv1":
                cells = F.leaky_relu(cells, 1e-3)
            if pooled:
                cells = blurred(cells)
        if f"{name}.se.fc1.weight" in self.tensors:
            get = self.tensors.__getitem__
            pooled_cells = cells.mean((2, 3), keepdim=True)
            reduced = F.conv2d(
                pooled_cells, get(f"{name}.se.fc1.weight"), get(f"{name}.se.fc1.bias")
            )
            gates = F.conv2d(
                F.relu(reduced), get(f"{name}.se.fc2.weight"), get(f"{name}.se.fc2.bias")
            )
            cells = cells * gates.sigmoid()
        if wide:
            cells = self._convolved(f"{name}.conv3", cells)
        return F.relu(cells + shortcut)


def blurred(cells: Tensor) -> Tensor:
    """Halve a grid with the filter 1 2 1."""
    line = torch.tensor([1.0, 2.0, 1.0])
    kernel = (line[:, None] * line / 16).expand(cells.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(cells, (1, 1, 1, 1), "reflect"), kernel, stride=2, groups=cells.shape[1])


def ml_decoder(
    encoder: TResNet, labels: int, groups: int, width: int = 32, hidden: int = 64
) -> Checkpoint:
    """A decoder layer from fixed queries to projected cells; groups of labels share a query."""
    size = -(-labels // groups)
    prefix, layer = "head.decoder", "head.decoder.layers.0"
    tensors = {
        **linear_state(f"{prefix}.embed_standart", width, encoder.channels),
        f"{prefix}.query_embed.weight": drawn(groups, width, scale=1),
        f"{prefix}.duplicate_pooling": drawn(groups, width, size),
        f"{prefix}.duplicate_pooling_bias": drawn(labels),
        **attention_state(f"{layer}.multihead_attn", width),
        **linear_state(f"{layer}.linear1", hidden, width),
        **linear_state(f"{layer}.linear2", width, hidden),
    }
    for norm in ("norm1", "norm2", "norm3"):
        tensors |= norm_state(f"{layer}.{norm}", width)
    layers = Layers(tensors, heads=8)

    def logits(images: Tensor) -> Tensor:
        cells = F.relu(layers.linear(f"{prefix}.embed_standart", encoder(images).flatten(2).mT))
        queries = tensors[f"{prefix}.query_embed.weight"].expand(len(images), -1, -1)
        states = layers.norm(f"{layer}.norm1", queries + queries)
        states = layers.norm(
            f"{layer}.norm2",
            states + layers.attend(f"{layer}.multihead_attn", states, cells, cells),
        )
        states = layers.norm(f"{layer}.norm3", states + layers.hidden(layer, states))
        pooled = torch.einsum("bkd,kds->bks", states, tensors[f"{prefix}.duplicate_pooling"])
        return pooled.flatten(1)[:, :labels] + tensors[f"{prefix}.duplicate_pooling_bias"]

    return Checkpoint({**encoder.tensors, **tensors}, logits)
