from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.data.annotations import Annotations


@pytest.fixture(autouse=True, scope="session")
def _few_resamples() -> Iterator[None]:
    """Spare reports most resamples of their rates' intervals, which take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagsight.evaluation.evaluate.RATE_RESAMPLES", 10)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development photos are not beside this checkout")
    return folder


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Annotations:
    """Photos for whole runs, which no test may change."""
    from tiny_run import tiny_collection

    return tiny_collection(tmp_path_factory.mktemp("photos"))
