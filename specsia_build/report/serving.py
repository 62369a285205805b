"""Serves a page to this machine's own browsers, and to nobody who was not told its address.

Only the loopback interface is listened on; the address has a token, without which nothing is said, not even what there
is. Requests that name another host are refused, so that a stranger's name that leads here (DNS rebinding) is no help.
What is asked for is looked up among what there is; no path is ever made of it.
"""

from __future__ import annotations

import hmac
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"

_METHODS = ("GET", "HEAD")

_LONGEST_WAIT = 30.0
"""Seconds for which a connection may say nothing."""

_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer; what the page itself may load, it says."""


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        content: its bytes.
        kind: their media type.
        lasting: whether they will never be others at this address.
    """

    content: bytes
    kind: str
    lasting: bool = False


Find = Callable[[str, str], Answer | None]
"""What there is at a path (after the token, without a leading slash) and a query; None where there is nothing."""


class PageServer(ThreadingHTTPServer):
    """A server of one page on a random port of the loopback interface.

    Args:
        find: what there is; called from several threads.
        port: to listen on; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, find: Find, port: int = 0) -> None:
        self.find, self.token = find, secrets.token_urlsafe(24)
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, but not that a browser has hung up."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "specsia", ""
    timeout = _LONGEST_WAIT

    def parse_request(self) -> bool:
        """Also refuse what may not ask, whatever it asks for."""
        if not super().parse_request():
            return False
        status = self._refusal()
        if status is not None:
            self.close_connection = True
            self._send(status, Answer(f"{status.phrase}\n".encode(), "text/plain; charset=utf-8"))
        return status is None

    def _refusal(self) -> HTTPStatus | None:
        port = self.server.server_port
        hosts = self.headers.get_all("Host", [])
        known = len(hosts) == 1 and hosts[0].lower() in (f"{HOST}:{port}", f"localhost:{port}")
        token = self.path.split("?", 1)[0].lstrip("/").split("/", 1)[0]
        same = hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self.server.token.encode())
        if not (known and same and self.path.startswith("/")):
            return HTTPStatus.FORBIDDEN
        return None if self.command in _METHODS else HTTPStatus.METHOD_NOT_ALLOWED

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        found = self.server.find(path.removeprefix(f"/{self.server.token}").removeprefix("/"), query)
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, Answer(b"there is nothing here\n", "text/plain; charset=utf-8"))
        else:
            self._send(HTTPStatus.OK if found.content else HTTPStatus.NO_CONTENT, found)

    do_HEAD = do_GET

    def _send(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.content)))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(_METHODS))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "private, max-age=86400, immutable" if answer.lasting else "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
