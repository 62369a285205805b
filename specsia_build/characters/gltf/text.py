"""The text of a glTF file's JSON to the structs of `schema`, and what is said where it is none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Raw

from specsia_build import memory
from specsia_build.characters.gltf.schema import Root, Struct, Versioned
from specsia_build.errors import CharacterError

_COSTS = {"[": 80, "{": 240, ",": 100, '"': 40}
"""Bytes of memory of a list, an object, one more value in it, and half of a text, at most."""

_TEXT_OR_ODD_NUMBER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN', re.DOTALL)
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)

S = TypeVar("S", bound=Struct)


def parse(text: bytes, name: str) -> Root:
    """The root object of a JSON text.

    Args:
        text: UTF-8, with or without a byte order mark.
        name: the file's name, for messages.

    Raises:
        CharacterError: if it is not a JSON object, or none of a glTF file.
        CostError: if it could take more memory than is left for the character.
    """
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith((b"{", b"[")):
        what = "it begins neither as GLB nor as JSON" if text else "it is empty"
        raise CharacterError(f"{name} is not a glTF file that can be read: {what}; copy or export it again")
    if text.startswith(b"["):
        raise CharacterError(f"{name} is not a glTF file: its JSON is not an object")
    memory.take(_cost(text))
    if not text.isascii():
        # Names in another encoding than UTF-8 cost the name alone.
        text = text.decode("utf-8", errors="replace").encode()
    try:
        return _decoded(text, Root)
    except (msgspec.DecodeError, ValueError):
        mended = _TEXT_OR_ODD_NUMBER.sub(_mended, text)
    # The lists of glTF 1.0 are objects: that is what is to be said of them, not that they are no lists.
    check_version(_checked(lambda: _decoded(mended, Versioned), f"{name}:", name), name)
    return _checked(lambda: _decoded(mended, Root), f"{name}:", name)


def check_version(document: Root | Versioned, name: str) -> None:
    """Check that a document is glTF 2.

    Raises:
        CharacterError: if it is not.
    """
    version = str((document.asset.version if document.asset else None) or "")
    if not version.startswith("2"):
        raise CharacterError(f"{name} is glTF version '{version or 'unknown'}': export it again as glTF 2.0")


def read_entry(text: Raw, kind: type[S], place: str, name: str) -> S:
    """An object of the file.

    Args:
        text: of the object.
        kind: its type.
        place: for messages, such as ``Knight.glb: accessors[4]``.
        name: the file's name, for messages.

    Raises:
        CharacterError: if it is not one of that kind.
    """
    try:
        return _decoded(text, kind)
    except (msgspec.DecodeError, ValueError):
        # Exporters write whole numbers as 5.0 too.
        return _checked(lambda: msgspec.convert(json.loads(bytes(text), parse_float=_whole), kind), place, name)


def damaged(place: str, problem: str) -> CharacterError:
    """The error that says what is wrong at a place, such as ``Knight.glb: accessors[4]``."""
    return CharacterError(f"{place} {problem}: the file is damaged or wrongly written, export it again")


def _decoded(text: bytes | Raw, kind: type[S]) -> S:
    try:
        decoded: S = _decoder(kind).decode(text)
        return decoded
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


@cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)


def _checked(read: Callable[[], S], place: str, name: str) -> S:
    try:
        return read()
    except msgspec.ValidationError as error:
        problem, _, path = str(error).rstrip("`").partition(" - at `$")
        raise damaged((place + path).replace(":.", ": "), f"is wrongly written ({problem})") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CharacterError(f"{name} is not a glTF file that can be read: its JSON is damaged ({error})") from error


def _cost(text: bytes) -> int:
    """Bytes of memory that a JSON text takes once it is decoded, at most."""
    characters = (2 if text.isascii() else 6) * len(text)
    signs = np.frombuffer(text, np.uint8)
    return characters + sum(cost * int(np.count_nonzero(signs == ord(sign))) for sign, cost in _COSTS.items())


def _mended(found: re.Match[bytes]) -> bytes:
    """What stands for what JSON does not have, and exporters write where nothing depends on it.

    For a number that is none, one that no float can hold, which is refused where it is used; for half of a character in
    a text, the replacement character.
    """
    if not found[0].startswith(b'"'):
        return b"1e999"
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], found[0])


def _whole(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
