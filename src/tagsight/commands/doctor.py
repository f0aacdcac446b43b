"""``tagsight doctor``: what this installation has, to be quoted when something does not work."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.commands.output import print_info, print_result, write_json
from tagsight.runtime.amounts import amount, data_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tagsight.inference.diagnosis import Cache, Diagnosis


def doctor(*, json: Path | None = None) -> None:
    """Show versions, devices, runtimes, encoders at hand, and caches with their sizes.

    ```console
    tagsight doctor
    tagsight doctor --json
    ```

    Nothing is sent anywhere. The home folder is shown as ~, so that the output can be quoted where
    others read it.

    Args:
        json: Write JSON to this file instead, or to standard output.
    """
    print_info("looking at this installation")

    from tagsight.inference.diagnosis import diagnose

    found = diagnose()
    if json is not None:
        write_json(asdict(found), json)
        return
    print_result(_lines(found))


def _lines(found: Diagnosis) -> Iterator[str]:
    memory = "" if found.memory is None else f", {data_size(found.memory)} of memory"
    yield f"tagsight {found.tagsight}, Python {found.python}"
    yield f"{found.system}, {amount(found.processors, 'processor')}{memory}"
    yield from _section("devices", found.devices)
    yield from _section("runtimes", found.runtimes)
    yield from _section("encoders with weights on this machine", found.encoders)
    extras = {name or "always": _packages(packages) for name, packages in found.extras.items()}
    yield from _section("extras", extras)
    programs = {name: version or "not installed" for name, version in found.programs.items()}
    yield from _section("programs", programs)
    yield from _section("caches", {cache.place: _contents(cache) for cache in found.caches})
    yield f"  {data_size(found.free)} are free on their disk"


def _section(title: str, entries: Mapping[str, str]) -> Iterator[str]:
    yield f"{title}:"
    width = max(map(len, entries), default=0)
    yield from (f"  {name:{width}}  {text}" for name, text in entries.items())


def _packages(packages: Mapping[str, str | None]) -> str:
    there = [f"{name} {version}" for name, version in packages.items() if version]
    missing = [name for name, version in packages.items() if version is None]
    return "; ".join(
        filter(None, [", ".join(there), f"without {', '.join(missing)}" if missing else ""])
    )


def _contents(cache: Cache) -> str:
    least = "" if cache.complete else "at least "
    return f"{cache.content}: {least}{amount(cache.files, 'file')}, {data_size(cache.bytes)}"
