"""Who is let in, asked of a server at work."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from served import RED, TOKEN, client_of, files, listening, recognizer
from starlette.routing import Route

from tagsight.errors import DataError
from tagsight.server.access import Authority, Hosts, is_open
from tagsight.server.app import BRIDGES, Service, create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.search.index import SearchIndex

HOSTS = Hosts.listening_at("127.0.0.1", ["photos.example.org"])


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with listening(Service(recognizer(), hosts=HOSTS)) as found:
        yield found


def status(address: tuple[str, int], *headers: str, target: str = "GET /v1/model") -> int:
    """The status of a request with these headers and no others."""
    with socket.create_connection(address, timeout=30) as client:
        lines = [f"{target} HTTP/1.1", *headers, "Connection: close", "", ""]
        client.sendall("\r\n".join(lines).encode("latin-1"))
        return int(client.makefile("rb").readline().split()[1])


OWN = [
    *("localhost", "LocalHost:1234", "localhost.", "127.0.0.1", "127.8.9.1:80", "[::1]:8000"),
    *("[0:0:0:0:0:0:0:1]", "photos.example.org", "PHOTOS.example.org.:443"),
]
FOREIGN = [
    *("evil.example", "localhost.evil.example", "evil.example:8000", "192.168.0.7", "[::2]"),
    *("photos.example.org.evil.example", "127.0.0.1.evil.example", "2130706433", "xlocalhost"),
]
NO_HOST = ["", "[::1", "a b", "user@localhost", "localhost:99999", "localhost:8000:1", "a/b", "é"]


@pytest.mark.parametrize("host", OWN)
def test_requests_for_our_own_hosts_are_answered(address: tuple[str, int], host: str):
    assert status(address, f"Host: {host}") == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_requests_for_other_hosts_are_refused(address: tuple[str, int], host: str):
    for target in ("GET /v1/model", "GET /", "GET /openapi.json", "POST /v1/predict", "GET /x"):
        assert status(address, f"Host: {host}", target=target) == 403


def test_requests_without_exactly_one_host_are_malformed(address: tuple[str, int]):
    assert status(address) == 400
    assert status(address, "Host: localhost", "Host: localhost") == 400
    assert [status(address, f"Host: {host}") for host in NO_HOST] == [400] * len(NO_HOST)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Origin: http://localhost:8000"], 200),
        (["Origin: http://LOCALHOST:8000"], 200),
        (["Origin: https://photos.example.org"], 200),
        (["Origin: http://localhost:8001"], 403),
        (["Origin: http://localhost"], 403),
        (["Origin: http://127.0.0.1:8000"], 403),
        (["Origin: http://evil.example"], 403),
        (["Origin: https://photos.example.org:444"], 403),
        (["Origin: null"], 403),
        (["Origin: "], 403),
        (["Origin: file://"], 403),
        (["Origin: chrome-extension://localhost:8000"], 403),
        (["Origin: http://localhost:8000", "Origin: http://localhost:8000"], 403),
        (["Sec-Fetch-Site: same-origin"], 200),
        (["Sec-Fetch-Site: none"], 200),
        (["Sec-Fetch-Site: same-site"], 403),
        (["Sec-Fetch-Site: cross-site"], 403),
        (["Sec-Fetch-Site: cross-site", "Origin: http://localhost:8000"], 403),
    ],
)
def test_requests_of_other_origins_are_refused(
    address: tuple[str, int], headers: list[str], expected: int
):
    assert status(address, "Host: localhost:8000", *headers) == expected


def test_the_default_port_of_an_origin_need_not_be_said(address: tuple[str, int]):
    assert status(address, "Host: localhost", "Origin: http://localhost:80") == 200
    assert status(address, "Host: localhost:443", "Origin: https://localhost") == 200
    assert status(address, "Host: localhost:80", "Origin: https://localhost") == 403


def test_a_link_of_another_page_opens_ours_and_nothing_else(address: tuple[str, int]):
    link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    framed = [*link[:2], "Sec-Fetch-Dest: iframe"]
    assert status(address, "Host: localhost", *link, target="GET /") == 200
    assert status(address, "Host: localhost", *framed, target="GET /") == 403
    assert status(address, "Host: localhost", *link, target="GET /v1/model") == 403


def test_a_server_that_listens_at_all_addresses_has_every_address_and_no_name():
    for host in ("0.0.0.0", "::"):
        hosts = Hosts.listening_at(host)
        assert "192.168.0.7" in hosts
        assert "2001:db8::7" in hosts
        assert "evil.example" not in hosts
    assert "192.168.0.7" not in Hosts.listening_at("192.168.0.8")
    assert "nas.local" in Hosts.listening_at("0.0.0.0", ["NAS.local"])
    assert "xn--bcher-kva.example" in Hosts.listening_at("0.0.0.0", ["bücher.example"])


@pytest.mark.parametrize("name", ["nas:8000", "http://nas", "", "a b", "*"])
def test_allowed_hosts_are_hosts(name: str):
    with pytest.raises(DataError, match="expected a host name or address without port"):
        Hosts.listening_at("127.0.0.1", [name])


@pytest.mark.parametrize("text", ["localhost:8000", "[::1]:8000", "127.0.0.1"])
def test_an_authority_with_its_port_is_one_still(text: str):
    found = Authority.parse(text)
    assert found is not None
    assert found.at("http").port == (found.port or 80)


def test_the_token_is_asked_for_before_the_body_on_every_route(index: SearchIndex):
    service = Service(recognizer(), index, TOKEN, bridges=tuple(BRIDGES))
    routes = [route for route in _routes(service) if not is_open(route.path)]
    assert len(routes) >= 9
    with listening(service) as address:
        for route in routes:
            for method in route.methods or ():
                target = f"{method} {route.path.replace('{photo}', '0' * 64)}"
                body = ["Content-Type: application/json", "Content-Length: 60000000"]
                for extra in ([], ["Authorization: Bearer wrong"], ["Authorization: Basic Zzp3"]):
                    # The body is declared and never sent: whoever waits for it fails this test.
                    found = status(address, "Host: localhost", *body, *extra, target=target)
                    assert found == 401, target


def test_what_is_open_tells_nothing_of_photos_and_model(index: SearchIndex):
    with client_of(Service(recognizer(), index, TOKEN, bridges=tuple(BRIDGES))) as client:
        for route in _routes(Service(recognizer(), index, TOKEN, bridges=tuple(BRIDGES))):
            if is_open(route.path) and "{" not in route.path:
                text = client.get(route.path).text
                assert "red.png" not in text
                assert recognizer().info.model[:12] not in text
        assert client.get("/nothing").status_code == 401
        assert client.get("/web/..%2fv1/model").status_code == 404


def test_programs_of_the_bridges_have_no_origin_and_are_let_in():
    service = Service(recognizer(), token=TOKEN, bridges=tuple(BRIDGES))
    with client_of(service, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        assert client.post("/webhook", json={}).status_code == 200
        assert client.get("/health").status_code == 200
        assert client.post("/v1/predict", files=files(RED)).status_code == 200


def _routes(service: Service) -> list[Route]:
    return [route for route in create_app(service).routes if isinstance(route, Route)]
