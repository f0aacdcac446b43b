"""The settings of a server: its model, its index and its limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagsight.server.access import Hosts
from tagsight.server.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.result import Result
    from tagsight.search.index import SearchIndex
    from tagsight.server.bridges.label_studio.client import LabelStudio
    from tagsight.tagging.labelling.project import Project

    Recognise = Callable[[Sequence[bytes | Path]], Awaitable[list[Result]]]

DEFAULT_LIMITS, DEFAULT_HOSTS = Limits(), Hosts()


@dataclass(frozen=True)
class Service:
    """A model to serve, and who may use it.

    Args:
        recognizer: The model.
        index: Photos to search in, or None.
        token: Secret that every client must send; None admits every client.
        limits: Limits of requests.
        bridges: Names of other programs whose requests are accepted, of `BRIDGES`.
        hosts: Host names that requests may use; by default those of this machine.
        decoders: Number of decoding processes; by default one per processor, at most 16.
        label_studio: The Label Studio to fetch photos from, or None to fetch none.
        judgements: Project that gets the annotations of Label Studio, or None.
    """

    recognizer: Recognizer
    index: SearchIndex | None = None
    token: str | None = None
    limits: Limits = DEFAULT_LIMITS
    bridges: tuple[str, ...] = ()
    hosts: Hosts = DEFAULT_HOSTS
    decoders: int | None = None
    label_studio: LabelStudio | None = None
    judgements: Project | None = None

    @property
    def digest(self) -> str:
        """First 12 characters of the model's digest, as sent in responses."""
        return self.recognizer.info.model[:12]

    @property
    def version(self) -> str:
        """Recipe and digest of the model.

        Example:
            >>> import tagsight as ts
            >>> service = Service(ts.load("runs/first/model"))
            >>> service.version.endswith(service.digest), len(service.digest)
            (True, 12)
        """
        return f"{self.recognizer.info.recipe} {self.digest}"
