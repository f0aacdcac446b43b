"""``tagsight convert``: makes a model folder of a checkpoint that the authors released."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import ExistingFile

from tagsight.commands.output import print_info, print_result
from tagsight.commands.recipe_options import RECIPE, SettingsOption
from tagsight.runtime.amounts import amount


def convert(
    checkpoint: ExistingFile,
    /,
    *,
    origin: Annotated[
        Literal["ml-gcn", "csra", "query2label", "ml-decoder"], Parameter(name="--from")
    ],
    labels: str | None = None,
    out: Path,
    vectors: Path | None = None,
    system: Annotated[SettingsOption, Parameter(group=RECIPE)] = None,
    training: Annotated[SettingsOption, Parameter(group=RECIPE)] = None,
) -> None:
    """Make a model folder of a checkpoint that the authors of a system released.

    ```console
    tagsight convert coco.pth --from csra --labels coco --out models/csra
    ```

    The checkpoint is never unpickled, and all of its tensors are used or it is refused. The
    thresholds are 0.5 until 'tagsight calibrate' fits them.

    Args:
        checkpoint: A file of PyTorch, or .safetensors.
        origin: The system whose authors released it.
        labels: coco or voc, whose order the authors' code tells; or the names in the order of the
            authors, as a file with one per line or with commas between. Not needed if the
            checkpoint lists them, as those of ML-Decoder do.
        out: Model folder to write.
        vectors: For ml-gcn: the word vectors it was trained with, such as the authors'
            coco_glove_word2vec.pkl, whose numbers are read without unpickling.
        system: A setting that the checkpoint does not state, as in --system.attention 0.5.
        training: The same of the training, as in --training.image_size 576.
    """
    print_info(f"reading {checkpoint}")

    from tagsight.checkpoint.released.convert import convert as write_model

    settings = {"system": system or {}, "training": training or {}}
    model = write_model(
        checkpoint, origin, labels=labels, out=out, vectors=vectors, settings=settings
    )
    recipe, names = model.recipe, model.labels.names
    side = recipe.training.image_size
    print_result(
        [
            f"{recipe.system} with {recipe.settings.backbone.name}, photos of {side} x {side} "
            f"pixels, {amount(len(names), 'label')}: {names[0]}, ... {names[-1]}",
            str(out),
        ]
    )
