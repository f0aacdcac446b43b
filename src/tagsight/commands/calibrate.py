"""``tagsight calibrate``: refits the decision rule of a model."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.evaluate import Split
from tagsight.commands.options import Hardware, LabelsPath
from tagsight.commands.output import print_info, print_result
from tagsight.commands.reading import CheckedReading


def calibrate(
    model: Path,
    data: LabelsPath,
    /,
    *,
    objective: str = "f1",
    split: Split = "val",
    reading: CheckedReading = CheckedReading(),
    hardware: Hardware = Hardware(),
) -> None:
    """Refit the thresholds and the temperature and store them in the model folder.

    ```console
    tagsight calibrate runs/first/model labels.csv --objective 'precision>=0.9'
    ```

    The temperature fits scores to how often they are right, and a label is predicted if its score
    reaches its threshold. The weights stay as they are.

    Args:
        model: Model folder.
        data: Labels: a file or folder in a known format; matched to the model's labels by name.
        objective: f1, or precision>=p with p in (0, 1].
        split: Photos to fit on; never those that results are reported on.
    """
    print_info(f"loading {model}")

    from tagsight.checkpoint.config import CONFIG, model_folder, read_config
    from tagsight.checkpoint.decision import Decision
    from tagsight.workflows import calibrate as fit

    config = read_config(model_folder(model) / CONFIG)
    before, names = Decision.from_dict(config.decision, config.labels), config.labels
    after = fit(
        model,
        reading.read(data, every_label=True),
        objective=objective,
        split=split,
        max_bad=reading.max_bad,
        runtime=hardware.runtime(),
    )
    width = max(map(len, names))
    print_result(
        [
            f"temperature {before.temperature:.3f} -> {after.temperature:.3f}",
            *(
                f"{name:{width}}  {old:.3f} -> {new:.3f}"
                for name, old, new in zip(
                    names, before.thresholds.tolist(), after.thresholds.tolist(), strict=True
                )
            ),
        ]
    )
