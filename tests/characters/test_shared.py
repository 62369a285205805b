"""Every shared character and case is read as it was when its numbers were written down.

`python -m tests.characters.test_shared` writes them to shared.json, after a change that is meant.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.characters.character import Entry
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.read import read_animated, read_character
from specsia_build.errors import CharacterError

RECORD = Path(__file__).with_suffix(".json")
EXPECTED: dict[str, dict[str, float]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
WORDS = ("sentence", "why", "name")
"""Fields of texts for people."""


def numbers_of(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All numbers of a value by the names of fields that lead to them; a text is its checksum."""
    if isinstance(value, np.ndarray):
        yield name, value.ravel()
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in WORDS:
                yield from numbers_of(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, Mapping):
        yield from numbers_of([*value.items()], name)
    elif isinstance(value, Set):
        yield from numbers_of(sorted(value), name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield name, [len(value)]
        for each in value:
            yield from numbers_of(each, name)
    elif isinstance(value, Path):
        yield name, [zlib.crc32(value.name.encode())]
    elif not isinstance(value, Entry):
        yield name, [value if isinstance(value, int | float) else zlib.crc32(repr(value).encode())]


def summary(path: Path) -> dict[str, float]:
    """A number for each field of a character, its motions and its pose in one; any change changes it."""
    groups: dict[str, list[Any]] = {}
    try:
        character = read_animated(Entry("a", FORMATS[path.suffix], path))
        if character.motions and character.motions[0].name:
            action = f"{character.motions[0].name}@7"
            posed = read_character(Entry("a", FORMATS[path.suffix], path, pose=action)).mesh
            groups[".posed"] = [posed.vertices.ravel()]
        for name, values in numbers_of(character):
            groups.setdefault(name.removeprefix(".character"), []).append(values)
    except CharacterError as error:
        return {error.code: 0.0}
    totals: dict[str, float] = {}
    for number, (name, parts) in enumerate(groups.items()):
        values = np.concatenate([np.zeros(1), *parts]).astype(np.float64)
        size = float(np.linalg.norm(values))
        share = values @ np.cos(np.arange(len(values)) % 9973) / (size + 1e-3)
        group = ".".join(name.split(".")[1:3])
        totals[group] = totals.get(group, 0.0) + (np.log1p(size) + float(share)) * (1 + number % 7)
    return {name: round(total, 4) for name, total in totals.items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_files_are_read_as_ever(characters_dir: Path, name: str) -> None:
    assert summary(characters_dir.parent / name) == pytest.approx(EXPECTED[name], abs=2e-3)


if __name__ == "__main__":
    shared = Path(__file__).resolve().parents[3] / "shared"
    files = sorted(path for path in shared.glob("c*/**/*.*") if path.suffix in FORMATS)
    found = {path.relative_to(shared).as_posix(): summary(path) for path in files}
    lines = [f"{json.dumps(name)}: {json.dumps(totals)}" for name, totals in found.items()]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
