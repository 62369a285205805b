"""Files about all parts of a recipe: its card and picture, the splits, the build record and the checksums."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.card import asked_for, backend_note, common_fields, how_built, licences_text, table
from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS, SPLITS_FILE, SUMS_FILE, TEASER
from specsia_build.errors import plural
from specsia_build.files.writing import replacing, write_bytes
from specsia_build.films import Pixels
from specsia_build.picture_files import write_still
from specsia_build.recipes.folder import OWN_FILES, line_of
from specsia_build.recipes.recipe import Recipe, Written
from specsia_build.sheets import Sheet, rgba, spread

KIND = "specsia recipe"

Parts = Callable[[], Iterator[Written]]
"""Iterates the records of all parts in order, from the start at each call."""

_ROWS, _COLUMNS, _TILE = 4, 4, 96
"""Parts and layers in the teaser, at most, and pixels on a side of each picture."""

_LEAST_CONTRAST = 64
"""Levels that a picture must span to be shown in the teaser; pictures of segment numbers look black."""


@dataclass
class Counts:
    """Totals over the parts of a recipe.

    Attributes:
        parts, clips, frames, files, bytes: by split.
        left_out: frames that the layout cannot take.
        characters: split by character.
        licenses: licence and credit by character.
    """

    parts: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    characters: dict[str, str] = field(default_factory=dict)
    licenses: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def add(self, part: Written) -> None:
        """Count one more part."""
        self.parts[part.split] += 1
        self.clips[part.split] += len(part.clips)
        self.frames[part.split] += part.facts.get("frames", 0)
        self.files[part.split] += len(part.files)
        self.bytes[part.split] += sum(size for size, _ in part.files.values())
        self.left_out += part.facts.get("left_out", 0)
        self.characters[part.character] = part.split
        self.licenses[part.character] = (part.license, part.credit)


def write_whole(folder: Path, recipe: Recipe, parts: Parts, build: Mapping[str, Any]) -> tuple[int, set[str]]:
    """Write the files about all parts of a recipe's folder.

    Args:
        folder: of the recipe.
        recipe: the recipe.
        parts: iterates the records.
        build: build record without paths: `config`, versions, `backend` of reconstructions or None, number of
            characters `planned`, of clips or characters `quarantined`, and of parts `left_out` by the recipe.

    Returns:
        Number of parts, and the names of the files.

    Raises:
        WriteError: if they cannot be written.
    """
    counts = Counts()
    # The sums are put in place last, when everything else is complete.
    with replacing(folder / SUMS_FILE) as sums, sums.open("w", encoding="utf-8") as stream:
        with replacing(folder / PARTS_FILE) as temporary, temporary.open("wb") as lines:
            for part in parts():
                counts.add(part)
                lines.write(line_of(part))
                stream.writelines(f"{digest}  {name}\n" for name, (_, digest) in part.files.items())
        files = _files(folder, recipe, parts, counts, build)
        for name, data in files.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                write_bytes(path, data)
            stream.write(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        with (folder / PARTS_FILE).open("rb") as written:
            stream.write(f"{hashlib.file_digest(written, 'sha256').hexdigest()}  {PARTS_FILE}\n")
    return counts.parts.total(), {*OWN_FILES, *files}


def _files(folder: Path, recipe: Recipe, parts: Parts, counts: Counts, build: Mapping[str, Any]) -> dict[str, bytes]:
    characters = sorted(counts.characters, key=id_order_key)
    splits = {split: [each for each in characters if counts.characters[each] == split] for split in SPLITS}
    record = {"kind": KIND, "recipe": recipe.name, "version": recipe.version, **build}
    teaser = write_teaser(folder, parts, counts.parts.total())
    return {
        CARD: _card(recipe, counts, record, teaser is not None).encode(),
        **({} if teaser is None else {TEASER: teaser}),
        SPLITS_FILE: _json(splits),
        RECIPE_FILE: _json(record),
        **dict(recipe.whole(parts())),
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _card(recipe: Recipe, counts: Counts, record: Mapping[str, Any], has_teaser: bool) -> str:
    backend, source = record["backend"], record["config"]["source"]
    title = f"{recipe.name} of {source}" + (f", reconstructed by {backend}" if backend else "")
    fields = common_fields(title, {name for name, _ in counts.licenses.values()}, counts.frames.total())
    # The files are for a loader of their own; the Hub's viewer would guess.
    fields |= {"tags": [*fields["tags"], recipe.name], "viewer": False}
    characters, numbers = Counter(counts.characters.values()), (counts.clips, counts.frames, counts.files)
    rows = [
        (split, characters[split], *(f"{count[split]:,}" for count in numbers), f"{counts.bytes[split] / 1e6:,.1f}")
        for split in SPLITS
        if characters[split]
    ]
    lost = [
        *([f"{record['quarantined']:,} of the clips or characters quarantined"] if record["quarantined"] else []),
        *([f"{plural(record['left_out'], recipe.by)} that the layout cannot take"] if record["left_out"] else []),
        *([f"{plural(counts.left_out, 'frame')} that the layout cannot take"] if counts.left_out else []),
    ]
    picture = f"\n![Pictures of a few of them]({TEASER})\n" if has_teaser else ""
    about_backend = f"""
