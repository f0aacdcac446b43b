"""A project of drawn photos that is served for labelling."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn
from channels import corner
from tiny import TINY
from tiny_run import RUNTIME

from tagsight.server.access import Hosts
from tagsight.server.connections import listener, server_config
from tagsight.server.labelling.app import LIMITS, create_label_app
from tagsight.systems.catalogue import QUICK_RECIPE, RECIPES
from tagsight.tagging.labelling.encoder import PhotoEncoder
from tagsight.tagging.labelling.project import Project
from tagsight.tagging.labelling.session import Session

COLOURS = ("red", "green", "blue")
SIZES = ((160, 120), (120, 160), (160, 160))


class Labelled(NamedTuple):
    """A project that is served.

    Attributes:
        address: URL of its page.
        port: Port of its server.
        session: The project in use.
    """

    address: str
    port: int
    session: Session


def save_album(folder: Path, count: int) -> Path:
    """Draw photos with a coloured corner, red, green and blue in turn."""
    folder.mkdir()
    for number in range(count):
        colour, size = COLOURS[number % 3], SIZES[number // 3 % 3]
        corner(colour, size, 255 - number).save(folder / f"{number:03}-{colour}.png")
    return folder


@contextmanager
def labelling(
    folder: Path, photos: Path, *, port: int = 0, token: str | None = None
) -> Iterator[Labelled]:
    """A running server, configured as `tagsight label` configures it."""
    recipe = RECIPES[QUICK_RECIPE]
    settings = recipe.settings.model_copy(update={"backbone": TINY})
    training = recipe.training.model_copy(update={"image_size": 64})
    tiny = recipe.model_copy(update={"settings": settings, "training": training})
    encoder = PhotoEncoder.choose(RUNTIME, tiny)
    with (
        Project(folder, photos) as project,
        listener("127.0.0.1", port) as (socket, place),
        Session(project, encoder) as session,
    ):
        app = create_label_app(session, token=token, hosts=Hosts(), journal=folder / "journal")
        server = uvicorn.Server(server_config(app, LIMITS))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            yield Labelled(f"http://{place}/label/", int(place.rpartition(":")[2]), session)
        finally:
            server.should_exit = True
            while thread.is_alive():
                app.state.streams.end()
                thread.join(timeout=0.1)
