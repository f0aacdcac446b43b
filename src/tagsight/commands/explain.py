"""``tagsight explain``: draws the evidence for the labels of photos."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import Hardware, NewLabels, PhotoPaths
from tagsight.commands.output import FAILED, print_info, print_result
from tagsight.commands.problems import no_photo_found


def explain(
    model: Path,
    /,
    *photos: PhotoPaths,
    out: Path,
    label: list[str] | None = None,
    grad_cam: bool = False,
    additions: NewLabels = NewLabels(),
    hardware: Hardware = Hardware(),
) -> int:
    """Draw the evidence for the labels of photos, as heatmaps and contact sheets.

    ```console
    tagsight explain runs/first/model photos/dog.jpg --out evidence --label dog
    ```

    The exit code is 1 if a photo could not be read.

    Args:
        model: Model folder, or a file written by 'tagsight export'.
        photos: Photos, folders of photos, or tar files of photos.
        out: Folder for the pictures.
        label: Label to show even below its threshold, or of more than 24 found; may be repeated.
        grad_cam: Also show Grad-CAM, for comparison.
    """
    print_info(f"loading {model}")

    from tagsight.data.photos.finding import find_photos
    from tagsight.runtime.amounts import amount
    from tagsight.visualize.explanation import explain_photos, place

    left_out = 0

    def leave_out(_: object, reason: object) -> None:
        nonlocal left_out
        left_out += 1
        print_info(f"left out: {reason}")

    recognizer = additions.added_to(hardware.recognizer(model))
    explanations = explain_photos(
        recognizer,
        find_photos(photos, on_problem=leave_out),
        out,
        labels=label or [],
        with_grad_cam=grad_cam,
        on_error=leave_out,
    )
    explained = 0
    for result, shown, sheet, _, not_drawn in explanations:
        explained += 1
        print_result([f"{result.path} -> {sheet}"])
        for panel in result.panels(shown):
            sign = ">=" if panel.found else "<"
            decided = f"{panel.name} {panel.score:.2f} {sign} {panel.threshold:.2f}"
            print_result([f"  {decided}  {place(panel.evidence, panel.frame)}"])
        if not_drawn:
            print_result([f"  {amount(not_drawn, 'label')} more found: --label draws one"])
    if not (explained or left_out):
        return no_photo_found(photos)
    return FAILED if left_out else 0
