"""A report of `tagsight.evaluation.evaluate` as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.evaluation.paired import paired_lines
from tagsight.metrics.measured_labels import FEW, left_out_sentences, mean_over
from tagsight.runtime.amounts import amount, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUALITY = ("CP", "CR", "CF1", "CF1_mean", "OP", "OR", "OF1")
"""Columns of the table of precision and recall, keys of `Quality.as_dict`."""

NEVER_PREDICTED = {
    "zero": "has precision 0",
    "one": "has precision 1",
    "wrong": "counts as one wrong prediction",
}
RESIZED = {"warp": "", "fit": ", fitted and padded", "crop": ", the middle of each photo"}
"""The values of `TrainConfig.resize`, in words."""

UNKNOWN = {"left_out": "are left out", "absent": "count as absent, but not in mAP"}
"""The values of `Conventions.unknown`, in words."""


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Write a report as lines of text, values in percent.

    Args:
        report: The report of `evaluate`; optionally with ``evidence`` from `measure_evidence`,
            ``faithfulness`` from `measure_faithfulness` and ``retrieval`` from
            `measure_retrieval`.

    Example:
        >>> import tagsight as ts
        >>> report = ts.evaluate("runs/first/model", "labels.csv", split="val", progress=False)
        >>> next(report_lines(report)).split(" at ")[0]
        'resnet (resnet-cpu, changed), 4 photos'
    """
    yield (
        f"{report['system']} ({report['recipe']}), {amount(report['photos'], 'photo')} at "
        f"{_resolution(report)}, {report['photos_per_second']:.0f} photos/s"
    )
    interval = _interval(report["mAP_interval"])
    yield f"mAP {_value(report['mAP'])}{interval} {mean_over(report)}"
    if "views" in report:
        yield _views_line(report["views"])
    if report["selection"] == "last":
        yield _no_selection_line(report)
    yield from left_out_sentences(report["left_out"])
    if unmatched := report.get("unmatched"):
        yield f"labels of the data that the model does not know: {named(unmatched)}"
    yield ""
    yield from _quality_table(report)
    yield _conventions_line(report["conventions"])
    yield ""
    if "zero_shot" in report:
        yield from _new_label_table(report["zero_shot"])
        yield ""
    yield from _label_table(report["per_label"])
    yield ""
    yield _calibration_line(report["calibration"])
    if "evidence" in report:
        yield from _evidence_lines(report["evidence"])
    if "faithfulness" in report:
        yield from _faithfulness_lines(report["faithfulness"])
    if "retrieval" in report:
        yield _retrieval_line(report["retrieval"])
    if "against" in report:
        yield from paired_lines(report["against"])


def _resolution(report: Mapping[str, Any]) -> str:
    size = report["image_size"]
    trained_at = report.get("trained_image_size", size)
    pixels = f"{size} pixels" if size == trained_at else f"{size} pixels (trained at {trained_at})"
    return pixels + RESIZED[report["resize"]]


def _views_line(views: Mapping[str, Any]) -> str:
    each = "each photo and its mirror image" if views["flip"] else "each photo"
    sizes = " and ".join(map(str, views["sizes"]))
    return f"logits averaged over {each} at {sizes} pixels; thresholds were fitted without views"


def _no_selection_line(report: Mapping[str, Any]) -> str:
    line = "no selection: the last epoch is kept"
    return line if report["thresholds_fitted"] else f"{line}, and no threshold is fitted: all 0.5"


def _calibration_line(calibration: Mapping[str, Any]) -> str:
    if "reason" in calibration:
        return f"calibration error not defined: {calibration['reason']}"
    return (
        f"calibration error {_value(calibration['expected_error'])} at temperature "
        f"{calibration['temperature']:.2f}, {_value(calibration['expected_error_before'])} without"
    )


