"""The whole document against a server at work: whatever it allows is answered as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from served import LIMITS, listening, recognizer

from tagsight.server.app import BRIDGES, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

    from tagsight.search.index import SearchIndex


@pytest.fixture(scope="module")
def document(index: SearchIndex) -> Iterator[Any]:
    service = Service(recognizer(), index, limits=LIMITS, bridges=tuple(BRIDGES))
    with listening(service) as (host, port):
        url = f"http://{host}:{port}/openapi.json"
        yield schemathesis.openapi.from_url(url, wait_for_schema=20)


def test_every_route_keeps_to_the_document(document: Any):
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) == 15
    for operation in operations:

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answered(case: Case) -> None:
            # That bytes are no photo cannot be said in a schema.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        answered()
