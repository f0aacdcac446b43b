"""An index of photos on disk: found again by likeness, by their labels, or by both.

May import inference and what lies below it.
"""

from tagsight.runtime.packages import make_callable

make_callable(__name__, "tagsight.search.collection")
