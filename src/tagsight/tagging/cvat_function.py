"""CVAT: a function that its command line runs over the photos of a task, to suggest labels.

``cvat-cli``, which is given ``--function-module tagsight.tagging.cvat_function``, calls `create`,
and then `SuggestLabels.detect` for each photo; so does an agent of CVAT.
https://docs.cvat.ai/docs/api_sdk/sdk/auto-annotation/ describes the interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from tagsight.checkpoint.decision import Strictness
from tagsight.errors import DataError, needs_extra
from tagsight.inference.evidence_boxes import EvidenceBox, evidence_boxes
from tagsight.inference.recognizer import Recognizer

if TYPE_CHECKING:
    from PIL import Image

    from tagsight.inference.result import Result

WHOLE_PHOTO = EvidenceBox(0.0, 0.0, 1.0, 1.0)


class SuggestLabels:
    """Suggests all labels of a photo, as tags or as rectangles around the evidence.

    Args:
        recognizer: The model. Its thresholds decide, unless CVAT is given one for all labels.
        boxes: Whether to suggest rectangles instead of tags.

    Attributes:
        spec: The labels of the model; CVAT matches them with those of the task by name.

    Example:
        >>> from types import SimpleNamespace
        >>> from PIL import Image
        >>> function = create(model="runs/first/model")
        >>> [label.name for label in function.spec.labels], str(function.spec.labels[0].type)
        (['dog', 'sky'], 'tag')
        >>> context = SimpleNamespace(conf_threshold=0.0)
        >>> [tag.label_id for tag in function.detect(context, Image.new("RGB", (64, 48)))]
        [0, 1]
    """

    def __init__(self, recognizer: Recognizer, *, boxes: bool = False) -> None:
        with needs_extra("cvat", "for a function of CVAT"):
            import cvat_sdk.auto_annotation as cvat
        self._cvat: Any = cvat
        self._recognizer = recognizer
        self._boxes = boxes
        kind = "rectangle" if boxes else "tag"
        self.spec = cvat.DetectionFunctionSpec(
            labels=[
                cvat.label_spec(name, number, type=kind)
                for number, name in enumerate(recognizer.labels)
            ]
        )

    def detect(self, context: Any, image: Image.Image) -> list[Any]:  # noqa: ANN401
        """Suggest labels for one photo.

        Args:
            context: ``conf_threshold`` of CVAT: the least score in [0, 1]; None for the thresholds
                of the model.
            image: The photo.

        Returns:
            A tag of CVAT for each label; or its rectangles, with corners in pixels, and around the
            whole photo if the evidence is nowhere positive.

        Raises:
            DataError: If the photo cannot be read.
        """
        result = self._recognizer(image)
        least = context.conf_threshold
        present = result.predicted if least is None else result.scores >= least
        labels = [int(label) for label in np.flatnonzero(present)]
        if not self._boxes:
            return [self._cvat.tag(label) for label in labels]
        return [
            self._cvat.rectangle(label, points)
            for label in labels
            for points in _corners(result, label)
        ]


def create(
    *, model: str, strictness: Strictness = "balanced", boxes: bool = False, device: str = "auto"
) -> SuggestLabels:
    """Make the function from the parameters that ``cvat-cli`` is given with ``-p``.

    Args:
        model: A model folder, or an exported file.
        strictness: ``more``, ``balanced`` or ``sure`` (see `Decision.at`).
        boxes: Whether to suggest rectangles, for a task whose labels are rectangles.
        device: Device such as ``cpu`` or ``cuda``.

    Raises:
        DataError: If the model cannot be used, there is no such strictness, or the extra is
            missing.

    Example:
        >>> create(model="runs/first/model", boxes=True).spec.labels[1].name
        'sky'
    """
    if strictness not in get_args(Strictness):
        choices = ", ".join(get_args(Strictness))
        msg = f"expected `strictness` to be one of {choices}, got {strictness!r}"
        raise DataError(msg)
    return SuggestLabels(Recognizer.load(model, device).at(strictness), boxes=boxes)


def _corners(result: Result, label: int) -> list[list[float]]:
    width, height = result.photo_size
    (panel,) = result.panels([result.names[label]])
    boxes = evidence_boxes(panel.evidence, panel.frame) or [WHOLE_PHOTO]
    return [
        [
            box.left * width,
            box.top * height,
            (box.left + box.width) * width,
            (box.top + box.height) * height,
        ]
        for box in boxes
    ]
