"""The README of a model folder: training, measured quality and limits of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.metrics.measured_labels import FEW, REASONS
from tagsight.runtime.amounts import agreeing, amount
from tagsight.runtime.escaping import markdown_text as text
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tagsight.checkpoint.decision import Decision
    from tagsight.config import Recipe, TrainConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.systems.base import System

_HEADINGS = {
    "data": "Training data",
    "released": "The released checkpoint",
    "validation": "Measured on the validation split, in percent",
}
_NOTES = {
    "best": "The model was selected on this split, so a test split will give less.\n",
    "last": "No epoch was selected on this split; thresholds and temperature were fitted to it.\n",
}
_INPUT = {
    "pretrained": "values normalised as for the backbone's initial weights",
    "imagenet": "values normalised by the mean and standard deviation of ImageNet",
    "none": "values in [0, 1], not normalised",
}
_RESIZED = {
    "warp": "without keeping their aspect ratio",
    "fit": "whole and padded",
    "crop": "of which the model sees the middle of longer sides only",
}
MOST_LISTED = 50
"""Labels of a list in the card; the table names all."""

_ONLY_RANKS = (
    "- Scores are not probabilities: this system only learns to rank, so that 0.5 has no meaning, "
    "'all' in an evaluation uses the thresholds, and there is no calibration error."
)


def model_card(
    system: System,
    labels: LabelSpace,
    decision: Decision,
    recipe: Recipe,
    facts: Mapping[str, object],
) -> str:
    """Write the card of a model, in Markdown.

    Args:
        system: The trained system.
        labels: Its labels, with their counts over the training photos.
        decision: Thresholds and temperature.
        recipe: The recipe it was trained with.
        facts: Plain values by name, or one level of groups of them.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> model = load_model(Path("runs/first/model"))
        >>> parts = (model.system, model.labels, model.decision, model.recipe, model.facts)
        >>> model_card(*parts).splitlines()[0]
        '# resnet-cpu, changed: which of 2 labels are in a photo, and where'
    """
    sections = {
        "What it recognises": _label_table(labels, decision),
        "How it was trained": _training(system, recipe, facts),
        **_groups(recipe, facts),
        "Limits": _limits(system, labels, recipe, facts),
        "How to use it": _use(),
    }
    title = f"# {text(recipe.name)}: {_question(labels)}, and where"
    parts = [f"## {heading}\n\n" + "\n".join(lines) for heading, lines in sections.items()]
    return "\n\n".join([title, f"Written by tagsight {__version__}.", *parts]) + "\n"


def _question(labels: LabelSpace) -> str:
    if len(labels) == 1:
        return f"whether {text(labels.names[0])} is in a photo"
    return f"which of {amount(len(labels), 'label')} are in a photo"


def _label_table(labels: LabelSpace, decision: Decision) -> list[str]:
    thresholds, counts = decision.thresholds.tolist(), labels.counts.tolist()
    rule = (
        "A label is reported where its score, the sigmoid of its logit divided by the temperature "
        f"{decision.temperature:.3f}, reaches its threshold; a threshold of 1 means never."
    )
    if not labels.photos.any():  # it was trained elsewhere
        return [
            rule,
            "",
            "| label | threshold |",
            "| --- | --- |",
            *(f"| {text(n)} | {t:.3f} |" for n, t in zip(labels.names, thresholds, strict=True)),
        ]
    rows = zip(labels.names, thresholds, counts, labels.photos.tolist(), strict=True)
    return [
        rule,
        "",
        "| label | threshold | training photos with it | training photos where it is known |",
        "| --- | --- | --- | --- |",
        *(
            f"| {text(name)} | {t:.3f} | {_count(count)} | {known} |"
            for name, t, count, known in rows
        ),
    ]


def _count(photos: int) -> str:
    return str(photos) if photos >= FEW else f"{photos}, fewer than {FEW}"


def _training(system: System, recipe: Recipe, facts: Mapping[str, object]) -> list[str]:
    training, backbone = recipe.training, recipe.settings.backbone
    return [
        f"- system: {recipe.system} ({system.paper})",
        f"- recipe: {text(recipe.name)}; its source: {text(recipe.source)}",
        f"- expectation stated by the recipe: {text(recipe.expectation)}",
        f"- backbone: {backbone.name}, initial weights: {backbone.weights}",
        f"- resolution: photos resized to {training.image_size} x {training.image_size} pixels, "
        f"{_RESIZED[training.resize]}",
        f"- input: {_INPUT[backbone.normalization]}",
        *_steps(system, training, facts),
        *(
            f"- {text(_words(name))}: {text(_shown(value))}"
            for name, value in facts.items()
            if not isinstance(value, dict)
        ),
        "- every setting: `recipe` in config.json",
    ]


def _steps(system: System, training: TrainConfig, facts: Mapping[str, object]) -> list[str]:
    if "released" in facts:
        return ["- not trained by tagsight: the weights are those of a released checkpoint"]
    if system.remembers:
        return ["- nothing is trained: the model stores features of the training photos"]
    steps = (
        f"- at most {amount(training.epochs, 'epoch')} of batches of {training.batch_size}, "
        f"{training.optimizer} at {training.lr:g}, seed {training.seed}"
    )
    last = training.selection == "last"
    return [steps, *(["- no selection of an epoch: the last one is kept"] if last else [])]


def _groups(recipe: Recipe, facts: Mapping[str, object]) -> dict[str, list[str]]:
    notes = {"validation": _NOTES[recipe.training.selection]}
    return {
        _HEADINGS.get(name, f"Recorded: {text(_words(name))}"): [
            *([notes[name]] if name in notes else []),
            "| | |",
            "| --- | --- |",
            *(f"| {text(name)} | {text(_shown(value))} |" for name, value in _rows(group)),
        ]
        for name, group in facts.items()
        if isinstance(group, dict)
    }


def _rows(group: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield a table's rows; labels excluded from a mean have one row per reason."""
    for key, value in group.items():
        if key == "left_out" and isinstance(value, dict):
            for reason, names in value.items():
                yield f"not in mAP, as {REASONS[reason]} {agreeing(len(names), 'it')}", names
        elif key == "few":
            if value:
                yield f"labels that fewer than {FEW} of these photos have", value
        else:
            yield _words(key), value


