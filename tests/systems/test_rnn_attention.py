import math

import pytest
import torch
import torch.nn.functional as F
from tiny import drawn, exact_photos, tiny_system
from torch.testing import assert_close

from tagsight.nn.attended_regions import anchors, sampled
from tagsight.systems.rnn_attention import share_loss


def wandering(**settings):
    """A system whose regions differ from photo to photo, as they do when it is trained."""
    system = tiny_system("rnn-attention", hidden=16, **settings)
    system.localiser.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    return system.double().eval()


def values(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape))).double()


@pytest.mark.parametrize(("how", "drawn_to"), [("offset", False), ("penalty", True)])
def test_regions_that_are_offset_by_their_anchors_are_not_drawn_to_them(how, drawn_to):
    free, tied = (wandering(anchors=how, location={"anchor_weight": w}) for w in (0.0, 5.0))
    tied.load_state_dict(free.state_dict())
    costs = [system.losses(*exact_photos(3))["location"] for system in (free, tied)]
    assert (costs[1] > costs[0]) == drawn_to


def test_an_offset_puts_regions_on_their_anchors_before_training():
    system = tiny_system("rnn-attention", anchors="offset", first_scale=0.25, translation="free")
    boxes = system.regions(drawn(2)[0])
    centres = (boxes[..., :2] + boxes[..., 2:]) - 1
    assert_close(centres, anchors(5).expand(2, 5, 2))
    assert_close(boxes[..., 2:] - boxes[..., :2], torch.full((2, 5, 2), 0.25))


def test_a_logit_is_the_highest_score_of_any_region_after_the_first_look():
    """Step by step, with torch's own cell: the whole photo has no scores."""
    system, images = wandering(), exact_photos(3)[0]
    features = system.backbone(images)
    weight, bias = system.projection.weight, system.projection.bias
    grid = F.relu(torch.einsum("bdhw,cd->bchw", features, weight) + bias[:, None, None])
    transform, state, scores = system.whole.expand(3, 4), None, []
    for _ in range(6):
        region = F.max_pool2d(sampled(grid, transform, 6), 2)
        state = system.memory(F.relu(system.description(region.flatten(1))), state)
        thought = F.relu(system.thought(state[0]))
        scores.append(system.classifier(thought))
        numbers = system.localiser(thought)
        transform = torch.cat([numbers[:, :2], numbers[:, 2:].tanh()], 1)
    assert_close(system(images).logits, torch.stack(scores[1:]).amax(0))


def test_the_published_objective_compares_shares_of_labels():
    """For p = softmax(s) the sum over labels of (p - y / |y|)^2, by hand."""
    logits = torch.tensor([[0.0, math.log(2), math.log(5)], [1.0, 2.0, 3.0]])
    targets = torch.tensor([[1, 0, 1], [0, 0, 0]])
    expected = (1 / 8 - 1 / 2) ** 2 + (2 / 8) ** 2 + (5 / 8 - 1 / 2) ** 2
    # The second photo has no label and no part; the mean is over both.
    assert share_loss(logits, targets).item() == pytest.approx(expected / 2)
    assert not tiny_system("rnn-attention", objective="softmax_mse").probabilities
    assert share_loss(logits, targets, mean=True).item() == pytest.approx(expected / 6)


def test_an_unknown_label_and_a_photo_without_a_present_one_have_no_share():
    logits, known = values(4, 5).requires_grad_(), [0, 1, 3, 4]
    targets = torch.tensor([[1, 0, -1, 0, 1]] * 3 + [[0, 0, -1, 0, 0]])
    loss = share_loss(logits, targets)
    assert_close(loss, share_loss(logits[:, known], targets[:, known]))
    assert_close(loss, share_loss(logits[:3], targets[:3]) * 3 / 4)
    loss.backward()
    assert not logits.grad[:, 2].any()
    assert not logits.grad[3].any()


@pytest.mark.parametrize(("translation", "farthest"), [("free", 9.0), ("tanh", 1.0)])
def test_free_translations_may_leave_the_photo(translation, farthest):
    system = tiny_system("rnn-attention", translation=translation)
    system.localiser.bias.data[2:] = 9.0
    transforms = system._look(system.backbone(drawn(2)[0])).transforms
    assert transforms[..., 2:].max().item() == pytest.approx(farthest, abs=1e-3)
