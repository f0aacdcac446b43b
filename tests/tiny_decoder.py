"""A decoder small enough to try all its paths, and photos for it."""

from collections.abc import Callable, Iterator
from itertools import permutations

import torch
from torch import Tensor

from tagsight.nn.sequence_decoder import EncodedImages, SequenceConfig, SequenceDecoder

COUNTS = torch.tensor([5, 9, 9])
LABELS = len(COUNTS)
END = LABELS
CHANNELS = 6
GRID = (2, 3)


def tiny_decoder(*, preliminary: bool = False, **settings: object) -> SequenceDecoder:
    """A decoder of three labels whose steps are far from even."""
    small = {"embedding": 5, "hidden": 7, "attention_width": 4, "max_labels": 3}
    config = SequenceConfig.model_validate(small | settings)
    decoder = SequenceDecoder(COUNTS, CHANNELS, config, preliminary=preliminary).double()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.double))
    return decoder


def tiny_images(decoder: SequenceDecoder, photos: int = 3) -> EncodedImages:
    generator = torch.Generator().manual_seed(photos)
    features = torch.rand(photos, CHANNELS, *GRID, generator=generator, dtype=torch.double)
    preliminary = None
    if decoder.likely is not None:
        preliminary = torch.rand(photos, LABELS, generator=generator, dtype=torch.double)
    return decoder.encode(features, features.mean((-2, -1)), preliminary)


def only(encoded: EncodedImages, photo: int) -> EncodedImages:
    return each_part(encoded, lambda part: part[photo : photo + 1])


def each_part(encoded: EncodedImages, change: Callable[[Tensor], Tensor]) -> EncodedImages:
    return EncodedImages(*(None if part is None else change(part) for part in encoded))


def path_steps(
    decoder: SequenceDecoder, encoded: EncodedImages, path: tuple[int, ...], steps: int
) -> Iterator[Tensor]:
    """Log-probabilities ``(L + 1,)`` of what follows each prefix of a path of one photo."""
    heard, state = encoded.first_input[:, None], (encoded.hidden[:, None], encoded.memory[:, None])
    possible = torch.ones(1, 1, LABELS, dtype=torch.bool)
    for place in range(steps):
        step = decoder.step(encoded, heard, state, possible)
        yield step.log_p[0, 0].detach()
        if place == len(path):
            return
        heard, state = decoder.embeddings[path[place]][None, None], (step.hidden, step.memory)
        if decoder.config.mask_repeats:
            possible = possible.clone()
            possible[0, 0, path[place]] = False


def path_log_p(decoder: SequenceDecoder, encoded: EncodedImages, path: tuple[int, ...]) -> float:
    """Logarithm of the product of a path's steps, its end the last unless it has all labels."""
    tokens = (*path, END)[: decoder.longest]
    steps = path_steps(decoder, encoded, path, decoder.longest)
    return sum(step[token].item() for step, token in zip(steps, tokens, strict=True))


def all_paths(longest: int) -> list[tuple[int, ...]]:
    return [p for length in range(longest + 1) for p in permutations(range(LABELS), length)]
