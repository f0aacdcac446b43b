"""``tagsight label``: label photos on a page, while heads learn from every judgement."""

from __future__ import annotations

import secrets
import shlex
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingDirectory
from cyclopts.validators import Number

from tagsight.commands.options import Hardware, journal_file
from tagsight.commands.output import print_info, print_result
from tagsight.errors import needs_extra

if TYPE_CHECKING:
    from tagsight.tagging.labelling.project import Project


@Parameter(name="*")
@dataclass(frozen=True)
class PageAddress:
    """Address of the page."""

    host: str = "127.0.0.1"
    """Address to listen at; with another than this machine's, others who have the address with its
    token can label too."""

    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8010
    """Port to listen at; 0 takes a free one."""

    allowed_host: list[str] | None = None
    """Further host name by which others reach this machine; can be repeated."""

    no_browser: bool = False
    """Print the address only."""


def label(
    photos: ExistingDirectory,
    /,
    *,
    labels: Path | None = None,
    project: Path | None = None,
    model: Path | None = None,
    text_encoder: ExistingDirectory | None = None,
    address: PageAddress = PageAddress(),
    journal: Path | None = None,
    hardware: Hardware = Hardware(),
) -> int:
    """Label photos on a page, while a model learns from every judgement.

    ```console
    tagsight label photos
    tagsight label photos --labels labels.csv --model runs/first/model
    ```

    Opens the page in the browser. Every judgement is on the disk at once; Ctrl-C ends, and the same
    command goes on. 'tagsight train PROJECT' trains any recipe on what is judged.

    Args:
        photos: Folder of the photos, or a project.
        labels: Existing labels, of a known format, to begin with; what they do not say stays
            unjudged.
        project: Folder of the project; by default PHOTOS-labels beside the photos.
        model: A trained model, whose scores are suggestions for its labels.
        text_encoder: Folder of a text-image model, such as CLIP or SigLIP as open_clip writes it;
            adds a queue of photos that look like a label's name.
        journal: Journal file of changes of sidecars; by default the one for all your runs.
    """
    print_info(f"opening {photos} to label")
    with needs_extra("serve", "for the page"):
        from tagsight.server.access import Hosts
        from tagsight.server.connections import listener
        from tagsight.server.labelling.app import create_label_app
        from tagsight.server.labelling.serving import session_server

    from tagsight.data.formats.label_project import recognises
    from tagsight.nn.text_image import TextImageEncoder
    from tagsight.tagging.labelling.encoder import PhotoEncoder
    from tagsight.tagging.labelling.project import Project, project_folder
    from tagsight.tagging.labelling.session import Session

    hosts = Hosts.listening_at(address.host, address.allowed_host or ())
    folder = project or project_folder(photos)
    runtime = hardware.exact().runtime()
    # Before a folder is made:
    suggesting = None if model is None else hardware.recognizer(model)
    names = None if text_encoder is None else TextImageEncoder.load(text_encoder, runtime)
    with Project(folder, None if recognises(photos) else photos) as opened:
        if labels is not None:
            _import(opened, labels)
        with listener(address.host, address.port) as (socket, place):
            print_info(f"project {folder}: loading the encoder")
            encoder = PhotoEncoder.choose(runtime)
            token = secrets.token_urlsafe(24)
            with Session(opened, encoder, suggesting, names) as session:
                app = create_label_app(
                    session, token=token, hosts=hosts, journal=journal_file(journal)
                )
                url = f"http://{place}/label/?token={token}"
                print_result([url])
                if not address.no_browser:
                    webbrowser.open(url)
                with suppress(KeyboardInterrupt):  # which uvicorn raises after its own end
                    session_server(app).run(sockets=[socket])
    command = shlex.join(["tagsight", "train", str(folder), "--out", "runs/first"])
    print_info(f"every judgement is in {folder}; {command!r} learns from them")
    return 0


def _import(project: Project, labels: Path) -> None:
    from tagsight.data.readers import read_annotations
    from tagsight.runtime.amounts import amount

    project.photos.search(lambda: None)
    images = project.photos.folder if labels.is_file() else None
    rows = read_annotations(labels, images=images)
    batch = project.import_labels(rows, f"from {labels.name}")
    photos = len({change.photo for change in batch.changes})
    print_info(
        f"{amount(len(batch.changes), 'judgement')} of {amount(photos, 'photo')} from {labels}"
    )
