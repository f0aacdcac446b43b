"""``tagsight calibrate``: fit the decision rule of a model again."""

from __future__ import annotations

from pathlib import Path

from cyclopts.types import ExistingPath

from tagsight.commands.options import CheckedReading, Hardware
from tagsight.commands.output import print_info, print_result
from tagsight.commands.rows import Split, measured
from tagsight.runtime.progress import progress


def calibrate(
    model: Path,
    data: ExistingPath,
    /,
    *,
    objective: str = "f1",
    split: Split = "val",
    reading: CheckedReading = CheckedReading(),
    hardware: Hardware = Hardware(),
) -> None:
    """Fit each label's threshold and the temperature again and store them in the model folder.

    Args:
        model: The model folder; its weights stay as they are.
        data: Labels: a file or a folder of a known format; they are matched to the model's by name.
        objective: f1, or precision>=p with p in (0, 1].
        split: The photos to fit to; never those that the result is reported on.
    """
    print_info(f"loading {model}")

    import torch

    from tagsight.checkpoint.folder import load_model, save_model
    from tagsight.checkpoint.thresholds import fit_decision
    from tagsight.evaluation.predictions import predict
    from tagsight.loading.batches import PhotoStore

    # A misspelt objective is refused here, before the network has run over all photos.
    fit_decision(torch.zeros(1, 1), torch.ones(1, 1), names=["any"], objective=objective)
    runtime = hardware.runtime()
    loaded = load_model(model, runtime.device)
    rows = measured(model, loaded, reading.read(data), split, runtime, max_bad=reading.max_bad)
    photos = PhotoStore(
        rows.paths, loaded.recipe.training.image_size, memory=0, max_memory=runtime.max_photo_memory
    )
    with progress("recognising", len(rows)) as advance:
        logits, _ = predict(loaded.system, photos, runtime, progress=advance)
    names = loaded.labels.names
    decision = fit_decision(
        logits,
        rows.targets,
        names=names,
        objective=objective,
        probabilities=loaded.system.probabilities,
    )
    facts: dict[str, object] = {**loaded.facts}
    facts["calibration"] = {"objective": objective, "photos": len(rows)}
    save_model(model, loaded.system, loaded.labels, decision, loaded.recipe, facts)
    width = max(map(len, names))
    before = loaded.decision.thresholds.tolist()
    print_result(
        [
            f"temperature {loaded.decision.temperature:.3f} -> {decision.temperature:.3f}",
            *(
                f"{name:{width}}  {old:.3f} -> {new:.3f}"
                for name, old, new in zip(names, before, decision.thresholds.tolist(), strict=True)
            ),
        ]
    )
