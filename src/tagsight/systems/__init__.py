"""Recognition systems, one file each, and the catalogue that finds them by name.

May import nn and what lies below it.
"""

from tagsight.runtime.packages import make_callable

make_callable(__name__, "tagsight.systems.listings")
