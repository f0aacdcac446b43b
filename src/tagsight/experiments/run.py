"""One run of a comparison: trained once, then measured once."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tagsight.checkpoint.folder import load_model
from tagsight.data.splits.split import write_split
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import report_on
from tagsight.evaluation.evidence_report import find_pairs, measure_evidence
from tagsight.evaluation.measured_rows import SPLIT_FILE
from tagsight.evaluation.predictions import predict
from tagsight.experiments.results import Record, Result, read_result, write_result
from tagsight.loading.batches import evaluation_photos
from tagsight.loading.encoding import Encoder, Rows, kept_features
from tagsight.nn.views import ORIGINAL
from tagsight.runtime.files import write_atomically
from tagsight.runtime.progress import TerminalLog, progress
from tagsight.runtime.version import __version__
from tagsight.training.log import RunLog
from tagsight.training.resume import is_unfinished, origin_changes, origin_of
from tagsight.training.run import Start, train_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.evaluation.evidence_report import Pairs
    from tagsight.evaluation.predictions import Predictions
    from tagsight.loading.encoding import FeatureStore
    from tagsight.runtime.device import Runtime
    from tagsight.training.preparation import Prepared
    from tagsight.training.resume import Origin

TRAINED = "trained.json"
"""File with the outcome of training, in the folder of a run whose training is finished."""

TIMED = 32
"""Photos that the throughput is measured on where the predictions come from cached features."""


class Run(NamedTuple):
    """One recipe with one seed.

    Attributes:
        name: Name of the recipe in the comparison.
        recipe: System and settings, with the seed.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> run = Run("knn-cpu", RECIPES["knn-cpu"])
        >>> run.seed, str(run)
        (0, 'knn-cpu, seed 0')
    """

    name: str
    recipe: Recipe

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.recipe.training.seed

    def __str__(self) -> str:
        return f"{self.name}, seed {self.seed}"


@dataclass(frozen=True)
class Shared:
    """Data, folders and hardware that all runs of a comparison share.

    Args:
        out: Folder of the comparison: ``runs/`` and ``results/``.
        prepared: The photos, checked once, with their splits.
        runtime: Device, precision and caches.
        boxes: Boxes of objects, to measure the evidence.
        start: Word vectors, and seconds between saved states.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from tagsight.runtime.progress import SILENT
        >>> from tagsight.systems.catalogue import RECIPES
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/shared"), runtime, log=SILENT)
        >>> shared.split, shared.folder(Run("knn-cpu", RECIPES["knn-cpu"])).as_posix()
        ('test', 'runs/shared/runs/knn-cpu-0')
    """

    out: Path
    prepared: Prepared
    runtime: Runtime
    boxes: Boxes | None = None
    start: Start = Start()

    @property
    def annotations(self) -> Annotations:
        """All rows, with their splits."""
        return self.prepared.annotations

    @property
    def split(self) -> Literal["val", "test"]:
        """The split to measure: ``test`` if there is one, otherwise ``val``."""
        return "test" if "test" in self.annotations.split_sizes else "val"

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.out / "results"

    def folder(self, run: Run) -> Path:
        """Return the folder of a run."""
        return self.out / "runs" / f"{run.name}-{run.seed}"

    def pairs(self, rows: Annotations) -> Pairs | None:
        """Match the boxes, if any, to the measured rows."""
        return None if self.boxes is None else find_pairs(rows, self.boxes)

    def hashes(self) -> dict[str, str]:
        """Return the hashes of data and splits, as records have them."""
        data = self.prepared.facts["data"]
        assert isinstance(data, dict)
        return {"data_hash": data["hash"], "split_hash": data["split_file_hash"]}


def measured_run(run: Run, shared: Shared) -> Result:
    """Train and measure a run, and write its result; finished parts are not repeated.

    Args:
        run: The run.
        shared: Data, folders and hardware of the comparison.

    Raises:
        KeyboardInterrupt: After Ctrl-C; the saved state stays.
        DataError: If the folder has a run of other settings or data; also as `train_run`.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from tagsight.experiments.comparison import plan
        >>> from tagsight.experiments.variants import chosen_entries
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/measured"), runtime, log=SILENT)
        >>> (run,) = plan(chosen_entries(["knn"]), seeds=1)
        >>> measured_run(run, shared).record.split
        'test'
    """
    folder = shared.folder(run)
    trained = _trained(run, shared)
    started = time.perf_counter()
    model = load_model(folder / "model", shared.runtime.device)
    rows = shared.annotations.rows(shared.split)
    predictions = predicted(model, rows, shared)
    report = report_on(model, rows, predictions)
    if (pairs := shared.pairs(rows)) is not None:
        with progress("measuring evidence", len(rows)) as advance:
            report["evidence"] = measure_evidence(
                model, rows, shared.runtime, pairs=pairs, progress=advance
            )
    record = Record.model_validate(
        {
            "tagsight": __version__,
            "name": run.name,
            "seed": run.seed,
            "recipe": run.recipe.model_dump(mode="json"),
            **shared.hashes(),
            "split": shared.split,
            "image_size": report["image_size"],
            "weights": report["weights"],
            "runtime": str(shared.runtime),
            "minutes": round(trained["minutes"], 4),
            "measuring_minutes": round((time.perf_counter() - started) / 60, 4),
            "parameters": sum(p.numel() for p in model.system.parameters()),
            "epoch": trained["epoch"],
            "validation": trained["validation"],
            "report": report,
        }
    )
    file = write_result(shared.results, Result(record, predictions.logits, rows.targets))
    return read_result(file)


def predicted(model: LoadedModel, rows: Annotations, shared: Shared) -> Predictions:
    """Predict rows, from the cached features of frozen stages if there are any.

    All runs with the same frozen stages share these. The throughput is that of photos in any case:
    with cached features, `TIMED` photos are decoded and encoded to measure it.

    Args:
        model: On the runtime's device.
        rows: Rows whose photos were checked.
        shared: Data, folders and hardware of the comparison.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/predicted"), runtime, log=SILENT)
        >>> model = load_model(Path("runs/first/model"))
        >>> found = predicted(model, shared.annotations.rows("test"), shared)
        >>> found.logits.shape
        torch.Size([4, 2])
    """
    system, training, runtime = model.system, model.recipe.training, shared.runtime
    log = TerminalLog()
    with _features(model, rows, shared, log) as kept:
        photos = evaluation_photos(
            rows.paths if kept is None else rows.paths[:TIMED], training, runtime
        )
        with log.work("recognising", len(photos)) as advance:
            found = predict(system, photos, runtime, progress=advance)
        if kept is None:
            return found
        return found._replace(logits=predict(system, kept, runtime).logits)


@contextmanager
def _features(
    model: LoadedModel, rows: Annotations, shared: Shared, log: TerminalLog
) -> Iterator[FeatureStore | None]:
    training, runtime = model.recipe.training, shared.runtime
    if not (len(model.system.backbone.frozen) and runtime.cache and shared.prepared.hashes):
        yield None
        return
    encoder = Encoder(model.system, training.image_size, runtime, training.resize)
    splits = [Rows(rows.paths, [ORIGINAL])]
    with kept_features(encoder, splits, shared.prepared.hashes, log) as stores:
        yield stores[0] if stores else None


def _trained(run: Run, shared: Shared) -> dict[str, Any]:
    """Train or resume training, unless it is finished; return its outcome."""
    folder, prepared = shared.folder(run), shared.prepared
    origin = origin_of(
        run.recipe,
        shared.annotations,
        hashes=prepared.hashes,
        vectors=shared.start.vectors,
        unjudged=prepared.unjudged if run.recipe.training.unjudged == "consistency" else (),
    )
    if not is_unfinished(folder) and (known := _finished(folder, origin)) is not None:
        return known
    steps = run.recipe.training.steps(shared.annotations.split_sizes.get("train", 0))
    with RunLog(folder / "run.jsonl", steps) as log:
        outcome = train_run(
            shared.annotations,
            run.recipe,
            folder,
            shared.runtime,
            log=log,
            start=replace(shared.start, resume=True),
            hashes=prepared.hashes,
            facts=prepared.facts,
            unjudged=prepared.unjudged,
            begin=lambda: write_split(folder / SPLIT_FILE, shared.annotations),
        )
    if outcome.interrupted:
        raise KeyboardInterrupt
    trained = {
        "minutes": outcome.minutes,
        "epoch": outcome.epoch + 1,
        "validation": dict(outcome.validation),
        "origin": origin,
    }
    write_atomically(folder / TRAINED, json.dumps(trained, indent=2) + "\n")
    return trained


def _finished(folder: Path, origin: Origin) -> dict[str, Any] | None:
    """Return the outcome of a training that is finished, if there is one.

    Raises:
        DataError: If it is one of other settings or data, or not of a comparison.
    """
    known = folder / TRAINED
    if known.is_file():
        trained: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        if changed := origin_changes(trained["origin"], origin):
            msg = (
                f"expected a run of the same settings and data in {folder}, but "
                f"{'; '.join(changed)}; delete the folder, or choose another `out`"
            )
            raise DataError(msg)
        return trained
    if (folder / "model").exists():
        msg = (
            f"expected a run of this comparison in {folder}, got a model of another; delete the "
            "folder, or choose another `out`"
        )
        raise DataError(msg)
    return None
