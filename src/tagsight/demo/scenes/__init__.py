"""Generator of the demo's photos: scenes with twelve labels and exact boxes.

`dependencies` draws the labels, `cast` chooses the objects, `composition` places them, and
`visibility` computes their visible parts. ``objects`` draws objects; `terrain` and `light` draw
their surroundings. A scene is determined by a seed and an index.
"""

from __future__ import annotations

from tagsight.demo.scenes.dependencies import DEPENDENCIES, LABELS
from tagsight.demo.scenes.folder import write_scenes
from tagsight.demo.scenes.scene import Scene, draw_scene

__all__ = ["DEPENDENCIES", "LABELS", "Scene", "draw_scene", "write_scenes"]
