"""Bridges: routes that follow the interface of another program, one file or folder each.

A bridge is a function that adds its routes to an application; `BRIDGES` lists them by name. Immich
and Label Studio ask the same address, so that a server has only one of the two.
"""

from tagsight.server.bridges.immich import add_immich
from tagsight.server.bridges.label_studio.routes import add_label_studio
from tagsight.server.bridges.photoprism import add_photoprism

BRIDGES = {
    "label-studio": add_label_studio,
    "photoprism": add_photoprism,
    "immich": add_immich,
}
