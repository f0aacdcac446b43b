"""Files of others that mean harm, each given to the command that reads it, in a process of its own.

Every file is built here, at its full size. The process has a limit of memory, far above what may be
taken, so that a machine survives what goes wrong. Right is: one sentence and the exit code 2, or
the work done, within `SECONDS` and `MEMORY` more than the same command takes for nothing.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image
from table import HEADER, row

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the exported files of the tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS, MEMORY = 30.0, 1024.0
"""Most seconds of a processor, and MiB, that a file may take beyond what the command takes."""

CEILING = 16 * 2**30
"""Bytes of address space of a process: what it would take without a check of ours ends here."""

MEMBERS = 100_000


class Outcome(NamedTuple):
    """What a command did.

    Attributes:
        code: Its exit code; below 0 it was ended by that signal.
        said: What it wrote to standard error.
        seconds: Of a processor.
        memory: Peak of resident memory, in MiB.
    """

    code: int
    said: str
    seconds: float
    memory: float


def run(*arguments: object) -> Outcome:
    """Run a command within the ceiling."""
    command = [sys.executable, "-m", "tagsight", *map(str, arguments)]
    with TemporaryDirectory() as folder, (Path(folder) / "said").open("w+b") as said:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        resource.prlimit(process.pid, resource.RLIMIT_AS, (CEILING, CEILING))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    return Outcome(
        process.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    )


def made(file: Path, content: Callable[[], str | bytes]) -> Path:
    """Write a file in a process of its own.

    Until it runs its own program, a new process has the peak memory of the one that starts it: what
    large files take to be made would count as what they take to be read.
    """
    child = os.fork()
    if child == 0:
        written(file, content())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, file
    return file


def right(outcome: Outcome) -> bool:
    """Whether a command did its work, or said in a sentence why not."""
    if "Traceback" in outcome.said or outcome.code < 0:
        return False
    told = [line for line in outcome.said.splitlines() if line.startswith("tagsight: ")]
    return outcome.code in {0, 1} or (outcome.code == 2 and len(told) == 1)


def written(file: Path, content: bytes | str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def picture(shade: int = 90) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 24, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


PICTURE = picture()


# Tars


def header(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """A header whose fields are written as given."""
    block = bytearray(512)
    block[: len(name)] = name.encode()
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """An extended header."""
    content = b""
    for key, value in records:
        text = f" {key}={value}\n".encode()
        length = len(text) + 1
        while len(str(length)) + len(text) != length:
            length += 1
        content += str(length).encode() + text
    return header("pax", b"%011o\0" % len(content), kind) + padded(content)


def member(name: str, content: bytes = PICTURE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf() + padded(content)


def tar(file: Path, parts: Iterable[bytes], *, end: bool = True) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        for part in parts:
            opened.write(part)
        if end:
            opened.write(bytes(1024))
    return file


def samples(count: int) -> Iterator[bytes]:
    for number in range(count // 2):
        yield member(f"{number:06}.png")
        yield member(f"{number:06}.cls", b"dog" if number % 2 else b"cat")


TARS: dict[str, Callable[[Path], Path]] = {
    f"tar of {MEMBERS:,} members": lambda f: tar(f, samples(MEMBERS)),
    "tar cut short": lambda f: written(f, tar(f, samples(2000)).read_bytes()[:-700_000]),
    "tar without an end": lambda f: tar(f, samples(2000), end=False),
    "gzip called .tar, 1 GiB of zeros": lambda f: written(f, gzip.compress(bytes(2**30))),
    "tar with a header of 4 GiB": lambda f: tar(f, [header("pax", b"%011o\0" % 2**32, b"x")]),
    "tar of 5,000 headers for one member": lambda f: tar(f, [pax(("a", "b")) * 5000, member("a")]),
    "tar of 300 MB that all members share": lambda f: tar(
        f, [*(pax((f"k{i}", "x" * 900_000), kind=b"g") for i in range(300)), member("a.png")]
    ),
    "tar of 50,000 words that 20,000 members share": lambda f: tar(
        f, [pax(*((f"k{i}", "x") for i in range(50_000)), kind=b"g"), *samples(20_000)]
    ),
    "tar with a negative size": lambda f: tar(f, [header("a.png", b"\xff" * 12), *samples(2)]),
    "tar with a size of 10^26": lambda f: tar(f, [header("a.png", b"\x80" + b"\x7f" * 11)]),
    "tar with a size of 3,000 digits": lambda f: tar(f, [pax(("size", "9" * 3000)), member("a")]),
    "tar with a link": lambda f: tar(f, [header("a.png", b"0", b"2")]),
    "tar with a device": lambda f: tar(f, [header("a.png", b"0", b"3")]),
    "tar with a sparse file": lambda f: tar(f, [header("a.png", b"0", b"S")]),
    "tar with an absolute name": lambda f: tar(f, [member("/etc/a.png")]),
    "tar that leads out": lambda f: tar(f, [member("a/../../b.png")]),
    "tar with a name twice": lambda f: tar(f, [member("a.png"), member("./a.png")]),
    "tar with a name that is no text": lambda f: tar(
        f, [header("a", b"0").replace(b"a\0", b"\xff\0", 1)]
    ),
    "tar with labels nested 100,000 deep": lambda f: tar(
        f, [member("a.png"), member("a.json", b"[" * 100_000)]
    ),
    "tar with a label of 500,000 digits": lambda f: tar(
        f, [member("a.png"), member("a.json", b'{"labels": ' + b"9" * 500_000 + b"}")]
    ),
}


# Files of labels


def coco(**changes: object) -> str:
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png"}],
            "categories": [{"id": 1, "name": "dog"}],
            "annotations": [{"image_id": 1, "category_id": 1}],
            **changes,
        }
    )


LABELS: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "CSV of 2 million columns": (
        "csv",
        lambda: "image," + ",".join(f"l{i}" for i in range(2_000_000)) + "\na.png\n",
    ),
    "CSV with a line of 100 MB": ("csv", lambda: b"image,labels\na.png," + b"x" * 100_000_000),
    "CSV with a quote that stays open": (
        "csv",
        lambda: b'image,labels\na.png,"' + b"x\n" * 20_000_000,
    ),
    "CSV of 50 million empty lines": ("csv", lambda: b"\n" * 50_000_000),
    "CSV of 10 million empty cells": ("csv", lambda: b"," * 10_000_000),
    "CSV with NUL": ("csv", lambda: b"image,labels\na.png,d\0g\n"),
    "COCO nested a million deep": ("json", lambda: b'{"images": [' + b"[" * 1_000_000),
    "COCO with a number of 100,000 digits": (
        "json",
        lambda: b'{"images": [{"id": ' + b"9" * 100_000 + b"}]}",
    ),
    "COCO with NaN for an id": (
        "json",
        lambda: coco(images=[{"id": float("nan"), "file_name": "a.png"}]),
    ),
    "COCO of 40 million empty lists": (
        "json",
        lambda: b'{"annotations": [], "images": [' + b"[]," * 40_000_000 + b"[]]}",
    ),
    "COCO with half a character": ("json", lambda: coco(categories=[{"id": 1, "name": "\ud800"}])),
}


# Word vectors


def npz(words: str, vectors: str, content: bytes = b"") -> bytes:
    """An archive whose arrays have headers as given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("words", words), ("vectors", vectors)):
            line = text.encode() + b"\n"
            start = b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little")
            archive.writestr(f"{name}.npy", start + line + content)
    return file.getvalue()


