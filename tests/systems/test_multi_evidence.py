import pytest
import torch
from tiny import drawn, exact_photos, label_space, tiny_system
from torch.testing import assert_close

from tagsight.nn.box_evidence import hot_cells

LABELS = len(label_space())


def exact(**settings):
    return tiny_system("multi-evidence", **settings).double()


def test_logits_are_the_mean_of_three_streams_in_loops_and_above_every_cell():
    system = exact().eval()
    images, _ = exact_photos(6)
    grid = system.backbone(images)
    height, width = grid.shape[-2:]
    logits, maps, _ = system(images)
    assert (maps.amax((-2, -1)) <= logits + 1e-9).all()
    for photo in range(2):
        cells = grid[photo].flatten(1).T
        own = cells @ system.cell_classifier.weight.T + system.cell_classifier.bias
        whole = cells.amax(0) @ system.classifier.weight.T + system.classifier.bias
        named, chosen = [], []
        for left, top, right, bottom in system.boxes.tolist():
            rows = range(round(top * height), round(bottom * height))
            inside = [i * width + j for i in rows for j in range(width)]
            inside = [n for n in inside if left * width <= n % width < right * width]
            described = system.description(cells[inside].mean(0)).relu()
            named.append(system.naming(described))
            chosen.append(system.choosing(described))
        names = torch.stack(named).exp()
        names = names / (1 + names.sum(1, keepdim=True))
        boxes = (names * torch.stack(chosen).softmax(0)).sum(0)
        expected = (whole.sigmoid() + boxes + own.amax(0).sigmoid()) / 3
        assert_close(logits[photo].sigmoid(), expected)


def test_evidence_is_of_present_labels_only():
    system, (images, targets) = exact(agreement=0.2), exact_photos(8)
    targets[:, 1] = -1
    streams = system._streams(images)
    kept = system._evidence(streams, hot_cells(streams.heat), targets)
    assert kept.shape == (8, LABELS, 100)
    assert not kept[targets != 1].any()
    assert kept.any()


def test_evidence_is_found_and_trained_on_from_its_time_on():
    system, (images, targets) = exact(evidence_from=0.5), exact_photos(4)
    early, late = (system.losses(images, targets, progress) for progress in (0.49, 0.5))
    assert [list(early), list(late)] == [["labels"], ["labels", "boxes", "cells"]]
    streams = [system.label_loss(x, targets) for x in system._streams(images).logits()]
    assert_close(late["labels"], torch.stack(streams).mean())
    assert_close(early["labels"], torch.stack(streams[:2]).mean())
    early["labels"].backward()
    untaught = [name for name, p in system.named_parameters() if p.grad is None]
    assert untaught == ["cell_classifier.weight", "cell_classifier.bias"]


@pytest.mark.parametrize(
    ("term", "moved"), [("boxes", "naming.weight"), ("cells", "cell_classifier.weight")]
)
def test_the_box_loss_moves_the_boxes_and_the_cell_loss_the_cells(term, moved):
    system = tiny_system("multi-evidence", agreement=0.2)
    system.losses(*drawn(6))[term].backward()
    assert system.get_parameter(moved).grad.any()
    assert system.get_parameter("classifier.weight").grad is None
