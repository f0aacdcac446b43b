from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_decoder import (
    CHANNELS,
    COUNTS,
    END,
    GRID,
    LABELS,
    only,
    path_log_p,
    path_steps,
    tiny_decoder,
    tiny_images,
)
from torch.testing import assert_close

from tagsight.nn.label_order import aligned_labels
from tagsight.nn.sequence_decoder import SequenceConfig

TARGETS = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
"""Of three labels, the last two equally frequent."""

every_kind = pytest.mark.parametrize(
    "settings",
    [
        {"attention": "soft", "preliminary": True, "tie_embeddings": False, "activation": "none"},
        {"mask_repeats": False},
    ],
)
every_order = pytest.mark.parametrize("order", ["rare", "confidence", "pla"])
aligning = pytest.mark.parametrize("order", ["mla", "pla"])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_a_step_is_a_transcription_in_numpy():
    """o, r = LSTM(w_k, r); x = h(U_o o + U_I I); s = U_l x, and a softmax (Wang et al.)."""
    decoder = tiny_decoder()
    weights = {name: p.detach().numpy() for name, p in decoder.named_parameters()}
    features = torch.rand(1, CHANNELS, *GRID, dtype=torch.double)
    image = features.mean((-2, -1))
    encoded = decoder.encode(features, image)

    def lstm(heard: np.ndarray, output: np.ndarray, memory: np.ndarray) -> tuple:
        gates = weights["lstm.weight_ih"] @ heard + weights["lstm.bias_ih"]
        gates += weights["lstm.weight_hh"] @ output + weights["lstm.bias_hh"]
        enter, forget, new, leave = np.split(gates, 4)
        memory = sigmoid(forget) * memory + sigmoid(enter) * np.tanh(new)
        return sigmoid(leave) * np.tanh(memory), memory

    output, memory = np.zeros(7), np.zeros(7)
    heard = weights["start"]
    for token, step in zip((1, 0, END), path_steps(decoder, encoded, (1, 0), 3), strict=True):
        output, memory = lstm(heard, output, memory)
        x = weights["from_hidden.weight"] @ output + weights["from_hidden.bias"]
        x = np.maximum(x + weights["from_photo.weight"] @ image[0].numpy(), 0)
        scores = np.append(weights["embeddings"] @ x, weights["end"] @ x)
        if token != 1:
            scores[[1] if token == 0 else [1, 0]] = -np.inf
        expected = scores - np.log(np.exp(scores).sum())
        possible = np.isfinite(scores)
        assert_close(step.numpy()[possible], expected[possible])
        assert (step.numpy()[~possible] < -1e8).all()
        heard = weights["embeddings"][min(token, LABELS - 1)]


def test_the_preliminary_probabilities_are_heard_first_and_shown_at_each_step():
    decoder = tiny_decoder(preliminary=True)
    features = torch.rand(2, CHANNELS, *GRID, dtype=torch.double)
    likely = torch.tensor([[1.0, 0, 0], [0.5, 0, 1]], dtype=torch.double)
    encoded = decoder.encode(features, features.mean((-2, -1)), likely)
    plain = decoder.from_photo(features.mean((-2, -1)))
    heard, rows = decoder.embeddings, decoder.likely
    assert_close(encoded.first_input, torch.stack([heard[0], 0.5 * heard[0] + heard[2]]))
    assert_close(encoded.context - plain, torch.stack([rows[0], 0.5 * rows[0] + rows[2]]))
    assert decoder.start is None


def test_without_attention_the_photo_never_enters_the_lstm():
    decoder = tiny_decoder()
    one, other = only(tiny_images(decoder), 0), only(tiny_images(decoder), 1)
    possible = torch.ones(1, 1, LABELS, dtype=torch.bool)
    terms = [
        decoder.step(
            e, e.first_input[:, None], (e.hidden[:, None], e.memory[:, None]), possible
        ).lstm_term
        for e in (one, other)
    ]
    assert_close(*terms)


@every_kind
@pytest.mark.parametrize("order", ["frequent", "rare", "confidence"])
def test_what_is_taught_at_once_is_what_is_said_step_by_step(settings: dict, order: str):
    decoder = tiny_decoder(order=order, **settings)
    encoded = tiny_images(decoder)
    loss = decoder.loss(encoded, TARGETS)
    for photo, targets in enumerate(TARGETS.tolist()):
        remaining = {label for label, target in enumerate(targets) if target}
        path: tuple[int, ...] = ()
        while remaining:
            *_, last = path_steps(decoder, only(encoded, photo), path, decoder.longest)
            sign = {"frequent": 1, "rare": -1, "confidence": 0}[order]
            count = {k: sign * COUNTS[k].item() for k in remaining}
            path += (max(remaining, key=lambda k: (count[k], last[k].item())),)
            remaining -= {path[-1]}
        expected = -path_log_p(decoder, only(encoded, photo), path)
        assert loss[photo].item() == pytest.approx(expected)


