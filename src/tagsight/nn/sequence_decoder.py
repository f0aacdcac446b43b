"""A recurrent decoder that predicts the labels of a photo as a sequence.

It is a language model whose words are the labels: an LSTM reads the previous label, and a softmax
over the labels and the end predicts the next one. A path is a set of labels in some order.
Wang et al., CNN-RNN, CVPR 2016; Chen et al., Order-Free RNN, AAAI 2018; Yazici et al., Orderless
Recurrent Models, CVPR 2020. `SequenceConfig` covers their differences.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from tagsight.config import Settings
from tagsight.nn.additive_attention import AdditiveAttention
from tagsight.nn.dropout import dropped
from tagsight.nn.label_order import aligned_labels, label_priority, next_label

NEVER = -1e9
"""Log-probability of the impossible; finite, so that sums and gradients are finite too."""


class SequenceConfig(Settings):
    """Settings of a decoder that predicts labels as a sequence."""

    order: Literal["frequent", "rare", "confidence", "mla", "pla"] = "frequent"
    """Order of a photo's labels in training: by count, by confidence, or by the smallest loss
    (``mla``); ``pla`` also keeps correctly predicted labels in place."""

    attention: Literal["none", "soft"] = "none"
    """Input of the projection at each step: pooled features (``none``), or a weighted sum of the
    cells (``soft``)."""

    gate: bool = True
    """Whether a gate, computed from the previous state, scales each channel of the weighted sum."""

    tie_embeddings: bool = True
    """Tie input and output label embeddings."""

    embedding: int = Field(64, gt=0, le=4096)
    """Length of a label embedding."""

    hidden: int = Field(512, gt=0, le=8192)
    """Width of the LSTM."""

    attention_width: int = Field(512, gt=0, le=8192)
    """Length of a cell's values and keys in attention."""

    activation: Literal["relu", "none"] = "relu"
    """Activation after the projection."""

    beam: int = Field(4, ge=1, le=1024)
    """Beam width; 1 is greedy decoding."""

    max_labels: int = Field(8, ge=1, le=100)
    """Maximum number of labels on a path; at most 12 with ``mla`` and ``pla``."""

    end_token: bool = True
    """Whether a path may end before it has ``max_labels`` labels. Without an end token, a score of
    0.5 has no meaning."""

    mask_repeats: bool = True
    """Exclude labels that are already on the path."""

    scoring: Literal["marginal", "best"] = "marginal"
    """A label's score: the sum over the paths that contain it, or the most probable one alone."""

    @model_validator(mode="after")
    def _can_align(self) -> Self:
        if self.order in {"mla", "pla"} and self.max_labels > 12:
            msg = (
                f"expected max_labels of at most 12 with order {self.order!r}, whose cost doubles "
                f"with each label, got {self.max_labels}"
            )
            raise ValueError(msg)
        return self


class EncodedImages(NamedTuple):
    """The inputs of the decoder for ``B`` photos.

    Attributes:
        cells: ``(B, n, V)`` float, attention values, or features without attention.
        keys: ``(B, n, A)`` float, attention keys; empty without attention.
        context: ``(B, E)`` float, the photo's term of every projection.
        first_input: ``(B, E)`` float, the LSTM's input at the first step.
        hidden: ``(B, R)`` float, the LSTM's initial output.
        memory: ``(B, R)`` float, its initial cell state.
        on_photo: ``(B, n)`` bool, cells that get attention; None for all.
    """

    cells: Tensor
    keys: Tensor
    context: Tensor
    first_input: Tensor
    hidden: Tensor
    memory: Tensor
    on_photo: Tensor | None


class Step(NamedTuple):
    """The prediction of the next label on ``K`` paths of ``B`` photos.

    Attributes:
        log_p: ``(B, K, L + 1)`` float, log-probability of each label, and last of the end.
        lstm_term: ``(B, K, E)`` float, the LSTM's term of the projection.
        log_attention: ``(B, K, n)`` float, logarithm of the attention relative to uniform.
        hidden: ``(B, K, R)`` float, the LSTM's output.
        memory: ``(B, K, R)`` float, its cell state.
    """

    log_p: Tensor
    lstm_term: Tensor
    log_attention: Tensor
    hidden: Tensor
    memory: Tensor