def _shown(value: object) -> str:
    if isinstance(value, list):
        return _listed([str(part) for part in value])
    if isinstance(value, dict):
        return _listed([f"{_words(str(key))} {_shown(part)}" for key, part in value.items()])
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - MOST_LISTED
    return ", ".join(parts[:MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _limits(
    system: System, labels: LabelSpace, recipe: Recipe, facts: Mapping[str, object]
) -> list[str]:
    counts = zip(labels.names, labels.counts.tolist(), strict=True)
    few = [f"{text(name)} ({count})" for name, count in counts if count < FEW]
    rare = few if labels.photos.any() else []
    return [
        "- It knows no other labels; scores of photos unlike the training photos are unreliable.",
        f"- Objects that are small at {recipe.training.image_size} pixels are easily missed.",
        f"- Compare scores with the thresholds; {_fitting(recipe, facts)}",
        *([] if system.probabilities else [_ONLY_RANKS]),
        "- A map shows where the score comes from, which need not be the object: "
        + (
            "its mean is the label's logit, exactly."
            if system.maps_add_up
            else "with this system its mean is not the label's logit."
        ),
        *([f"- Labels with few training photos: {_listed(rare)}."] if rare else []),
    ]


def _fitting(recipe: Recipe, facts: Mapping[str, object]) -> str:
    if "calibration" in facts:
        return "these and the temperature were fitted in the calibration recorded above."
    if recipe.training.selection == "last" and "validation" not in facts:
        return (
            "there were no photos to fit these and the temperature to: they are 0.5 and 1; "
            "'tagsight calibrate' fits them to photos that the model has not seen."
        )
    return "these and the temperature were fitted on the validation split."


def _use() -> list[str]:
    return [
        "```console",
        "$ tagsight tag <this folder> photos/ --write jsonl --out tags.jsonl",
        "$ tagsight explain <this folder> photo.jpg --out evidence/",
        "```",
    ]


def _words(name: str) -> str:
    return name.replace("_", " ")
