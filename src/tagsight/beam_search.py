"""The most probable paths of labels through a decoder, and the score that they give each label.

Scores: a path says a label first behind one prefix, and no two prefixes go with the same path. So
the probability that a label is said at all is the sum, over the prefixes without it, of the
prefix's probability times that of the label behind it; that it is not said, the sum over the paths
that end without it. Both sums go over the prefixes that the beams hold, with all that may follow
them: every label has its probability behind the empty prefix at least, and none ties at 0. A logit
is the logarithm of their ratio, exactly the log-odds if the beams hold all prefixes, and otherwise
within what the prefixes that were dropped leave open. With ``scoring="best"`` only the most
probable prefix counts, as in CNN-RNN, and the logit is the log-odds of that alone: a bound from
below, since a label that may be said in many orders has its probability spread over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.sequence_decoder import NEVER

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.sequence_decoder import Scene, SequenceDecoder, Step

LARGEST = 100.0
"""Largest logit; beyond it float32 has nothing between a score and 0 or 1."""


class Decoding(NamedTuple):
    """What the beams found.

    Attributes:
        logits: ``(B, L)`` float, log-odds of the scores.
        paths: ``(B, K, T)`` int, the most probable first; ``L`` is the end, and what follows it.
        log_p: ``(B, K)`` float, log-probability of each path; `NEVER` or less if it is none.
        emitted: ``(B, L)`` bool, whether a beam took the label behind its most probable prefix.
        heard: ``(B, L, E)`` float, the LSTM's share of the projection there.
        looked: ``(B, L, n)`` float, logarithm of the attention there relative to an even look.
    """

    logits: Tensor
    paths: Tensor
    log_p: Tensor
    emitted: Tensor
    heard: Tensor
    looked: Tensor


class _Prefixes(NamedTuple):
    """One step's prefixes, and how probably each label is said first, or not at all, behind it."""

    says: Tensor
    omits: Tensor
    taken: Tensor
    heard: Tensor
    looked: Tensor


def beam_search(decoder: SequenceDecoder, scene: Scene) -> Decoding:
    """Follow the most probable paths.

    A path that has ended keeps its probability and its beam. One that goes on loses its beam as
    soon as it is less probable than as many others as there are beams, ended or not; so it stops
    when it falls below all that have ended, if they are as many.
    """
    batch, size = scene.first.shape[0], decoder.labels
    heard, log_p = scene.first[:, None], scene.first.new_zeros(batch, 1)
    state = scene.hidden[:, None], scene.memory[:, None]
    said = torch.zeros(batch, 1, size, dtype=torch.bool, device=heard.device)
    ended = said[..., 0]
    paths = torch.zeros(batch, 1, 0, dtype=torch.long, device=heard.device)
    over = F.pad(log_p.new_full((size,), NEVER), (0, 1))
    prefixes = []
    for place in range(decoder.longest):
        step = decoder.step(scene, heard, state, decoder.possible(said))
        reached = log_p[..., None] + torch.where(ended[..., None], over, step.log_p)
        beams = min(decoder.config.beam, reached.shape[1] * (size + 1))
        best, flat = reached.flatten(1).topk(beams)
        live = log_p.masked_fill(ended, NEVER)
        is_last = place == decoder.longest - 1
        prefixes.append(_prefixes(step, live, said, lowest=best[:, -1], is_last=is_last))
        log_p, beam, token = best, flat // (size + 1), flat % (size + 1)
        heard = decoder.embeddings[token.clamp(max=size - 1)]
        state = _taken(step.hidden, beam), _taken(step.memory, beam)
        said = _taken(said, beam) | (token[..., None] == torch.arange(size, device=token.device))
        ended = token == size
        paths = torch.cat([_taken(paths, beam), token[..., None]], -1)
    return _decoding(prefixes, paths, log_p, best_only=decoder.config.scoring == "best")


def _prefixes(
    step: Step, log_p: Tensor, said: Tensor, *, lowest: Tensor, is_last: bool
) -> _Prefixes:
    label_p, end_p = step.log_p[..., :-1], step.log_p[..., -1:]
    says = (log_p[..., None] + label_p).masked_fill(said, NEVER)
    # The last step ends every path, whatever it says.
    without = _log_complement(label_p) if is_last else end_p.expand_as(label_p)
    omits = (log_p[..., None] + without).masked_fill(said, NEVER)
    return _Prefixes(says, omits, says >= lowest[:, None, None], step.heard, step.looked)


def _decoding(
    prefixes: list[_Prefixes], paths: Tensor, log_p: Tensor, *, best_only: bool
) -> Decoding:
    parts = (torch.cat(part, 1) for part in zip(*prefixes, strict=True))
    says, omits, taken, heard, looked = parts
    best, place = says.max(1)
    summed = says.logsumexp(1) - omits.logsumexp(1)
    logits = best - _log_complement(best) if best_only else summed
    return Decoding(
        logits=logits.clamp(-LARGEST, LARGEST),
        paths=paths,
        log_p=log_p,
        emitted=taken.gather(1, place[:, None])[:, 0],
        heard=_taken(heard, place),
        looked=_taken(looked, place),
    )


def _taken(rows: Tensor, index: Tensor) -> Tensor:
    """Take rows of each photo: ``(B, K, *), (B, M) int -> (B, M, *)``."""
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[-1]))


def _log_complement(log_p: Tensor) -> Tensor:
    """``log(1 - p)`` of ``log p``; where float32 takes ``p`` for 1, as near as it comes to it."""
    return (-log_p.clamp(max=-1e-7).expm1()).log()
