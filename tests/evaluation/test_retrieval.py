import pytest
import torch

from tagsight.errors import DataError
from tagsight.evaluation.retrieval import retrieval_quality


def by_loops(embeddings, targets, k: int) -> tuple[float, float]:
    """Precision and mAP of the first k, in percent."""
    precisions, means = [], []
    for query in range(len(embeddings)):
        others = [row for row in range(len(embeddings)) if row != query]
        cosine = torch.cosine_similarity(embeddings[query], embeddings[others])
        ranked = [others[place] for place in cosine.argsort(descending=True)]
        shares = [bool(((targets[query] == 1) & (targets[row] == 1)).any()) for row in ranked]
        if any(shares):
            hits = [sum(shares[: i + 1]) / (i + 1) for i in range(k) if shares[i]]
            precisions.append(sum(shares[:k]) / k)
            means.append(sum(hits) / min(k, sum(shares)))
    return 100 * sum(precisions) / len(precisions), 100 * sum(means) / len(means)


@pytest.mark.parametrize("k", [1, 5])
def test_a_split_is_measured_as_by_loops(k):
    generator = torch.Generator().manual_seed(k)
    embeddings = torch.randn(60, 8, generator=generator)
    targets = torch.randint(-1, 2, (60, 4), generator=generator)
    targets[:5] = 0
    report = retrieval_quality(embeddings, targets, k)
    expected = by_loops(embeddings, targets, k)
    assert (report["precision"], report["mAP"]) == pytest.approx(expected, abs=1e-3)
    assert report["queries"] <= 55


def test_embeddings_that_say_nothing_find_what_chance_finds():
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(800, 6, generator=generator) < 0.2).long()
    report = retrieval_quality(torch.randn(800, 16, generator=generator), targets, 10)
    assert report["precision"] == pytest.approx(report["chance"], abs=2)


def test_more_photos_are_needed_than_are_asked_for():
    with pytest.raises(DataError, match="expected more than 5 photos to search among, got 5"):
        retrieval_quality(torch.randn(5, 3), torch.ones(5, 1), 5)
