"""Lines of a manifest that are damaged or forged."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.hostile.faults import JUNK, NAMES, NUMBERS, OUTSIDE

_KEYS = ("id", "path", "texture", "up", "front", "pose", "drawing", "split", "license", "source", "drop", "strange")
_MANY = 100_000
_PLACES = (
    OUTSIDE.removeprefix("../") + "/secret.obj",
    "../outside/secret.glb",
    "good/../../outside/secret.obj",
    "/etc/passwd",
    "/dev/zero",
    "good",
    ".",
    "characters.jsonl",
)


def _flipped(line: bytes, random: Random) -> bytes:
    out = bytearray(line)
    for _ in range(random.choice((1, 2, 8))):
        out[random.randrange(len(out))] = random.randrange(256)
    return bytes(out)


def _bomb(values: dict[str, Any], random: Random) -> bytes:
    line = json.dumps(values)[:-1]
    return random.choice(
        (
            lambda: line + "".join(f', "k{k}": 0' for k in range(_MANY)) + "}",
            lambda: line + ', "license": "' + "x" * 3_000_000 + '"}',
            lambda: line + ', "drop": ' + json.dumps(["part"] * _MANY) + "}",
            lambda: line + ', "drop": ' + "[" * _MANY + "]" * _MANY + "}",
            lambda: line + ', "drop": ' + "9" * 10_000 + "}",
            lambda: line + " " * 3_000_000 + "}",
        )
    )().encode()


def _put(values: dict[str, Any], random: Random, choices: tuple[Any, ...]) -> bytes:
    # The id is left as it is more often than not, as most of a line is looked at only where that can be used.
    key = random.choice(_KEYS[1:] if random.random() < 0.8 else _KEYS)
    return json.dumps({**values, key: random.choice(choices)}).encode()


_DAMAGES: tuple[Callable[[dict[str, Any], Random], bytes], ...] = (
    lambda values, random: _flipped(json.dumps(values).encode(), random),
    lambda values, random: json.dumps(values).encode()[: random.randrange(1, 40)],
    lambda values, random: _put(values, random, NUMBERS),
    lambda values, random: _put(values, random, JUNK),
    lambda values, random: json.dumps({"path": values["path"], "id": random.choice(NAMES)}).encode(),
    _bomb,
    lambda values, random: _put(values, random, NAMES),
    lambda values, random: json.dumps({**values, random.choice(("path", "drawing")): random.choice(_PLACES)}).encode(),
    lambda values, random: json.dumps(values).encode()[:-1] + b', "source": "\xff\xfe\x80"}',
)


def damaged_line(name: str, path: str, damage: int, random: Random) -> bytes:
    """A line for the character `path` under the id `name`, with the damage of a number."""
    return _DAMAGES[damage % len(_DAMAGES)]({"id": name, "path": path}, random)
