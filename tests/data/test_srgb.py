from __future__ import annotations

import time

import numpy as np
import pytest
from colour_profiles import SPACES, Space, grey_profile, ink_profile, profile_of, seen_grey
from photo_kinds import KINDS, LYING, drawn, encoded
from PIL import Image, ImageCms

from tagsight.data import srgb
from tagsight.data.photos import open_photo
from tagsight.data.srgb import LARGEST_PROFILE, ToRgb, strips
from tagsight.runtime.threads import ordered_map

EXACT = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
CLOSE = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def colours() -> np.ndarray:
    levels = np.array([70, 110, 150, 190], np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(4, 16, 3)
    return cube.repeat(16, axis=0).repeat(16, axis=1)


def apart(photo: Image.Image, expected: np.ndarray) -> int:
    return int(np.abs(np.asarray(photo, np.int16) - expected).max())


def under(space: Space, kind: str, **options: object) -> bytes:
    photo = Image.fromarray(space.encoded(colours()))
    return encoded(photo, kind, icc_profile=space.profile(), **options)


@pytest.mark.parametrize(
    ("space", "kind"),
    [*((space, "PNG") for space in SPACES), *(("Adobe RGB", kind) for kind in [*EXACT, *CLOSE])],
)
def test_photos_under_a_profile_have_the_colours_of_the_srgb_original(space, kind) -> None:
    photo = open_photo(under(SPACES[space], kind, **(EXACT | CLOSE)[kind]))
    assert apart(photo, colours()) <= (4 if kind in EXACT else 9)
    ignored = Image.fromarray(SPACES[space].encoded(colours()))
    assert apart(ignored, colours()) > 15  # or the profile would not show


@pytest.mark.parametrize("mode", ["RGBA", "P", "turned", "reduced"])
def test_a_profile_holds_whatever_else_is_done_to_a_photo(mode) -> None:
    space, expected = SPACES["red and blue swapped"], colours()
    photo, options = Image.fromarray(space.encoded(expected)), {}
    if mode == "RGBA":
        photo.putalpha(255)
    elif mode == "P":
        photo, expected = photo.quantize(64, dither=Image.Dither.NONE), colours()
    elif mode == "turned":
        options, expected = {"exif": LYING}, np.rot90(colours(), -1)
    content = encoded(
        photo, "JPEG" if mode == "reduced" else "PNG", icc_profile=space.profile(), **options
    )
    opened = open_photo(content, least_side=16 if mode == "reduced" else None)
    if mode == "reduced":
        assert opened.size < photo.size
        expected = expected[:: photo.height // opened.height, :: photo.width // opened.width]
        assert np.abs(np.asarray(opened, int) - expected).mean() < 4
    else:
        assert apart(opened, expected) <= 4


def test_transparent_parts_are_white_whatever_the_profile() -> None:
    photo = Image.new("RGBA", (4, 4), (10, 200, 30, 0))
    content = encoded(photo, "PNG", icc_profile=SPACES["Adobe RGB"].profile())
    assert apart(open_photo(content), np.full((4, 4, 3), 255)) == 0


@pytest.mark.parametrize("kind", ["L", "LA", "I;16"])
def test_grey_is_seen_through_its_profile(kind) -> None:
    values = np.arange(256, dtype=np.uint8)[None]
    photo = Image.fromarray(values.astype(np.uint16) * 257 if kind == "I;16" else values)
    content = encoded(
        photo if kind != "LA" else photo.convert("LA"), "PNG", icc_profile=grey_profile(1.4)
    )
    expected = seen_grey(values, 1.4)[..., None]
    assert apart(open_photo(content), expected) <= 2
    assert apart(Image.fromarray(values).convert("RGB"), expected) > 30


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_seen_through_their_profile(kind) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, _ = np.asarray(open_photo(encoded(cyan, kind))).reshape(-1, 3)[0]
    assert red < green
    content = encoded(cyan, kind, icc_profile=ink_profile())
    red, green, _ = np.asarray(open_photo(content)).reshape(-1, 3)[0]
    assert red > green


def test_a_profile_that_cannot_be_followed_is_none_and_the_photo_is_read() -> None:
    photo, sound = drawn("RGB", 16), SPACES["red and blue swapped"].profile()
    wrong = {
        "cut short": sound[:200],
        "noise": np.random.default_rng(0).bytes(500),
        "noise behind the head": sound[:128] + np.random.default_rng(0).bytes(500),
        "inks": ink_profile(),
        "grey": grey_profile(1.0),
        "a link between devices": profile_of(b"RGB ", b"link", {}),
        "empty": profile_of(b"RGB ", b"mntr", {}),
        "huge": sound + bytes(LARGEST_PROFILE),
    }
    for name, profile in wrong.items():
        opened = open_photo(encoded(photo, "TIFF", icc_profile=profile))
        assert apart(opened, np.asarray(photo)) == 0, name


def test_damaged_profiles_never_spoil_a_photo() -> None:
    chance, sound = np.random.default_rng(0), bytearray(SPACES["Adobe RGB"].profile())
    for _ in range(80):
        profile = bytearray(sound)
        for place in chance.integers(0, len(sound), 8):
            profile[place] = chance.integers(256)
        content = encoded(drawn("RGB", 8), "TIFF", icc_profile=bytes(profile))
        assert open_photo(content).mode == "RGB"


def test_srgb_photos_are_left_as_they_are() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = drawn("RGB", 64)
    photo.info["icc_profile"] = profile
    assert not ToRgb.of(photo).changes(photo)
    started = time.perf_counter()
    for _ in range(1000):
        ToRgb.of(photo)
    assert time.perf_counter() - started < 1  # the profile is looked at once


def test_threads_share_a_profile() -> None:
    contents = [under(space, "PNG") for space in SPACES.values()] * 10
    alone = [np.asarray(open_photo(content)) for content in contents]
    together = ordered_map(open_photo, contents, workers=4, ahead=8)
    assert all(np.array_equal(one, photo) for one, photo in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_what_is_converted_in_strips_is_what_is_converted_at_once(name, monkeypatch) -> None:
    content = KINDS[name](40)
    at_once = open_photo(content)
    monkeypatch.setattr(srgb, "STRIP", 7 * 40)
    assert len(list(strips((40, 40)))) == 6
    in_strips = open_photo(content)
    assert (at_once.mode, at_once.size, in_strips.size) == ("RGB", (40, 40), (40, 40))
    assert apart(in_strips, np.asarray(at_once)) == 0
