"""Votes of the most similar training photos; nothing is trained.

Gong, Jia, Leung, Toshev and Ioffe. Deep Convolutional Ranking for Multilabel Image Annotation.
ICLR 2014. https://arxiv.org/abs/1312.4894 (its baseline, "visual feature + kNN"; the tables cite
Chua et al., NUS-WIDE, CIVR 2009). With ``weighting = "ml-knn"``: Zhang and Zhou. ML-KNN: A Lazy
Learning Approach to Multi-label Learning. Pattern Recognition 40(7), 2007.
https://doi.org/10.1016/j.patcog.2006.12.019

Maps: the mean similarity of a cell to the neighbours with the label minus that to the neighbours
without it, divided by sigma: the log-odds that these means alone would give. Similarity is the
inner product divided by the lengths of the pooled features, or minus half the squared distance. If
no neighbour has the label, or all have it, all stored photos replace them. The mean of a map is not
the logit, which counts votes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.errors import DataError
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.nn.class_activation import pooled
from tagsight.nn.neighbours import nearest
from tagsight.runtime.amounts import amount
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition
from tagsight.systems.recipes import PAPER_USE, RESNET101, UNTRIED
from tagsight.systems.remembering import RememberingSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images

Count = Annotated[int, Field(ge=1, le=1000)]


class KNNConfig(SystemConfig):
    """Settings of nearest neighbours; nothing is trained, so settings of losses have no effect."""

    k: Count | None = None
    """Number of voting neighbours; None takes the best of ``candidates`` on validation photos."""

    candidates: tuple[Count, ...] = Field((10, 20, 50, 100, 200), min_length=1)
    """Candidates for ``k``; those not below the number of training photos are skipped."""

    weighting: Literal["uniform", "distance", "ml-knn"] = "distance"
    """One vote each, votes of ``exp(-d / sigma)``, or ML-KNN's estimate from the vote count."""

    metric: Literal["cosine", "euclidean"] = "cosine"
    """Distance ``d`` of pooled features: 1 minus the cosine, or the Euclidean distance."""

    sigma: float = Field(0.1, gt=0)
    """Distance at which a vote falls to 37 %, in the metric's unit; also the unit of the maps."""


ONCE = TrainConfig(image_size=224, epochs=1, batch_size=64)
"""Each photo is encoded once, uncropped; other settings of training have no effect."""

