import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from served import RED, files, listening, recognizer

from tagsight.server.limits import Limits
from tagsight.server.service import Service

SHORT = Limits(header_seconds=1, exchange_seconds=8, header=4096)
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with listening(Service(recognizer(), limits=SHORT)) as found:
        yield found


def until_closed(client: socket.socket) -> bytes:
    """Receive until the server closes the connection."""
    said = b""
    with suppress(ConnectionError):
        while part := client.recv(2**16):
            said += part
    return said


def answered(address: tuple[str, int], sent: bytes) -> bytes:
    with socket.create_connection(address) as client:
        client.sendall(sent)
        return until_closed(client)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\n", GET + GET[:-2], POST[:-4]],
    ids=["nothing", "line", "second header", "half a header"],
)
def test_an_incomplete_header_closes_the_connection(address, sent):
    said = answered(address, sent)
    assert said.startswith(b"HTTP/1.1 200") if sent.startswith(GET) else not said


def test_a_header_sent_byte_by_byte_closes_the_connection(address):
    with socket.create_connection(address) as client:
        client.settimeout(0.05)
        with suppress(ConnectionError):
            for byte in GET[:-2] + b"X-A: " + b"a" * (SHORT.header - 100):
                client.sendall(bytes([byte]))
                with suppress(TimeoutError):
                    assert not client.recv(1)
                    return
            pytest.fail("kept until the header was too long")


@pytest.mark.parametrize(
    "before", [b"GET / HTTP/1.1\r\nX: ", b"GET /", CHUNKED + b"0\r\nX: ", CHUNKED + b"1;"]
)
def test_headers_and_trailers_have_a_limit(address, before):
    sent = before + b"a" * 2**26
    with socket.create_connection(address) as client, pytest.raises(ConnectionError):
        client.sendall(sent)


def test_a_connection_is_kept_for_further_requests():
    with listening(Service(recognizer())) as address:
        client = http.client.HTTPConnection(*address)
        client.connect()
        kept = client.sock
        for _ in range(5):
            client.request("GET", "/healthz")
            assert client.getresponse().read() == b'{"status":"alive"}'
            assert client.sock is kept
        kept.sendall(GET * 3)
        said = b""
        while said.count(b"HTTP/1.1 200") < 3 and (part := kept.recv(2**16)):
            said += part
        assert said.count(b"HTTP/1.1 200") == 3
        client.close()


def test_an_incomplete_body_is_refused_where_it_is_read_and_keeps_no_connection(address):
    part = b'Content-Length: 100\r\n\r\n{"photos": ['
    with listening(Service(recognizer(), limits=Limits(seconds=1))) as hasty:
        for post in (POST, POST.replace(b"/v1/predict", b"/v1/tags?form=csv")):
            said = answered(hasty, post + part)
            assert said.startswith(b"HTTP/1.1 408")
            assert b"expected the whole body within 1 seconds" in said
    assert answered(address, GET[:-2] + part).startswith(b"HTTP/1.1 200")


def test_slow_clients_do_not_block_others():
    limits = Limits(header_seconds=3600, seconds=3600)
    with listening(Service(recognizer(), limits=limits)) as address, ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(socket.create_connection(address))
            half = POST + b"Content-Length: 1000\r\n\r\n{" if number % 2 else POST
            client.sendall(half)
        host, port = address
        url = f"http://{host}:{port}/v1/predict"
        assert httpx.post(url, files=files(RED), timeout=None).status_code == 200


def test_a_client_that_disconnects_leaves_nothing_in_the_log(capfd):
    limits = Limits(seconds=20)
    body = POST + b"Content-Length: 100000\r\n\r\n" + b"a" * 1000
    whole = httpx.Request("POST", "http://localhost/v1/predict", files=files(RED))
    head = f"Content-Type: {whole.headers['content-type']}\r\nContent-Length: {len(whole.read())}"
    sent = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n" + head.encode() + b"\r\n\r\n"
    tags = body.replace(b"/v1/predict", b"/v1/tags?form=csv")
    with listening(Service(recognizer(), limits=limits)) as address:
        for half in (body, tags, sent + whole.read()[:90], sent + whole.read()):
            with socket.create_connection(address) as client:
                client.sendall(half)
        host, port = address
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=None) as client:
            while True:
                text = client.get("/metrics").text
                if text.count('status="499"') >= 1 and "photos_waiting 0.0" in text:
                    break
    _, said = capfd.readouterr()
    assert "Traceback" not in said
    assert "rror" not in said


def test_incomplete_requests_do_not_delay_the_end():
    others = threading.active_count()
    limits = Limits(header_seconds=3600, exchange_seconds=3600, seconds=1)
    with ExitStack() as stack, listening(Service(recognizer(), limits=limits)) as address:
        for sent in (b"GET", POST + b"Content-Length: 9\r\n\r\n"):
            client = stack.enter_context(socket.create_connection(address))
            client.sendall(sent)
    assert threading.active_count() < others + 50
