"""Exported files of attackers: one sentence, before anything is run or taken memory for."""

import os
import random
import shutil

import numpy as np
import pytest
from hostile_models import (
    HOSTILE_DESCRIPTIONS,
    HOSTILE_GRAPHS,
    HOSTILE_XML,
    changed_description,
    changed_graph,
    changed_xml,
)
from programs import python

from tagsight.errors import DataError
from tagsight.inference.exporting import delivering
from tagsight.inference.networks import open_network
from tagsight.inference.networks.onnx_structure import Reader, varints
from tagsight.inference.networks.openvino_file import weights_file
from tagsight.inference.networks.seal import check_seal

ENDINGS = (".onnx", ".xml")
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
DAMAGED = 60
"""Files of each form that are damaged at random."""

OPENS = """
import resource
import sys
from pathlib import Path

import numpy as np

from tagsight.errors import DataError
from tagsight.inference.networks import open_network
from tagsight.inference.networks.seal import seal

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for line in sys.stdin:
    file = Path(line.strip())
    try:
        seal(file)
        open_network(file, workers=1)(np.zeros((2, 32, 32, 3), np.uint8))
    except DataError as error:
        assert 20 < len(str(error)) < 1500, str(error)
    print(file.name, flush=True)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 400 * 1024, grown
"""


CASES = {
    **{name: (changed_graph, ".onnx", *case) for name, case in HOSTILE_GRAPHS.items()},
    **{name: (changed_description, ".onnx", *case) for name, case in HOSTILE_DESCRIPTIONS.items()},
    **{name: (changed_xml, ".xml", *case) for name, case in HOSTILE_XML.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_a_sentence(name, sound, tmp_path):
    changed, ending, change, message = CASES[name]
    file = changed(sound[ending], tmp_path / f"m{ending}", change)
    with pytest.raises(DataError, match=message) as caught:
        open_network(file)
    assert len(str(caught.value)) < 1500


def test_a_small_file_that_needs_16_terabytes_is_refused_by_openvino_too(sound, tmp_path):
    change, _ = HOSTILE_GRAPHS["a sum of 16 TB"]
    graph = changed_graph(sound[".onnx"], tmp_path / "m.onnx", change)
    with delivering(graph, tmp_path / "m.xml"):
        pass
    with pytest.raises(DataError, match=r"expected a graph that runs in .* bytes, got .*m.xml"):
        open_network(tmp_path / "m.xml")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Change a file as disks, networks and editors do."""
    found = bytearray(content)
    place, length = chance.randrange(len(found)), chance.randrange(1, 60)
    other = chance.randrange(len(found) - length)
    match chance.randrange(6):
        case 0:
            found[place] ^= 1 << chance.randrange(8)
        case 1:
            found = found[:place]
        case 2:
            found[place:place] = found[other : other + length]
        case 3:
            del found[place : place + length]
        case 4:
            found[place : place + 1] = bytes([chance.choice([0, 1, 127, 128, 255])])
        case 5:
            digits = [at for at, byte in enumerate(found) if chr(byte).isdigit()]
            found[chance.choice(digits)] = ord(chance.choice("0123456789"))
    return bytes(found)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_damaged_file_is_refused_or_as_it_was(ending, sound, tmp_path):
    chance = random.Random(1)
    content, file = sound[ending].read_bytes(), tmp_path / f"m{ending}"
    if ending == ".xml":
        shutil.copy(weights_file(sound[ending]), weights_file(file))
    refused = 0
    for _ in range(DAMAGED):
        file.write_bytes(damaged(content, chance))
        if file.read_bytes() == content:
            continue
        with pytest.raises(DataError, match=r"m\.(onnx|xml)"):
            open_network(file)
        refused += 1
    assert refused > 0.9 * DAMAGED
    file.write_bytes(content)
    check_seal(file)
    expected = open_network(sound[ending])(PHOTOS)
    np.testing.assert_array_equal(open_network(file)(PHOTOS).logits, expected.logits)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_damaged_and_sealed_anew_ends_nothing(ending, sound, tmp_path):
    chance = random.Random(2)
    content = sound[ending].read_bytes()
    files = [tmp_path / f"{number}{ending}" for number in range(DAMAGED)]
    for file in files:
        file.write_bytes(damaged(content, chance))
        if ending == ".xml":
            os.link(weights_file(sound[ending]), weights_file(file))
    done = python("-c", OPENS, input="\n".join(map(str, files)))
    # Nothing but our own lines: runtimes keep silent about what they refuse.
    assert done.stdout.split() == [file.name for file in files]
    assert not done.stderr


def test_weights_that_are_missing_cut_short_changed_or_no_file_are_refused(sound, tmp_path):
    file = shutil.copy(sound[".xml"], tmp_path / "m.xml")
    beside, weights = weights_file(file), weights_file(sound[".xml"]).read_bytes()
    for put, message in (
        (lambda: None, r"expected the weights of .*m.xml beside it, got no file"),
        (lambda: beside.write_bytes(weights[:-1]), r"a constant of .* bytes at"),
        (
            lambda: beside.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1])),
            r"expected the weights of .*m.xml beside it, got others",
        ),
        (
            lambda: (beside.unlink(), beside.symlink_to("/dev/zero")),
            r"expected the weights of .*m.xml beside it, got no file",
        ),
    ):
        put()
        with pytest.raises(DataError, match=message):
            open_network(file)


def test_what_reads_fields_finds_those_that_a_library_writes(sound):
    """A parser of our own beside that of protocol buffers."""
    import onnx

    content = sound[".onnx"].read_bytes()
    graph = next(f for f in Reader().fields(memoryview(content)) if f.number == 7)
    names = [f.content for f in Reader().fields(graph.content) if f.number == 5]
    model = onnx.load(sound[".onnx"])
    assert [bytes(name) for name in names] == [
        tensor.SerializeToString() for tensor in model.graph.initializer
    ]
    assert varints(memoryview(b"\x00\x7f\x80\x01\xff\xff\x03")) == [0, 127, 128, 65535]