@every_kind
@aligning
def test_an_alignment_is_taught_along_what_the_decoder_says_itself(settings: dict, order: str):
    decoder = tiny_decoder(order=order, **settings)
    encoded = tiny_images(decoder)
    loss = decoder.loss(encoded, TARGETS)
    for photo, targets in enumerate(TARGETS):
        one = only(encoded, photo)
        heard, state = one.first_input[:, None], (one.hidden[:, None], one.memory[:, None])
        anything = torch.ones(1, 1, LABELS, dtype=torch.bool)
        rows, predicted, said = [], [], set()
        for _ in range(decoder.longest):
            step = decoder.step(one, heard, state, anything)
            row = step.log_p[0, 0]
            rows.append(row)
            choices = {*range(LABELS)} - (said if decoder.config.mask_repeats else set())
            label = max(choices, key=lambda k: row[k].item())
            predicted.append(label if row[label] >= row[END] else END)
            said.add(label)
            heard, state = decoder.embeddings[label][None, None], (step.hidden, step.memory)
        count = int(targets.sum())
        order_of = torch.tensor([predicted]) if order == "pla" else None
        log_p = torch.stack(rows)
        labels = []
        if count:
            present = targets[None] == 1
            labels = aligned_labels(log_p[None, :, :-1], present, order_of, count)[0].tolist()
        tokens = [*labels, END][: decoder.longest]
        expected = -sum(log_p[step, token] for step, token in enumerate(tokens))
        assert_close(loss[photo], expected)


@every_order
def test_a_photo_without_labels_is_taught_the_end_alone(order: str):
    decoder = tiny_decoder(order=order)
    encoded = only(tiny_images(decoder), 0)
    (first,) = path_steps(decoder, encoded, (), decoder.longest)
    assert_close(decoder.loss(encoded, torch.zeros(1, LABELS))[0], -first[END])
    endless = tiny_decoder(order=order, end_token=False)
    assert endless.loss(tiny_images(endless), torch.zeros(3, LABELS)).eq(0).all()


@every_order
def test_labels_beyond_the_longest_path_are_not_taught(order: str):
    decoder = tiny_decoder(order=order, max_labels=1)
    encoded = tiny_images(decoder, 1)
    (first, *_) = path_steps(decoder, encoded, (), 1)
    # The first label is the rare one, the two others are equally frequent.
    candidates = {"rare": first[:1], "frequent": first[1:END]}.get(order, first[:END])
    assert_close(decoder.loss(encoded, torch.ones(1, LABELS))[0], -candidates.max())


@every_order
def test_unknown_labels_have_no_part_in_the_softmax(order: str):
    decoder = tiny_decoder(order=order, tie_embeddings=False)
    encoded = tiny_images(decoder)
    targets = torch.tensor([[1, -1, 0], [0, -1, 1], [-1, -1, -1]])
    loss = decoder.loss(encoded, targets)
    assert loss[2] == 0
    assert loss[:2].gt(0).all()
    loss.sum().backward()
    assert not decoder.outputs.grad[1].any()
    assert not decoder.embeddings.grad[1].any()
    with torch.no_grad():
        decoder.outputs[1] += 9
        decoder.embeddings[1] += 9
    assert_close(decoder.loss(encoded, targets), loss)


@every_order
def test_photos_of_a_batch_are_taught_as_if_alone(order: str):
    decoder = tiny_decoder(order=order)
    encoded = tiny_images(decoder)
    alone = [decoder.loss(only(encoded, i), TARGETS[i : i + 1]) for i in range(3)]
    assert_close(decoder.loss(encoded, TARGETS), torch.cat(alone))


def test_dropout_is_chance_and_none_is_not():
    decoder = tiny_decoder()
    encoded = tiny_images(decoder)
    assert torch.equal(decoder.loss(encoded, TARGETS), decoder.loss(encoded, TARGETS))
    one, other = (decoder.loss(encoded, TARGETS, dropout=0.5) for _ in range(2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("end_token", [True, False])
def test_the_evidence_of_a_cell_is_the_score_of_a_photo_that_is_that_cell_all_over(end_token: bool):
    decoder = tiny_decoder(end_token=end_token)
    features = torch.rand(1, CHANNELS, *GRID, dtype=torch.double)
    encoded = decoder.encode(features, features.mean((-2, -1)))
    heard = torch.randn(1, LABELS, 5, dtype=torch.double)
    evidence = decoder.cell_evidence(encoded, heard)
    said = (
        decoder.embeddings
        if decoder.end is None
        else torch.cat([decoder.embeddings, decoder.end[None]])
    )
    for cell in range(evidence.shape[-1]):
        flat = features.flatten(2)[:, :, cell]
        for label in range(LABELS):
            scores = said @ (heard[0, label] + decoder.encode(features, flat).context[0]).relu()
            assert_close(evidence[0, label, cell], scores[label] - scores.mean())


@aligning
def test_a_path_too_long_to_align_is_refused(order: str):
    with pytest.raises(ValueError, match=f"at most 12 with order '{order}', .* got 13"):
        SequenceConfig(order=order, max_labels=13)
