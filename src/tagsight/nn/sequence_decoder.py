"""A decoder that says the labels of a photo one after another, each in view of those before.

It is a language model whose words are the labels and whose paths are label sets in some order:
an LSTM hears the label said last, and a softmax over the labels and the end gives the next one.
Wang et al., CNN-RNN, CVPR 2016; Chen et al., Order-Free RNN, AAAI 2018; Yazici et al., Orderless
Recurrent Models, CVPR 2020. What tells them apart is in `SequenceConfig`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from tagsight.config import Settings
from tagsight.nn.additive_attention import AdditiveAttention
from tagsight.nn.label_order import aligned_labels, label_priority, next_label

NEVER = -1e9
"""Log-probability of what cannot be; finite, so that sums and gradients of it are."""


class SequenceConfig(Settings):
    """How a decoder says the labels of a photo one after another."""

    order: Literal["frequent", "rare", "confidence", "mla", "pla"] = "frequent"
    """How a photo's labels are ordered to be taught: by count, by confidence, or at the smallest
    loss (``mla``), in ``pla`` with those that the decoder says rightly in their place."""

    attention: Literal["none", "soft"] = "none"
    """``none``: the pooled photo is projected at each step; ``soft``: a look at the cells is."""

    gate: bool = True
    """Whether a soft look is weighed, channel by channel, by what was said before."""

    tie_embeddings: bool = True
    """Whether a label is heard and said by one vector, or by two."""

    embedding: int = Field(64, gt=0, le=4096)
    """Length of a label's vector."""

    hidden: int = Field(512, gt=0, le=8192)
    """Width of the LSTM."""

    attention_width: int = Field(512, gt=0, le=8192)
    """Length of what is looked at in a cell."""

    activation: Literal["relu", "none"] = "relu"
    """What stands behind the projection."""

    beam: int = Field(4, ge=1, le=1024)
    """How many paths are followed at once; 1 is greedy."""

    max_labels: int = Field(8, ge=1, le=100)
    """Labels on a path at most; ``mla`` and ``pla`` can have 12."""

    end_token: bool = True
    """Whether a path can end before it has ``max_labels`` labels; else 0.5 means nothing."""

    mask_repeats: bool = True
    """Whether a label that is on the path already cannot follow."""

    scoring: Literal["marginal", "best"] = "marginal"
    """A label's score: the sum over paths that say it, or the most probable of them alone."""

    @model_validator(mode="after")
    def _can_align(self) -> Self:
        if self.order in {"mla", "pla"} and self.max_labels > 12:
            msg = (
                f"expected max_labels of at most 12 with order {self.order!r}, whose cost doubles "
                f"with each label, got {self.max_labels}"
            )
            raise ValueError(msg)
        return self


class Scene(NamedTuple):
    """What is known of ``B`` photos before a label is said.

    Attributes:
        cells: ``(B, n, V)`` float, what can be looked at.
        keys: ``(B, n, A)`` float, what a look goes by; empty without attention.
        shown: ``(B, E)`` float, what every projection gets from the photo.
        first: ``(B, E)`` float, what is heard before the first label.
        hidden: ``(B, R)`` float, the LSTM's output before it.
        memory: ``(B, R)`` float, its cell.
    """

    cells: Tensor
    keys: Tensor
    shown: Tensor
    first: Tensor
    hidden: Tensor
    memory: Tensor


class Step(NamedTuple):
    """What may be said next on ``K`` paths of ``B`` photos.

    Attributes:
        log_p: ``(B, K, L + 1)`` float, log-probability of each label, and last of the end.
        heard: ``(B, K, E)`` float, the LSTM's share of the projection.
        looked: ``(B, K, n)`` float, logarithm of the attention relative to an even look.
        hidden: ``(B, K, R)`` float.
        memory: ``(B, K, R)`` float.
    """

    log_p: Tensor
    heard: Tensor
    looked: Tensor
    hidden: Tensor
    memory: Tensor


