"""Beam search over label sequences, and the label scores that follow from it.

A path is a sequence of labels and its end; paths with the same first labels share a prefix.
Different prefixes exclude each other, so the probability that a label occurs anywhere is a sum over
the prefixes without it: the prefix's probability times that of the label as the next one. The sum
runs over the prefixes in the beams and over all their continuations, kept or not. Every label has
at least its probability after the empty prefix, so no label is left with a score of 0. The sum is
exact if the beams hold all prefixes, and a lower bound otherwise. With ``scoring="best"`` only the
most probable prefix counts, as in CNN-RNN. That is a lower bound too, because a label that occurs
in many orders has its probability spread over them. A logit is the log-odds of the score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.nn.sequence_decoder import NEVER

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.sequence_decoder import EncodedImages, SequenceDecoder


class Decoding(NamedTuple):
    """The result of a beam search.

    Attributes:
        logits: ``(B, L)`` float, log-odds of the scores.
        paths: ``(B, K, T)`` int, the most probable first; ``L`` is the end and padding after it.
        log_p: ``(B, K)`` float, log-probability of each path; `NEVER` or less if it is none.
        emitted: ``(B, L)`` bool, whether a beam continues with the label after the prefix that is
            most probable for it.
        lstm_term: ``(B, L, E)`` float, the LSTM's term of the projection after that prefix.
        log_attention: ``(B, L, n)`` float, logarithm of the attention there relative to uniform.
    """

    logits: Tensor
    paths: Tensor
    log_p: Tensor
    emitted: Tensor
    lstm_term: Tensor
    log_attention: Tensor


class _Prefixes(NamedTuple):
    """The prefixes of a step: log-probability of each first occurrence, and whether it is kept."""

    log_p: Tensor
    kept: Tensor
    lstm_term: Tensor
    log_attention: Tensor


def beam_search(decoder: SequenceDecoder, encoded: EncodedImages) -> Decoding:
    """Find the most probable paths of each photo, and score all labels.

    Args:
        decoder: The decoder; its settings give the number of beams and the scoring.
        encoded: The photos.

    Example:
        >>> from tagsight.nn.sequence_decoder import SequenceConfig, SequenceDecoder
        >>> decoder = SequenceDecoder(torch.tensor([5, 9, 2]), channels=6, config=SequenceConfig())
        >>> features = torch.rand(2, 6, 4, 4)
        >>> found = beam_search(decoder, decoder.encode(features, features.mean((-2, -1))))
        >>> found.logits.shape
        torch.Size([2, 3])
    """
    batch, size = encoded.first_input.shape[0], decoder.labels
    inputs, log_p = encoded.first_input[:, None], encoded.first_input.new_zeros(batch, 1)
    state = encoded.hidden[:, None], encoded.memory[:, None]
    used = torch.zeros(batch, 1, size, dtype=torch.bool, device=inputs.device)
    ended = used[..., 0]
    paths = torch.zeros(batch, 1, 0, dtype=torch.long, device=inputs.device)
    # An ended path has one continuation, its end, of probability 1. It keeps its probability and
    # competes for beams with the paths that go on: a path is dropped as soon as as many others as
    # there are beams are more probable, so no path needs to be followed once enough have ended.
    only_end = F.pad(log_p.new_full((size,), NEVER), (0, 1))
    prefixes = []
    for _ in range(decoder.longest):
        step = decoder.step(encoded, inputs, state, decoder.possible(used))
        reached = log_p[..., None] + torch.where(ended[..., None], only_end, step.log_p)
        beams = min(decoder.config.beam, reached.shape[1] * (size + 1))
        best, flat = reached.flatten(1).topk(beams)
        # Only first occurrences count, or a label that may repeat would be counted several times.
        first = reached[..., :-1].masked_fill(used, NEVER)
        kept = first >= best[:, -1:, None]
        prefixes.append(_Prefixes(first, kept, step.lstm_term, step.log_attention))
        log_p, beam, token = best, flat // (size + 1), flat % (size + 1)
        # An ended path's input is never used, but its index must be one of a label.
        inputs = decoder.embeddings[token.clamp(max=size - 1)]
        state = _rows(step.hidden, beam), _rows(step.memory, beam)
        used = _rows(used, beam) | (token[..., None] == torch.arange(size, device=token.device))
        ended = token == size
        paths = torch.cat([_rows(paths, beam), token[..., None]], -1)
    return _decoding(prefixes, paths, log_p, best_only=decoder.config.scoring == "best")


def _decoding(
    prefixes: list[_Prefixes], paths: Tensor, log_p: Tensor, *, best_only: bool
) -> Decoding:
    first, kept, lstm_term, log_attention = (
        torch.cat(part, 1) for part in zip(*prefixes, strict=True)
    )
    best, place = first.max(1)
    return Decoding(
        logits=_log_odds(best if best_only else first.logsumexp(1)),
        paths=paths,
        log_p=log_p,
        emitted=kept.gather(1, place[:, None])[:, 0],
        lstm_term=_rows(lstm_term, place),
        log_attention=_rows(log_attention, place),
    )


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """Select rows of each photo: ``(B, K, *), (B, M) int -> (B, M, *)``."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _log_odds(log_p: Tensor) -> Tensor:
    """Compute ``log p - log(1 - p)`` from ``log p``, finite also where rounding makes ``p`` 1."""
    log_p = log_p.clamp(max=-torch.finfo(log_p.dtype).eps)
    return log_p - (-log_p.expm1()).log()
