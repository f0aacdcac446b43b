"""Models that are exported several times are traced once, as that takes seconds."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagsight.checkpoint.folder import LoadedModel
from tagsight.inference.exporting import written_onnx
from tagsight.inference.networks.trained import describe


@contextmanager
def traced_once(folder: Path) -> Iterator[None]:
    """Keep the graph of each model in a folder during the block, and use it again."""
    kept: dict[str, Path] = {}

    @contextmanager
    def once(model: LoadedModel, *, squares: bool = False) -> Iterator[Path]:
        what = f"{squares}{describe(model).model_dump_json()}"
        if what not in kept:
            with written_onnx(model, squares=squares) as graph:
                kept[what] = Path(shutil.copy(graph, folder / f"{len(kept)}.onnx"))
        yield kept[what]

    with pytest.MonkeyPatch.context() as patch:
        for module in ("exporting", "fastest", "quantization"):
            patch.setattr(f"tagsight.inference.{module}.written_onnx", once)
        yield
