import numpy as np
import pytest
import torch
from torch import Tensor

import tagsight.nn.neighbours
from tagsight.nn.neighbours import nearest


def sorted_rows(queries: Tensor, remembered: Tensor, count: int) -> Tensor:
    """All of them, by a stable sort."""
    products = (queries @ remembered.T).float().numpy()
    return torch.from_numpy(np.argsort(-products, axis=1, kind="stable")[:, :count])


def whole_numbers(rows: int, length: int, generator: torch.Generator) -> Tensor:
    """Vectors of which many products are equal, and all exact."""
    return torch.randint(-1, 2, (rows, length), generator=generator).float()


@pytest.fixture(params=[(32, 8), (2**13, 16)], ids=str)
def _blocks(request, monkeypatch):
    block, chunk = request.param
    monkeypatch.setattr(tagsight.nn.neighbours, "BLOCK", block)
    monkeypatch.setattr(tagsight.nn.neighbours, "CHUNK", chunk)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(("total", "count"), [(1, 5), (31, 1), (64, 1), (65, 40), (1000, 40)])
def test_it_is_a_stable_sort_whatever_the_blocks(generator, total, count):
    queries, remembered = whole_numbers(7, 6, generator), whole_numbers(total, 6, generator)
    found = nearest(queries, remembered, count)
    assert torch.equal(found, sorted_rows(queries, remembered, count))


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_ranks_numbers_of_any_size_and_sign(generator, dtype):
    queries = torch.randn(5, 8, generator=generator, dtype=dtype)
    sizes = torch.logspace(-30, 8, 300, dtype=dtype)[:, None]
    remembered = sizes * torch.randn(300, 8, generator=generator, dtype=dtype)
    assert torch.equal(nearest(queries, remembered, 300), sorted_rows(queries, remembered, 300))


def test_nothing_below_zero_is_zero():
    remembered = torch.tensor([[-0.0], [0.0], [-0.0], [1.0]])
    assert nearest(torch.ones(1, 1), remembered, 4).tolist() == [[3, 0, 1, 2]]


@pytest.mark.usefixtures("_blocks")
def test_a_photo_is_left_out_by_its_row_and_not_its_double(generator):
    remembered = torch.nn.functional.normalize(torch.randn(100, 4, generator=generator))
    remembered[70] = remembered[3]
    own = torch.tensor([3, 70, 99])
    found = nearest(remembered[own], remembered, 100, own=own)
    assert found.shape == (3, 99)
    assert not (found == own[:, None]).any()
    assert found[:2, 0].tolist() == [70, 3]
    assert torch.equal(found, nearest(remembered[own], remembered, 99, own=own))


def test_without_rows_there_are_no_neighbours():
    assert nearest(torch.ones(2, 3), torch.empty(0, 3), 5).shape == (2, 0)


def test_half_precision_around_it_changes_nothing(generator):
    queries, remembered = (torch.randn(n, 16, generator=generator) for n in (4, 200))
    with torch.autocast("cpu", torch.bfloat16):
        found = nearest(queries, remembered, 200)
    assert torch.equal(found, sorted_rows(queries, remembered, 200))
