"""Models in repositories of the Hugging Face Hub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.remote.places import REMEDIES, shown
from tagsight.errors import DataError, needs_extra

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_OTHER_KINDS = {"datasets", "spaces", "buckets"}


class HubModel(NamedTuple):
    """A model repository of the Hub.

    Attributes:
        repository: Owner and name.
        revision: Branch, tag or commit; None is the main branch.
    """

    repository: str
    revision: str | None


def hub_model(place: Path) -> HubModel:
    """Read the repository of a place such as ``hf://owner/name@revision``.

    Raises:
        DataError: If it is a data set, a space, or a file of a repository.

    Example:
        >>> from tagsight.data.remote.places import place
        >>> hub_model(place("hf://me/birds@v1"))
        HubModel(repository='me/birds', revision='v1')
    """
    found = _NAME.fullmatch("/".join(place.parts[2:]))
    if found is None or place.parts[2] in _OTHER_KINDS:
        msg = f"expected a model as hf://owner/name or hf://owner/name@revision, got {shown(place)}"
        raise DataError(msg)
    return HubModel(found["repository"], found["revision"])


def push_to_hub(
    model: HubModel, files: Mapping[str, Path], *, public: bool, message: str = ""
) -> None:
    """Write files to a repository in one commit; it is created if it does not exist.

    Args:
        model: The repository; a revision must be a branch.
        files: Files of this machine by their names there. Others there stay.
        public: Whether a new repository can be read by everybody.
        message: Describes the commit.

    Raises:
        DataError: If the Hub refuses or does not answer.

    Example:
        >>> from pathlib import Path
        >>> files = {"README.md": Path("runs/first/model/README.md")}
        >>> push_to_hub(HubModel("me/birds", None), files, public=False)  # doctest: +SKIP
    """
    with needs_extra("hub", "for hf://"):
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError
    hub = HfApi(library_name="tagsight")
    additions = [CommitOperationAdd(name, str(file)) for name, file in files.items()]
    try:
        hub.create_repo(model.repository, private=not public, exist_ok=True)
        hub.create_commit(
            model.repository,
            additions,
            commit_message=message or "A model of tagsight",
            revision=model.revision,
        )
    except HfHubHTTPError as error:
        msg = f"expected to write hf://{model.repository}, got {_reason(error)}: {REMEDIES['hf']}"
        raise DataError(msg) from error
    except Exception as error:  # of the packages that the client uses for the network
        msg = f"expected to write hf://{model.repository}, got: {_reason(error)}"
        raise DataError(msg) from error


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
