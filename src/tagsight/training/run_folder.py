"""The run folder: the model that is kept and, until the run is finished, its saved states."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import save_model
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.data.rules.rules import LabelRules
from tagsight.errors import DataError, user_message
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.measured_labels import counted_targets, left_out_labels, rare_labels
from tagsight.metrics.significance import difference_standard_error
from tagsight.nn.one_of import one_of_log_odds
from tagsight.runtime.counts import column_counts
from tagsight.training.label_quality import LabelQuality, write_quality
from tagsight.training.resume import load_state, origin_changes, remove_states, save_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.labels.space import LabelSpace
    from tagsight.runtime.processes import Processes
    from tagsight.systems.base import System
    from tagsight.training.log import Log
    from tagsight.training.loop import Training
    from tagsight.training.resume import Origin


@dataclass(frozen=True)
class MeasuredEpoch:
    """An epoch, and what validation says of it.

    Args:
        epoch: Counted from 0.
        validation: Metrics on the validation split after that epoch: ``mAP`` in percent, or None
            if it is not defined for any label; the number of ``labels``; and ``labels_counted``,
            those that the mAP is a mean over. Empty without a validation split.
    """

    epoch: int
    validation: Mapping[str, float | None]


@dataclass(frozen=True)
class HighestEpoch:
    """The epoch of the highest mAP so far, which later ones are compared with.

    Args:
        epoch: Counted from 0.
        precisions: Average precision of each label as a fraction; NaN where undefined.

    Example:
        >>> highest = HighestEpoch(3, [0.5, 0.7])
        >>> photos = torch.tensor([200, 200])
        >>> [highest.exceeds(torch.tensor(other), photos) for other in ([0.5, 0.69], [0.2, 0.6])]
        [False, True]
    """

    epoch: int
    precisions: Sequence[float]

    @property
    def mean(self) -> float:
        """The mAP as a fraction."""
        return self._own().nanmean().item()

    def exceeds(self, precisions: Tensor, positives: Tensor) -> bool:
        """Return whether its mAP is higher by more than the standard error of the difference.

        Args:
            precisions: ``(L,)`` float, those of another epoch, on the same photos.
            positives: ``(L,)`` int, photos with the label.
        """
        own, other = self._own(), precisions.double()
        ahead = (own - other).nanmean().item()
        return ahead > difference_standard_error(own, other, positives)

    def _own(self) -> Tensor:
        return torch.tensor(self.precisions, dtype=torch.double)  # exact, to be equal to itself


@dataclass(frozen=True)
class Outcome(MeasuredEpoch):
    """The outcome of a run.

    Args:
        model: The model folder, with the weights of the kept epoch.
        minutes: Training time from the first decoded photo to the end, over all sessions.
        interrupted: Whether Ctrl-C ended the run early.
    """

    model: Path
    minutes: float
    interrupted: bool


class RunFolder:
    """The folder of a run in progress: keeps a model, and saves states.

    Of several epochs it keeps the last one that no earlier one exceeds by more than the standard
    error of the difference (after Breiman, Friedman, Olshen and Stone, Classification and
    Regression Trees, 1984, section 3.4.3): among epochs that validation cannot tell apart, the one
    that was trained longest.

    Args:
        folder: The run folder.
        recipe: System and settings.
        val_rows: The validation rows.
        processes: The processes that train together; only the first one writes.
        log: Receives notes and the metrics of epochs.
        facts: Origin of the model, for the model folder.
        state_every: Seconds between saved states.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> import tagsight as ts
        >>> from tagsight.runtime.processes import ALONE
        >>> from tagsight.systems.catalogue import RECIPES
        >>> rows, log = ts.read_annotations("labels.csv").rows("val"), SimpleNamespace(note=print)
        >>> folder = RunFolder(Path("runs/first"), RECIPES["resnet-cpu"], rows, ALONE, log, {}, 600)
        >>> folder.model.as_posix(), folder.kept
        ('runs/first/model', None)
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        val_rows: Annotations,
        processes: Processes,
        log: Log,
        facts: Mapping[str, object],
        state_every: float,
    ) -> None:
        self.kept: MeasuredEpoch | None = None
        self._highest: HighestEpoch | None = None
        self._folder = folder
        self._recipe = recipe
        self._val_rows = val_rows
        self._processes = processes
        self._log = log
        self._facts = facts
        self._every = state_every
        self._origin: Origin = {}
        self._minutes_before = 0.0
        self._started = self._saved = time.perf_counter()

    @property
    def model(self) -> Path:
        """The model folder."""
        return self._folder / "model"

    @property
    def minutes(self) -> float:
        """Training time so far, in minutes, over all sessions."""
        return self._minutes_before + (time.perf_counter() - self._started) / 60

    def open(self, origin: Origin, *, resume: bool) -> dict[str, Any] | None:
        """Return the state to resume from, or None to start from the first step.

        Args:
            origin: What the run begins with.
            resume: Whether to use a saved state, if there is one; otherwise states are deleted.

        Raises:
            DataError: If the run began with other settings or data, or all states are damaged.
        """
        self._origin = origin
        # Only the first process reads: the others may be on machines without this folder.
        found = load_state(self._folder) if resume and self._processes.is_first else None
        found = self._processes.collect(found)[0]
        if found is None:
            if self._processes.is_first:
                remove_states(self._folder)
            return None
        state = found.state
        if changed := origin_changes(state["origin"], origin):
            msg = (
                f"expected the settings and data that the run in {self._folder} began with, but "
                f"{'; '.join(changed)}; use the same again, or start a new run in another `out`"
            )
            raise DataError(msg)
        kept, highest = state["kept"], state["highest"]
        self.kept = None if kept is None else MeasuredEpoch(**kept)
        self._highest = None if highest is None else HighestEpoch(**highest)
        self._minutes_before = state["minutes"]
        number = state["training"]["number"]
        self._log.resume(number)
        for file in found.damaged:
            self._log.note(f"{file} is damaged; the state before it is used")
        self._log.note(f"resuming after step {number:,}")
        return state

    def save_state(self, training: Training) -> None:
        """Write everything needed to resume from here; a full disk does not end the run."""
        self._saved = time.perf_counter()
        if not self._processes.is_first:
            return
        state = {
            "origin": self._origin,
            "training": training.state_dict(),
            "kept": None if self.kept is None else asdict(self.kept),
            "highest": None if self._highest is None else asdict(self._highest),
            "minutes": self.minutes,
        }
        try:
            save_state(self._folder, training.number, state)
        except OSError as error:
            self._log.note(
                f"the state after step {training.number:,} cannot be saved, so the one before it "
                f"is kept: {user_message(error) or error}"
            )

    def save_state_if_due(self, training: Training) -> None:
        """Write a state if ``state_every`` seconds have passed since the last one."""
        if time.perf_counter() - self._saved >= self._every:
            self.save_state(training)

    def keep_unless_worse(
        self, epoch: int, candidate: System, labels: LabelSpace, logits: Tensor | None
    ) -> None:
        """Write the model folder, unless an earlier epoch was better by more than chance.

        Args:
            epoch: Counted from 0.
            candidate: The system after that epoch.
            labels: The labels that the system was built with.
            logits: ``(N, L)`` float, logits of the validation rows. None if there are no such
                rows; thresholds and temperature are then not fitted.

        Raises:
            FloatingPointError: If a logit is not finite.
        """
        validation: dict[str, float | None] = {}
        if logits is not None:
            precisions, positives = _precisions(epoch, logits, self._val_rows, labels)
            validation = _validation_metrics(precisions)
            self._log.epoch(epoch, validation)
            if self._recipe.training.selection == "best" and validation["labels_counted"]:
                self._highest = _higher(self._highest, HighestEpoch(epoch, precisions.tolist()))
                if self._highest.exceeds(precisions, positives):
                    return
        if self._processes.is_first:
            rules, facts = self._val_rows.rules or LabelRules(), {**self._facts}
            decision = Decision.default(len(labels), labels.one_of)
            if logits is not None:
                decision = fit_decision(
                    logits,
                    self._val_rows.targets,
                    names=labels.names,
                    probabilities=candidate.probabilities,
                    one_of=labels.one_of,
                )
                facts["validation"] = self._validation_facts(validation, epoch, labels)
            # A k-NN system chooses its own settings while it is trained.
            recipe = self._recipe.model_copy(update={"settings": candidate.config})
            save_model(self.model, candidate, labels, decision, recipe, facts, label_rules=rules)
            if logits is not None:
                write_quality(self._folder, _quality(logits, self._val_rows, labels))
        self.kept = MeasuredEpoch(epoch, validation)

    def _validation_facts(
        self, validation: Mapping[str, float | None], epoch: int, labels: LabelSpace
    ) -> dict[str, object]:
        targets = self._val_rows.targets
        return {
            **validation,
            "epoch": epoch + 1,
            "left_out": left_out_labels(labels.names, targets, labels.trained),
            "few": rare_labels(labels.names, targets),
        }

    def note_kept_model(self) -> None:
        """Log, after an error, that the model is still there."""
        if self.kept is not None:
            self._log.note(f"the model of epoch {self.kept.epoch + 1} is kept in {self.model}")

    def interrupted(self) -> Outcome:
        """Return the outcome of an interrupted run; its saved states stay.

        Raises:
            KeyboardInterrupt: If there is no model yet.
        """
        if self.kept is None:
            raise KeyboardInterrupt
        return self._outcome(self.kept, interrupted=True)

    def finished(self) -> Outcome:
        """Return the outcome of a finished run, and delete its saved states."""
        assert self.kept is not None  # there is at least one epoch
        self._note_higher_epoch(self.kept)
        if self._processes.is_first:
            remove_states(self._folder)
        return self._outcome(self.kept, interrupted=False)

    def _note_higher_epoch(self, kept: MeasuredEpoch) -> None:
        highest = self._highest
        if highest is not None and highest.epoch != kept.epoch:
            self._log.note(
                f"epoch {highest.epoch + 1} had the highest mAP, {100 * highest.mean:.1f}, but by "
                f"no more than chance; epoch {kept.epoch + 1}, trained longer, is kept"
            )

    def _outcome(self, kept: MeasuredEpoch, *, interrupted: bool) -> Outcome:
        return Outcome(
            **asdict(kept), model=self.model, minutes=self.minutes, interrupted=interrupted
        )


