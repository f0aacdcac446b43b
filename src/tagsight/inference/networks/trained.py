"""A model folder, run by torch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import torch

from tagsight.checkpoint.card import model_card
from tagsight.checkpoint.new_labels import add_labels
from tagsight.inference.model_info import MOST_LINKS, LabelLink, ModelInfo
from tagsight.inference.networks.base import Outputs
from tagsight.loading.transforms import on_device
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import edge_probability
from tagsight.runtime.precision import widened
from tagsight.runtime.version import __version__
from tagsight.systems.gradcam import grad_cam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.networks.base import Item, Outcome, Prepared
    from tagsight.runtime.device import Runtime


class TrainedNetwork:
    """Network of a model folder.

    Args:
        model: The model, on the device of the runtime.
        runtime: Device, precision, and threads that decode photos.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model = load_model(Path("runs/first/model"))
        >>> network = TrainedNetwork(model, Runtime.choose("cpu", "float32"))
        >>> network(np.zeros((1, 64, 64, 3), np.uint8)).logits.shape
        (1, 2)
    """

    runs_on: ClassVar[str] = "torch"

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        self.model = model
        self.runtime = runtime

    @cached_property
    def info(self) -> ModelInfo:
        """Description of the model."""
        return describe(self.model)

    @property
    def place(self) -> Path | None:
        """The model folder."""
        return self.model.folder

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Recognise photos."""
        with self.runtime.autocast():
            recognition = self.model.system(self._images(pixels))
        return Outputs(*(tensor.float().cpu().numpy() for tensor in recognition))

    @torch.inference_mode()
    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute feature grids of photos: ``(B, D, h, w)`` float32."""
        with self.runtime.autocast():
            features = widened(self.model.system.backbone(self._images(pixels)))
        found: NDArray[np.float32] = features.float().cpu().numpy()
        return found

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float32]:
        """Compute Grad-CAM maps of photos: ``(B, len(labels), h, w)`` float32."""
        with self.runtime.autocast():
            maps = grad_cam(self.model.system, self._images(pixels), labels)
        found: NDArray[np.float32] = maps.float().cpu().numpy()
        return found

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Self:
        """Return a network that recognises further labels through their word vectors.

        Raises:
            DataError: As in `tagsight.checkpoint.new_labels.add_labels`.
        """
        return type(self)(add_labels(self.model, names, vectors=vectors), self.runtime)

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Iterator[Outcome]:
        """Process batches as `tagsight.runtime.device.Runtime.pipeline` does."""
        return self.runtime.pipeline(prepare, forward, batches)

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """Return the number of threads to call this network from, and how to initialise each."""
        return self.runtime.lanes()

    def _images(self, pixels: NDArray[np.uint8]) -> Tensor:
        return on_device(torch.from_numpy(pixels).permute(0, 3, 1, 2), self.runtime)


def describe(model: LoadedModel) -> ModelInfo:
    """Describe a model.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> describe(load_model(Path("runs/first/model"))).labels
        ('dog', 'sky')
    """
    system, recipe = model.system, model.recipe
    return ModelInfo(
        tagsight=__version__,
        model=model.digest,
        system=recipe.system,
        recipe=recipe.name,
        labels=model.labels.names,
        decision=model.decision.as_dict(model.labels.names),
        image_size=recipe.training.image_size,
        resize=recipe.training.resize,
        embedding_size=system.backbone.channels,
        pooling=system.config.pooling,
        maps_add_up=system.maps_add_up,
        probabilities=system.probabilities,
        links=_links(model),
        facts=dict(model.facts),
        card=model_card(system, model.labels, model.decision, recipe, model.facts),
    )


def _links(model: LoadedModel) -> tuple[LabelLink, ...]:
    """Return the strongest edges of the label graph, sorted by weight."""
    graph = getattr(model.system.config, "graph", None)
    if not isinstance(graph, GraphConfig) or graph.variant in {"identity", "none"}:
        return ()
    edges = edge_probability(model.labels.cooccurrence, graph).cpu().to_sparse().coalesce()
    strongest = edges.values().topk(min(MOST_LINKS, len(edges.values())))
    places = edges.indices()[:, strongest.indices].T.tolist()
    return tuple(
        LabelLink(source=source, target=target, weight=weight)
        for (target, source), weight in zip(places, strongest.values.tolist(), strict=True)
        if weight > 0
    )
