"""The most probable paths of labels through a decoder, and the score that they give each label.

Scores: a path says a label first behind one prefix, and no two prefixes go with the same path. So
the probability that a label is said at all is the sum, over the prefixes without it, of the
prefix's probability times that of the label behind it. The sum goes over the prefixes that the
beams hold, with all labels that may follow, whether a beam takes them or not: every label has its
probability behind the empty prefix at least, and none ties at 0. It is exact if the beams hold all
prefixes, and otherwise a bound from below. With ``scoring="best"`` only the most probable prefix
counts, as in CNN-RNN: a lower bound, since a label that may be said in many orders has its
probability spread over them. A logit is the log-odds of the score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.nn.sequence_decoder import NEVER

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.sequence_decoder import Scene, SequenceDecoder


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
    """How probably labels are said first behind each prefix of a step, and if a beam goes so."""

    says: Tensor
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
    for _ in range(decoder.longest):
        step = decoder.step(scene, heard, state, decoder.possible(said))
        reached = log_p[..., None] + torch.where(ended[..., None], over, step.log_p)
        beams = min(decoder.config.beam, reached.shape[1] * (size + 1))
        best, flat = reached.flatten(1).topk(beams)
        says = reached[..., :-1].masked_fill(said, NEVER)
        prefixes.append(_Prefixes(says, says >= best[:, -1:, None], step.heard, step.looked))
        log_p, beam, token = best, flat // (size + 1), flat % (size + 1)
        heard = decoder.embeddings[token.clamp(max=size - 1)]
        state = _taken(step.hidden, beam), _taken(step.memory, beam)
        said = _taken(said, beam) | (token[..., None] == torch.arange(size, device=token.device))
        ended = token == size
        paths = torch.cat([_taken(paths, beam), token[..., None]], -1)
    return _decoding(prefixes, paths, log_p, best_only=decoder.config.scoring == "best")


def _decoding(
    prefixes: list[_Prefixes], paths: Tensor, log_p: Tensor, *, best_only: bool
) -> Decoding:
    says, taken, heard, looked = (torch.cat(part, 1) for part in zip(*prefixes, strict=True))
    best, place = says.max(1)
    return Decoding(
        logits=_log_odds(best if best_only else says.logsumexp(1)),
        paths=paths,
        log_p=log_p,
        emitted=taken.gather(1, place[:, None])[:, 0],
        heard=_taken(heard, place),
        looked=_taken(looked, place),
    )


def _taken(rows: Tensor, index: Tensor) -> Tensor:
    """Take rows of each photo: ``(B, K, *), (B, M) int -> (B, M, *)``."""
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[-1]))


def _log_odds(log_p: Tensor) -> Tensor:
    """``log p - log(1 - p)`` of ``log p``, finite for ``p`` of 1 and what rounding makes more."""
    log_p = log_p.clamp(max=-torch.finfo(log_p.dtype).eps)
    return log_p - (-log_p.expm1()).log()
