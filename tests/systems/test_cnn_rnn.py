from __future__ import annotations

import pytest
import torch
from tiny import drawn, label_space, tiny_system
from torch.testing import assert_close

from tagsight.nn.beam_search import beam_search
from tagsight.systems.catalogue import SYSTEMS


def test_it_is_taught_frequent_labels_first_by_tied_embeddings_without_attention():
    decoder = SYSTEMS["cnn-rnn"].Config().decoder
    assert (decoder.order, decoder.attention, decoder.tie_embeddings) == ("frequent", "none", True)
    system = tiny_system("cnn-rnn")
    counts = label_space().cooccurrence.diagonal()
    assert_close(system.decoder.priority, counts.unique(return_inverse=True)[1])
    assert system.decoder.outputs is None


def test_the_label_loss_is_the_mean_over_photos_of_their_sequences():
    system = tiny_system("cnn-rnn").double()
    images, targets = drawn(4)
    features = system.backbone(images.double())
    encoded = system.decoder.encode(features, features.mean((-2, -1)))
    expected = system.decoder.loss(encoded, targets).mean()
    assert_close(system.losses(images.double(), targets), {"labels": expected})


def test_logits_are_those_of_the_beams():
    system = tiny_system("cnn-rnn", pooling="max").double()
    images = drawn(3)[0].double()
    features = system.backbone(images)
    encoded = system.decoder.encode(features, features.amax((-2, -1)))
    assert_close(system(images).logits, beam_search(system.decoder, encoded).logits)


def test_a_linear_projection_makes_maps_that_average_to_what_the_pooled_photo_gives():
    settings = {"hidden": 32, "embedding": 16, "activation": "none"}
    system = tiny_system("cnn-rnn", decoder=settings).double()
    images = drawn(3)[0].double()
    seen = system(images)
    encoded = system.decoder.encode(seen.embedding[..., None, None], seen.embedding)
    heard = beam_search(system.decoder, encoded).lstm_term
    whole = system.decoder.cell_evidence(encoded, heard)[..., 0]
    assert_close(seen.maps.mean((-2, -1)), whole)


def test_dropout_falls_on_the_loss_alone():
    system = tiny_system("cnn-rnn", dropout=0.5)
    images, targets = drawn(4)
    assert all(map(torch.equal, system(images), system(images)))
    one, other = (system.losses(images, targets)["labels"] for _ in range(2))
    assert one != other


@pytest.mark.parametrize("order", ["rare", "pla"])
def test_permuting_the_labels_changes_no_loss(order: str):
    moved = torch.tensor([3, 0, 4, 1, 2])
    settings = {"hidden": 32, "embedding": 16, "order": order}
    system = tiny_system("cnn-rnn", decoder=settings).double()
    permuted = tiny_system("cnn-rnn", label_space().permuted(moved), decoder=settings).double()
    permuted.load_state_dict(
        {
            key: value[moved] if key in system.label_parameters else value
            for key, value in system.state_dict().items()
        }
    )
    images, targets = drawn(6)
    assert_close(
        permuted.losses(images.double(), targets[:, moved]),
        system.losses(images.double(), targets),
    )
