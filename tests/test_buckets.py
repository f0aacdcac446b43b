"""Commands on photos and labels in buckets: the real clients against servers on this machine."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hub_server import hub_server
from programs import python
from tiny import COLOURS, drawn, saved_photos

pytest.importorskip("fsspec", reason="fsspec is not installed")
GRPC = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
"""Setting of gcsfs: whether it asks by gRPC as well, which the server here has not."""

TESTS = Path(__file__).parent
PHOTOS, SIDE = 24, 32
NETWORK = (
    "--recipe resnet-cpu --system.backbone.name tiny_equivariant --system.backbone.weights none "
    f"--system.backbone.frozen-stages 0 --training.image-size {SIDE} --training.batch-size 8 "
    "--epochs 2"
)


@contextmanager
def s3(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a server of S3."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed, being too large")
    import s3fs

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    try:
        system = s3fs.S3FileSystem(key="key", secret="secret", endpoint_url=url)
        system.mkdir("bucket")
        for name, content in files.items():
            system.pipe(f"bucket/{name}", content)
        access = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        yield "s3://bucket", {**access, "AWS_ENDPOINT_URL": url}
    finally:
        server.stop()


@contextmanager
def gs(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a server of Google Cloud Storage."""
    monkey = pytest.MonkeyPatch()
    monkey.setenv(GRPC, "false")
    gcsfs = pytest.importorskip("gcsfs", reason="gcsfs is not installed")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="it is not installed")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    url = f"http://127.0.0.1:{server._api._httpd.server_port}"
    try:
        system = gcsfs.GCSFileSystem(endpoint_url=url, token="anon")
        for name, content in files.items():
            system.pipe(f"bucket/{name}", content)
        yield "gs://bucket", {"STORAGE_EMULATOR_HOST": url, GRPC: "false"}
    finally:
        server.stop()
        monkey.undo()


@contextmanager
def hf(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a server of the Hub."""
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    with hub_server() as hub:
        hub.files["me/birds"] = dict(files)
        hub.token = "secret"
        yield (
            "hf://datasets/me/birds",
            {"HF_ENDPOINT": hub.url, "HF_TOKEN": "secret", "HF_HUB_DISABLE_XET": "1"},
        )


def collection(folder: Path) -> dict[str, bytes]:
    """Draw photos, and write their labels as a table and as the folder of a program's export."""
    images, targets = drawn(PHOTOS, SIDE)
    names = [path.name for path in saved_photos(folder, images)]
    rows = [
        ";".join(label for label, target in zip(COLOURS, row, strict=True) if target)
        for row in targets.tolist()
    ]
    lines = [f"{name},{labels}" for name, labels in zip(names, rows, strict=True)]
    contents = {name: (folder / name).read_bytes() for name in names}
    return {
        **{f"photos/{name}": content for name, content in contents.items()},
        "labels.csv": "\n".join(["image,labels", *lines]).encode(),
        **{f"export/train/{name}": content for name, content in contents.items()},
        "export/train/_classes.csv": "\n".join(
            [
                ",".join(["filename", *COLOURS]),
                *(
                    ",".join([name, *map(str, row)])
                    for name, row in zip(names, targets.tolist(), strict=True)
                ),
            ]
        ).encode(),
    }


SEVERAL = """
import sys
import tiny
from tagsight.cli import main
for line in sys.stdin.read().splitlines():
    print(main(line.split()), flush=True)
"""
"""Runs commands one after the other, and prints the exit code of each."""


@pytest.mark.slow
@pytest.mark.parametrize("server", [s3, gs, hf])
def test_a_collection_in_a_bucket_is_described_trained_on_and_tagged(server, tmp_path):
    """In a process of its own, as the client of the Hub reads its settings when it is imported."""
    (tmp_path / "drawn").mkdir()
    files = collection(tmp_path / "drawn")
    photo = next(name for name in files if name.startswith("photos/"))
    budget = sum(map(len, files.values())) // 4
    with server(files) as (place, settings):
        own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TAGSIGHT_REMOTE_BYTES": str(budget)}
        lines = [
            f"data {place}/labels.csv --images {place}/photos --json {tmp_path / 'table.json'}",
            f"data {place}/export --json {tmp_path / 'export.json'}",
            f"train {place}/labels.csv --out {tmp_path / 'run'} {NETWORK}",
            f"tag {tmp_path / 'run/model'} {place}/photos --write csv --out {tmp_path}/tags.csv",
            f"data {place}/nothing.csv",
            f"evaluate {tmp_path / 'run/model'} {place}/labels.csv --json {tmp_path}/report.json",
            f"index {tmp_path / 'run/model'} {place}/photos --out {tmp_path / 'index'}",
            f"index {tmp_path / 'run/model'} {place}/photos --out {tmp_path / 'index'}",
            f"search {tmp_path / 'index'} --like {place}/{photo} --json {tmp_path}/found.json",
        ]
        environment = {**os.environ, **settings, **own}
        done = python("-c", SEVERAL, input="\n".join(lines), cwd=TESTS, env=environment)
    codes = [line for line in done.stdout.splitlines() if line.isdecimal()]
    assert codes == ["0", "0", "0", "0", "2", "0", "0", "0", "0"], done.stderr
    for name in ("table", "export"):
        summary = json.loads((tmp_path / f"{name}.json").read_text())
        assert (summary["photos"], summary["problems"]) == (PHOTOS, [])
    assert (tmp_path / "tags.csv").read_text().count(f"{place}/photos/") == PHOTOS
    assert json.loads((tmp_path / "report.json").read_text())["photos"] > 0
    assert f"{PHOTOS} new" in done.stderr
    assert f"0 new, {PHOTOS} known, 0 moved, 0 gone, 0 left out" in done.stderr
    found = json.loads((tmp_path / "found.json").read_text())["photos"]
    assert len(found) == 20
    assert all(hit["path"].startswith(f"{place}/photos/") for hit in found)
    assert f"expected a file or folder at {place}/nothing.csv, got none" in done.stderr
    kept = (tmp_path / "cache" / "tagsight" / "remote").rglob("*.*")
    assert 0 < sum(file.stat().st_size for file in kept) <= budget
