"""A manifest to edit: what is there, and what there is evidence for, with the evidence as a comment."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specsia_build.characters.character import AUTO, UNSETTLED, Entry
from specsia_build.characters.manifest import SUGGESTED
from specsia_build.characters.sources import Source
from specsia_build.characters.survey import CharacterFacts
from specsia_build.errors import UsageError, some

TOGETHER = "train"
"""Split that characters of one shape are given where the source states none."""


def suggested_manifest(
    source: Source, facts: Sequence[CharacterFacts], place: Path, alike: Sequence[Sequence[str]] = ()
) -> bytes:
    """The lines of a manifest of a source's characters, each with the keys that there is evidence for.

    Args:
        source: of which each entry with a file gets a line; what it states is kept.
        facts: of each of its entries, in their order.
        place: file that the manifest is written to; its paths are relative to that folder.
        alike: ids of characters that are one file or one shape, each such set of which gets one split.

    Raises:
        UsageError: if a character lies outside that folder, where no manifest may point, or none has a file of its own.
    """
    if source.kind == "sample":
        raise UsageError(f"{source.name} is made anew by each command, so no manifest can name its files")
    folder = Path(os.path.abspath(place.parent))  # noqa: PTH100  as the user wrote it, links not followed
    splits = _splits(source.entries, alike)
    lines = [
        _line(entry, one, folder, splits.get(entry.id))
        for entry, one in zip(source.entries, facts, strict=True)
        if not entry.problem
    ]
    if not lines:
        raise UsageError(f"{source.name} holds no character that a manifest could name")
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _splits(entries: Sequence[Entry], alike: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Split and evidence for characters without one that are alike: that of the others, where they agree on any."""
    stated = {entry.id: entry.split for entry in entries}
    found: dict[str, tuple[str, str]] = {}
    for ids in alike:
        known = {split for one in ids if (split := stated[one]) is not None}
        if len(known) < 2:
            split = next(iter(known), TOGETHER)
            for one in ids:
                if stated[one] is None:
                    others = some([other for other in ids if other != one])
                    found.setdefault(one, (split, f"split: the same for {others}, which no split should part from it"))
    return found


def _line(entry: Entry, facts: CharacterFacts, folder: Path, kept: tuple[str, str] | None) -> dict[str, Any]:
    usual = AUTO if entry.format in UNSETTLED else None
    line: dict[str, Any] = {
        "id": entry.id,
        "path": _below(entry.path, folder, entry),
        "texture": None if entry.texture is None else _below(entry.texture, folder, entry),
        "up": None if entry.up == usual else entry.up,
        "front": None if entry.front == usual else entry.front,
        "sides": entry.sides,
        "pose": None if entry.pose == "rest" else entry.pose,
        "drop": list(entry.drop) or None,
        "drawing": None if entry.drawing is None else _below(entry.drawing, folder, entry),
        "split": entry.split,
        "license": entry.license,
        "source": entry.source,
    }
    evidence = [SUGGESTED]
    if kept is not None:
        line["split"], why = kept
        evidence.append(why)
    for fix in facts.fixes:
        value: object = fix.value
        if fix.key == "drop":
            value = list(dict.fromkeys((*(line["drop"] or ()), *fix.value)))
        if fix.key == "texture":
            value = _below(entry.within / str(fix.value), folder, entry)
        line[fix.key] = value
        evidence.append(f"{fix.key}: {fix.why}")
    if facts.problem is not None:
        evidence.append(f"problem: {facts.problem}")
    line["comment"] = "; ".join(evidence)
    return {key: value for key, value in line.items() if value is not None}


def _below(path: Path, folder: Path, entry: Entry) -> str:
    """A path of an entry as a manifest in a folder names it.

    Raises:
        UsageError: if it lies outside, links followed.
    """
    relative = os.path.relpath(path, folder)
    if relative.startswith(os.pardir) or not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{path} lies outside {folder}, and a manifest's paths may not: write it into {entry.within}")
    return Path(relative).as_posix()
