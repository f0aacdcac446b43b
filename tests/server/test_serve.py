import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from channels import channels_model
from served import RED, TOKEN, files
from tiny import label_space, tiny_system
from tiny_run import tiny_recipe

from tagsight.checkpoint.folder import save_model
from tagsight.cli import main
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("served") / "model"
    system, labels = tiny_system("resnet"), label_space()
    decision = channels_model(system, names=labels.names).decision
    save_model(folder, system, labels, decision, tiny_recipe("resnet"), {})
    return str(folder)


@pytest.fixture
def token_file(tmp_path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


def test_a_server_for_others_needs_a_long_token_and_an_index_of_its_model(
    capsys, model, token_file, tmp_path
):
    def refused(*options: str) -> str:
        assert main(["serve", model, *options]) == 2
        return capsys.readouterr().err

    for host in ("0.0.0.0", "example.org"):
        assert f"expected --token-file to listen at {host}" in refused("--host", host)
    token_file.write_text("1234")
    told = refused("--token-file", str(token_file))
    assert "expected a token of 16 to 4096 ASCII characters" in told
    SearchIndex.create(tmp_path / "index", Facts("m", "another", ("a",), (0.5,), 4))
    assert "expected an index of this model" in refused("--index", str(tmp_path / "index"))


def test_label_studio_needs_an_address_with_a_key_and_a_server_of_its_own(
    capsys, model, tmp_path, monkeypatch
):
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def refused(*options: str) -> str:
        assert main(["serve", model, "--port", "0", *options]) == 2
        return capsys.readouterr().err

    assert "start a server for each" in refused("--bridge", "immich", "--bridge", "label-studio")
    assert "expected --label-studio-url" in refused("--label-studio-project", "1")
    assert "LABEL_STUDIO_API_KEY, got none" in refused("--label-studio-url", "http://x")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0123456789")
    assert "expected the address of Label Studio" in refused("--label-studio-url", "x")
    missing = tmp_path / "none"
    assert "folder" in refused("--judgements", str(missing))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def server(model, token_file) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["serve", model, "--port", str(port), "--token-file", str(token_file)]
    with subprocess.Popen([sys.executable, TESTS / "tiny.py", *command]) as process:
        url = f"http://127.0.0.1:{port}"
        transport = httpx.HTTPTransport(retries=10)  # with growing pauses, until it listens
        with httpx.Client(transport=transport, timeout=None) as client:
            while True:
                try:
                    assert client.get(f"{url}/readyz").status_code == 200
                    break
                except httpx.ConnectError:
                    assert process.poll() is None, "the server has ended"
        yield url, process
        process.kill()


@pytest.mark.slow
def test_a_server_ends_after_its_last_response(server):
    url, process = server
    assert httpx.post(f"{url}/v1/predict", files=files(RED), timeout=None).status_code == 401
    right = {"authorization": f"Bearer {TOKEN}", "expect": "100-continue"}
    asked = httpx.Request("POST", f"{url}/v1/predict", files=files(*[RED] * 20), headers=right)
    body = asked.read()
    connections = [HTTPConnection(asked.url.host, asked.url.port, timeout=None) for _ in range(4)]
    for connection in connections:
        connection.putrequest("POST", asked.url.path, skip_host=True)
        for name, value in asked.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        told = connection.sock.recv(1024)  # the server waits for the body
        assert told.startswith(b"HTTP/1.1 100")
        assert told.endswith(b"\r\n\r\n")
    process.send_signal(signal.SIGTERM)
    for connection in connections:
        connection.send(body)
        assert len(json.load(connection.getresponse())["photos"]) == 20
    assert process.wait() in {0, -signal.SIGTERM}
