"""Typed, checked access to the JSON of a glTF file: a wrong type names its place instead of raising a TypeError."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specsia_build import memory
from specsia_build.characters.character import legible
from specsia_build.errors import CharacterError

_COSTS = {b"[": 80, b"{": 240, b",": 40, b'"': 40}
"""Bytes of a list, an object, one more value in it, and half of a text."""

LARGEST_INTEGER = 2**53
"""Integers above this are not exact in JSON numbers of other programs, and no count or offset needs them."""


@dataclass(frozen=True)
class Fields:
    """One JSON object and where it stands.

    Attributes:
        data: the object.
        place: for messages, such as ``Knight.glb: accessors[4]``.
    """

    data: dict[str, Any]
    place: str

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def error(self, problem: str) -> CharacterError:
        """The error that says what is wrong at this place."""
        return CharacterError(f"{self.place} {problem}: the file is damaged or wrongly written, export it again")

    def _wrong(self, key: str, wanted: str) -> CharacterError:
        return self.error(f"has a '{key}' that is not {wanted}")

    def optional_integer(self, key: str) -> int | None:
        """A whole number of 0 or more, or None where the key is absent.

        Raises:
            CharacterError: if the value is something else.
        """
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_INTEGER:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_INTEGER:
            raise self._wrong(key, "a whole number of 0 or more")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of 0 or more; without a default the key is required.

        Raises:
            CharacterError: if it is missing or something else.
        """
        value = self.optional_integer(key)
        if value is None:
            value = default
        if value is None:
            raise self.error(f"lacks '{key}'")
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number.

        Raises:
            CharacterError: if the value is something else.
        """
        return default if self.data.get(key) is None else self._number(key, self.data[key])

    def _number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._wrong(key, "a finite number")
        return number

    def numbers(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """As many finite numbers as the default has.

        Raises:
            CharacterError: if the value is something else.
        """
        values = self.data.get(key)
        if values is None:
            return default
        if not isinstance(values, list) or len(values) != len(default):
            raise self._wrong(key, f"a list of {len(default)} numbers")
        return tuple(self._number(key, value) for value in values)

    def pair(self, key: str, default: tuple[float, float]) -> tuple[float, float]:
        """Two finite numbers.

        Raises:
            CharacterError: if the value is something else.
        """
        first, second = self.numbers(key, default)
        return first, second

    def any_numbers(self, key: str) -> tuple[float, ...]:
        """Finite numbers, as many as there are; none where the key is absent.

        Raises:
            CharacterError: if the value is something else.
        """
        return tuple(self._number(key, value) for value in self._list(key))

    def indices(self, key: str) -> tuple[int, ...]:
        """Whole numbers of 0 or more; none where the key is absent.

        Raises:
            CharacterError: if the value is something else.
        """
        values = self._list(key)
        if not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= LARGEST_INTEGER for v in values):
            raise self._wrong(key, "a list of whole numbers of 0 or more")
        return tuple(values)

    def text(self, key: str, default: str = "") -> str:
        """A string.

        Raises:
            CharacterError: if the value is something else.
        """
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return legible(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Strings; none where the key is absent.

        Raises:
            CharacterError: if the value is something else.
        """
        values = self._list(key)
        if not all(isinstance(v, str) for v in values):
            raise self._wrong(key, "a list of texts")
        return tuple(map(legible, values))

    def flag(self, key: str) -> bool:
        """A boolean, false where the key is absent or something else."""
        return self.data.get(key) is True

    def child(self, key: str) -> Fields | None:
        """The object under a key, or None where the key is absent.

        Raises:
            CharacterError: if the value is something else.
        """
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Fields(value, self._below(key))

    def extension(self, name: str) -> Fields | None:
        """The object under ``extensions[name]``, or None."""
        extensions = self.child("extensions")
        return None if extensions is None else extensions.child(name)

    def count(self, key: str) -> int:
        """How many entries the list under a key has; 0 where it is absent."""
        return len(self._list(key))

    def item(self, key: str, index: int) -> Fields:
        """One object of the list under a key.

        Raises:
            CharacterError: if there is no such entry or it is no object.
        """
        values = self._list(key)
        if not 0 <= index < len(values):
            raise self.error(f"uses {key}[{index}], which does not exist")
        place = self._below(f"{key}[{index}]")
        if not isinstance(values[index], dict):
            raise Fields({}, place).error("is not an object")
        return Fields(values[index], place)

    def items(self, key: str) -> Iterator[Fields]:
        """The objects of the list under a key, in order.

        Raises:
            CharacterError: if one is no object.
        """
        return (self.item(key, index) for index in range(self.count(key)))

    def _below(self, step: str) -> str:
        return f"{self.place} {step}" if self.place.endswith(":") else f"{self.place}.{step}"

    def _list(self, key: str) -> list[Any]:
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value


def _json_cost(text: bytes) -> int:
    """Bytes of memory that a JSON text takes as plain values, at most."""
    characters = (2 if text.isascii() else 6) * len(text)
    return characters + sum(cost * text.count(sign) for sign, cost in _COSTS.items())


def parse(text: bytes, name: str) -> Fields:
    """The root object of a JSON text.

    Args:
        text: UTF-8, with or without a byte order mark.
        name: the file's name, for messages.

    Raises:
        CharacterError: if it is not a JSON object.
    """
    begun = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begun.startswith((b"{", b"[")):
        what = "it begins neither as GLB nor as JSON" if begun else "it is empty"
        raise CharacterError(f"{name} is not a glTF file that can be read: {what}; copy or export it again")
    memory.take(_json_cost(text))
    try:
        data = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CharacterError(f"{name} is not a glTF file that can be read: its JSON is damaged ({error})") from error
    if not isinstance(data, dict):
        raise CharacterError(f"{name} is not a glTF file: its JSON is not an object")
    return Fields(data, f"{name}:")
