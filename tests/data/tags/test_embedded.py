import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tagsight.data.tags.embedded import MOST_CHUNKS, XP_KEYWORDS, Embedded, embedded_tags
from tagsight.data.tags.xmp_tree import LARGEST

KEYWORD = b"XML:com.adobe.xmp\0"


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(folder: Path, *behind: bytes) -> Path:
    """A PNG with chunks after its pixels, where exiftool writes its packet."""
    file = folder / "a.png"
    Image.new("RGB", (2, 2)).save(file)
    start, end = file.read_bytes()[:-12], file.read_bytes()[-12:]
    file.write_bytes(start + b"".join(behind) + end)
    return file


def packed(content: bytes) -> bytes:
    return chunk(b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(content))


@pytest.mark.parametrize(
    ("behind", "xmp"),
    [
        ([chunk(b"iTXt", KEYWORD + b"\0\0en\0x\0<x/>")], b"<x/>"),
        ([chunk(b"tEXt", b"a\0b"), packed(b"<x/>")], b"<x/>"),
        ([packed(b" " * (LARGEST + 1))], None),
        ([chunk(b"iTXt", KEYWORD + b"\1\0\0\0garbage")], None),
        ([chunk(b"iTXt", KEYWORD)], None),
        ([chunk(b"tEXt", b"")] * MOST_CHUNKS + [packed(b"<x/>")], None),
        ([struct.pack(">I4s", 2**31 - 1, b"iTXt")], None),
    ],
)
def test_the_packet_of_a_png_is_found_behind_its_pixels_within_limits(tmp_path, behind, xmp):
    assert embedded_tags(png(tmp_path, *behind)).xmp == xmp


IPTC = b"Raw profile type iptc\0"
RECORDS = b"\x1c\x02\x19\0\3dog\x1c\x02\x05\0\1x\x1c\x02\x19\0\7Gr\xc3\xb6\xc3\x9fe"


def profile(content: bytes) -> bytes:
    digits = content.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", "iptc", f"{len(content):8}", *lines, ""]).encode()


@pytest.mark.parametrize(
    ("behind", "words"),
    [
        (chunk(b"tEXt", IPTC + profile(RECORDS)), ("dog", "Größe")),
        (chunk(b"zTXt", IPTC + b"\0" + zlib.compress(profile(RECORDS))), ("dog", "Größe")),
        (chunk(b"tEXt", IPTC + profile(b"8BIM\4\4\0\0\0\0\0\x1f" + RECORDS)), ("dog", "Größe")),
        (chunk(b"tEXt", IPTC + profile(RECORDS)[:-2]), ()),
        (chunk(b"tEXt", IPTC + b"\niptc\n 3\nno"), ()),
        (chunk(b"tEXt", IPTC), ()),
        (chunk(b"zTXt", IPTC + b"\0garbage"), ()),
    ],
)
def test_keywords_of_iptc_in_a_png_are_read_as_other_programs_write_them(tmp_path, behind, words):
    assert embedded_tags(png(tmp_path, behind)).iptc == words


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_keywords_of_iptc_are_read_as_exiftool_writes_them(tmp_path, ending):
    photo = tmp_path / f"a.{ending}"
    Image.new("RGB", (8, 8)).save(photo)
    words = ["-IPTC:CodedCharacterSet=UTF8", "-IPTC:Keywords=dog", "-IPTC:Keywords=Größe"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *words, str(photo)], check=True)
    assert embedded_tags(photo).iptc == ("dog", "Größe")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("dog;blue sky;\0".encode("utf-16-le"), ("dog", "blue sky")),
        (b"", ()),
        (b"\xd8", ("\ufffd",)),
    ],
)
def test_keywords_of_windows_are_read(tmp_path, content, words):
    exif = Image.Exif()
    exif[XP_KEYWORDS] = content
    Image.new("RGB", (2, 2)).save(tmp_path / "a.jpg", exif=exif)
    assert embedded_tags(tmp_path / "a.jpg").words == words


@pytest.mark.parametrize(
    "photoshop",
    [
        b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x19\0\x03dog",
        b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x19\xff\xffdo",
        b"Photoshop 3.0\0" + b"8BIM\x04\x04\xff",
    ],
)
def test_damaged_metadata_are_no_keywords_and_no_error(tmp_path, photoshop):
    file = tmp_path / "a.jpg"
    Image.new("RGB", (2, 2)).save(file)
    content = file.read_bytes()
    segment = b"\xff\xed" + struct.pack(">H", len(photoshop) + 2) + photoshop
    file.write_bytes(content[:2] + segment + content[2:])
    assert set(embedded_tags(file).words) <= {"dog", "do"}


@pytest.mark.parametrize(("name", "content"), [("a.jpg", b"no photo"), ("a.nef", b""), ("b", None)])
def test_what_is_no_photo_has_no_keywords(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert embedded_tags(tmp_path / name) == Embedded()