def array(shape: str, kind: str) -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


VECTORS: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "word vectors of 3 million numbers": ("txt", lambda: "dog " + "1 " * 3_000_000),
    "word vectors in a line of 100 MB": ("txt", lambda: b"dog" * 33_000_000),
    "word vectors of NaN": ("txt", lambda: "dog nan inf 1\ncat 1 2 3\n"),
    "npz that unpacks to 2 GB": (
        "npz",
        lambda: npz(array("(1,)", "<U3"), array("(1, 500000000)", "<f4"), bytes(2_000_000_000)),
    ),
    "npz of a word of 2 GB": (
        "npz",
        lambda: npz(array("(1,)", "<U500000000"), array("(1, 3)", "<f4"), bytes(12)),
    ),
    "npz with objects": ("npz", lambda: npz(array("(1,)", "|O"), array("(1, 3)", "<f4"))),
    "npz with a negative shape": (
        "npz",
        lambda: npz(array("(-1,)", "<U3"), array("(-5, 3)", "<f4")),
    ),
    "npz nested 9,000 deep": ("npz", lambda: npz("(" * 9000, "(" * 9000)),
}


# Model folders


def folders(sound: Path) -> dict[str, Callable[[Path], None]]:
    """What is done to a copy of a model folder."""
    config = json.loads((sound / "config.json").read_text(encoding="utf-8"))
    weights = (sound / "model.safetensors").read_bytes()
    length = int.from_bytes(weights[:8], "little")
    tensors = json.loads(weights[8 : 8 + length])

    def say(**changes: object) -> Callable[[Path], None]:
        return lambda folder: _write(folder / "config.json", json.dumps({**config, **changes}))

    def text(content: bytes) -> Callable[[Path], None]:
        return lambda folder: _write(folder / "config.json", content)

    def recipe(path: str, value: object) -> Callable[[Path], None]:
        changed = json.loads(json.dumps(config))
        place = changed["recipe"]
        *parents, last = path.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = value
        return lambda folder: _write(folder / "config.json", json.dumps(changed))

    def shapes(shape: list[int]) -> Callable[[Path], None]:
        first = next(name for name in tensors if name != "__metadata__")
        said = json.dumps({**tensors, first: {**tensors[first], "shape": shape}}).encode()
        content = len(said).to_bytes(8, "little") + said + weights[8 + length :]
        return lambda folder: _write(folder / "model.safetensors", content)

    def sparse(folder: Path) -> None:
        with (folder / "config.json").open("r+b") as file:
            file.truncate(2**30)

    return {
        "config of 1 GiB": sparse,
        "config of 10 million lists": text(
            b'{"format": 1, "facts": {"a": [' + b"[]," * 10_000_000 + b"[]]}}"
        ),
        "config nested 100,000 deep": text(b'{"format": ' + b"[" * 100_000),
        "config with a number of 100,000 digits": text(b'{"format": ' + b"9" * 100_000 + b"}"),
        "config of 8 million wrong labels": text(
            b'{"format": 1, "labels": [' + b"1," * 8_000_000 + b"1]}"
        ),
        "config with a label too many": say(labels=[*config["labels"], "more"]),
        "config with a label of control characters": say(
            labels=["\u001b[2J", *config["labels"][1:]]
        ),
        "config with the largest encoder that timm has": recipe(
            "settings.backbone.name", "convnextv2_huge"
        ),
        "config with an encoder from the network": recipe(
            "settings.backbone.name", "hf-hub:someone/something"
        ),
        "config with photos of 10^9 pixels a side": recipe("training.image_size", 10**9),
        "weights of 10^12 numbers": shapes([10**6, 10**6]),
        "weights of a negative shape": shapes([-1]),
        "weights cut short": lambda f: _write(f / "model.safetensors", weights[:-100]),
        "weights with a header of 10^18 bytes": lambda f: _write(
            f / "model.safetensors", (10**18).to_bytes(8, "little") + weights[8:]
        ),
        "weights of another model": lambda f: _write(
            f / "model.safetensors", weights[:-1] + bytes([weights[-1] ^ 1])
        ),
    }


