import torch
from torch.testing import assert_close

from tagsight.checkpoint.released.ml_gcn import normalised_graph
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import label_adjacency


def test_the_graph_of_a_checkpoint_is_the_released_variant_of_the_counts_it_was_made_of(generator):
    """Theirs: rows of ``adj / nums`` at a threshold, 0.25 over the sums of columns, and 1."""
    photos = (torch.rand(200, 6, generator=generator) < 0.5).double()
    photos[:, 1] = photos[:, 0]  # labels that go together
    photos[:100, 2] = 0
    counts = photos.T @ photos
    nums = counts.diagonal()
    edges = ((counts.clone().fill_diagonal_(0) / nums[:, None]) >= 0.4).double()
    assert 0 < edges.sum() < edges.numel()
    stored = 0.25 * edges / (edges.sum(0, keepdim=True) + 1e-6) + torch.eye(6).double()
    ours = label_adjacency(counts.long(), GraphConfig(variant="released", epsilon=0.4, delta=0.2))
    assert_close(normalised_graph(stored).float(), ours, rtol=1e-5, atol=1e-6)
