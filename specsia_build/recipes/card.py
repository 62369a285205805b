"""What lies beside a recipe's files: its card, the splits, what made it, and the checksums of all of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.card import asked_for, backend_note, common_fields, how_built, licences_text, table
from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS, SPLITS_FILE, SUMS_FILE, TEASER
from specsia_build.errors import plural
from specsia_build.files.writing import replacing, write_bytes
from specsia_build.recipes.folder import OWN_FILES
from specsia_build.recipes.parts import line_of
from specsia_build.recipes.recipe import Recipe, Written
from specsia_build.recipes.teaser import write_teaser

KIND = "specsia recipe"

Parts = Callable[[], Iterator[Written]]
"""Gives what is on record of the parts, in order, each time anew: they may be many."""


@dataclass
class Counts:
    """What there is of a recipe, counted.

    Attributes:
        parts, clips, frames, files, bytes: of each split.
        left_out: frames that the reader of the layout cannot take.
        characters: by split.
        licenses: licence and credit by character.
    """

    parts: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    characters: dict[str, str] = field(default_factory=dict)
    licenses: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def add(self, part: Written) -> None:
        """Count one more part."""
        self.parts[part.split] += 1
        self.clips[part.split] += len(part.clips)
        self.frames[part.split] += part.facts.get("frames", 0)
        self.left_out += part.facts.get("left_out", 0)
        self.files[part.split] += len(part.files)
        self.bytes[part.split] += sum(size for size, _ in part.files.values())
        self.characters[part.character] = part.split
        self.licenses[part.character] = (part.license, part.credit)


def write_whole(folder: Path, recipe: Recipe, parts: Parts, made: Mapping[str, Any]) -> tuple[int, set[str]]:
    """Write what is over all parts of a recipe's folder.

    Args:
        folder: of the recipe.
        recipe: whose it is.
        parts: all that there are.
        made: how, free of paths: the `config`, all versions, the `backend` of reconstructions or None, how many
            characters were `planned`, clips or characters `quarantined` and parts `left_out` by the recipe.

    Returns:
        How many parts there are, and the names of what was written.

    Raises:
        WriteError: if it cannot be written.
    """
    counts = Counts()
    # The sums come last, as nothing before them is whole.
    with replacing(folder / SUMS_FILE) as sums, sums.open("w", encoding="utf-8") as stream:
        with replacing(folder / PARTS_FILE) as temporary, temporary.open("wb") as lines:
            for part in parts():
                counts.add(part)
                lines.write(line_of(part))
                stream.writelines(f"{digest}  {name}\n" for name, (_, digest) in part.files.items())
        teaser = write_teaser(folder, parts, sum(counts.parts.values()))
        own = _own_files(recipe, parts, counts, made, teaser)
        for name, data in own.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                write_bytes(path, data)
            stream.write(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        with (folder / PARTS_FILE).open("rb") as written:
            stream.write(f"{hashlib.file_digest(written, 'sha256').hexdigest()}  {PARTS_FILE}\n")
    return sum(counts.parts.values()), {*OWN_FILES, *own}


def _own_files(
    recipe: Recipe, parts: Parts, counts: Counts, made: Mapping[str, Any], teaser: bytes | None
) -> dict[str, bytes]:
    by_split = {one: counts.characters[one] for one in sorted(counts.characters, key=id_order_key)}
    splits = {split: [one for one, found in by_split.items() if found == split] for split in SPLITS}
    mark = {"kind": KIND, "recipe": recipe.name, "version": recipe.version, **made}
    return {
        CARD: _card(recipe, counts, mark, teaser is not None).encode(),
        **({} if teaser is None else {TEASER: teaser}),
        SPLITS_FILE: _json(splits),
        RECIPE_FILE: _json(mark),
        **dict(recipe.whole(parts())),
    }


def _json(found: Any) -> bytes:
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _card(recipe: Recipe, counts: Counts, mark: Mapping[str, Any], shown: bool) -> str:
    backend, source = mark["backend"], mark["config"]["source"]
    name = f"{recipe.name} of {source}" + (f", reconstructed by {backend}" if backend else "")
    fields = common_fields(name, {stated for stated, _ in counts.licenses.values()}, sum(counts.frames.values()))
    # Its files are for a loader of their own; the Hub's viewer would guess at them.
    fields |= {"tags": [*fields["tags"], recipe.name], "viewer": False}
    rows = [
        [split, characters, *(f"{found[split]:,}" for found in (counts.clips, counts.frames, counts.files)), size]
        for split in SPLITS
        if (characters := sum(found == split for found in counts.characters.values()))
        and (size := f"{counts.bytes[split] / 1e6:,.1f}")
    ]
    picture = f"\n![Pictures of a few of them]({TEASER})\n"
    moved = f"""
The pictures are of reconstructions, each registered at rest, which take their character's motion by skin weights that
are carried over to them. The backend:

{backend_note(backend, False)}
"""
    quarantined = mark["quarantined"]
    lost = [
        *([f"{quarantined:,} of the clips or characters quarantined"] if quarantined else []),
        *([f"{plural(mark['left_out'], recipe.by)} that the layout cannot take"] if mark["left_out"] else []),
        *([f"{plural(counts.left_out, 'frame')} that the layout cannot take"] if counts.left_out else []),
    ]
    return f"""---
{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---

# {name}
{picture if shown else ""}
{recipe.title[:1].upper()}{recipe.title[1:]}.
{moved if backend else ""}
## What is in it

{table(["split", "characters", "clips", "frames", "files", "MB"], rows)}

{asked_for(mark["planned"])}; {"left out: " + " and ".join(lost) if lost else "nothing was left out"}.
Splits share no character: `splits.json` lists them, `parts.jsonl` what there is of each {recipe.by}, its character,
licence and files.

## How to load it

{recipe.load().strip()}

## How it was made

Recipe {recipe.name}, version {mark["version"]}; {how_built(mark)}

## Licences

{licences_text(counts.licenses.values())}

## Check

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` also what the layout promises of them.
"""
