import socket
from collections.abc import Iterator

import pytest
from served import RED, TOKEN, client_of, files, is_secured, listening, recognizer
from starlette.routing import Route

from tagsight.errors import DataError
from tagsight.server.access import Hosts, is_open
from tagsight.server.app import create_app
from tagsight.server.bridges import BRIDGES
from tagsight.server.service import Service

HOSTS = Hosts.listening_at("127.0.0.1", ["photos.example.org"])
LINK = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with listening(Service(recognizer(), hosts=HOSTS)) as found:
        yield found


def status(address: tuple[str, int], *headers: str, target: str = "GET /v1/model") -> int:
    """The status of a request with exactly these headers."""
    with socket.create_connection(address) as client:
        lines = [f"{target} HTTP/1.1", *headers, "Connection: close", "", ""]
        client.sendall("\r\n".join(lines).encode("latin-1"))
        return int(client.makefile("rb").readline().split()[1])


ACCEPTED = (
    "localhost LocalHost:1234 localhost. 127.0.0.1 127.8.9.1:80 [::1]:8000 "
    "[0:0:0:0:0:0:0:1] photos.example.org PHOTOS.example.org.:443"
)
FOREIGN = (
    "evil.example localhost.evil.example evil.example:8000 192.168.0.7 [::2] 2130706433 "
    "photos.example.org.evil.example 127.0.0.1.evil.example xlocalhost"
)
MALFORMED = "[::1 user@localhost localhost:99999 localhost:8000:1 a/b é"


@pytest.mark.parametrize(("expected", "hosts"), [(200, ACCEPTED), (403, FOREIGN), (400, MALFORMED)])
def test_only_the_hosts_of_the_server_are_accepted(address, expected, hosts):
    found = {host: status(address, f"Host: {host}") for host in hosts.split()}
    assert found == dict.fromkeys(hosts.split(), expected)


def test_the_host_is_checked_on_every_path_and_must_be_given_once(address):
    for target in ("GET /", "GET /openapi.json", "POST /v1/predict", "GET /x"):
        assert status(address, "Host: evil.example", target=target) == 403
    for headers in ([], ["Host: localhost", "Host: localhost"], ["Host: "], ["Host: a b"]):
        assert status(address, *headers) == 400


@pytest.mark.parametrize(
    ("expected", "host", "headers"),
    [
        (200, "localhost:8000", ["Origin: http://localhost:8000"]),
        (200, "localhost:8000", ["Origin: http://LOCALHOST:8000"]),
        (200, "localhost:8000", ["Origin: https://photos.example.org"]),
        (200, "localhost", ["Origin: http://localhost:80"]),
        (200, "localhost:443", ["Origin: https://localhost"]),
        (403, "localhost:80", ["Origin: https://localhost"]),
        (403, "localhost:8000", ["Origin: http://localhost:8001"]),
        (403, "localhost:8000", ["Origin: http://localhost"]),
        (403, "localhost:8000", ["Origin: http://127.0.0.1:8000"]),
        (403, "localhost:8000", ["Origin: http://evil.example"]),
        (403, "localhost:8000", ["Origin: https://photos.example.org:444"]),
        (403, "localhost:8000", ["Origin: null"]),
        (403, "localhost:8000", ["Origin: "]),
        (403, "localhost:8000", ["Origin: chrome-extension://localhost:8000"]),
        (403, "localhost:8000", ["Origin: http://localhost:8000"] * 2),
        (200, "localhost", ["Sec-Fetch-Site: same-origin"]),
        (200, "localhost", ["Sec-Fetch-Site: none"]),
        (403, "localhost", ["Sec-Fetch-Site: same-site"]),
        (403, "localhost", ["Sec-Fetch-Site: cross-site"]),
        (403, "localhost", ["Sec-Fetch-Site: cross-site", "Origin: http://localhost"]),
        (403, "localhost", LINK),
    ],
)
def test_only_requests_from_the_own_page_are_accepted(address, expected, host, headers):
    assert status(address, f"Host: {host}", *headers) == expected


def test_a_link_from_another_page_opens_the_page_in_a_window_only(address):
    framed = [*LINK[:2], "Sec-Fetch-Dest: iframe"]
    assert status(address, "Host: localhost", *LINK, target="GET /") == 200
    assert status(address, "Host: localhost", *framed, target="GET /") == 403


def test_a_server_that_listens_everywhere_accepts_every_address_and_only_given_names():
    for host in ("0.0.0.0", "::"):
        hosts = Hosts.listening_at(host)
        assert "192.168.0.7" in hosts
        assert "2001:db8::7" in hosts
        assert "evil.example" not in hosts
    assert "192.168.0.7" not in Hosts.listening_at("192.168.0.8")
    assert "nas.local" in Hosts.listening_at("0.0.0.0", ["NAS.local"])
    assert "xn--bcher-kva.example" in Hosts.listening_at("0.0.0.0", ["bücher.example"])
    for name in ("nas:8000", "http://nas", "", "a b", "*"):
        with pytest.raises(DataError, match="expected a host name or address without port"):
            Hosts.listening_at("127.0.0.1", [name])


@pytest.fixture(scope="module")
def guarded(index) -> Service:
    return Service(recognizer(), index, TOKEN, bridges=tuple(BRIDGES))


def routes(service: Service, *, are_open: bool) -> list[Route]:
    found = [route for route in create_app(service).routes if isinstance(route, Route)]
    return [route for route in found if is_open(route.path) == are_open]


def test_the_token_is_checked_before_the_body_on_every_route(guarded):
    closed = routes(guarded, are_open=False)
    assert len(closed) >= 9
    # The body is declared but never sent: a server that waits for it fails this test.
    sent = ("Host: localhost", "Content-Type: application/json", "Content-Length: 60000000")
    with listening(guarded) as address:
        for method, path in ((m, route.path) for route in closed for m in route.methods or ()):
            target = f"{method} {path.replace('{photo}', '0' * 64)}"
            for wrong in ([], ["Authorization: Bearer wrong"], ["Authorization: Basic Zzp3"]):
                assert status(address, *sent, *wrong, target=target) == 401, target


def test_open_paths_reveal_nothing_about_photos_and_model(guarded):
    with client_of(guarded) as client:
        for path in {route.path for route in routes(guarded, are_open=True)}:
            text = client.get(path).text
            assert "red.png" not in text
            assert guarded.digest not in text
        refused = client.get("/nothing")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert is_secured(refused)
        assert client.get("/web/..%2fv1/model").status_code == 404
        client.headers["authorization"] = f"Bearer {TOKEN}"
        assert client.post("/v1/predict", files=files(RED)).status_code == 200
        assert client.post("/webhook", json={}).status_code == 200