def _write(file: Path, content: bytes | str) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def exported(folder: Path) -> dict[str, Path]:
    """The hostile exported files of the tests."""
    from channels import channels_model
    from hostile_models import (
        HOSTILE_DESCRIPTIONS,
        HOSTILE_GRAPHS,
        HOSTILE_XML,
        changed_description,
        changed_graph,
        changed_xml,
    )
    from tiny import label_space, tiny_system

    from tagsight.inference.exporting import export_model

    sound = {ending: folder / f"sound{ending}" for ending in (".onnx", ".xml")}
    photo = written(folder / "photo.png", PICTURE)
    model = channels_model(tiny_system("gcam"), names=label_space().names)
    for file in sound.values():
        export_model(model, file, [photo])
    files: dict[str, Path] = {}
    for number, (name, (change, _)) in enumerate(HOSTILE_GRAPHS.items()):
        files[f"ONNX: {name}"] = changed_graph(
            sound[".onnx"], folder / f"graph{number}.onnx", change
        )
    for number, (name, (say, _)) in enumerate(HOSTILE_DESCRIPTIONS.items()):
        files[f"ONNX: {name}"] = changed_description(
            sound[".onnx"], folder / f"said{number}.onnx", say
        )
    for number, (name, (edit, _)) in enumerate(HOSTILE_XML.items()):
        files[f"OpenVINO: {name}"] = changed_xml(sound[".xml"], folder / f"x{number}.xml", edit)
    return files