RECIPES = (
    Recipe(
        name="knn-cpu",
        system="knn",
        settings=KNNConfig(),
        training=ONCE,
        source="own trials; k is chosen on the validation photos",
        expectation="docs/results.md",
        use="a first answer in seconds: nothing is trained",
    ),
    Recipe(
        name="knn-paper",
        system="knn",
        settings=KNNConfig(backbone=RESNET101, k=50, weighting="uniform"),
        training=ONCE,
        source=(
            "Gong et al. 2014, visual feature + kNN row [recall]; k = 50, one vote each, deep "
            "features instead of their six hand-made ones, 224 pixels are ours"
        ),
        expectation=(
            "published: NUS-WIDE top-3 CF1 24.3 and OF1 47.6 of hand-made features, of which mAP "
            f"is not known; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


DEFAULT_K = 50
BATCH = 64
"""Queries that are compared with the stored photos at a time."""
FARTHEST = 20.0
"""Bound of the log-odds of the tie-breaking vote, so that its share is never exactly 0 or 1."""
LEANING = 5e-4
"""Weight of the tie-breaker in ML-KNN's log-odds, which it changes by at most 0.01."""


class Neighbours(NamedTuple):
    """The neighbours of ``B`` photos, the nearest first.

    Attributes:
        found: ``(B, K, E)`` float, their stored vectors.
        weights: ``(B, K)`` float, their votes, which sum to ``K``.
        targets: ``(L, B, K)`` int8 in {1, 0, -1}.
    """

    found: Tensor
    weights: Tensor
    targets: Tensor

    def first(self, k: int) -> Neighbours:
        """Keep the ``k`` nearest, with votes that sum to ``k``."""
        weights = self.weights[:, :k]
        scaled = weights * (weights.shape[1] / weights.sum(1, keepdim=True))
        return Neighbours(self.found[:, :k], scaled, self.targets[..., :k])

    def votes(self, target: int) -> Tensor:
        """Sum the votes of neighbours with this target: ``(B, L)`` float.

        Example:
            >>> targets = torch.tensor([[[1, 0, 1]]], dtype=torch.int8)  # of three photos
            >>> near = Neighbours(torch.zeros(1, 3, 8), torch.tensor([[1.5, 1.0, 0.5]]), targets)
            >>> near.votes(1), near.votes(0)
            (tensor([[2.]]), tensor([[1.]]))
        """
        return torch.einsum("lbk,bk->bl", self._are(target), self.weights)

    def shares(self, target: int) -> Tensor:
        """Normalise the votes of neighbours with this target to 1, or 0 if none: ``(L, B, K)``."""
        weights = self._are(target) * self.weights
        return weights / weights.sum(2, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)

    def _are(self, target: int) -> Tensor:
        return (self.targets == target).to(self.weights.dtype)


class KNN(RememberingSystem):
    """The share of a photo's neighbours that have a label, as log-odds.

    With ``v`` votes for a label and ``a`` against it (``v + a = k`` if all targets are known), the
    logit is ``log((v + q) / (a + 1 - q))``. The one extra vote, split by ``q`` in (0, 1), keeps the
    logit finite and orders photos with equal votes, of which there are many. The log-odds of ``q``
    are those of the label's frequency, plus the difference of the photo's mean similarity to all
    stored photos with and without the label, divided by sigma. A difference of a whole vote always
    outweighs it. Neighbours whose target is unknown do not vote.

    ML-KNN's logit is ``log P(H1) P(C | H1) / P(H0) P(C | H0)`` (its Eqs. 2, 5 and 6 with s = 1),
    where ``C`` is the number of neighbours with the label; the probabilities are counted over the
    training photos. If some targets are unknown, ``C`` is the share among the known ones, rounded
    to k-ths. Until `choose` has counted, the logit is that of the label's frequency.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> system = KNN(KNNConfig(k=1), empty_label_space(["dog", "sky"])).eval()
        >>> images = torch.rand(3, 3, 64, 64)
        >>> system.remember(system.describe(images), torch.tensor([[1, 0], [0, 0], [0, 1]]))
        >>> (system(images).logits > 0).int().tolist()
        [[1, 0], [0, 0], [0, 1]]

    Deviations:
        The published row uses six hand-made features; here it is the pooled features of the
        backbone, which is not trained. It states neither the weights of votes nor k. When training
        photos are counted, a photo is not its own neighbour, but a duplicate of it may be.
    """

    Config: ClassVar[type[SystemConfig]] = KNNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1312.4894"
    published: ClassVar[tuple[Published, ...]] = ()
    portable: ClassVar[bool] = False  # the search sorts bit patterns, which ONNX cannot express
    label_parameters: ClassVar[frozenset[str]] = frozenset({"targets", "means", "agreement"})
    config: KNNConfig
    means: Tensor
    agreement: Tensor | None
    prior: Tensor

    def __init__(self, config: KNNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels, added=int(config.metric == "euclidean"))
        present = labels.counts
        odds = (1 + present) / (1 + labels.photos - present)
        self.register_buffer("prior", odds.log(), persistent=False)
        self.register_buffer("means", torch.zeros(len(labels), 2, self.remembered.shape[1]))
        self.register_buffer("agreement", None)
        if config.weighting == "ml-knn":
            self.agreement = torch.zeros(len(labels), 2, self.k + 1, dtype=torch.long)

    @property
    def k(self) -> int:
        """Number of neighbours that vote, if enough photos are stored."""
        return self.config.k or DEFAULT_K

    def forward(self, images: Images) -> Recognition:
        features = widened(self.backbone(images))
        embedding = pooled(features, self.config.pooling)
        with full_precision(features.device):
            queries = self._queries(embedding)
            neighbours = self._neighbours(queries, self.k)
            return Recognition(
                logits=self._logits(queries, neighbours, self.agreement),
                maps=self._maps(self._cells(features, embedding), neighbours),
                embedding=embedding,
            )

    @torch.no_grad()
    def remember(self, embeddings: Tensor, targets: Tensor) -> None:
        device = self.remembered.device
        self.remembered = self._keys(embeddings.to(self.remembered))
        self.targets = targets.T.to(device, torch.int8).contiguous()
        self.means = self._means()
        if self.agreement is not None:
            self.agreement = torch.zeros_like(self.agreement)

    @torch.no_grad()
    def choose(
        self, embeddings: Tensor, targets: Tensor, progress: Callable[[int], None] | None = None
    ) -> str:
        candidates = self._candidates()
        agreements = {}
        if self.agreement is not None:
            agreements = self._agreements(candidates, progress)
        logits = self._recalled(embeddings, candidates, agreements)
        scores = {
            k: 100 * mean_over_labels(average_precision(logits[k], targets))[0] for k in candidates
        }
        best = max(candidates, key=lambda k: scores[k])
        self.config = self.config.model_copy(update={"k": best})
        self.agreement = agreements.get(best)
        listed = ", ".join(f"{k}: {score:.1f}" for k, score in scores.items())
        remembered = amount(len(self.remembered), "remembered photo")
        return f"k = {best} of {remembered} (mAP by k: {listed})"

    @torch.no_grad()
    def recall(self, embeddings: Tensor) -> Tensor:
        agreements = {} if self.agreement is None else {self.k: self.agreement}
        return self._recalled(embeddings, [self.k], agreements)[self.k]

    def check(self) -> None:
        super().check()
        if self.agreement is not None and bool((self.agreement < 0).any()):
            msg = "expected counts of photos of at least 0, got others; train the model again"
            raise DataError(msg)

    def _candidates(self) -> list[int]:
        if self.config.k is not None:
            return [self.config.k]
        fitting = [k for k in sorted({*self.config.candidates}) if k < len(self.remembered)]
        return fitting or [DEFAULT_K]

    def _keys(self, embeddings: Tensor) -> Tensor:
        """Map embeddings to stored vectors, so that one inner product ranks by either metric.

        The nearest photo by Euclidean distance has the highest ``q x - |x|^2 / 2``: one number
        more per vector turns that into an inner product, and the search into a matrix product.
        """
        if self.config.metric == "cosine":
            return F.normalize(embeddings)
        return torch.cat([embeddings, -embeddings.square().sum(1, keepdim=True) / 2], 1)

    def _queries(self, embeddings: Tensor) -> Tensor:
        """Map embeddings to the vectors whose inner products with `_keys` rank photos."""
        if self.config.metric == "cosine":
            return F.normalize(embeddings)
        return torch.cat([embeddings, torch.ones_like(embeddings[:, :1])], 1)

    def _cells(self, features: Tensor, embeddings: Tensor) -> Tensor:
        """Map cells to vectors whose mean is the query of the photo: ``(B, E, h, w)``."""
        if self.config.metric == "cosine":
            lengths = embeddings.norm(dim=1).clamp(min=1e-12)
            return features / lengths[:, None, None, None]
        return torch.cat([features, torch.ones_like(features[:, :1])], 1)

    @property
    def _unit(self) -> float:
        """Difference of inner products that corresponds to log-odds of 1."""
        return self.config.sigma if self.config.metric == "cosine" else self.config.sigma**2

    def _neighbours(self, queries: Tensor, k: int) -> Neighbours:
        rows = nearest(queries.detach(), self.remembered, k)
        found = self.remembered[rows]
        products = torch.einsum("be,bke->bk", queries, found)
        return Neighbours(found, self._weights(queries, products), self.targets[:, rows])

    def _weights(self, queries: Tensor, products: Tensor) -> Tensor:
        """Compute the neighbours' votes, which sum to ``K``: ``(B, K)``."""
        if self.config.weighting != "distance":
            return torch.ones_like(products)
        nearness = products - 1  # minus the cosine distance
        if self.config.metric == "euclidean":
            # |q - x|^2 = |q|^2 - 2 (q x - |x|^2 / 2), which rounding can make negative.
            squares = queries[:, :-1].square().sum(1, keepdim=True) - 2 * products
            nearness = -squares.clamp(min=1e-12).sqrt()
        # exp(-d / sigma), scaled: a softmax cannot underflow to 0 for every neighbour.
        return products.shape[1] * (nearness / self.config.sigma).softmax(1)

    def _logits(self, queries: Tensor, neighbours: Neighbours, agreement: Tensor | None) -> Tensor:
        # Mean inner products over photos are inner products with mean vectors: no loop over photos.
        contrast = (self.means[:, 1] - self.means[:, 0]) / self._unit
        odds = (self.prior + queries @ contrast.T).clamp(-FARTHEST, FARTHEST)
        present, absent = neighbours.votes(1), neighbours.votes(0)
        if agreement is not None:
            return self._estimates(present, absent, agreement) + LEANING * odds
        return (present + odds.sigmoid()).log() - (absent + (-odds).sigmoid()).log()

    def _estimates(self, present: Tensor, absent: Tensor, agreement: Tensor) -> Tensor:
        """Compute ML-KNN's posterior as log-odds: ``(B, L)``."""
        k = agreement.shape[2] - 1
        ways = agreement.to(present.dtype) + 1  # Laplace smoothing, s = 1
        chances = (ways / ways.sum(2, keepdim=True)).log()
        gains = (chances[:, 1] - chances[:, 0]).gather(1, _in_kths(present, absent, k).T).T
        return self.prior + torch.where(present + absent > 0, gains, 0)

    def _maps(self, cells: Tensor, neighbours: Neighbours) -> Tensor:
        products = torch.einsum("behw,bke->bkhw", cells, neighbours.found)
        present, absent = (
            torch.einsum("lbk,bkhw->blhw", shares, products)
            + torch.einsum("behw,le->blhw", cells, self.means[:, target])
            * (shares.sum(2) == 0).T[..., None, None]
            for target in (1, 0)
            for shares in [neighbours.shares(target)]
        )
        return (present - absent) / self._unit

    def _means(self) -> Tensor:
        """Average the photos without and with each label, or all if none: ``(L, 2, E)``."""
        known = torch.stack([self.targets == 0, self.targets == 1], 1).to(self.remembered.dtype)
        counts = known.sum(2, keepdim=True)
        means = known @ self.remembered / counts.clamp(min=1)
        return torch.where(counts > 0, means, self.remembered.mean(0))

    def _recalled(
        self, embeddings: Tensor, ks: Sequence[int], agreements: dict[int, Tensor]
    ) -> dict[int, Tensor]:
        logits: dict[int, list[Tensor]] = {k: [] for k in ks}
        for batch in embeddings.split(BATCH):
            queries = self._queries(batch.to(self.remembered))
            neighbours = self._neighbours(queries, max(ks))
            for k, parts in logits.items():
                parts.append(self._logits(queries, neighbours.first(k), agreements.get(k)).cpu())
        return {k: torch.cat(parts) for k, parts in logits.items()}

    def _agreements(
        self, ks: Sequence[int], progress: Callable[[int], None] | None = None
    ) -> dict[int, Tensor]:
        """Count the stored photos by how many of their neighbours have a label.

        One search for the largest ``k`` serves all, since the nearest ``k`` are its first ones.
        Each case (label, target of the photo, neighbours with the label) gets a number of its own,
        so that ``bincount`` counts a whole batch at once.

        Returns:
            For each ``k``, ``(L, 2, k + 1)`` int: photos by label, by whether they have it, and by
            the number of their neighbours that do.
        """
        size = len(self.targets)
        label = torch.arange(size, device=self.targets.device)[:, None]
        counts = {k: self.prior.new_zeros(size * 2 * (k + 1), dtype=torch.long) for k in ks}
        for own in torch.arange(len(self.remembered), device=self.targets.device).split(BATCH):
            queries, here = self._own_queries(own), self.targets[:, own]
            theirs = self.targets[:, nearest(queries, self.remembered, max(ks), own=own)]
            for k in ks:
                present, absent = ((theirs[..., :k] == t).sum(2) for t in (1, 0))
                cases = (2 * label + here) * (k + 1) + _in_kths(present, absent, k)
                known = (here >= 0) & (present + absent > 0)
                counts[k] += cases[known].bincount(minlength=len(counts[k]))
            if progress is not None:
                progress(int(own[-1]) + 1)
        return {k: count.view(size, 2, k + 1) for k, count in counts.items()}

    def _own_queries(self, rows: Tensor) -> Tensor:
        keys = self.remembered[rows]
        return keys if self.config.metric == "cosine" else self._queries(keys[:, :-1])


def _in_kths(present: Tensor, absent: Tensor, k: int) -> Tensor:
    """Round the share of present among known neighbours to ``k``-ths: int in [0, k]."""
    present, known = present.long(), (present + absent).long()
    return (2 * k * present + known) // (2 * known).clamp(min=1)
