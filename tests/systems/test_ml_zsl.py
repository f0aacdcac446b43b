import torch
from tiny import exact_photos, tiny_system
from torch.testing import assert_close


def test_logits_are_a_transcription_of_the_steps():
    """h_0 = tanh(F_I(x, w)), T gated updates, p = F_O(h_T, h_0)."""
    system = tiny_system("ml-zsl").double().eval()
    recognition = system(exact_photos(2)[0])
    words, matrix = system.knowledge()
    deviations, means = torch.std_mean(recognition.embedding, 1, correction=0, keepdim=True)
    normalised = (recognition.embedding - means) / (deviations**2 + 1e-5).sqrt()
    for photo, embedding in enumerate(normalised):
        hidden = (system.of_photo.weight @ embedding + words).relu()
        first = (hidden @ system.to_state.weight.T + system.to_state.bias).tanh()
        states = first[None]
        for _ in range(system.config.steps):
            states = system.update(states, matrix)
        expected = system.output(torch.cat([states[0], first], 1))[:, 0]
        assert_close(recognition.logits[photo], expected)


def test_the_loss_weighs_the_steps_the_later_the_more():
    system = tiny_system("ml-zsl").double()
    images, targets = exact_photos(4)
    every, steps = list(system._steps(system(images).embedding)), system.config.steps
    assert len(every) == steps
    expected = sum(system.label_loss(x, targets) / (steps - step) for step, x in enumerate(every))
    assert_close(system.losses(images, targets)["labels"], expected)
