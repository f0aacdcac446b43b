import math
from itertools import product

import pytest
import torch
from tiny_decoder import (
    END,
    LABELS,
    all_paths,
    each_part,
    only,
    path_log_p,
    path_steps,
    tiny_decoder,
    tiny_images,
)
from torch import Tensor
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search
from tagsight.nn.sequence_decoder import NEVER

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


def exhaustive(decoder, encoded):
    return {path: path_log_p(decoder, encoded, path) for path in all_paths(decoder.longest)}


def without_ends(path):
    return tuple(token for token in path if token != END)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def prefix_log_p(decoder, encoded, path):
    steps = path_steps(decoder, encoded, path, len(path))
    return sum(step[token].item() for step, token in zip(steps, path, strict=True))


@every_kind
def test_with_beams_for_all_the_paths_are_those_of_an_exhaustive_search(settings):
    decoder = tiny_decoder(beam=WIDE, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    for photo in range(3):
        expected = exhaustive(decoder, only(encoded, photo))
        valid = found.log_p[photo] > NEVER / 2
        paths = [without_ends(path) for path in found.paths[photo][valid].tolist()]
        assert paths == sorted(expected, key=expected.get, reverse=True)
        assert found.log_p[photo][valid].tolist() == pytest.approx([expected[p] for p in paths])
        # A score is the probability that the label is said.
        said = [
            sum(math.exp(p) for path, p in expected.items() if k in path) for k in range(LABELS)
        ]
        assert found.logits[photo].sigmoid().tolist() == pytest.approx(said)


def plain_search(decoder, encoded, beam, steps):
    """Paths that have ended stay; one that goes on is dropped once it is not among the best."""
    candidates = [((), 0.0)]
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


@pytest.mark.parametrize("max_labels", [1, 3])
def test_without_an_end_all_paths_have_as_many_labels_as_there_may_be(max_labels):
    decoder = tiny_decoder(end_token=False, max_labels=max_labels)
    found = beam_search(decoder, tiny_images(decoder))
    assert found.paths.shape[-1] == max_labels
    assert not found.paths[found.log_p > NEVER / 2].eq(END).any()
    assert found.logits.isfinite().all()


@pytest.mark.parametrize("settings", [{}, {"attention": "soft"}])
@pytest.mark.parametrize("end_token", [True, False])
def test_labels_that_can_be_said_again_count_once(settings, end_token):
    decoder = tiny_decoder(beam=10**3, mask_repeats=False, end_token=end_token, **settings)
    encoded = tiny_images(decoder, 1)
    paths = [p for n in range(decoder.longest + 1) for p in product(range(LABELS), repeat=n)]
    probability = {path: math.exp(path_log_p(decoder, encoded, path)) for path in paths}
    assert sum(probability.values()) == pytest.approx(1)
    expected = [sum(p for path, p in probability.items() if k in path) for k in range(LABELS)]
    scores = beam_search(decoder, encoded).logits.sigmoid()
    assert scores.tolist() == [pytest.approx(expected)]


def plain_scores(decoder, encoded):
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
@pytest.mark.parametrize("beam", [1, 3])
def test_a_path_that_falls_below_all_that_have_ended_stops_and_what_beams_hold_scores(
    settings, beam
):
    decoder = tiny_decoder(beam=beam, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    for photo in range(3):
        expected = plain_search(decoder, only(encoded, photo), beam, decoder.longest)
        paths = [without_ends(path) for path in found.paths[photo].tolist()]
        assert paths == [without_ends(path) for path, _ in expected]
        assert found.log_p[photo].tolist() == pytest.approx([log_p for _, log_p in expected])
        assert_close(found.logits[photo].sigmoid(), plain_scores(decoder, only(encoded, photo)))


@every_kind
def test_the_best_score_is_the_most_probable_prefix_that_ends_in_the_label(settings):
    decoder = tiny_decoder(beam=WIDE, scoring="best", **settings)
    encoded = tiny_images(decoder)
    scores = beam_search(decoder, encoded).logits.sigmoid()
    for photo in range(3):
        expected = [0.0] * LABELS
        for path in all_paths(decoder.longest)[1:]:
            p = math.exp(prefix_log_p(decoder, only(encoded, photo), path))
            expected[path[-1]] = max(expected[path[-1]], p)
        assert scores[photo].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("scoring", ["marginal", "best"])
def test_labels_that_no_beam_says_are_ranked_too(scoring):
    decoder = tiny_decoder(beam=1, max_labels=1, scoring=scoring)
    found = beam_search(decoder, tiny_images(decoder, 6))
    assert found.emitted.sum(1).le(1).all()
    assert len(found.logits.unique()) == found.logits.numel()


@pytest.mark.parametrize("scoring", ["marginal", "best"])
def test_certain_labels_have_finite_logits(scoring):
    decoder = tiny_decoder(scoring=scoring, tie_embeddings=False).float()
    decoder.outputs[0], decoder.outputs[1] = 1e4, -1e4
    decoder.from_hidden.bias.fill_(9)
    encoded = each_part(tiny_images(tiny_decoder()), Tensor.float)
    logits = beam_search(decoder, encoded).logits
    assert logits.isfinite().all()
    assert (logits[:, 0] > 10).all()
    assert (logits[:, 1] < -10).all()


@every_kind
def test_a_label_comes_with_the_step_at_which_it_is_most_probably_said_first(settings):
    decoder = tiny_decoder(beam=WIDE, **settings)
    encoded = tiny_images(decoder)
    found = beam_search(decoder, encoded)
    assert found.emitted.all()
    for photo, label in product(range(3), range(LABELS)):
        one = only(encoded, photo)
        prefixes = [path for path in all_paths(decoder.longest) if path[-1:] == (label,)]
        best = max(prefixes, key=lambda path, one=one: prefix_log_p(decoder, one, path))
        heard, state = one.first_input[:, None], (one.hidden[:, None], one.memory[:, None])
        anything = torch.ones(1, 1, LABELS, dtype=torch.bool)
        for token in best:
            step = decoder.step(one, heard, state, anything)
            heard, state = decoder.embeddings[token][None, None], (step.hidden, step.memory)
        assert_close(found.lstm_term[photo, label], step.lstm_term[0, 0])
        assert_close(found.log_attention[photo, label], step.log_attention[0, 0])
