from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations


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
def collection(tmp_path_factory) -> Annotations:
    """Photos for whole runs, which no test may change."""
    from tiny_run import tiny_collection

    return tiny_collection(tmp_path_factory.mktemp("photos"))
