import pytest
import torch
from tiny import drawn, exact_photos, label_space, permuted, tiny_system
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search


def test_logits_are_those_of_the_beams_and_the_loss_a_mean_over_photos():
    system = tiny_system("cnn-rnn", pooling="max").double()
    images, targets = exact_photos(4)
    features = system.backbone(images)
    encoded = system.decoder.encode(features, features.amax((-2, -1)))
    assert_close(system(images).logits, beam_search(system.decoder, encoded).logits)
    expected = system.decoder.loss(encoded, targets).mean()
    assert_close(system.losses(images, targets), {"labels": expected})


def test_a_linear_projection_makes_maps_that_average_to_what_the_pooled_photo_gives():
    settings = {"hidden": 32, "embedding": 16, "activation": "none"}
    system = tiny_system("cnn-rnn", decoder=settings).double()
    seen = system(exact_photos(3)[0])
    encoded = system.decoder.encode(seen.embedding[..., None, None], seen.embedding)
    heard = beam_search(system.decoder, encoded).lstm_term
    whole = system.decoder.cell_evidence(encoded, heard)[..., 0]
    assert_close(seen.maps.mean((-2, -1)), whole)


@pytest.mark.parametrize("order", ["rare", "pla"])
def test_permuting_the_labels_changes_no_loss(order):
    moved = torch.tensor([3, 0, 4, 1, 2])
    settings = {"decoder": {"hidden": 32, "embedding": 16, "order": order}}
    system = tiny_system("cnn-rnn", **settings)
    other = tiny_system("cnn-rnn", permuted(label_space(), moved), **settings)
    rows = dict.fromkeys(system.label_parameters, moved)
    state = {key: value[rows.get(key, ...)] for key, value in system.state_dict().items()}
    other.load_state_dict(state)
    images, targets = drawn(6)
    assert_close(other.losses(images, targets[:, moved]), system.losses(images, targets))
