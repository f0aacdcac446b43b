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

ANYTHING = torch.ones(1, 1, LABELS, dtype=torch.bool)

every_kind = pytest.mark.parametrize(
    "settings",
    [
        {"attention": "soft", "preliminary": True, "tie_embeddings": False, "activation": "none"},
        {"mask_repeats": False},
    ],
)
every_order = pytest.mark.parametrize("order", ["rare", "confidence", "pla"])
aligning = pytest.mark.parametrize("order", ["mla", "pla"])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_step_is_a_transcription_in_numpy():
    """o, r = LSTM(w_k, r); x = h(U_o o + U_I I); s = U_l x, and a softmax (Wang et al.)."""
    decoder = tiny_decoder()
    weights = {name: p.detach().numpy() for name, p in decoder.named_parameters()}
    features = torch.rand(1, CHANNELS, *GRID, dtype=torch.double)
    image = features.mean((-2, -1))
    encoded = decoder.encode(features, image)

    def lstm(heard, output, memory):
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


def first_step(decoder, encoded):
    state = (encoded.hidden[:, None], encoded.memory[:, None])
    return decoder.step(encoded, encoded.first_input[:, None], state, ANYTHING)


@every_kind
@pytest.mark.parametrize("order", ["frequent", "rare", "confidence"])
def test_what_is_taught_at_once_is_what_is_said_step_by_step(settings, order):
    decoder = tiny_decoder(order=order, **settings)
    encoded = tiny_images(decoder)
    loss = decoder.loss(encoded, TARGETS)
    for photo, targets in enumerate(TARGETS.tolist()):
        remaining = {label for label, target in enumerate(targets) if target}
        path = ()
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
def test_an_alignment_is_taught_along_what_the_decoder_says_itself(settings, order):
    decoder = tiny_decoder(order=order, **settings)
    encoded = tiny_images(decoder)
    loss = decoder.loss(encoded, TARGETS)
    for photo, targets in enumerate(TARGETS):
        one = only(encoded, photo)
        step, rows, predicted, said = first_step(decoder, one), [], [], set()
        for _ in range(decoder.longest):
            row = step.log_p[0, 0]
            rows.append(row)
            choices = {*range(LABELS)} - (said if decoder.config.mask_repeats else set())
            label = max(choices, key=lambda k: row[k].item())
            predicted.append(label if row[label] >= row[END] else END)
            said.add(label)
            heard = decoder.embeddings[label][None, None]
            step = decoder.step(one, heard, (step.hidden, step.memory), ANYTHING)
        order_of = torch.tensor([predicted]) if order == "pla" else None
        log_p, present, count = torch.stack(rows), targets[None] == 1, int(targets.sum())
        labels = []
        if count:
            labels = aligned_labels(log_p[None, :, :-1], present, order_of, count)[0].tolist()
        tokens = [*labels, END][: decoder.longest]
        assert_close(
            loss[photo], -sum(row[token] for row, token in zip(rows, tokens, strict=False))
        )


@every_order
def test_a_photo_without_labels_teaches_nothing_where_there_is_no_end(order):
    endless = tiny_decoder(order=order, end_token=False)
    assert endless.loss(tiny_images(endless), torch.zeros(3, LABELS)).eq(0).all()


@every_order
def test_labels_beyond_the_longest_path_are_not_taught(order):
    decoder = tiny_decoder(order=order, max_labels=1)
    encoded = tiny_images(decoder, 1)
    (first, *_) = path_steps(decoder, encoded, (), 1)
    # The first label is the rare one, the two others are equally frequent.
    candidates = {"rare": first[:1], "frequent": first[1:END]}.get(order, first[:END])
    assert_close(decoder.loss(encoded, torch.ones(1, LABELS))[0], -candidates.max())


@every_order
def test_unknown_labels_have_no_part_in_the_softmax(order):
    decoder = tiny_decoder(order=order, tie_embeddings=False)
    encoded = tiny_images(decoder)
    targets = torch.tensor([[1, -1, 0], [0, -1, 1], [-1, -1, -1]])
    loss = decoder.loss(encoded, targets)
    assert loss[2] == 0
    assert loss[:2].gt(0).all()
    loss.sum().backward()
    assert not decoder.outputs.grad[1].any()
    assert not decoder.embeddings.grad[1].any()
    decoder.outputs.data[1] += 9
    decoder.embeddings.data[1] += 9
    assert_close(decoder.loss(encoded, targets), loss)


@pytest.mark.parametrize("end_token", [True, False])
def test_the_evidence_of_a_cell_is_the_score_of_a_photo_that_is_that_cell_all_over(end_token):
    decoder = tiny_decoder(end_token=end_token)
    features = torch.rand(1, CHANNELS, *GRID, dtype=torch.double)
    encoded = decoder.encode(features, features.mean((-2, -1)))
    heard = torch.randn(1, LABELS, 5, dtype=torch.double)
    evidence = decoder.cell_evidence(encoded, heard)
    said = torch.cat([decoder.embeddings, *([decoder.end[None]] if end_token else [])])
    for cell in range(evidence.shape[-1]):
        flat = features.flatten(2)[:, :, cell]
        for label in range(LABELS):
            scores = said @ (heard[0, label] + decoder.encode(features, flat).context[0]).relu()
            assert_close(evidence[0, label, cell], scores[label] - scores.mean())


@aligning
def test_a_path_too_long_to_align_is_refused(order):
    with pytest.raises(ValueError, match=f"at most 12 with order '{order}', .* got 13"):
        SequenceConfig(order=order, max_labels=13)