class SequenceDecoder(nn.Module):
    """Creates the decoder.

    Args:
        counts: ``(L,)`` int, in how many training photos each label is.
        channels: Length ``D`` of a cell's features.
        config: Its settings.
        preliminary: Whether preliminary probabilities of the labels are given: heard in place of
            the label before the first, and part of every projection.

    Attributes:
        embeddings: ``(L, E)`` float, a label as it is heard.
        outputs: ``(L, E)`` float, a label as it is said; None if that is the same.
        end: ``(E,)`` float, the end as it is said; None if paths do not end.
        start: ``(E,)`` float, what is heard first; None if preliminary probabilities are.
        likely: ``(L, E)`` float, what a label's preliminary probability adds to the projection.
        priority: ``(L,)`` int, how early each label is taught.
    """

    outputs: nn.Parameter | None
    end: nn.Parameter | None
    start: nn.Parameter | None
    likely: nn.Parameter | None
    priority: Tensor

    def __init__(
        self, counts: Tensor, channels: int, config: SequenceConfig, *, preliminary: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.attention: AdditiveAttention | None = None
        self.to_state: nn.Linear | None = None
        self.labels = len(counts)
        self.longest = min(config.max_labels, self.labels)
        size, hidden = config.embedding, config.hidden
        look = config.attention_width if config.attention == "soft" else 0
        self.embeddings = _vectors(self.labels, size)
        self.outputs = None if config.tie_embeddings else _vectors(self.labels, size)
        self.end = _vectors(size) if config.end_token else None
        self.start = None if preliminary else _vectors(size)
        self.likely = _vectors(self.labels, size) if preliminary else None
        self.register_buffer("priority", label_priority(counts, config.order), persistent=False)
        self.from_hidden = nn.Linear(hidden, size)
        self.from_photo = nn.Linear(look or channels, size, bias=False)
        self.lstm = nn.LSTMCell(size + look, hidden)
        if look:
            self.attention = AdditiveAttention(channels, hidden, look, gate=config.gate)
            self.to_state = nn.Linear(channels, 2 * hidden)

    def scene(
        self, features: Tensor, embedding: Tensor, preliminary: Tensor | None = None
    ) -> Scene:
        """Take a photo in.

        Args:
            features: ``(B, D, h, w)`` float.
            embedding: ``(B, D)`` float, the features pooled.
            preliminary: ``(B, L)`` float, the labels' preliminary probabilities, in [0, 1].
        """
        cells = features.flatten(2).transpose(1, 2)
        keys = cells[..., :0]
        shown = embedding.new_zeros(embedding.shape[0], self.config.embedding)
        state = embedding.new_zeros(embedding.shape[0], 2 * self.config.hidden)
        if self.attention is not None and self.to_state is not None:
            cells, keys = self.attention.cells(cells)
            state = self.to_state(embedding)
        else:
            shown = self.from_photo(embedding)
        hidden, memory = state.chunk(2, 1)
        first = shown
        if self.start is not None:
            first = self.start.expand_as(shown)
        if self.likely is not None and preliminary is not None:
            first = preliminary @ self.embeddings
            shown = shown + preliminary @ self.likely
        return Scene(cells, keys, shown, first, hidden, memory)

    def step(
        self,
        scene: Scene,
        heard: Tensor,
        state: tuple[Tensor, Tensor],
        possible: Tensor,
        dropout: float = 0.0,
    ) -> Step:
        """Hear what was said last on each path, and weigh what comes next.

        Args:
            scene: The photos.
            heard: ``(B, K, E)`` float, the vector of what was said last.
            state: ``(B, K, R)`` float twice, the LSTM's output and its cell.
            possible: ``(B, K, L)`` bool, the labels that may follow; the others have no part in
                the softmax.
            dropout: Share of the projection's numbers that is left out.
        """
        looked, look = self._look(scene, state[0])
        lead = heard.shape[:2]
        inputs = torch.cat([heard, look], -1).flatten(0, 1)
        hidden, memory = self.lstm(inputs, (state[0].flatten(0, 1), state[1].flatten(0, 1)))
        hidden, memory = hidden.unflatten(0, lead), memory.unflatten(0, lead)
        told = self.from_hidden(hidden)
        shown = scene.shown[:, None]
        if self.attention is not None:
            shown = shown + self.from_photo(look)
        projected = F.dropout(self._activated(told + shown), dropout, training=dropout > 0)
        logits = (projected @ self._said().T).masked_fill(~possible, NEVER)
        if self.end is None:
            end = torch.full_like(logits[..., :1], NEVER)
        else:
            end = (projected @ self.end)[..., None]
        log_p = torch.cat([logits, end], -1).log_softmax(-1)
        return Step(log_p, told, looked, hidden, memory)

    def loss(self, scene: Scene, targets: Tensor, dropout: float = 0.0) -> Tensor:
        """Cross-entropy of each photo's sequence of labels and its end: ``-> (B,)``.

        By frequency and by confidence the label that is taught is the one that is heard next; in
        the alignments what the decoder finds most probable is, right or wrong, and a label that it
        said at another step can still be taught. Unknown labels have no part in the softmax. A
        path of as many labels as there may be has no end to be taught, and labels beyond are not.

        Args:
            scene: The photos.
            targets: ``(B, L)`` int in {1, 0, -1}.
            dropout: Share of the projection's numbers that is left out.
        """
        count = (targets == 1).sum(1).clamp(max=self.longest)
        most = int(count.max())
        steps = min(most + 1, self.longest)
        log_p, wanted = self._unrolled(scene, targets, steps, dropout)
        if self._aligns and most:
            predicted = wanted if self.config.order == "pla" else None
            own = aligned_labels(log_p.detach()[..., :-1], targets == 1, predicted, most)
            wanted = F.pad(own, (0, steps - most))
        place = torch.arange(steps, device=targets.device)
        wanted = wanted.masked_fill(place >= count[:, None], self.labels)
        last = count if self.config.end_token else count - 1
        taught = (place <= last[:, None]) & (targets >= 0).any(1, keepdim=True)
        return -(log_p.gather(2, wanted[..., None])[..., 0] * taught).sum(1)

    def cell_evidence(self, scene: Scene, heard: Tensor) -> Tensor:
        """Score each label as if a cell were the whole photo: ``-> (B, L, n)``.

        The projection gets the cell's own features in place of the pooled or attended ones; the
        LSTM's share is what it is where the label is said. The mean score of everything that can be
        said there is subtracted, since the softmax does not feel it.

        Args:
            scene: The photos.
            heard: ``(B, L, E)`` float, the LSTM's share of each label's projection.
        """
        said = self._said()
        everything = said if self.end is None else torch.cat([said, self.end[None]])
        projected = self._activated(heard[:, :, None] + self.from_photo(scene.cells)[:, None])
        return torch.einsum("blne,le->bln", projected, said - everything.mean(0))

    def possible(self, said: Tensor) -> Tensor:
        """Which labels may follow those that were said: ``(*, L) -> (*, L)`` bool."""
        return ~said if self.config.mask_repeats else torch.ones_like(said)

    @property
    def _aligns(self) -> bool:
        return self.config.order in {"mla", "pla"}

    def _said(self) -> Tensor:
        return self.embeddings if self.outputs is None else self.outputs

    def _activated(self, projected: Tensor) -> Tensor:
        return projected.relu() if self.config.activation == "relu" else projected

    def _look(self, scene: Scene, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Look at the cells: ``(B, K, R) -> (B, K, n), (B, K, A)``; without attention at none."""
        if self.attention is not None:
            return self.attention(scene.cells, scene.keys, hidden)
        lead = hidden.shape[:2]
        return hidden.new_zeros(*lead, scene.cells.shape[1]), hidden[..., :0]

    def _unrolled(
        self, scene: Scene, targets: Tensor, steps: int, dropout: float
    ) -> tuple[Tensor, Tensor]:
        """Go along one path a photo: ``(B, S, L + 1)`` log-probabilities, ``(B, S)`` what is said.

        What is said is what is taught, or in the alignments what is predicted (``L`` for the end).
        """
        known, remaining = targets >= 0, targets == 1
        heard, said = scene.first[:, None], torch.zeros_like(known)
        state = scene.hidden[:, None], scene.memory[:, None]
        log_ps, tokens = [], []
        for _ in range(steps):
            possible = known if self._aligns else known & self.possible(said)
            step = self.step(scene, heard, state, possible[:, None], dropout)
            log_p = step.log_p[:, 0]
            if self._aligns:
                open_ = known & self.possible(said)
                likely = log_p.detach()[:, :-1].masked_fill(~open_, -torch.inf)
                label = likely.argmax(1)
                is_end = log_p.detach()[:, -1] > likely.amax(1)
                token = label.masked_fill(is_end, self.labels)
            else:
                token = label = next_label(log_p.detach()[:, :-1], remaining, self.priority)
            chosen = label[:, None] == torch.arange(self.labels, device=label.device)
            said, remaining = said | chosen, remaining & ~chosen
            heard, state = self.embeddings[label][:, None], (step.hidden, step.memory)
            log_ps.append(log_p)
            tokens.append(token)
        return torch.stack(log_ps, 1), torch.stack(tokens, 1)


def _vectors(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * shape[-1] ** -0.5)
