from __future__ import annotations

from itertools import starmap

import pytest
import torch
from test_label_attention import norm_by_hand
from tiny import drawn, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.label_attention import position_code
from tagsight.recipes.query2label import Query2LabelConfig


def test_logits_are_a_transcription():
    """Cells look at one another; labels, zero at first, look at them twice; a classifier each."""
    system = tiny_system("query2label").double().eval()
    images = drawn(2)[0].double()
    features = system.backbone(images)
    cells = system.projection(features.flatten(2).mT)
    place = position_code((4, 4), 32, cells)
    (encoder,), (first, second) = system.encoder, system.layers

    def looked(layer: nn.Module, state: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        seen, _ = layer.attention(state + position, cells + place, cells)
        state = torch.from_numpy(norm_by_hand(layer.first_norm, (state + seen).detach().numpy()))
        mixed = state + layer.second(torch.relu(layer.first(state)))
        return torch.from_numpy(norm_by_hand(layer.second_norm, mixed.detach().numpy()))

    cells = looked(encoder, cells, place)
    states = looked(first, torch.zeros(2, 5, 32).double(), system.queries)
    states = looked(second, states, system.queries)
    expected = torch.stack(
        [states[:, i] @ system.head.weight[i] + system.head.bias[i] for i in range(5)], 1
    )
    assert_close(system(images).logits, expected)


def test_features_of_the_decoders_width_are_taken_as_they_are():
    sizes = {"heads": 4, "hidden": 24}
    assert type(tiny_system("query2label", decoder={"width": 24, **sizes}).projection) is (
        nn.Identity
    )
    assert type(tiny_system("query2label", decoder={"width": 16, **sizes}).projection) is nn.Linear


def test_a_label_sees_the_photo_and_not_the_other_labels():
    system = tiny_system("query2label").eval()
    images = drawn(3)[0]
    before = system(images).logits
    with torch.no_grad():
        system.queries[1:].neg_()
        system.head.weight[1:].neg_()
    after = system(images).logits
    assert_close(after[:, 0], before[:, 0])
    assert not torch.isclose(after[:, 1:], before[:, 1:]).any()


def test_it_knows_where_in_the_photo_a_colour_is():
    system = tiny_system("query2label").double().eval()
    images = drawn(3)[0].double()
    assert not torch.isclose(system(images.flip(-1)).logits, system(images).logits).any()
    assert not system.equivariant


@pytest.mark.parametrize(("encoder", "decoder"), [(0, 1), (2, 3)])
def test_maps_average_to_logits_through_any_number_of_layers(encoder: int, decoder: int):
    system = tiny_system("query2label", encoder_layers=encoder, decoder_layers=decoder)
    answer = system.double().eval()(drawn(3)[0].double())
    assert_close(answer.maps.mean((-2, -1)), answer.logits)
    assert answer.maps.flatten(2).std(-1).min() > 0


def test_dropout_is_for_training_alone():
    system = tiny_system("query2label", dropout=0.5)
    images, targets = drawn(4)
    losses = [system.losses(images, targets)["labels"] for _ in range(2)]
    assert losses[0] != losses[1]
    assert all(starmap(torch.equal, zip(system(images), system(images), strict=True)))


def test_its_settings_are_the_released_ones():
    config = Query2LabelConfig()
    decoder = config.decoder
    assert (decoder.width, decoder.heads, decoder.hidden) == (2048, 4, 8192)
    assert (config.encoder_layers, config.decoder_layers, config.dropout) == (1, 2, 0.1)
