"""The run folder: the best model so far, and the state to go on from after whatever ends a run."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import save_model
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.errors import DataError
from tagsight.metrics.classification import average_precision, mean_average_precision
from tagsight.metrics.measured_labels import counted_targets, left_out_labels, rare_labels
from tagsight.training.origin import changes
from tagsight.training.resume import load_state, remove_states, save_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.labels.space import LabelSpace
    from tagsight.runtime.processes import Processes
    from tagsight.systems.base import System
    from tagsight.training.log import Log
    from tagsight.training.loop import Training
    from tagsight.training.origin import Origin


@dataclass(frozen=True)
class Best:
    """The epoch that was best so far.

    Args:
        epoch: Counted from 0.
        validation: On the validation split after it: ``mAP`` in percent, None if there is no label
            that it could rest on, the number of ``labels``, and of those that were counted. Empty
            without a validation split.
    """

    epoch: int
    validation: Mapping[str, float | None]


@dataclass(frozen=True)
class Outcome(Best):
    """What came of a run.

    Args:
        model: The model folder, with the weights of the best epoch.
        minutes: From the first decoded photo to the end, those before an interruption included.
        interrupted: Whether the run was ended before its time.
    """

    model: Path
    minutes: float
    interrupted: bool


class RunFolder:
    """A run's folder while it is trained, and what came of the run so far.

    Args:
        folder: Where it is.
        recipe: System and settings.
        judge: The validation rows.
        processes: Of which the first alone writes.
        log: Who follows the run.
        facts: What the model folder should say of its origin.
        state_every: Seconds from one saved state to the next.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        judge: Annotations,
        processes: Processes,
        log: Log,
        facts: Mapping[str, object],
        state_every: float,
    ) -> None:
        self.best: Best | None = None
        self._folder = folder
        self._recipe = recipe
        self._judge = judge
        self._processes = processes
        self._log = log
        self._facts = facts
        self._every = state_every
        self._origin: Origin = {}
        self._before = 0.0
        self._started = self._saved = time.perf_counter()

    @property
    def model(self) -> Path:
        """The model folder."""
        return self._folder / "model"

    @property
    def minutes(self) -> float:
        """So far, those before an interruption included."""
        return self._before + (time.perf_counter() - self._started) / 60

    def open(self, origin: Origin, *, resume: bool) -> dict[str, Any] | None:
        """Find the state to go on from, if that is wanted and there is one.

        Raises:
            DataError: If the run was begun with something else, or no state is whole.
        """
        self._origin = origin
        # The first process reads for all: the others may be on machines that do not see the folder.
        found = load_state(self._folder) if resume and self._processes.is_first else None
        found = self._processes.collect(found)[0]
        if found is None:
            if self._processes.is_first:
                remove_states(self._folder)
            return None
        state = found.state
        if changed := changes(state["origin"], origin):
            msg = (
                f"expected the run in {self._folder} to go on with what it was begun with, but "
                f"{'; '.join(changed)}; give it the same again, or start a new run in another --out"
            )
            raise DataError(msg)
        self.best = None if state["best"] is None else Best(**state["best"])
        self._before = state["minutes"]
        number = state["training"]["number"]
        self._log.go_on(number)
        for file in found.damaged:
            self._log.note(f"{file} is damaged; the state before it is used")
        self._log.note(f"going on after step {number:,}")
        return state

    def save_state(self, training: Training) -> None:
        """Write all that is needed to go on from here."""
        self._saved = time.perf_counter()
        if not self._processes.is_first:
            return
        state = {
            "origin": self._origin,
            "training": training.state_dict(),
            "best": None if self.best is None else asdict(self.best),
            "minutes": self.minutes,
        }
        try:
            save_state(self._folder, training.number, state)
        except OSError as error:
            self._log.note(
                f"the state after step {training.number:,} cannot be saved, the one before stays: "
                f"{error}"
            )

    def save_state_if_due(self, training: Training) -> None:
        """Write the state if the last one is old."""
        if time.perf_counter() - self._saved >= self._every:
            self.save_state(training)

    def judge(
        self, epoch: int, candidate: System, labels: LabelSpace, logits: Tensor | None
    ) -> None:
        """Keep the system if it is the best so far, or if nothing is selected.

        Args:
            epoch: Counted from 0.
            candidate: After it.
            labels: What the system was built with.
            logits: ``(N, L)`` float, of the validation rows, or None if there are none; the
                decision is then not fitted.
        """
        validation: dict[str, float | None] = {}
        if logits is not None:
            validation = _validation(epoch, logits, self._judge, labels)
            self._log.epoch(epoch, validation)
        if not self._is_wanted(validation):
            return
        if self._processes.is_first:
            decision, said = Decision.default(len(labels)), {**self._facts}
            if logits is not None:
                decision = fit_decision(
                    logits,
                    self._judge.targets,
                    names=labels.names,
                    probabilities=candidate.probabilities,
                )
                said["validation"] = self._recorded(validation, epoch, labels)
            # With what the system has chosen itself.
            recipe = self._recipe.model_copy(update={"settings": candidate.config})
            save_model(self.model, candidate, labels, decision, recipe, said)
        self.best = Best(epoch, validation)

    def _is_wanted(self, validation: Mapping[str, float | None]) -> bool:
        selects = self._recipe.training.selection == "best"
        return not selects or self.best is None or _is_better(validation, self.best.validation)

    def _recorded(
        self, validation: Mapping[str, float | None], epoch: int, labels: LabelSpace
    ) -> dict[str, object]:
        targets = self._judge.targets
        return {
            **validation,
            "epoch": epoch + 1,
            "left_out": left_out_labels(labels.names, targets, labels.trained),
            "few": rare_labels(labels.names, targets),
        }

    def tell_what_is_kept(self) -> None:
        """Say that an error does not lose the best model."""
        if self.best is not None:
            self._log.note(f"the model of epoch {self.best.epoch + 1} stays in {self.model}")

    def interrupted(self) -> Outcome:
        """What came of a run that was ended before its time; the state to go on from stays.

        Raises:
            KeyboardInterrupt: If there is no model yet.
        """
        if self.best is None:
            raise KeyboardInterrupt
        return self._outcome(self.best, interrupted=True)

    def finished(self) -> Outcome:
        """What came of a run that is done; what is needed only to go on is removed."""
        assert self.best is not None  # there is at least one epoch
        if self._processes.is_first:
            remove_states(self._folder)
        return self._outcome(self.best, interrupted=False)

    def _outcome(self, best: Best, *, interrupted: bool) -> Outcome:
        return Outcome(
            **asdict(best), model=self.model, minutes=self.minutes, interrupted=interrupted
        )


def _is_better(validation: Mapping[str, float | None], best: Mapping[str, float | None]) -> bool:
    """Whether the mAP is higher; where there is none the later epoch is kept."""
    found, before = validation["mAP"], best["mAP"]
    return found is None or before is None or found > before


def _validation(
    epoch: int, logits: Tensor, judge: Annotations, labels: LabelSpace
) -> dict[str, float | None]:
    if not bool(logits.isfinite().all()):
        msg = (
            f"the logits of the validation photos are not finite after epoch {epoch + 1}; "
            "try a lower --training.lr, --training.clip_norm 1, or --precision float32"
        )
        raise FloatingPointError(msg)
    targets = counted_targets(judge.targets, labels.trained)
    mean, counted = mean_average_precision(average_precision(logits, targets))
    score = 100 * mean if counted else None
    return {"mAP": score, "labels_counted": counted, "labels": len(labels)}