class SequenceDecoder(nn.Module):
    """An LSTM decoder over the labels, with or without attention to the cells.

    Args:
        counts: ``(L,)`` int, number of training photos with each label.
        channels: Length ``D`` of a cell's features.
        config: The settings.
        preliminary: Whether preliminary probabilities of the labels are given. They replace the
            start vector as the first input, and are part of every projection.

    Attributes:
        embeddings: ``(L, E)`` float, input embeddings of the labels.
        outputs: ``(L, E)`` float, output embeddings of the labels; None if they are tied.
        end: ``(E,)`` float, output embedding of the end; None without an end token.
        start: ``(E,)`` float, the first input; None with preliminary probabilities.
        likely: ``(L, E)`` float, maps preliminary probabilities into the projection.
        priority: ``(L,)`` int, training order of the labels.

    Example:
        >>> decoder = SequenceDecoder(torch.tensor([5, 9, 2]), channels=6, config=SequenceConfig())
        >>> features = torch.rand(2, 6, 4, 4)
        >>> encoded = decoder.encode(features, features.mean((-2, -1)))
        >>> decoder.loss(encoded, torch.tensor([[1, 0, 1], [0, 1, -1]])).shape
        torch.Size([2])
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
        width = config.attention_width if config.attention == "soft" else 0
        self.embeddings = _vectors(self.labels, size)
        self.outputs = None if config.tie_embeddings else _vectors(self.labels, size)
        self.end = _vectors(size) if config.end_token else None
        self.start = None if preliminary else _vectors(size)
        self.likely = _vectors(self.labels, size) if preliminary else None
        self.register_buffer("priority", label_priority(counts, config.order), persistent=False)
        self.from_hidden = nn.Linear(hidden, size)
        self.from_photo = nn.Linear(width or channels, size, bias=False)
        self.lstm = nn.LSTMCell(size + width, hidden)
        if width:
            self.attention = AdditiveAttention(channels, hidden, width, gate=config.gate)
            self.to_state = nn.Linear(channels, 2 * hidden)

    def encode(
        self,
        features: Tensor,
        embedding: Tensor,
        preliminary: Tensor | None = None,
        on_photo: Tensor | None = None,
    ) -> EncodedImages:
        """Encode the images.

        Args:
            features: ``(B, D, h, w)`` float.
            embedding: ``(B, D)`` float, the pooled features.
            preliminary: ``(B, L)`` float, preliminary probabilities of the labels, in [0, 1].
            on_photo: ``(B, 1, h, w)`` bool, cells that are not padding; by default all.
        """
        cells = features.flatten(2).transpose(1, 2)
        keys = cells[..., :0]
        context = embedding.new_zeros(embedding.shape[0], self.config.embedding)
        state = embedding.new_zeros(embedding.shape[0], 2 * self.config.hidden)
        if self.attention is not None and self.to_state is not None:
            cells, keys = self.attention.cells(cells)
            state = self.to_state(embedding)
        else:
            context = self.from_photo(embedding)
        hidden, memory = state.chunk(2, 1)
        first_input = context
        if self.start is not None:
            first_input = self.start.expand_as(context)
        if self.likely is not None and preliminary is not None:
            first_input = preliminary @ self.embeddings
            context = context + preliminary @ self.likely
        seen = None if on_photo is None else on_photo.flatten(1)
        return EncodedImages(cells, keys, context, first_input, hidden, memory, seen)

    def step(
        self,
        encoded: EncodedImages,
        inputs: Tensor,
        state: tuple[Tensor, Tensor],
        possible: Tensor,
        dropout: float = 0.0,
    ) -> Step:
        """Predict the next label of each path.

        Args:
            encoded: The photos.
            inputs: ``(B, K, E)`` float, input embedding of the previous label.
            state: ``(B, K, R)`` float twice, the LSTM's output and its cell state.
            possible: ``(B, K, L)`` bool, labels that may follow; the others are left out of the
                softmax.
            dropout: Fraction of the projection's numbers that are dropped.
        """
        log_attention, attended = self._attend(encoded, state[0])
        lead = inputs.shape[:2]
        both = torch.cat([inputs, attended], -1).flatten(0, 1)
        hidden, memory = self.lstm(both, (state[0].flatten(0, 1), state[1].flatten(0, 1)))
        hidden, memory = hidden.unflatten(0, lead), memory.unflatten(0, lead)
        lstm_term = self.from_hidden(hidden)
        photo_term = encoded.context[:, None]
        if self.attention is not None:
            photo_term = photo_term + self.from_photo(attended)
        projected = self._activated(lstm_term + photo_term)
        projected = dropped(projected, dropout)
        logits = (projected @ self._output_embeddings().T).masked_fill(~possible, NEVER)
        if self.end is None:
            end = torch.full_like(logits[..., :1], NEVER)
        else:
            end = (projected @ self.end)[..., None]
        log_p = torch.cat([logits, end], -1).log_softmax(-1)
        return Step(log_p, lstm_term, log_attention, hidden, memory)

    def loss(self, encoded: EncodedImages, targets: Tensor, dropout: float = 0.0) -> Tensor:
        """Compute the cross-entropy of each photo's label sequence and its end: ``-> (B,)``.

        In the orders by frequency and confidence, the target of a step is the next input (teacher
        forcing). In the two alignments the next input is the decoder's own prediction, right or
        wrong, and a label that it predicted at another step may still be a target. Unknown labels
        are left out of the softmax. A path of maximum length has no end as a target; labels beyond
        it are ignored.

        Args:
            encoded: The photos.
            targets: ``(B, L)`` int in {1, 0, -1}.
            dropout: Fraction of the projection's numbers that are dropped.
        """
        count = (targets == 1).sum(1).clamp(max=self.longest)
        most = int(count.max())
        steps = min(most + 1, self.longest)
        log_p, wanted = self._unrolled(encoded, targets, steps, dropout)
        if self._aligns and most:
            predicted = wanted if self.config.order == "pla" else None
            own = aligned_labels(log_p.detach()[..., :-1], targets == 1, predicted, most)
            wanted = F.pad(own, (0, steps - most))
        place = torch.arange(steps, device=targets.device)
        wanted = wanted.masked_fill(place >= count[:, None], self.labels)
        last = count if self.config.end_token else count - 1
        counted = (place <= last[:, None]) & (targets >= 0).any(1, keepdim=True)
        return -(log_p.gather(2, wanted[..., None])[..., 0] * counted).sum(1)

    def cell_evidence(self, encoded: EncodedImages, lstm_term: Tensor) -> Tensor:
        """Score each label as if a cell were the whole photo: ``-> (B, L, n)``.

        The cell's own features replace the pooled or attended ones in the projection; the LSTM's
        term stays that of the step where the label is predicted. The mean score of all labels and
        the end is subtracted, because the softmax is invariant to it.

        Args:
            encoded: The photos.
            lstm_term: ``(B, L, E)`` float, the LSTM's term of each label's projection.
        """
        outputs = self._output_embeddings()
        everything = outputs if self.end is None else torch.cat([outputs, self.end[None]])
        projected = self._activated(lstm_term[:, :, None] + self.from_photo(encoded.cells)[:, None])
        return torch.einsum("blne,le->bln", projected, outputs - everything.mean(0))

    def possible(self, used: Tensor) -> Tensor:
        """Find the labels that may follow those on a path: ``(*, L) -> (*, L)`` bool."""
        return ~used if self.config.mask_repeats else torch.ones_like(used)

    @property
    def _aligns(self) -> bool:
        return self.config.order in {"mla", "pla"}

    def _output_embeddings(self) -> Tensor:
        return self.embeddings if self.outputs is None else self.outputs

    def _activated(self, projected: Tensor) -> Tensor:
        return projected.relu() if self.config.activation == "relu" else projected

    def _attend(self, encoded: EncodedImages, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to the cells: ``(B, K, R) -> (B, K, n), (B, K, A)``; without attention to none."""
        if self.attention is not None:
            return self.attention(encoded.cells, encoded.keys, hidden, encoded.on_photo)
        lead = hidden.shape[:2]
        return hidden.new_zeros(*lead, encoded.cells.shape[1]), hidden[..., :0]

    def _unrolled(
        self, encoded: EncodedImages, targets: Tensor, steps: int, dropout: float
    ) -> tuple[Tensor, Tensor]:
        """Follow one path per photo: ``(B, S, L + 1)`` log-probabilities and ``(B, S)`` labels.

        The labels are the targets, or in the alignments the predictions (``L`` for the end).
        """
        known, remaining = targets >= 0, targets == 1
        inputs, used = encoded.first_input[:, None], torch.zeros_like(known)
        state = encoded.hidden[:, None], encoded.memory[:, None]
        log_ps, tokens = [], []
        for _ in range(steps):
            possible = known if self._aligns else known & self.possible(used)
            step = self.step(encoded, inputs, state, possible[:, None], dropout)
            log_p = step.log_p[:, 0]
            if self._aligns:
                candidates = known & self.possible(used)
                likely = log_p.detach()[:, :-1].masked_fill(~candidates, -torch.inf)
                label = likely.argmax(1)
                is_end = log_p.detach()[:, -1] > likely.amax(1)
                token = label.masked_fill(is_end, self.labels)
            else:
                token = label = next_label(log_p.detach()[:, :-1], remaining, self.priority)
            chosen = label[:, None] == torch.arange(self.labels, device=label.device)
            used, remaining = used | chosen, remaining & ~chosen
            inputs, state = self.embeddings[label][:, None], (step.hidden, step.memory)
            log_ps.append(log_p)
            tokens.append(token)
        return torch.stack(log_ps, 1), torch.stack(tokens, 1)


def _vectors(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * shape[-1] ** -0.5)
