"""Bridges: routes that follow the interface of another program, one file each.

A bridge is a function that adds its routes to an application; `BRIDGES` lists them by name.
"""

from tagsight.server.bridges.label_studio import add_label_studio
from tagsight.server.bridges.photoprism import add_photoprism

BRIDGES = {"label-studio": add_label_studio, "photoprism": add_photoprism}
