"""The folder of a recipe: its parts, and the files about all of them.

A part is written into a temporary folder and moved into place file by file. Its record is written first, so
that a run that was killed in between recognises its own files, resumes, and leaves other people's alone.
"""

import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
import yaml

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.card import asked_for, backend_note, common_fields, how_built, licences_text, table
from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS, SPLITS_FILE, SUMS_FILE, TEASER
from specsia_build.errors import SpecsiaError, UsageError, brief, plural
from specsia_build.files.names import file_name, relative_name, temporary_beside
from specsia_build.files.records import MOST_JSON_BYTES, parse_json, read_json
from specsia_build.files.writing import remove_tree, replacing, write_bytes, writing
from specsia_build.pictures.files import write_still
from specsia_build.pictures.films import Pixels
from specsia_build.pictures.sheets import Sheet, rgba, spread
from specsia_build.recipes.recipe import Recipe, Written

STATE = ".specsia"  # Folder with the run's records of parts, which readers do not need
KIND, PART_KIND = "specsia recipe", "specsia part"  # Kinds of `specsia.json` and of the record of a part

OWN_FILES = (CARD, SPLITS_FILE, RECIPE_FILE, PARTS_FILE, SUMS_FILE)
"""Files about all parts, in the folder of every recipe."""

Parts = Callable[
    [], Iterator[Written]
]  # Iterates the records of all parts in order, from the start at each call

_DIGEST = re.compile(r"[0-9a-f]{64}")

_ROWS, _COLUMNS, _TILE = (
    4,
    4,
    96,
)  # Parts and layers in the teaser, at most, and pixels on a side of each picture

_LEAST_CONTRAST = 64
"""Levels that a picture must span to be shown in the teaser; pictures of segment numbers look black."""


def read_parts(folder: Path) -> Iterator[Written]:
    """Read the parts of a recipe's folder from `parts.jsonl`, one at a time; SpecsiaError if that cannot be
    read."""
    try:
        with (folder / PARTS_FILE).open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_JSON_BYTES + 1), b""), 1):
                where = f"line {number} of {PARTS_FILE}"
                yield _part_of(parse_json(line, where), where)
    except OSError as error:
        raise SpecsiaError(f"{PARTS_FILE} cannot be read: {error.strerror or error}") from error


def _part_of(record: Any, where: str = "the record of a part") -> Written:
    """Convert and check the record of a part; `where` names it in messages."""
    try:
        part = msgspec.convert(record, Written)
        file_name(part.key, "key")
        for name in part.files:
            relative_name(name, "file")
        counts = [part.facts.get(name, 0) for name in ("frames", "left_out")]
        if (
            part.split not in SPLITS
            or not all(_DIGEST.fullmatch(digest) for _, digest in part.files.values())
            or not all(type(count) is int and count >= 0 for count in counts)
        ):
            raise ValueError("its split, its checksums or its facts are invalid")
    except (SpecsiaError, ValueError) as error:
        raise SpecsiaError(f"{where} is not a record of a part: {brief(str(error), 160)}") from error
    return part


def _record_path(folder: Path, key: str) -> Path:
    return folder / STATE / "parts" / f"{key}.json"


def _record(folder: Path, key: str) -> Mapping[str, Any] | None:
    try:
        record = read_json(_record_path(folder, key))
    except (SpecsiaError, OSError):
        return None
    return (
        record if isinstance(record, dict) and record.get("kind") == PART_KIND and "files" in record else None
    )


def _write_record(folder: Path, part: Written, *, whole: bool) -> None:
    write_bytes(_record_path(folder, part.key), _line({"kind": PART_KIND, "whole": whole, **vars(part)}))


