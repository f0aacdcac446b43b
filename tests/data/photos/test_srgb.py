import numpy as np
import pytest
from colour_profiles import SPACES, grey_profile, ink_profile, profile_of, seen_grey
from photo_kinds import KINDS, LYING, drawn, encoded
from PIL import Image, ImageCms

from tagsight.data.photos import srgb
from tagsight.data.photos.reading import open_photo
from tagsight.data.photos.srgb import LARGEST_PROFILE, ToRgb, strips
from tagsight.runtime.threads import ordered_map

LEVELS = np.array([70, 110, 150, 190], np.uint8)
COLOURS = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(4, 16, 3)
COLOURS = COLOURS.repeat(16, axis=0).repeat(16, axis=1)
SWAPPED = SPACES["red and blue swapped"]


def apart(photo: Image.Image, expected: np.ndarray) -> int:
    return int(np.abs(np.asarray(photo, np.int16) - expected).max())


@pytest.mark.parametrize(
    ("space", "kind", "most", "options"),
    [
        ("red and blue swapped", "PNG", 4, {}),
        ("Adobe RGB", "PNG", 4, {}),
        ("Adobe RGB", "TIFF", 4, {}),
        ("Adobe RGB", "WEBP", 4, {"lossless": True, "exact": True}),
        ("Adobe RGB", "JPEG", 9, {"quality": 100, "subsampling": 0}),
        ("Adobe RGB", "AVIF", 9, {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_photos_under_a_profile_have_the_colours_of_the_srgb_original(space, kind, most, options):
    photo = Image.fromarray(SPACES[space].encoded(COLOURS))
    content = encoded(photo, kind, icc_profile=SPACES[space].profile(), **options)
    assert apart(open_photo(content), COLOURS) <= most
    assert apart(photo, COLOURS) > 15  # or the profile would not show


def test_a_profile_holds_whatever_else_is_done_to_a_photo():
    photo, profile = Image.fromarray(SWAPPED.encoded(COLOURS)), SWAPPED.profile()
    for change, options, expected in (
        (lambda photo: photo.convert("RGBA"), {}, COLOURS),
        (lambda photo: photo.quantize(64, dither=Image.Dither.NONE), {}, COLOURS),
        (lambda photo: photo, {"exif": LYING}, np.rot90(COLOURS, -1)),
    ):
        content = encoded(change(photo), "PNG", icc_profile=profile, **options)
        assert apart(open_photo(content), expected) <= 4
    reduced = open_photo(encoded(photo, "JPEG", icc_profile=profile), least_side=16)
    step = photo.height // reduced.height
    assert step > 1
    assert np.abs(np.asarray(reduced, int) - COLOURS[::step, ::step]).mean() < 4
    transparent = Image.new("RGBA", (4, 4), (10, 200, 30, 0))
    assert apart(open_photo(encoded(transparent, "PNG", icc_profile=profile)), 255) == 0


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_is_seen_through_its_profile(mode):
    values = np.arange(256, dtype=np.uint8)[None]
    photo = Image.fromarray(values.astype(np.uint16) * 257 if mode == "I;16" else values)
    content = encoded(photo.convert(mode), "PNG", icc_profile=grey_profile(1.4))
    expected = seen_grey(values, 1.4)[..., None]
    assert apart(open_photo(content), expected) <= 2
    assert apart(Image.fromarray(values).convert("RGB"), expected) > 30


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_seen_through_their_profile(kind):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    for options, reddish in (({}, False), ({"icc_profile": ink_profile()}, True)):
        red, green, _ = open_photo(encoded(cyan, kind, **options)).getpixel((0, 0))
        assert (red > green) == reddish


def test_a_profile_that_cannot_be_followed_is_none_and_the_photo_is_read():
    photo, sound, noise = drawn("RGB", 16), SWAPPED.profile(), np.random.default_rng(0).bytes(500)
    wrong = {
        "cut short": sound[:200],
        "noise": noise,
        "noise behind the head": sound[:128] + noise,
        "inks": ink_profile(),
        "grey": grey_profile(1.0),
        "a link between devices": profile_of(b"RGB ", b"link", {}),
        "empty": profile_of(b"RGB ", b"mntr", {}),
        "huge": sound + bytes(LARGEST_PROFILE),
    }
    for name, profile in wrong.items():
        opened = open_photo(encoded(photo, "TIFF", icc_profile=profile))
        assert apart(opened, np.asarray(photo)) == 0, name


def test_damaged_profiles_never_spoil_a_photo():
    chance, sound = np.random.default_rng(0), bytearray(SPACES["Adobe RGB"].profile())
    for _ in range(80):
        profile = bytearray(sound)
        for place in chance.integers(0, len(sound), 8):
            profile[place] = chance.integers(256)
        content = encoded(drawn("RGB", 8), "TIFF", icc_profile=bytes(profile))
        assert open_photo(content).mode == "RGB"


def test_srgb_photos_are_left_as_they_are_and_a_profile_is_looked_at_once(monkeypatch):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = drawn("RGB", 64)
    photo.info["icc_profile"] = profile
    assert not ToRgb.of(photo).changes(photo)
    monkeypatch.setattr(ImageCms, "buildTransform", lambda *_: pytest.fail("built again"))
    assert not ToRgb.of(photo).changes(photo)


def test_threads_share_a_profile():
    contents = [
        encoded(Image.fromarray(space.encoded(COLOURS)), "PNG", icc_profile=space.profile())
        for space in SPACES.values()
    ] * 20
    alone = [np.asarray(open_photo(content)) for content in contents]
    together = ordered_map(open_photo, contents, workers=4, ahead=8)
    assert all(np.array_equal(one, photo) for one, photo in zip(alone, together, strict=True))


OF_EVERY_MODE = (
    *("PNG 1", "PNG L", "PNG P", "PNG P transparent", "PNG LA", "PNG RGB", "PNG RGBA", "PNG I;16"),
    *("JPEG CMYK", "TIFF I", "TIFF F", "TIFF YCbCr jpeg", "PNG RGB of 16 bits"),
)


@pytest.mark.parametrize("name", OF_EVERY_MODE)
def test_what_is_converted_in_strips_is_what_is_converted_at_once(name, monkeypatch):
    content = KINDS[name](40)
    at_once = open_photo(content)
    monkeypatch.setattr(srgb, "STRIP", 7 * 40)
    assert len(list(strips((40, 40)))) == 6
    in_strips = open_photo(content)
    assert (at_once.mode, at_once.size, in_strips.size) == ("RGB", (40, 40), (40, 40))
    assert apart(in_strips, np.asarray(at_once)) == 0
