from __future__ import annotations

import pytest
from served import recognizer
from tiny import label_space
from tiny_graph import gcam_recognizer

from tagsight.nn.graph import edge_probability
from tagsight.server.model_facts import model_facts


def test_thresholds_are_those_of_every_strictness():
    facts = model_facts(recognizer(), None)
    (red, *_) = facts.labels
    assert red.threshold == red.thresholds["balanced"] == 0.5
    assert red.thresholds["more"] == pytest.approx(0.25)
    assert red.thresholds["sure"] == pytest.approx(0.75)
    assert facts.indexed is None
    assert facts.links == []
    assert facts.card.startswith("# channels")


def test_links_are_the_edges_that_classifiers_were_made_by():
    model, labels = gcam_recognizer(), label_space()
    facts = model_facts(model, 7)
    graph = model.network.model.system.config.graph
    expected = edge_probability(labels.cooccurrence, graph)
    assert len(facts.links) == int((expected > 0).sum()) > 0
    weights = [link.weight for link in facts.links]
    assert weights == sorted(weights, reverse=True)
    for link in facts.links:
        target, source = labels.names.index(link.target), labels.names.index(link.source)
        assert link.weight == pytest.approx(expected[target, source].item())
    assert facts.indexed == 7
