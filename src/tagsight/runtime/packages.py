"""Packages: those that can be called, and the versions of those that are installed."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature


def make_callable(package: str, module: str) -> None:
    """Make a package callable as the function of its name.

    Importing ``tagsight.search.index`` binds ``tagsight.search`` to the package, whatever had that
    name before, so that a public function ``tagsight.search`` has to be the package itself.

    Args:
        package: The package's full name, whose last part is the function's.
        module: The module that has the function, which is imported when it is first called.

    Example:
        >>> import tagsight.search.index
        >>> callable(tagsight.search), tagsight.search.index.__name__
        (True, 'tagsight.search.index')
    """

    def function() -> Callable[..., object]:
        found: Callable[..., object] = getattr(import_module(module), package.rpartition(".")[2])
        return found

    class CallablePackage(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - as the function
            return function()(*args, **kwargs)

        @property
        def __signature__(self) -> Signature:
            from inspect import signature

            return signature(function())

    sys.modules[package].__class__ = CallablePackage


def installed_version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed.

    Example:
        >>> installed_version("a-package-that-is-missing") is None
        True
    """
    from importlib.metadata import PackageNotFoundError, version  # takes time when commands start

    try:
        return version(package)
    except PackageNotFoundError:
        return None