The pictures are of reconstructions. Each was registered at rest and moves by its character's skin weights. The backend:

{backend_note(backend, False)}
"""
    return f"""---
{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---

# {title}
{picture}
{recipe.title[:1].upper()}{recipe.title[1:]}.
{about_backend if backend else ""}
## Contents

{table(["split", "characters", "clips", "frames", "files", "MB"], rows)}

{asked_for(record["planned"])}; {"left out: " + " and ".join(lost) if lost else "nothing was left out"}.
No character is in two splits, see `splits.json`. `parts.jsonl` lists each {recipe.by} with its character, licence and
files.

## Loading

{recipe.load().strip()}

## How it was made

Recipe {recipe.name}, version {record["version"]}; {how_built(record)}

## Licences

{licences_text(counts.licenses.values())}

## Verification

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` also what they hold.
"""


def write_teaser(folder: Path, parts: Parts, count: int) -> bytes | None:
    """Write `teaser.webp`: a row for each of a few of the `count` parts, with a picture from each of its layers.

    Returns:
        Its bytes; None, and no file, if the first part has no pictures. Films are not opened.

    Raises:
        WriteError: if it cannot be written.
    """
    first = next(parts(), None)
    layers = [] if first is None else _pictures(first)
    chosen = [k for k, (_, name) in enumerate(layers) if _has_contrast(_tile(folder, name))][:_COLUMNS]
    if not chosen:
        return None
    numbers = frozenset(spread(count, _ROWS))
    rows = [part for k, part in enumerate(parts()) if k in numbers]
    tiles: list[Pixels | str] = []
    for part in rows:
        names = [name for _, name in _pictures(part)]
        tiles += [_tile(folder, names[k]) if k < len(names) else "none" for k in chosen]
    sheet = Sheet([part.key for part in rows], [""], [layers[k][0] for k in chosen], 1, _TILE)
    write_still(folder / TEASER, sheet.draw(tiles))
    return (folder / TEASER).read_bytes()


def _pictures(part: Written) -> list[tuple[str, str]]:
    """Label and middle picture of each folder with pictures, those with the most pictures first."""
    by_folder: dict[PurePosixPath, list[str]] = {}
    for name in part.files:
        if name.endswith(".png"):
            by_folder.setdefault(PurePosixPath(name).parent, []).append(name)
    own = {part.split, part.key, part.character}
    return [
        (next((word for word in reversed(folder.parts) if word not in own), ""), names[len(names) // 2])
        for folder, names in sorted(by_folder.items(), key=lambda item: -len(item[1]))
    ]


def _has_contrast(tile: Pixels | str) -> bool:
    return not isinstance(tile, str) and int(np.ptp(tile[..., :3])) >= _LEAST_CONTRAST


def _tile(folder: Path, name: str) -> Pixels | str:
    try:
        return rgba((folder / name).read_bytes())
    except (OSError, ValueError):
        return "cannot be read"
