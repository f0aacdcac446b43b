"""The whole journey on drawn photos: draw, train, measure, explain, summarise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tagsight.checkpoint import load_model
from tagsight.data import read_annotations
from tagsight.data.boxes import read_boxes
from tagsight.data.scenes import write_scenes
from tagsight.evaluate import evaluate
from tagsight.evidence_report import measure_evidence
from tagsight.explanation import explain_photos
from tagsight.files import write_atomically
from tagsight.preparation import prepare
from tagsight.recipes import RECIPES
from tagsight.recognizer import Recognizer
from tagsight.run import train_run

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.runtime import Runtime

SCENES = 900
IMAGE_SIZE = 160
