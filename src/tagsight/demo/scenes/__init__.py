"""Draws the photos of `tagsight demo`: composed scenes of twelve labels with exact boxes.

`dependencies` decides which labels go together, `cast` what plays, `composition` where it is, and
`visibility` what is seen of it; ``objects`` holds how things look, `terrain` and `light` what is
around them. Everything follows from a seed and an index.
"""

from __future__ import annotations

from tagsight.demo.scenes.dependencies import DEPENDENCIES, LABELS
from tagsight.demo.scenes.folder import write_scenes
from tagsight.demo.scenes.scene import Scene, draw_scene

__all__ = ["DEPENDENCIES", "LABELS", "Scene", "draw_scene", "write_scenes"]
