"""Metrics: pure functions of targets and scores or maps.

May import config, errors, and from data what counts as a cell of the photo.
"""

from tagsight.metrics.bootstrap import bootstrap_map
from tagsight.metrics.calibration import expected_calibration_error, reliability
from tagsight.metrics.classification import (
    Conventions,
    average_precision,
    mean_average_precision,
    mean_over_labels,
    precision_recall,
    top_k,
)
from tagsight.metrics.faithfulness import area_under_curve, rank_correlation, strongest_pixels
from tagsight.metrics.localization import consistency_error, energy_in_boxes, pointing_hits
from tagsight.metrics.significance import (
    difference_standard_error,
    holm,
    map_standard_error,
    mean_estimate,
    paired_difference,
)

__all__ = [
    "Conventions",
    "area_under_curve",
    "average_precision",
    "bootstrap_map",
    "consistency_error",
    "difference_standard_error",
    "energy_in_boxes",
    "expected_calibration_error",
    "holm",
    "map_standard_error",
    "mean_average_precision",
    "mean_estimate",
    "mean_over_labels",
    "paired_difference",
    "pointing_hits",
    "precision_recall",
    "rank_correlation",
    "reliability",
    "strongest_pixels",
    "top_k",
]
