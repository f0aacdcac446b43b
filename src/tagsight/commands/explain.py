"""``tagsight explain``: pictures of where the scores of photos come from."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Additions, Machine, PhotoPath
from tagsight.commands.output import FAILED, remark, say


def explain(
    model: Path,
    photos: list[PhotoPath],
    /,
    *,
    out: Path,
    label: list[str] | None = None,
    grad_cam: bool = False,
    additions: Additions = Additions(),
    machine: Machine = Machine(),
) -> int:
    """Draw the evidence for each label found in photos, as heatmaps and as a contact sheet.

    The exit code is 1 if a photo could not be read.

    Args:
        model: The model folder, or a file that 'tagsight export' wrote.
        photos: Photos, folders of photos, and tars of photos.
        out: Folder for the pictures.
        label: A label to be shown whether it is found or not; may be given several times.
        grad_cam: Add Grad-CAM to the contact sheet, for comparison.
    """
    remark(f"loading {model}")

    from tagsight.data.photo_files import find_photos
    from tagsight.visualize.explanation import explain_photos, place

    left_out = 0

    def leave_out(_: object, reason: object) -> None:
        nonlocal left_out
        left_out += 1
        remark(f"left out: {reason}")

    recognizer = additions.added_to(machine.recognizer(model))
    explanations = explain_photos(
        recognizer,
        find_photos(photos, on_problem=leave_out),
        out,
        labels=label or [],
        with_grad_cam=grad_cam,
        on_error=leave_out,
    )
    for result, shown, sheet, _ in explanations:
        say([f"{result.path} -> {sheet}"])
        for name in shown:
            index = result.index(name)
            score, threshold = result.scores[index], result.thresholds[index]
            sign = ">=" if result.predicted[index] else "<"
            say([f"  {name} {score:.2f} {sign} {threshold:.2f}  {place(result.map(name))}"])
    return FAILED if left_out else 0