def _quality_table(report: Mapping[str, Any]) -> Iterator[str]:
    rule = report["all_rule"]
    decisions = {
        rule: report["all"],
        "thresholds": report["all_at_thresholds"],
        "top 3": report["top3"]["exact"],
        f"top 3, from {rule.removeprefix('score ')}": report["top3"]["thresholded"],
    }
    columns = [name for name in QUALITY if name in report["all"]]
    rows = [
        [name, *(_value(values[column]) for column in columns)]
        for name, values in decisions.items()
    ]
    yield from _table(["decided by", *columns], rows)


def _conventions_line(conventions: Mapping[str, str]) -> str:
    return (
        f"a label that is never predicted {NEVER_PREDICTED[conventions['never_predicted']]}; "
        f"unknown targets {UNKNOWN[conventions['unknown']]}"
    )


def _new_label_table(parts: Mapping[str, Any]) -> Iterator[str]:
    names = {"seen": "trained", "unseen": "never trained", "both": "all labels"}
    rows = [
        [
            words,
            str(part["labels"]),
            _value(part["mAP"]) + _interval(part["mAP_interval"]),
            _value(part["chance"]),
            _value(part["top3"]["OF1"]),
        ]
        for key, words in names.items()
        for part in [parts[key]]
    ]
    yield from _table(["", "labels", "mAP", "by chance", "OF1 of top 3"], rows)
    yield f"harmonic mean of trained and never trained: mAP {_value(parts['harmonic_mean'])}"


def _label_table(per_label: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        [
            name,
            _value(values["AP"]),
            f"{values['count']:,}",
            f"{values['threshold']:.2f}",
            _value(values["precision"]),
            _value(values["recall"]),
            f"fewer than {FEW} photos" if values["few"] else "",
        ]
        for name, values in per_label.items()
    ]
    yield from _table(["label", "AP", "photos", "threshold", "precision", "recall", ""], rows)


def _evidence_lines(evidence: Mapping[str, Any]) -> Iterator[str]:
    errors = ", ".join(
        f"{transform.replace('_', ' ')} {_value(error)}"
        for transform, error in evidence["consistency"].items()
    )
    count = amount(evidence["consistency_photos"], "photo")
    yield f"evidence ({evidence['source']}): error of the maps under {errors}; {count}"
    for key, name in (("pointing", "pointing"), ("energy_in_box", "energy in boxes")):
        if key in evidence:
            yield (
                f"{name} {_value(evidence[key])}{_interval(evidence[f'{key}_interval'])}, "
                f"by chance {_value(evidence['chance'])}; "
                f"{amount(evidence['pairs'], 'label')} of photos"
            )


def _faithfulness_lines(found: Mapping[str, Any]) -> Iterator[str]:
    areas = "; ".join(
        f"{key} {_value(found[key])}{_interval(found[f'{key}_interval'])}, "
        f"by chance {_value(found['chance'][key])}, {better} is better"
        for key, better in (("deletion", "lower"), ("insertion", "higher"))
    )
    count = f"{amount(found['pairs'], 'label')} of {amount(found['photos'], 'photo')}"
    yield f"faithfulness ({found['source']}): {areas}; {count}"
    likeness = ", ".join(
        f"{part} {'-' if value is None else f'{value:.2f}'}"
        for part, value in found["randomised"].items()
    )
    if likeness:
        yield f"rank correlation with maps of weights that are randomised down to: {likeness}"


def _retrieval_line(found: Mapping[str, Any]) -> str:
    return (
        f"search: of the nearest {amount(found['k'], 'photo')} {_value(found['precision'])}"
        f"{_interval(found['precision_interval'])} share a label with the query, by chance "
        f"{_value(found['chance'])}; mAP of these {_value(found['mAP'])}; "
        f"{amount(found['queries'], 'query')}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    for first, *others in (head, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([f"{first:{widths[0]}}", *cells]).rstrip()


def _value(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.1f}"


def _interval(bounds: Sequence[float | None]) -> str:
    low, high = bounds
    return "" if low is None else f" ({low:.1f} to {high:.1f})"
