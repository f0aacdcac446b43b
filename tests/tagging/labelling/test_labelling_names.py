"""Photos that look like the name of a label, by an encoder that knows names of colours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from labelled import SHADES, learned, session_in, write_photos
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from tagsight.errors import DataError
from tagsight.nn.text_image import TextImageEncoder
from tagsight.runtime.device import Runtime
from tagsight.tagging.labelling.orders import Query

COLOURS = ("red", "green", "blue")
GREEN, RED = [5, 6, 7, 8], [9, 10, 11, 12]


class Colours(torch.nn.Module):
    """The mean colour of a photo, and the colour that a sentence names."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def encode_image(self, images: Tensor) -> Tensor:
        self.encoded += len(images)
        return images.mean((-2, -1))

    def encode_text(self, tokens: Tensor) -> Tensor:
        return torch.eye(3)[tokens[:, 0]]


def tokens(sentences: Sequence[str]) -> Tensor:
    return torch.tensor([[max(COLOURS.index(c) for c in COLOURS if c in s)] for s in sentences])


def colours() -> TextImageEncoder:
    runtime = Runtime.choose("cpu", "float32", workers=1)
    return TextImageEncoder(Colours(), tokens, to_tensor, 32, 3, f"colours-{16 * '0'}", runtime)


def named(session: Any) -> None:
    session.names.start()
    session.names.finish()


def test_photos_are_ranked_by_a_labels_name_before_the_first_judgement(tmp_path):
    with session_in(tmp_path, names=colours()) as session:
        red = session.make_label("colour/red").id
        query = Query("looks-like-name", red)
        with pytest.raises(DataError, match="wait a moment"):
            session.photos(query, 0, 12)
        named(session)
        found = [photo.id for photo in session.photos(query, 0, 12).photos]
        assert sorted(found[: len(SHADES)]) == RED
        assert len(found) == 12
        session.judge(RED[:1], red, 0, "me")
        assert RED[0] not in [one.id for one in session.photos(query, 0, 12, fresh=True).photos]
        session.names.stop()


def test_a_label_of_which_nothing_else_is_known_is_probably_where_its_name_is(tmp_path):
    with session_in(tmp_path, names=colours()) as session:
        red, green = (session.make_label(name).id for name in ("red", "green"))
        query = Query("probably-yes", red)
        with pytest.raises(DataError, match="judge a few photos first"):
            session.photos(query, 0, 12)
        named(session)
        found = [photo.id for photo in session.photos(query, 0, 12).photos]
        assert sorted(found[: len(SHADES)]) == RED
        session.judge(RED[:2], red, 1, "me")
        learned(session)
        found = [p.id for p in session.photos(Query("probably-yes", green), 0, 12).photos]
        assert sorted(found[: len(SHADES)]) == GREEN
        session.names.stop()


def test_without_an_encoder_there_is_no_such_queue(tmp_path):
    with session_in(tmp_path) as session:
        session.make_label("red")
        assert "looks-like-name" not in {queue.name for queue in session.view().queues}
        with pytest.raises(DataError, match="expected a queue of"):
            session.photos(Query("looks-like-name", 1), 0, 5)


def test_what_is_compared_is_kept_and_a_torn_row_is_done_again(tmp_path):
    write_photos(tmp_path / "photos")
    (tmp_path / "photos" / "twin.png").write_bytes(
        (tmp_path / "photos" / "red-250.png").read_bytes()
    )
    first, second = colours(), colours()
    with session_in(tmp_path, names=first) as session:
        named(session)
        assert first.network.encoded == session.names.count == 12, "twins share a row"
        session.names.stop()
        file = next(session.features.folder.glob("*.names"))
    rows = np.fromfile(file, np.float16).reshape(12, 3)
    rows[5, 1:] = 0
    rows[5, 0] = 0.3
    rows.tofile(file)
    with session_in(tmp_path, names=second) as session:
        assert session.names.count == 11
        named(session)
        assert second.network.encoded == 1
        session.names.stop()


def test_a_photo_that_is_gone_meanwhile_is_left_out(tmp_path):
    with session_in(tmp_path, names=colours()) as session:
        (tmp_path / "photos" / "red-250.png").unlink()
        named(session)
        red = session.make_label("red").id
        assert session.names.count == 11
        assert len(session.photos(Query("looks-like-name", red), 0, 12).photos) == 11
        session.names.stop()
