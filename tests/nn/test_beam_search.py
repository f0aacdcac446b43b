from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_decoder import (
    END,
    LABELS,
    all_paths,
    only,
    path_log_p,
    path_steps,
    tiny_decoder,
    tiny_images,
)
from torch import Tensor
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search
from tagsight.nn.sequence_decoder import NEVER, EncodedImages, SequenceDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = 50
"""Beams for every prefix of three labels."""

every_kind = pytest.mark.parametrize(
    "settings",
    [
        {"max_labels": 2},
        {"attention": "soft"},
        {"attention": "soft", "gate": False, "tie_embeddings": False, "preliminary": True},
    ],
)
every_beam = pytest.mark.parametrize("beam", [1, 3])


def exhaustive(decoder: SequenceDecoder, encoded: EncodedImages) -> dict[tuple[int, ...], float]:
    paths = all_paths(decoder.longest)
    return {path: path_log_p(decoder, encoded, path) for path in paths}


def without_ends(path: list[int]) -> tuple[int, ...]:
    return tuple(token for token in path if token != END)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@every_kind
def test_with_beams_for_all_the_paths_are_those_of_an_exhaustive_search(settings: dict):
    decoder = tiny_decoder(beam=WIDE, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    for photo in range(3):
        expected = sorted(
            exhaustive(decoder, only(encoded, photo)).items(), key=lambda pair: -pair[1]
        )
        valid = found.log_p[photo] > NEVER / 2
        assert [without_ends(p) for p in found.paths[photo][valid].tolist()] == [
            p for p, _ in expected
        ]
        log_p = torch.tensor([p for _, p in expected], dtype=torch.double)
        assert_close(found.log_p[photo][valid], log_p)


def plain_search(
    decoder: SequenceDecoder, encoded: EncodedImages, beam: int, steps: int
) -> list[tuple[tuple[int, ...], float]]:
    """Paths that have ended stay; one that goes on is dropped once it is not among the best."""
    candidates: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for _ in range(steps):
        extended = []
        for path, log_p in candidates:
            if END in path:
                extended.append((path, log_p))
                continue
            *_, last = path_steps(decoder, encoded, path, decoder.longest)
            new = [token for token in range(LABELS + 1) if token not in path]
            extended += [((*path, token), log_p + last[token].item()) for token in new]
        candidates = sorted(extended, key=lambda pair: -pair[1])[:beam]
        if all(END in path for path, _ in candidates):
            break
    return candidates


@every_kind
@every_beam
def test_a_path_that_falls_below_all_that_have_ended_stops(settings: dict, beam: int):
    decoder = tiny_decoder(beam=beam, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    for photo in range(3):
        expected = plain_search(decoder, only(encoded, photo), beam, decoder.longest)
        paths = [without_ends(path) for path in found.paths[photo].tolist()]
        assert paths == [without_ends(list(path)) for path, _ in expected]
        assert found.log_p[photo].tolist() == pytest.approx([log_p for _, log_p in expected])


def test_without_the_mask_a_label_can_be_said_again():
    decoder = tiny_decoder(beam=1, mask_repeats=False, tie_embeddings=False, end_token=False)
    with torch.no_grad():
        decoder.from_hidden.weight.zero_()
        decoder.outputs.copy_(torch.eye(3, 5) * 9)
        decoder.from_hidden.bias.copy_(torch.tensor([9, 1, 1, 1, 1]))
        decoder.from_photo.weight.zero_()
    assert beam_search(decoder, tiny_images(decoder)).paths.eq(0).all()


@pytest.mark.parametrize("max_labels", [1, 3])
def test_without_an_end_all_paths_have_as_many_labels_as_there_may_be(max_labels: int):
    decoder = tiny_decoder(end_token=False, max_labels=max_labels)
    found = beam_search(decoder, tiny_images(decoder))
    assert found.paths.shape[-1] == max_labels
    assert not found.paths[found.log_p > NEVER / 2].eq(END).any()
    assert found.logits.isfinite().all()


@every_kind
def test_a_score_is_the_probability_that_the_label_is_said(settings: dict):
    decoder = tiny_decoder(beam=WIDE, **settings)
    encoded = tiny_images(decoder)
    scores = beam_search(decoder, encoded).logits.sigmoid()
    for photo, label in product(range(3), range(LABELS)):
        found = exhaustive(decoder, only(encoded, photo))
        expected = sum(math.exp(log_p) for path, log_p in found.items() if label in path)
        assert scores[photo, label].item() == pytest.approx(expected)


@pytest.mark.parametrize("settings", [{}, {"attention": "soft"}])
@pytest.mark.parametrize("end_token", [True, False])
def test_labels_that_can_be_said_again_count_once(settings: dict, end_token: bool):
    decoder = tiny_decoder(
        **settings | {"beam": 10**3, "mask_repeats": False, "end_token": end_token}
    )
    encoded = tiny_images(decoder, 1)
    paths = [p for n in range(decoder.longest + 1) for p in product(range(LABELS), repeat=n)]
    probability = {path: math.exp(path_log_p(decoder, encoded, path)) for path in paths}
    assert sum(probability.values()) == pytest.approx(1)
    expected = [sum(p for path, p in probability.items() if k in path) for k in range(LABELS)]
    assert_close(
        beam_search(decoder, encoded).logits.sigmoid()[0],
        torch.tensor(expected, dtype=torch.double),
    )


def plain_scores(decoder: SequenceDecoder, encoded: EncodedImages) -> Tensor:
    """How probably each label is said behind the prefixes that the beams hold."""
    scores = torch.zeros(LABELS, dtype=torch.double)
    for length in range(decoder.longest):
        for path, log_p in plain_search(decoder, encoded, decoder.config.beam, length):
            if END not in path:
                *_, following = path_steps(decoder, encoded, path, decoder.longest)
                for label in {*range(LABELS)} - {*path}:
                    scores[label] += math.exp(log_p + following[label].item())
    return scores


@every_kind
@every_beam
def test_a_score_is_the_sum_over_the_prefixes_that_the_beams_hold(settings: dict, beam: int):
    decoder = tiny_decoder(beam=beam, **settings)
    encoded = tiny_images(decoder)
    scores = beam_search(decoder, encoded).logits.sigmoid()
    for photo in range(3):
        assert_close(scores[photo], plain_scores(decoder, only(encoded, photo)))


@every_kind
def test_the_best_score_is_the_most_probable_prefix_that_ends_in_the_label(settings: dict):
    decoder = tiny_decoder(beam=WIDE, scoring="best", **settings)
    encoded = tiny_images(decoder)
    scores = beam_search(decoder, encoded).logits.sigmoid()
    for photo in range(3):
        expected = torch.full((LABELS,), -math.inf, dtype=torch.double)
        for path in all_paths(decoder.longest)[1:]:
            steps = path_steps(decoder, only(encoded, photo), path, len(path))
            log_p = sum(step[token] for step, token in zip(steps, path, strict=True))
            expected[path[-1]] = max(expected[path[-1]], log_p)
        assert_close(scores[photo], expected.exp())


@pytest.mark.parametrize("scoring", ["marginal", "best"])
def test_labels_that_no_beam_says_are_ranked_too(scoring: str):
    decoder = tiny_decoder(beam=1, max_labels=1, scoring=scoring)
    found = beam_search(decoder, tiny_images(decoder, 6))
    assert found.emitted.sum(1).le(1).all()
    assert len(found.logits.unique()) == found.logits.numel()


@pytest.mark.parametrize("scoring", ["marginal", "best"])
def test_certain_labels_have_finite_logits(scoring: str):
    decoder = tiny_decoder(scoring=scoring, tie_embeddings=False).float()
    with torch.no_grad():
        decoder.outputs[0] = 1e4
        decoder.outputs[1] = -1e4
        decoder.from_hidden.bias.fill_(9)
    logits = beam_search(
        decoder, EncodedImages(*(part.float() for part in tiny_images(tiny_decoder())))
    ).logits
    assert logits.isfinite().all()
    assert (logits[:, 0] > 10).all()
    assert (logits[:, 1] < -10).all()


@every_kind
def test_a_label_comes_with_the_step_at_which_it_is_most_probably_said_first(settings: dict):
    decoder = tiny_decoder(beam=WIDE, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    assert found.emitted.all()
    for photo, label in product(range(3), range(LABELS)):
        one = only(encoded, photo)
        prefixes = [path for path in all_paths(decoder.longest) if path[-1:] == (label,)]

        def log_p(path: tuple[int, ...], one: EncodedImages = one) -> float:
            steps = path_steps(decoder, one, path, len(path))
            return sum(float(step[token]) for step, token in zip(steps, path, strict=True))

        best = max(prefixes, key=log_p)
        heard, state = one.first_input[:, None], (one.hidden[:, None], one.memory[:, None])
        anything = torch.ones(1, 1, LABELS, dtype=torch.bool)
        for token in best:
            step = decoder.step(one, heard, state, anything)
            heard, state = decoder.embeddings[token][None, None], (step.hidden, step.memory)
        assert_close(found.lstm_term[photo, label], step.lstm_term[0, 0])
        assert_close(found.log_attention[photo, label], step.log_attention[0, 0])
