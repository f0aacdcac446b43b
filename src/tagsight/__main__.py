"""``python -m tagsight`` is ``tagsight``."""

import sys

from tagsight.cli import main

sys.exit(main())
