"""Who is answered by the server of a page, and what with."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from specsia_build.report.serving import Answer, PageServer

ASKED: list[tuple[str, str]] = []


def find(path: str, query: str) -> Answer | None:
    ASKED.append((path, query))
    if path == "picture":
        return Answer(b"\0\1", "image/webp", lasting=True)
    if path == "same":
        return Answer(b"", "application/json")
    return Answer(b"<p>the page", "text/html; charset=utf-8") if path == "" else None


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer(find) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    ASKED.clear()


def ask(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of the answer to a request that is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_page_is_there_with_its_token(server: PageServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.server_port}/{server.token}/" and len(server.token) >= 32
    status, headers, content = ask(server, f"/{server.token}/")
    assert (status, content, headers["Content-Type"]) == (200, b"<p>the page", "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "no-store"
    status, headers, content = ask(server, f"/{server.token}/picture?x=1")
    assert (status, content, headers["Cache-Control"]) == (200, b"\0\1", "private, max-age=86400, immutable")
    assert ASKED == [("", ""), ("picture", "x=1")]


def test_only_the_loopback_interface_is_listened_on(server: PageServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_two_servers_have_tokens_and_ports_of_their_own(server: PageServer) -> None:
    with PageServer(find) as other:
        assert other.token != server.token and other.server_port != server.server_port


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/picture",
        "/{}x/",
        "/{:.10}/",
        "/x{}/",
        "//etc/passwd",
        "/../{}/",
        "/%2e%2e/",
        "/?token={}",
        "*",
        "{}/",
    ],
)
def test_without_the_token_nothing_is_said(server: PageServer, path: str) -> None:
    status, headers, content = ask(server, path.format(server.token))
    assert (status, content, ASKED) == (403, b"Forbidden\n", [])
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "127.0.0.1", "localhost:1", "127.0.0.1:{}.evil.example", ""]
)
def test_another_host_is_refused(server: PageServer, host: str) -> None:
    assert ask(server, f"/{server.token}/", Host=host.format(server.server_port))[0] == 403 and ASKED == []


def test_this_machine_by_its_other_name_is_not(server: PageServer) -> None:
    assert ask(server, f"/{server.token}/", Host=f"LocalHost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(server: PageServer, method: str) -> None:
    status, headers, _ = ask(server, f"/{server.token}/", method)
    assert (status, headers["Allow"], ASKED) == (405, "GET, HEAD", [])
    assert ask(server, "/", method)[0] == 403


def test_head_has_no_content(server: PageServer) -> None:
    status, headers, content = ask(server, f"/{server.token}/", "HEAD")
    assert (status, headers["Content-Length"], content) == (200, "11", b"")


def test_what_is_not_there_is_said(server: PageServer) -> None:
    assert ask(server, f"/{server.token}/../../etc/passwd")[0] == 404
    assert ASKED == [("../../etc/passwd", "")]


def test_what_has_not_changed_has_no_content(server: PageServer) -> None:
    status, headers, content = ask(server, f"/{server.token}/same")
    assert (status, content) == (204, b"") and "Content-Length" not in headers


def test_every_answer_keeps_others_out(server: PageServer) -> None:
    for path in (f"/{server.token}/", f"/{server.token}/nothing", "/"):
        headers = ask(server, path)[1]
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert (headers["Referrer-Policy"], headers["X-Frame-Options"]) == ("no-referrer", "DENY")
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and headers["Server"].strip() == "specsia"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"\0\xff\r\n\r\n", b"400"),
        (b"GET /\xff\xfe/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", b"403"),
        (b"GET /TOKEN/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: 127.0.0.1:PORT\r\n\r\n", b"403"),
        (b"GET /TOKEN/ HTTP/1.1\r\n\r\n", b"403"),
    ],
)
def test_what_no_browser_sends_harms_nothing(server: PageServer, sent: bytes, status: bytes) -> None:
    sent = sent.replace(b"PORT", str(server.server_port).encode()).replace(b"TOKEN", server.token.encode())
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as stream:
        stream.sendall(sent)
        assert status in stream.recv(300) and ASKED == []
    assert ask(server, f"/{server.token}/")[0] == 200