def _higher(before: HighestEpoch | None, epoch: HighestEpoch) -> HighestEpoch:
    """Return which of two epochs has the higher mAP: the earlier one if they are equal."""
    return epoch if before is None or epoch.mean > before.mean else before


def _quality(logits: Tensor, val_rows: Annotations, labels: LabelSpace) -> Iterator[LabelQuality]:
    found = average_precision(one_of_log_odds(logits, labels.one_of), val_rows.targets)
    photos, trained = column_counts(val_rows.targets == 1), labels.counts
    for name, value, *counts in zip(
        labels.names, found.tolist(), photos.tolist(), trained.tolist(), strict=True
    ):
        yield LabelQuality(name, None if math.isnan(value) else 100 * value, *map(int, counts))


def _precisions(
    epoch: int, logits: Tensor, val_rows: Annotations, labels: LabelSpace
) -> tuple[Tensor, Tensor]:
    """Compute the average precision of each label, and the number of its photos: ``(L,)`` each."""
    if not bool(logits.isfinite().all()):
        msg = (
            f"the logits of the validation photos are not finite after epoch {epoch + 1}; "
            "try a lower `training.lr`, `training.clip_norm=1`, or `precision=float32`"
        )
        raise FloatingPointError(msg)
    targets = counted_targets(val_rows.targets, labels.trained)
    ranked = one_of_log_odds(logits, labels.one_of)
    return average_precision(ranked, targets), column_counts(targets == 1)


def _validation_metrics(precisions: Tensor) -> dict[str, float | None]:
    mean, counted = mean_over_labels(precisions)
    return {
        "mAP": 100 * mean if counted else None,
        "labels_counted": counted,
        "labels": len(precisions),
    }
