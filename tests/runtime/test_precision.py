import torch

from tagsight.nn.class_activation import class_logits, class_maps, pooled


def test_class_activation_is_never_halved():
    classifiers = torch.rand(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        features = torch.rand(2, 3, 5, 5).to(torch.bfloat16)
        embedding = pooled(features, "average")
        logits, maps = class_logits(embedding, classifiers), class_maps(features, classifiers)
        assert torch.is_autocast_enabled("cpu")
    assert {embedding.dtype, logits.dtype, maps.dtype} == {torch.float32}
