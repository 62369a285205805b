"""The JSON of a glTF file to the structs of `schema`."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Raw

from specsia_build import memory
from specsia_build.characters.character import legible
from specsia_build.characters.gltf.schema import Root, Struct
from specsia_build.errors import CharacterError

_COSTS = {"[": 80, "{": 240, ",": 100, '"': 40}
"""Bytes of memory of a list, an object, one more value in it, and half of a text, at most."""

S = TypeVar("S", bound=Struct)


def parse(text: bytes, name: str) -> Root:
    """The root object of a JSON text.

    Args:
        text: UTF-8, with or without a byte order mark.
        name: the file's name, for messages.
    """
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{"):
        what = "it begins neither as GLB nor as JSON" if text else "it is empty"
        raise CharacterError(f"{name} is not a glTF file that can be read: {what}; copy or export it again")
    memory.take(_cost(text))
    if not text.isascii():
        # Names in another encoding than UTF-8 cost the name alone.
        text = text.decode("utf-8", errors="replace").encode()
    root = read_entry(Raw(text), Root, f"{name}:")
    check_version(None if root.asset is None else root.asset.version, name)
    return root


def check_version(version: object, name: str) -> None:
    """Check that a version is glTF 2."""
    if not str(version or "").startswith("2"):
        raise CharacterError(f"{name} is glTF version '{version or 'unknown'}': export it again as glTF 2.0")


def read_entry(text: Raw, kind: type[S], place: str) -> S:
    """An object of the file.

    Args:
        text: of the object.
        kind: its type.
        place: for messages, such as ``Knight.glb: accessors[4]``.
    """
    try:
        return _decoded(text, kind)
    except (ValueError, RecursionError):
        pass
    # Exporters write whole numbers as 5.0, and NaN or half a character where nothing depends on it.
    try:
        value = json.loads(bytes(text), parse_float=_whole, parse_constant=lambda _: None)
        if kind is Root and isinstance(value, dict):
            asset = value.get("asset")
            # The lists of glTF 1.0 are objects: its version is what is to be said, not that they are no lists.
            check_version(asset.get("version") if isinstance(asset, dict) else None, place.rstrip(":"))
        return _decoded(legible(json.dumps(value, ensure_ascii=False)).encode(), kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).rstrip("`").partition(" - at `$")
        raise damaged((place + path).replace(":.", ": "), f"is wrongly written ({problem})") from error
    except (ValueError, RecursionError) as error:
        name = place.partition(":")[0]
        raise CharacterError(f"{name} is not a glTF file that can be read: its JSON is damaged ({error})") from error


def damaged(place: str, problem: str) -> CharacterError:
    """The error that says what is wrong at a place, such as ``Knight.glb: accessors[4]``."""
    return CharacterError(f"{place} {problem}: the file is damaged or wrongly written, export it again")


def _decoded(text: bytes | Raw, kind: type[S]) -> S:
    decoded: S = _decoder(kind).decode(text)
    return decoded


@cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)


def _cost(text: bytes) -> int:
    """Bytes of memory that a JSON text takes once it is decoded, at most."""
    characters = (2 if text.isascii() else 6) * len(text)
    signs = np.frombuffer(text, np.uint8)
    return characters + sum(cost * int(np.count_nonzero(signs == ord(sign))) for sign, cost in _COSTS.items())


def _whole(text: str) -> Any:
    value = float(text)
    return int(value) if value.is_integer() else value if math.isfinite(value) else None
