from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance
from served import LIMITS, listening, recognizer
from tiny import label_space
from tiny_graph import gcam_recognizer

from tagsight.nn.graph import edge_probability
from tagsight.server.bridges import BRIDGES
from tagsight.server.responses import model_facts
from tagsight.server.service import Service

OTHERS = tuple(name for name in BRIDGES if name != "immich")
"""Immich asks the same address as Label Studio, so that no server has both."""


@pytest.fixture(scope="module", params=[(OTHERS, 18), (("immich",), 14)])
def served(request) -> tuple[tuple[str, ...], int]:
    return request.param


@pytest.fixture(scope="module")
def document(index, served) -> Iterator[Any]:
    service = Service(recognizer(), index, limits=LIMITS, bridges=served[0])
    with listening(service) as (host, port):
        url = f"http://{host}:{port}/openapi.json"
        yield schemathesis.openapi.from_url(url, wait_for_schema=20)


@pytest.mark.slow
def test_every_route_responds_as_the_document_says(document, served):
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) == served[1]
    for operation in operations:

        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def responds(case: Case) -> None:
            # A schema cannot express that bytes are not a photo.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        responds()


def test_model_facts_have_the_thresholds_of_every_strictness():
    facts = model_facts(recognizer(), None)
    (red, *_) = facts.labels
    assert red.threshold == red.thresholds["balanced"] == 0.5
    assert red.thresholds["more"] == pytest.approx(0.25)
    assert red.thresholds["sure"] == pytest.approx(0.75)
    assert (facts.indexed, facts.links) == (None, [])
    assert facts.card.startswith("# channels")


def test_links_are_the_edges_from_which_classifiers_are_computed():
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
