"""Options of ``tagsight serve`` for Label Studio."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.server.bridges.label_studio.client import LabelStudio
    from tagsight.tagging.labelling.project import Project

LABEL_STUDIO = Group("Label Studio", sort_key=2)
KEY_VARIABLE = "LABEL_STUDIO_API_KEY"
LONGEST_KEY = 8192


@Parameter(name="*", group=LABEL_STUDIO)
@dataclass(frozen=True)
class LabelStudioOptions:
    """The Label Studio that is asked for photos, and what becomes of its annotations."""

    label_studio_url: Annotated[str | None, Parameter(env_var="LABEL_STUDIO_URL")] = None
    """Address of Label Studio, such as http://localhost:8080, to fetch the photos of tasks; no
    other host is asked. Needs a key: a token of one of its users."""

    label_studio_key_file: Path | None = None
    """File with the key; by default the environment variable LABEL_STUDIO_API_KEY."""

    label_studio_project: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Number of a project in Label Studio to connect to this server: as a model, and with
    --judgements as the receiver of its annotations."""

    own_url: str | None = None
    """Address at which Label Studio reaches this server, if not --host and --port."""

    judgements: Path | None = None
    """Folder of photos, or a project of 'tagsight label', that gets the annotations of Label Studio
    as judgements. Nothing is trained by them."""

    def studio(self) -> LabelStudio | None:
        """Return the Label Studio to ask, or None.

        Raises:
            DataError: If there is an address without a key, or an option that needs an address.

        Example:
            >>> LabelStudioOptions(label_studio_project=1).studio()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            tagsight.errors.DataError: expected --label-studio-url, such as http://localhost...
        """
        if self.label_studio_url is None:
            if self.label_studio_project is None and self.label_studio_key_file is None:
                return None
            msg = "expected --label-studio-url, such as http://localhost:8080, got none"
            raise DataError(msg)
        from tagsight.server.bridges.label_studio.client import LabelStudio

        return LabelStudio(self.label_studio_url, self._key())

    def project(self) -> Project | None:
        """Open the project that gets judgements, its photos searched, or return None.

        Raises:
            DataError: If it cannot be opened.
        """
        if self.judgements is None:
            return None
        from tagsight.data.formats.label_project import recognises
        from tagsight.tagging.labelling.project import Project, project_folder

        photos = None if recognises(self.judgements) else self.judgements
        opened = Project(project_folder(self.judgements), photos)
        opened.photos.search(lambda: None)
        return opened

    def connect(self, studio: LabelStudio | None, address: str, token: str | None) -> None:
        """Connect the project in Label Studio, while the server runs.

        Args:
            studio: Label Studio.
            address: Where the server listens, ``http://host:port``.
            token: The token of the server.
        """
        if studio is None or self.label_studio_project is None:
            return
        from tagsight.server.bridges.label_studio.connecting import (
            Connection,
            connect_in_background,
        )

        own = (self.own_url or address.replace("//0.0.0.0:", "//127.0.0.1:")).rstrip("/")
        records = self.judgements is not None
        wanted = Connection(self.label_studio_project, own, token, records)
        connect_in_background(studio, wanted)

    def _key(self) -> str:
        if self.label_studio_key_file is None:
            key = os.environ.get(KEY_VARIABLE, "")
            if not key:
                msg = (
                    f"expected a key of Label Studio in --label-studio-key-file or {KEY_VARIABLE}, "
                    "got none: take a token from 'Account & Settings' there"
                )
                raise DataError(msg)
            return key.strip()
        with self.label_studio_key_file.open("rb") as opened:
            key_bytes = opened.read(LONGEST_KEY + 1).strip()
        if len(key_bytes) > LONGEST_KEY:
            msg = (
                f"{self.label_studio_key_file}: expected a key, got more than {LONGEST_KEY:,} bytes"
            )
            raise DataError(msg)
        return key_bytes.decode("ascii", "replace")