def _line(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def record_of(folder: Path, key: str) -> Written | None:
    """Record of a part that was written completely, else None."""
    record = _record(folder, key)
    return None if record is None or not record.get("whole") else _part_of(record)


def is_written(folder: Path, key: str, fingerprint: str) -> bool:
    """Whether a part has that fingerprint, and all its files exist and have their sizes."""
    record = record_of(folder, key)
    if record is None or record.mark != fingerprint:
        return False
    try:
        return all((folder / name).stat().st_size == size for name, (size, _) in record.files.items())
    except OSError:
        return False


def keys(folder: Path) -> list[str]:
    """Keys of the parts on record, sorted."""
    return sorted(path.stem for path in (folder / STATE / "parts").glob("*.json"))


def place(folder: Path, part: Written, write: Callable[[Path], Mapping[str, Any]]) -> None:
    """Write a part, given its record without files and facts, and move it into place, over its earlier files.

    `write` writes the files into an empty folder and returns facts. Raises UsageError if a file that is not
    the part's own has the name of one of its files, and SpecsiaError if `write` breaks its contract.
    """
    earlier = _record(folder, part.key)
    own = set() if earlier is None else set(earlier["files"])
    temporary = temporary_beside(folder / STATE / "new" / part.key)
    with writing(folder):
        temporary.mkdir(parents=True)
        try:
            facts = write(temporary)
            files = dict(_files(temporary))
            for name in files:
                if name not in own and os.path.lexists(f"{folder}/{name}"):
                    raise UsageError(
                        f"{folder / name} was not written by specsia for this part: move it away"
                    )
            part = replace(part, files=files, facts=facts)
            _check(part)
            obsolete = dict.fromkeys(own - files.keys(), (0, ""))
            _write_record(folder, replace(part, files={**obsolete, **files}), whole=False)
            for parent in {Path(name).parent for name in files}:
                (folder / parent).mkdir(parents=True, exist_ok=True)
            for name in files:
                (temporary / name).replace(folder / name)
            _remove(folder, obsolete)
            _write_record(folder, part, whole=True)
        finally:
            remove_tree(temporary)


def _check(part: Written) -> None:
    if not part.files:
        raise SpecsiaError("it wrote no file; one that cannot take a part raises CharacterError")
    try:
        json.dumps(part.facts, allow_nan=False)
        _part_of(vars(part))
    except (TypeError, ValueError) as error:
        raise SpecsiaError(f"it gives facts that are not JSON: {error}") from error


def _files(temporary: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, size and SHA-256 of every file that a recipe wrote, in order."""
    paths = [Path(top, name) for top, folders, files in os.walk(temporary) for name in (*folders, *files)]
    for path in sorted(path for path in paths if path.is_symlink() or not path.is_dir()):
        name = path.relative_to(temporary).as_posix()
        relative_name(name, "file")
        if name in (*OWN_FILES, TEASER) or path.is_symlink() or not path.is_file():
            raise SpecsiaError(f"it wrote {name}, which is a reserved name or no regular file")
        data = path.read_bytes()
        yield name, (len(data), hashlib.sha256(data).hexdigest())


def remove_part(folder: Path, key: str) -> None:
    """Remove the files of a part, folders that become empty, and its record."""
    record = _record(folder, key)
    if record is not None:
        _remove(folder, record["files"])
    with suppress(OSError):
        _record_path(folder, key).unlink()


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        relative_name(name, "file")
        with suppress(OSError):
            (folder / name).unlink()
    for parent in sorted({above for name in names for above in Path(name).parents} - {Path()}, reverse=True):
        with suppress(OSError):
            (folder / parent).rmdir()


def strangers(folder: Path, parts: Iterable[Written], own: Collection[str]) -> list[str]:
    """Entries of a recipe's folder that belong neither to its parts nor to the files `own`."""
    names = chain(own, (name for part in parts for name in part.files))
    own_entries = {STATE, *(Path(name).parts[0] for name in names)}
    return sorted(path.name for path in folder.iterdir() if path.name not in own_entries)


@dataclass
class Counts:
    """Totals by split over the parts of a recipe; split, and licence and credit, by character."""

    splits: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    characters: dict[str, str] = field(default_factory=dict)
    licenses: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def add(self, part: Written) -> None:
        """Count one more part."""
        self.splits[part.split].update(
            parts=1,
            clips=len(part.clips),
            frames=part.facts.get("frames", 0),
            files=len(part.files),
            bytes=sum(size for size, _ in part.files.values()),
            left_out=part.facts.get("left_out", 0),
        )
        self.characters[part.character] = part.split
        self.licenses[part.character] = (part.license, part.credit)

    def total(self, name: str) -> int:
        """Sum of one of the numbers over the splits."""
        return sum(counts[name] for counts in self.splits.values())


def write_whole(folder: Path, recipe: Recipe, parts: Parts, build: Mapping[str, Any]) -> tuple[int, set[str]]:
    """Write the files about all parts of a recipe's folder; returns the number of parts and the names of the
    files.

    `build` is the build record without paths: `config`, versions, `backend` of reconstructions or None,
    number of characters `planned`, of clips or characters `quarantined`, and of parts `left_out` by the
    recipe.
    """
    counts = Counts()
    # The sums are put in place last, when everything else is complete.
    with replacing(folder / SUMS_FILE) as sums, sums.open("w", encoding="utf-8") as stream:
        with replacing(folder / PARTS_FILE) as temporary, temporary.open("wb") as lines:
            for part in parts():
                counts.add(part)
                # Without its fingerprint, which only the run can use.
                lines.write(_line({name: value for name, value in asdict(part).items() if name != "mark"}))
                stream.writelines(f"{digest}  {name}\n" for name, (_, digest) in part.files.items())
        characters = sorted(counts.characters, key=id_order_key)
        splits = {split: [c for c in characters if counts.characters[c] == split] for split in SPLITS}
        record = {"kind": KIND, "recipe": recipe.name, "version": recipe.version, **build}
        teaser = _write_teaser(folder, parts, counts.total("parts"))
        files = {
            CARD: _card(recipe, counts, record, teaser is not None).encode(),
            **({} if teaser is None else {TEASER: teaser}),
            SPLITS_FILE: (json.dumps(splits, indent=1, ensure_ascii=False) + "\n").encode(),
            RECIPE_FILE: (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode(),
            **dict(recipe.whole(parts())),
        }
        for name, data in files.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                write_bytes(path, data)
            stream.write(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        with (folder / PARTS_FILE).open("rb") as written:
            stream.write(f"{hashlib.file_digest(written, 'sha256').hexdigest()}  {PARTS_FILE}\n")
    return counts.total("parts"), {*OWN_FILES, *files}


def _card(recipe: Recipe, counts: Counts, record: Mapping[str, Any], has_teaser: bool) -> str:
    backend, source = record["backend"], record["config"]["source"]
    title = f"{recipe.name} of {source}" + (f", reconstructed by {backend}" if backend else "")
    fields = common_fields(title, {name for name, _ in counts.licenses.values()}, counts.total("frames"))
    # The files have their own loader; the Hub's viewer would misread them.
    fields |= {"tags": [*fields["tags"], recipe.name], "viewer": False}
    rows, characters = [], Counter(counts.characters.values())
    for split in filter(characters.get, SPLITS):
        number = counts.splits[split]
        numbers = [f"{number[name]:,}" for name in ("clips", "frames", "files")]
        rows.append((split, characters[split], *numbers, f"{number['bytes'] / 1e6:,.1f}"))
    left_out = counts.total("left_out")
    omissions = [
        *(
            [f"{record['quarantined']:,} of the clips or characters quarantined"]
            if record["quarantined"]
            else []
        ),
        *(
            [f"{plural(record['left_out'], recipe.by)} that the layout cannot take"]
            if record["left_out"]
            else []
        ),
        *([f"{plural(left_out, 'frame')} that the layout cannot take"] if left_out else []),
    ]
    omitted = f"left out: {' and '.join(omissions)}" if omissions else "nothing was left out"
    picture = f"\n![Pictures of a few of them]({TEASER})\n" if has_teaser else ""
    about_backend = f"""
The pictures are of reconstructions. Each was registered at rest and moves by its character's skin weights. \
The backend:

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

{asked_for(record["planned"])}; {omitted}.
No character is in two splits, see `splits.json`. \
`parts.jsonl` lists each {recipe.by} with its character, licence \
and files.

## Loading

{recipe.loading.strip()}

## How it was made

Recipe {recipe.name}, version {record["version"]}; {how_built(record)}

## Licences

{licences_text(counts.licenses.values())}

## Verification

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` also what they hold.
"""


def _write_teaser(folder: Path, parts: Parts, count: int) -> bytes | None:
    """Write `teaser.webp`: a row for each of a few of the `count` parts, with a picture from each of its
    layers.

    Returns its bytes; None, and no file, if the first part has no pictures. Films are not opened.
    """
    first = next(parts(), None)
    layers = [] if first is None else _pictures(first)
    tiles = [_tile(folder, name) for _, name in layers]
    chosen = [
        k
        for k, tile in enumerate(tiles)
        if not isinstance(tile, str) and int(np.ptp(tile[..., :3])) >= _LEAST_CONTRAST
    ][:_COLUMNS]
    if not chosen:
        return None
    numbers = frozenset(spread(count, _ROWS))
    rows = [part for k, part in enumerate(parts()) if k in numbers]
    tiles = []
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


def _tile(folder: Path, name: str) -> Pixels | str:
    try:
        return rgba((folder / name).read_bytes())
    except (OSError, ValueError):
        return "cannot be read"
