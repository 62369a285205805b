"""A server as a backend: what it is sent, what is taken of its answer, and when it is asked again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from specsia_build import memory, png
from specsia_build.backends.base import Context
from specsia_build.backends.http import TRIES, Server
from specsia_build.backends.made import Terms
from specsia_build.backends.registry import load_backend
from specsia_build.errors import AwayError, CharacterError, UsageError
from tests.characters.gltf.writer import GltfWriter

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Heard:
    """What a server was asked."""

    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def serving(*answers: Answer) -> Iterator[tuple[str, Heard]]:
    """A server that gives these answers in turn, and the last of them for ever."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.headers.append(dict(self.headers))
            heard.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = answers[min(len(heard.bodies), len(answers)) - 1]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/reconstruct", heard
        finally:
            server.shutdown()


def picture() -> np.ndarray:
    image = np.zeros((64, 64, 4), np.uint8)
    image[8:56, 16:48] = (200, 30, 30, 255)
    return image


def triangle() -> bytes:
    writer = GltfWriter()
    writer.data |= {"scene": 0, "scenes": [{"nodes": [writer.mesh_node()]}]}
    return writer.glb()


def asked(url: str, rests: list[float] | None = None, terms: Terms | None = None) -> Server:
    rests = [] if rests is None else rests
    return Server("http", url, terms or Terms(), sleep=rests.append)


def test_a_picture_goes_out_and_a_mesh_comes_back(tmp_path: Path) -> None:
    with serving((200, {}, triangle())) as (url, heard):
        backend = load_backend(url)
        mesh = backend.reconstruct(picture(), Context("knight", 7))
    assert backend.name == "http"
    assert len(mesh.faces) > 0
    assert np.array_equal(png.decode(heard.bodies[0], 4), picture())
    assert heard.headers[0]["X-Specsia-Seed"] == "7"
    assert heard.headers[0]["X-Specsia-Character"] == "knight"


def test_a_busy_server_is_asked_again_after_what_it_says() -> None:
    busy = (503, {"Retry-After": "7"}, b"a page of many words " * 100_000)
    rests: list[float] = []
    with serving(busy, (502, {}, b""), (200, {}, triangle())) as (url, heard):
        asked(url, rests).reconstruct(picture(), Context("a", 1))
    assert (len(heard.bodies), rests) == (3, [7.0, 2.0])


def test_a_server_that_stays_busy_or_away_is_given_up() -> None:
    rests: list[float] = []
    said = f"answered 503: warming up, {TRIES} times in a row"
    busy = serving((503, {"Retry-After": "100000"}, b"warming up\n"))
    with busy as (url, heard), pytest.raises(CharacterError, match=said):
        asked(url, rests).reconstruct(picture(), Context("a", 1))
    assert len(heard.bodies) == TRIES
    assert max(rests) == 60
    with pytest.raises(CharacterError, match="cannot be reached"):
        asked(url).reconstruct(picture(), Context("a", 1))


def test_a_server_that_is_away_for_several_pictures_is_not_asked_for_more() -> None:
    with serving((200, {}, triangle())) as (url, _):
        backend, there = asked(url), url
    for _ in range(2):
        with pytest.raises(CharacterError, match=r"cannot be reached \(.+\), 5 times in a row"):
            backend.reconstruct(picture(), Context("a", 1))
    with serving((500, {}, b"no such mesh")) as (backend.url, _), pytest.raises(CharacterError, match="no such mesh"):
        backend.reconstruct(picture(), Context("a", 1))
    backend.url = there
    for _ in range(2):
        with pytest.raises(CharacterError):
            backend.reconstruct(picture(), Context("a", 1))
    with pytest.raises(AwayError, match="for 3 pictures in a row: see that the server runs, and give the same command"):
        backend.reconstruct(picture(), Context("a", 1))
    # The next command of the same process begins to count anew.
    with pytest.raises(CharacterError, match="cannot be reached"):
        backend.reconstruct(picture(), Context("a", 1))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((422, {}, b"no face \x1b[31mfound\nmore"), "answered 422: no face"),
        ((500, {}, b""), "answered 500"),
        (
            (500, {}, b"Traceback (most recent call last):\n  File x\nRuntimeError: out of memory\n"),
            "RuntimeError: out",
        ),
        ((302, {"Location": "file:///etc/passwd"}, b""), "answered 302"),
        ((307, {"Location": "/made/"}, b""), "/made/: give that address"),
        ((200, {}, b"<html>"), "6 bytes that are neither GLB nor PLY"),
        ((200, {}, b'\n{"error": "queue full"}'), 'neither GLB nor PLY: {"error": "queue full"}'),
        ((200, {}, b"PK\x03\x04" + bytes(20)), "neither GLB nor PLY but a ZIP archive: answer with the mesh itself"),
        ((200, {}, b"\xff\xfe" + bytes(20)), "22 bytes that are neither GLB nor PLY"),
        ((200, {}, b""), "0 bytes that are neither GLB nor PLY"),
        ((200, {}, b"glTF" + bytes(20)), "mesh"),
        ((200, {"Content-Encoding": "gzip, gzip"}, b"\x1f\x8b"), "packs its answer more than once (gzip, gzip)"),
    ],
)
def test_what_is_no_mesh_is_the_characters_failure_at_once(answer: Answer, reason: str) -> None:
    with serving(answer) as (url, heard), pytest.raises(CharacterError) as caught:
        asked(url).reconstruct(picture(), Context("a", 1))
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(heard.bodies) == 1


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 1 << 20)
    endless = serving((200, {}, b"glTF" + bytes(1 << 21)))
    with endless as (url, _), pytest.raises(CharacterError, match="more than 1 MB; see --memory"):
        asked(url).reconstruct(picture(), Context("a", 1))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("http", "needs an address"),
        ("http:8000", "needs an address"),
        ("https://", "needs an address"),
        (f"http://{'a' * 64}.example/", "needs an address"),
        ("http://me:secret@localhost/", "leave name and password out"),
    ],
)
def test_what_is_no_address_is_refused(spec: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        load_backend(spec)
    assert "secret" not in str(caught.value)


def test_the_users_settings_give_it_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.yaml").write_text("triposr: {url: 'https://example.org/mesh', seconds: 30, slots: 4}")
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "own.yaml"))
    backend = load_backend("triposr")
    assert isinstance(backend, Server)
    assert (backend.name, backend.url, backend.slots) == ("triposr", "https://example.org/mesh", 4)
    with pytest.raises(UsageError, match="triposr takes no argument"):
        load_backend("triposr:x")
