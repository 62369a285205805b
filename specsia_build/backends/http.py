"""A server as a backend: it is sent each picture as a PNG and answers with a GLB.

httpx2 is imported where a server is asked: every build knows of this backend, and few have it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.made import Terms, read_placed, read_terms
from specsia_build.backends.user_settings import stated_in
from specsia_build.errors import AwayError, CharacterError, UsageError, brief, plural
from specsia_build.files.trouble import AGAIN
from specsia_build.files.writing import remove_tree
from specsia_build.memory import allowed, shown
from specsia_build.rendering.mesh import Mesh

if TYPE_CHECKING:
    import httpx2

SEED_HEADER, CHARACTER_HEADER = "X-Specsia-Seed", "X-Specsia-Character"

TRIES = 5
"""Requests for one picture, where the server cannot be reached, is busy or restarts."""

MOST_IN_VAIN = 3
"""Pictures in a row for which there was no connection to the server, after which no other is sent."""

LONGEST_REST = 60.0
"""Seconds; a server may ask for less, or for more in vain."""

_BUSY = frozenset({408, 425, 429, 502, 503, 504})
_BEGINNINGS = {b"glTF": ".glb", b"ply": ".ply"}
_OTHERS = {b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG picture"}
_CONNECT_SECONDS = 20.0
_MOST_SAID, _MOST_READ = 200, 1 << 20


class _TryAgainError(Exception):
    """A request failed as it may not the next time.

    `rest` is how many seconds the server asked for, `away` whether there was no connection to it.
    """

    def __init__(self, reason: str, rest: float | None = None, away: bool = False) -> None:
        super().__init__(reason)
        self.rest, self.away = rest, away


@dataclass
class Server(Backend):
    """Backend that asks a server.

    Attributes:
        url: that pictures are posted to.
        terms: what holds for its meshes.
        sleep: waits for so many seconds.
        in_vain: pictures of late for which there was no connection, since that was last told.
        name, version, sees_ground_truth, needs_yaw, slots, gpus, patience: as in `Backend`.
    """

    name: str
    url: str
    terms: Terms = field(default_factory=Terms)
    sleep: Callable[[float], None] = time.sleep
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    gpus: int = 0
    in_vain: int = 0

    @property
    def slots(self) -> int:
        return self.terms.slots

    @property
    def patience(self) -> float:
        return TRIES * (self.terms.seconds + LONGEST_REST) + 30

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.url, **self.terms.settings()}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """The mesh that the server answers with, in our axes.

        Raises:
            CharacterError: if it refuses, cannot be reached, takes too long or answers with no mesh.
            AwayError: if there was no connection to it for the last pictures either.
        """
        headers = {
            "Content-Type": "image/png",
            "Accept": "model/gltf-binary",
            SEED_HEADER: str(context.seed),
            CHARACTER_HEADER: context.character_id.encode("ascii", "replace").decode(),
        }
        data = self._answer(png.encode(image), headers)
        ending = next((e for start, e in _BEGINNINGS.items() if data.startswith(start)), None)
        if ending is None:
            raise CharacterError(
                f"{self.name}: {self.url} answered with {plural(len(data), 'byte')} that are neither GLB nor PLY"
                f"{_shown(data)}"
            )
        folder = Path(tempfile.mkdtemp(prefix=f"specsia-{self.name}-"))
        try:
            path = folder / f"mesh{ending}"
            path.write_bytes(data)
            return read_placed(path, self.terms, image[..., 3], context, stated_in(self.name))
        finally:
            remove_tree(folder)

    def _answer(self, picture: bytes, headers: Mapping[str, str]) -> bytes:
        away = True
        for attempt in range(TRIES):
            try:
                return self._ask(picture, headers)
            except _TryAgainError as failed:
                away = away and failed.away
                if attempt + 1 == TRIES:
                    self.in_vain = self.in_vain + 1 if away else 0
                    if self.in_vain == MOST_IN_VAIN:
                        # Whoever asks on does so because something was done about it.
                        self.in_vain = 0
                        raise AwayError(
                            f"{self.name}: {failed}, for {plural(MOST_IN_VAIN, 'picture')} in a row: see that the "
                            f"server runs, and {AGAIN}"
                        ) from failed
                    raise CharacterError(f"{self.name}: {failed}, {TRIES} times in a row") from failed
                rest = 2.0**attempt if failed.rest is None else failed.rest
                self.sleep(min(rest, LONGEST_REST))
        raise AssertionError("every attempt returns or raises")

    def _ask(self, picture: bytes, headers: Mapping[str, str]) -> bytes:
        import httpx2

        deadline = time.monotonic() + self.terms.seconds
        timeout = httpx2.Timeout(self.terms.seconds, connect=min(_CONNECT_SECONDS, self.terms.seconds))
        try:
            with httpx2.stream("POST", self.url, content=picture, headers=dict(headers), timeout=timeout) as answer:
                self.in_vain = 0
                if answer.status_code != 200:
                    raise self._refusal(answer)
                packed = answer.headers.get("Content-Encoding", "")
                if "," in packed:
                    # A megabyte may unpack to a thousand of them, and each of these to a thousand more, at one go.
                    raise CharacterError(
                        f"{self.name}: {self.url} packs its answer more than once ({brief(packed, _MOST_SAID)}): send "
                        "the mesh as it is"
                    )
                return self._body(answer, allowed(), deadline)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            why = brief(str(error), _MOST_SAID) or f"no connection within {timeout.connect:g} seconds"
            raise _TryAgainError(f"{self.url} cannot be reached ({why})", away=True) from error
        except httpx2.TimeoutException as error:
            raise _TryAgainError(f"{self.url} did not answer within {self.terms.seconds:g} seconds") from error
        except httpx2.HTTPError as error:
            raise _TryAgainError(f"{self.url} cannot be reached ({brief(str(error), _MOST_SAID)})") from error

    def _body(self, answer: httpx2.Response, most: int, deadline: float) -> bytes:
        data = bytearray()
        for part in answer.iter_bytes(1 << 16):
            data += part
            if len(data) > most:
                raise CharacterError(f"{self.name}: {self.url} answers with more than {shown(most)}; see --memory")
            if time.monotonic() > deadline:
                raise _TryAgainError(f"{self.url} did not answer within {self.terms.seconds:g} seconds")
        return bytes(data)

    def _refusal(self, answer: httpx2.Response) -> Exception:
        # Of a long page the beginning will do, whether it is tried again or not.
        said = next(answer.iter_bytes(_MOST_READ), b"").decode(errors="replace")
        lines = [line for line in said.splitlines() if line.strip()] or [""]
        # What went wrong is the last line of Python's tracebacks.
        line = brief(lines[-1 if lines[0].startswith("Traceback") else 0], _MOST_SAID)
        words = f"{self.url} answered {answer.status_code}{f': {line}' if line else ''}"
        if answer.has_redirect_location:
            there = brief(str(answer.url.join(answer.headers["Location"])), _MOST_SAID)
            return CharacterError(f"{self.name}: {words} and sends on to {there}: give that address")
        if answer.status_code not in _BUSY:
            return CharacterError(f"{self.name}: {words}")
        asked = answer.headers.get("Retry-After", "")
        return _TryAgainError(words, float(asked) if asked.isascii() and asked.isdecimal() else None)


def _shown(data: bytes) -> str:
    """What an answer is that is no mesh, where its beginning tells: the rest of a sentence."""
    kind = next((kind for start, kind in _OTHERS.items() if data.startswith(start)), None)
    if kind is not None:
        return f" but {kind}: answer with the mesh itself"
    try:
        lines = data[:_MOST_SAID].decode().split("\n")
    except UnicodeDecodeError:
        return ""
    line = brief(next((line for line in lines if line.strip()), ""), _MOST_SAID)
    return f": {line}" if line else ""


def create(argument: str | None) -> Server:
    """The backend for ``http://…``.

    Raises:
        UsageError: if that is no address, or the user's settings of `http` cannot be used.
    """
    return make("http", f"http:{argument or ''}")


def create_secure(argument: str | None) -> Server:
    """The backend for ``https://…``; see `create`."""
    return make("https", f"https:{argument or ''}")


def make(name: str, stated: object) -> Server:
    """The backend of that name, which asks the server at the stated address.

    Raises:
        UsageError: as of `create`.
    """
    import httpx2

    terms, _ = read_terms(name, "url")
    try:
        url = httpx2.URL(str(stated))
        usable = url.scheme in ("http", "https") and bool(url.host.encode("idna"))
    except (httpx2.InvalidURL, UnicodeError):
        usable = False
    if not usable:
        raise UsageError(
            f"{name} needs an address such as http://localhost:8000/reconstruct, not {brief(str(stated), 100)}"
        )
    if url.userinfo:
        raise UsageError(f"{name}: leave name and password out of the address, which a dataset's settings quote")
    return Server(name, str(url), terms)
