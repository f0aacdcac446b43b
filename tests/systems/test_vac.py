import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close


def test_the_bias_has_no_part_in_the_consistency():
    system = tiny_system("vac")
    images, targets = drawn(4)
    before = system.losses(images, targets)["consistency"]
    with torch.no_grad():
        system.classifier.bias += 100
    assert_close(system.losses(images, targets)["consistency"], before)
