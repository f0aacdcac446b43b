"""A model written as one file that runs without torch, and compared with it."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.data.photos.finding import find_photos
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.inference.exporting import export_model
from tagsight.inference.known_photos import KNOWN, known_photos
from tagsight.inference.networks.exported import ENDINGS
from tagsight.inference.opening import measured_photos, opened_model
from tagsight.inference.quantization import Quantized, export_quantized
from tagsight.runtime.device import Runtime
from tagsight.runtime.progress import TerminalLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.readers import Labels
    from tagsight.inference.agreement import Agreement
    from tagsight.inference.opening import ModelLike


def export(  # noqa: PLR0913 - an option of the command each
    model: ModelLike,
    out: str | Path,
    photos: Iterable[str | Path] | None = None,
    *,
    int8: bool = False,
    labels: Labels | None = None,
    images: str | Path | None = None,
    max_map_drop: float = 0.5,
    max_bad: float | None = None,
    on_problem: Callable[[Path, str], object] | None = None,
    progress: bool = True,
) -> Agreement | Quantized:
    """Write a model as a file that takes decoded photos of any size, and runs without torch.

    Before it is delivered the file is run, and compared with the model, alone and in batches as
    photos are tagged.

    Args:
        model: A model folder, a `Run`, or a model that was opened from a folder.
        out: The file; its name ends in ``.onnx``, or in ``.xml`` for OpenVINO.
        photos: Photos to compare on: files, folders and tars, of which the first 100 are taken; by
            default the validation photos of the model's run, or 8 random pictures where these are
            gone.
        int8: Whether convolutions compute in 8 bits: smaller, faster, less exact.
        labels: With ``int8``, the labels that the model was trained on: ranges are learned from
            the training photos, the loss of mAP is measured on the validation photos.
        images: Folder of these photos, where it is not the usual one of the format.
        max_map_drop: Most points of mAP that 8 bits may cost.
        max_bad: Largest fraction of unusable photos; by default 0.01, or 5 photos if that is more.
        on_problem: Called with a photo of ``photos`` that cannot be read, and why.
        progress: Whether progress and remarks are shown.

    Returns:
        How far file and model agree, and with ``int8`` the mAP before and after.

    Raises:
        DataError: If the system cannot be exported, an extra is not installed, or the file does
            not do what the model does; then nothing is written.

    Example:
        >>> import tagsight as ts
        >>> ts.export("runs/first/model", "model.pt", ["photos"])
        Traceback (most recent call last):
        tagsight.errors.DataError: expected a file that ends in .onnx or .xml, got model.pt
    """
    file, log = Path(out), TerminalLog(shown=progress)
    if file.suffix.lower() not in ENDINGS.values():
        msg = f"expected a file that ends in {' or '.join(ENDINGS.values())}, got {file}"
        raise DataError(msg)
    if int8 and labels is None:
        msg = "expected `labels`, those that the model was trained on, with `int8=True`, got none"
        raise DataError(msg)
    if labels is not None and not int8:
        msg = "expected `int8=True` with `labels`, which nothing else needs, got none"
        raise DataError(msg)
    runtime = Runtime.choose("cpu", "float32")
    loaded = opened_model(model, runtime)
    with _compared(photos, loaded, on_problem, log) as compared:
        log.note(f"exporting {loaded.recipe.system} at {loaded.recipe.training.image_size} pixels")
        if labels is None:
            return export_model(loaded, file, compared, on_problem=on_problem, log=log)
        labelled = read_annotations(labels, images=images)
        learn, judge = (
            measured_photos(loaded, labelled, split, runtime, max_bad=max_bad, log=log)
            for split in ("train", "val")
        )
        return export_quantized(
            loaded,
            file,
            compared,
            calibration=learn.paths,
            validation=judge,
            max_map_drop=max_map_drop,
            on_problem=on_problem,
            log=log,
        )


@contextmanager
def _compared(
    photos: Iterable[str | Path] | None,
    model: LoadedModel,
    on_problem: Callable[[Path, str], object] | None,
    log: TerminalLog,
) -> Iterator[list[Path]]:
    """Find the photos to compare on; without any given, those that the model knows.

    Raises:
        DataError: If there is no photo.
    """
    if photos is None:
        with known_photos(model, log) as known:
            yield known
        return
    paths = [Path(photo) for photo in ([photos] if isinstance(photos, str | Path) else photos)]
    found = list(islice(find_photos(paths, on_problem=on_problem or _nothing), KNOWN))
    if not found:
        msg = "expected photos to compare the file with the model on, got none"
        raise DataError(msg)
    yield found


def _nothing(*_: object) -> None:
    return None
