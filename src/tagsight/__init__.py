"""Which of my labels are in this photo, and where is the evidence?

The public names are listed in ``__init__.pyi``; each is imported when it is first used, and torch
with it.
"""

import lazy_loader

# Two rooms have the name of a public function: they are packages that can be called, and are bound
# here before the function itself could be.
from tagsight import search as search
from tagsight import systems as systems
from tagsight.runtime.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
