import pytest
import torch
from tiny import exact_photos, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.nn.config import DecoderConfig
from tagsight.nn.label_attention import AttentionLayer, position_code
from tagsight.systems.query2label import started


class Positioned(nn.Module):
    """A decoder layer of torch's modules: positions are added for attention, labels do not mix."""

    def __init__(self, layer, position, place):
        super().__init__()
        ours, width = layer.attention, len(layer.first_norm.weight)
        self.position, self.place = position, place
        # Torch's decoder asks for the name.
        self.self_attn = nn.MultiheadAttention(width, ours.heads, batch_first=True).double()
        parts = (ours.queries, ours.keys, ours.values)
        zeros = torch.zeros(width).double()
        with torch.no_grad():
            self.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            biases = [zeros if part.bias is None else part.bias for part in parts]
            self.self_attn.in_proj_bias.copy_(torch.cat(biases))
        self.self_attn.out_proj.load_state_dict(ours.out.state_dict())
        self.linear = nn.Sequential(layer.first, nn.ReLU(), layer.second)
        self.norms = nn.ModuleList([layer.first_norm, layer.second_norm])

    def forward(self, tgt, memory, **_masks):
        seen, _ = self.self_attn(tgt + self.position, memory + self.place, memory)
        tgt = self.norms[0](tgt + seen)
        return self.norms[1](tgt + self.linear(tgt))


def moved(system):
    """The system once training has moved its norms away from 1 and 0."""
    generator = torch.Generator().manual_seed(1)
    for module in system.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.data.uniform_(0.2, 2, generator=generator)
            module.bias.data.normal_(generator=generator)
    return system


def test_logits_are_those_of_torchs_decoder_with_a_norm_behind_its_last_layer():
    """Cells look at one another; labels, zero at first, look at them twice; a classifier each."""
    system = moved(tiny_system("query2label").double().eval())
    images, targets = exact_photos(2)
    cells = system.projection(system.backbone(images).flatten(2).mT)
    place = position_code((4, 4), 32, cells)
    (encoder,) = system.encoder
    memory = Positioned(encoder, place, place)(cells, cells)
    decoder = nn.TransformerDecoder(nn.Identity(), 0, norm=system.norm)
    decoder.layers.extend(Positioned(layer, system.queries, place) for layer in system.layers)
    states = decoder(torch.zeros(2, 5, 32).double(), memory)
    expected = torch.einsum("bld,ld->bl", states, system.head.weight) + system.head.bias
    assert_close(system(images).logits, expected)
    assert_close(system.losses(images, targets)["labels"], system.label_loss(expected, targets))


def test_features_of_the_decoders_width_are_taken_as_they_are():
    for width, kind in ((24, nn.Identity), (16, nn.Linear)):
        decoder = {"width": width, "heads": 4, "hidden": 24}
        assert type(tiny_system("query2label", decoder=decoder).projection) is kind


def test_maps_average_to_logits_through_any_number_of_layers():
    system = tiny_system("query2label", encoder_layers=2, decoder_layers=3)
    answer = moved(system.double().eval())(exact_photos(3)[0])
    assert_close(answer.maps.mean((-2, -1)), answer.logits)
    assert answer.maps.flatten(2).std(-1).min() > 0


def test_first_weights_are_spread_as_torchs_attention_and_xavier_spread_them():
    """As the released code makes them: Xavier's bounds, those of attention for its one matrix."""
    torch.manual_seed(0)
    width, hidden = 64, 96
    layer = started(AttentionLayer(DecoderConfig(width=width, heads=4, hidden=hidden)))
    theirs = nn.MultiheadAttention(width, 4)
    nn.init.xavier_uniform_(theirs.out_proj.weight)
    feed = [nn.init.xavier_uniform_(torch.empty(hidden, width)) for _ in range(2)]
    packed, ours = theirs.in_proj_weight, layer.attention
    pairs = [(part.weight, packed) for part in (ours.queries, ours.keys, ours.values)]
    pairs += [(ours.out.weight, theirs.out_proj.weight)]
    pairs += [(layer.first.weight, feed[0]), (layer.second.weight, feed[1])]
    for mine, expected in pairs:
        assert mine.abs().max().item() == pytest.approx(expected.abs().max().item(), rel=0.01)
        assert mine.std().item() == pytest.approx(expected.std().item(), rel=0.05)
    assert not any(part.bias.any() for part in (ours.queries, ours.values, ours.out))
