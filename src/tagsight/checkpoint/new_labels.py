"""New labels for a trained model, defined by their word vectors only (zero-shot)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tagsight.data.source import clean_name
from tagsight.errors import DataError
from tagsight.labels.vectors import new_label_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.checkpoint.folder import LoadedModel


def add_labels(
    model: LoadedModel, names: Sequence[str], *, vectors: Path | None = None
) -> LoadedModel:
    r"""Return the model with further labels, recognised by their word vectors.

    Results for its own labels do not change. Without photos to fit to, the threshold of a new label
    is the median of the others, and its scores are reliable for ranking only.

    Args:
        model: A model of a system that supports untrained labels (`System.takes_new_labels`).
        names: The ``K`` new labels, appended to the others.
        vectors: The word vectors that the model was trained with; by default those of the extra
            ``glove``.

    Raises:
        FileNotFoundError: If the file ``vectors`` does not exist.
        DataError: If the system does not support new labels, a name is empty, repeated or known
            already, or `new_label_vectors` does not find the vectors.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.checkpoint.decision import Decision
        >>> from tagsight.checkpoint.folder import LoadedModel
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES
        >>> from tagsight.systems.ml_zsl import MLZSL, MLZSLConfig
        >>> backbone = {"name": "test_resnet", "weights": "none", "frozen_stages": 0}
        >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> labels = replace(empty_label_space(["cat", "dog"]), vectors=vectors)
        >>> system = MLZSL(MLZSLConfig(backbone=backbone), labels)
        >>> model = LoadedModel(system, labels, Decision.default(2), RECIPES["ml-zsl-cpu"], {}, "")
        >>> with TemporaryDirectory() as folder:
        ...     words = Path(folder) / "words.txt"
        ...     _ = words.write_text("cat 1 0\ndog 0 1\nsea 1 2\n")
        ...     add_labels(model, ["sea"], vectors=words).labels.names
        ('cat', 'dog', 'sea')
    """
    new = [clean_name(name) for name in names]
    _check_names(new, model.labels.names)
    model.system.check_takes_new_labels()
    found = new_label_vectors(new, model.labels, source=vectors)
    labels = model.labels.extended(new, found)
    return replace(
        model,
        system=model.system.with_labels(labels),
        labels=labels,
        decision=model.decision.extended(len(new)),
    )


def _check_names(new: Sequence[str], known: Sequence[str]) -> None:
    if "" in new:
        msg = f"expected a name for every new label, got an empty one among {list(new)!r}"
        raise DataError(msg)
    for place, name in enumerate(new):
        if name in known or name in new[:place]:
            how = "knows it" if name in known else "gets it twice"
            msg = f"expected labels that are new to the model, got {name!r}: it {how}"
            raise DataError(msg)
