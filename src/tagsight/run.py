"""One training run: from annotations to a model folder."""

from __future__ import annotations
