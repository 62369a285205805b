"""What lies beside a recipe's files: its card, the splits, what made it, and the checksums of all of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from specsia_build import __version__
from specsia_build.config import BuildConfig
from specsia_build.dataset.card.yaml import TAGS, license_fields, size_category
from specsia_build.dataset.places import public_settings
from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS, SPLITS_FILE, SUMS_FILE
from specsia_build.files.writing import replacing, write_bytes
from specsia_build.recipes.parts import line_of
from specsia_build.recipes.recipe import Recipe, Written

KIND = "specsia recipe"

OWN_FILES = (CARD, SPLITS_FILE, RECIPE_FILE, PARTS_FILE, SUMS_FILE)

Parts = Callable[[], Iterator[Written]]
"""Gives what is on record of the parts, in order, each time anew: they may be many."""


@dataclass
class Counts:
    """What there is of a recipe, counted.

    Attributes:
        parts, clips, frames, files, bytes: of each split.
        characters: by split.
        licenses: licence and credit by character.
    """

    parts: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    characters: dict[str, str] = field(default_factory=dict)
    licenses: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def add(self, part: Written) -> None:
        """Count one more part."""
        self.parts[part.split] += 1
        self.clips[part.split] += len(part.clips)
        self.frames[part.split] += part.facts.get("frames", 0)
        self.files[part.split] += len(part.files)
        self.bytes[part.split] += sum(size for size, _ in part.files.values())
        self.characters[part.character] = part.split
        self.licenses[part.character] = (part.license, part.credit)


def write_whole(folder: Path, recipe: Recipe, parts: Parts, config: BuildConfig, source: str) -> int:
    """Write what is over all parts of a recipe's folder; `source` is the name of the run's, free of paths.

    Returns:
        How many parts there are.

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
        for name, data in _own_files(recipe, parts, counts, config, source).items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                write_bytes(path, data)
            stream.write(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        with (folder / PARTS_FILE).open("rb") as written:
            stream.write(f"{hashlib.file_digest(written, 'sha256').hexdigest()}  {PARTS_FILE}\n")
    return sum(counts.parts.values())


def _own_files(recipe: Recipe, parts: Parts, counts: Counts, config: BuildConfig, source: str) -> dict[str, bytes]:
    ids = sorted(counts.characters)
    splits = {split: [one for one in ids if counts.characters[one] == split] for split in SPLITS}
    mark = {
        "kind": KIND,
        "recipe": recipe.name,
        "version": recipe.version,
        "specsia": __version__,
        "settings": public_settings(config, source),
    }
    return {
        CARD: _card(recipe, counts, mark).encode(),
        SPLITS_FILE: _json(splits),
        RECIPE_FILE: _json(mark),
        **dict(recipe.whole(parts())),
    }


def _json(found: Any) -> bytes:
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _card(recipe: Recipe, counts: Counts, mark: dict[str, Any]) -> str:
    licenses = {stated for stated, _ in counts.licenses.values()}
    head = {
        **license_fields(licenses),
        "pretty_name": f"{recipe.name} of {mark['settings']['source']}",
        "size_categories": [size_category(sum(counts.frames.values()))],
        "tags": [*TAGS, recipe.name],
    }
    rows = [
        f"| {split} | {characters} | {counts.clips[split]:,} | {counts.frames[split]:,} | {counts.files[split]:,} "
        f"| {counts.bytes[split] / 1e6:,.1f} |"
        for split in SPLITS
        if (characters := sum(found == split for found in counts.characters.values()))
    ]
    stated = Counter(counts.licenses.values())
    credits = [
        f"| {license_ or 'not stated'} | {credit or 'not stated'} | {count} |"
        for (license_, credit), count in sorted(stated.items(), key=lambda item: (-item[1], str(item[0])))
    ]
    made = yaml.safe_dump(mark["settings"], sort_keys=False, allow_unicode=True)
    return "\n".join(
        [
            "---",
            yaml.safe_dump(head, sort_keys=False, allow_unicode=True) + "---",
            "",
            f"# {head['pretty_name']}",
            "",
            f"{recipe.title[:1].upper()}{recipe.title[1:]}.",
            "",
            "## What is in it",
            "",
            "| split | characters | clips | frames | files | MB |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## How to load it",
            "",
            recipe.load().rstrip(),
            "",
            "## How it was made",
            "",
            f"specsia {mark['specsia']}, recipe {recipe.name} version {mark['version']}. The settings:",
            "",
            f"```yaml\n{made}```",
            "",
            "`sha256sum -c SHA256SUMS` and `specsia verify` check it.",
            "",
            "## Licences",
            "",
            "| licence | credit | characters |",
            "|---|---|---|",
            *credits,
            "",
        ]
    )