def trained(folder: Path) -> Path:
    """A model folder around the encoder that is installed, of two labels."""
    photos = folder / "train"
    photos.mkdir()
    lines = ["image,split,dog,cat"]
    for number in range(8):
        written(photos / f"{number}.png", picture(20 * number))
        lines.append(
            f"{number}.png,{'val' if number > 5 else 'train'},{number % 2},{1 - number % 2}"
        )
    table = written(photos / "labels.csv", "\n".join(lines) + "\n")
    done = run(
        *("train", table, "--recipe", "resnet-quick", "--out", folder / "run"),
        *("--training.epochs", 1, "--training.image_size", 32),
    )
    if done.code:
        raise SystemExit(done.said)
    return folder / "run" / "model"


def report(name: str, outcome: Outcome, plain: Outcome, size: int) -> bool:
    """Print a row; whether the outcome is right."""
    seconds, memory = (
        max(0.0, outcome.seconds - plain.seconds),
        max(0.0, outcome.memory - plain.memory),
    )
    said = re.sub(r"/\S*/", "", outcome.said.strip().splitlines()[-1] if outcome.said else "")
    words = f"{said:.90}" if outcome.code else "done"
    share = max(seconds / SECONDS, memory / MEMORY) if right(outcome) else float("inf")
    row(
        f"{name} ({size:,} bytes): {words.replace('|', '/')}",
        f"{seconds:.1f} s, {memory:.0f} MiB",
        f"{SECONDS:.0f} s, {MEMORY:.0f} MiB",
        share,
        1.0,
        wanted="most",
    )
    return share <= 1


def main() -> int:
    """Try every file; 1 if one of them was too much."""
    print(HEADER)
    wrong = 0
    with TemporaryDirectory(prefix="hostile-") as place:
        folder = Path(place)
        photos = written(folder / "photos" / "a.png", PICTURE).parent
        plain = run("data", written(folder / "plain.csv", "image,labels\nphotos/a.png,dog\n"))
        for number, (name, make) in enumerate(TARS.items()):
            file = make(folder / f"tar{number}" / "train.tar")
            wrong += not report(name, run("data", file), plain, file.stat().st_size)
            shutil.rmtree(file.parent)
        for name, (ending, content) in LABELS.items():
            file = made(folder / f"labels.{ending}", content)
            wrong += not report(name, run("data", file), plain, file.stat().st_size)
        words = ("vectors", "--labels", "dog,cat", "--out", folder / "out.npz", "--from")
        plain = run(*words, written(folder / "v.txt", "dog 1 2 3\ncat 3 2 1\n"))
        for name, (ending, content) in VECTORS.items():
            file = made(folder / f"vectors.{ending}", content)
            wrong += not report(name, run(*words, file), plain, file.stat().st_size)
        sound = trained(folder)
        plain = run("tag", sound, photos, "--write", "jsonl", "--out", folder / "tags.jsonl")
        for name, change in folders(sound).items():
            copy = shutil.copytree(sound, folder / "copy", dirs_exist_ok=True)
            change(copy)
            outcome = run("tag", copy, photos, "--write", "jsonl", "--out", folder / "t.jsonl")
            size = sum(file.stat().st_size for file in copy.iterdir())
            wrong += not report(name, outcome, plain, size)
        for name, file in exported(folder).items():
            outcome = run("tag", file, photos, "--write", "jsonl", "--out", folder / "t.jsonl")
            wrong += not report(name, outcome, plain, file.stat().st_size)
    print(f"\n{wrong} files were too much, or not refused in a sentence.")
    return min(1, wrong)


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"It took {time.monotonic() - started:.0f} s.")
    raise SystemExit(code)
