"""Checks of a dataset's files: which there are, whether they are whole, and what their texts say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.characters.formats import FORMATS
from specsia_build.config import POS_FRAMES
from specsia_build.dataset import schema, splits
from specsia_build.dataset.card.head import card_fields, data_files, fits
from specsia_build.dataset.card.licences import withheld
from specsia_build.dataset.card.yaml import license_fields
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.places import Place, leads_out, read_errors
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.verify.report import FILES, LICENSES, SCHEMA, SPLITS, SUMS, Findings
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.names import relative_name
from specsia_build.files.records import MOST_JSON_BYTES, parse_json
from specsia_build.folders import home

MOST_GROUP_BYTES = 100_000_000
"""Size from which a row group is slow to open at random and troubles the Hub's viewer."""

MOST_TEXT_BYTES = MOST_JSON_BYTES

_HASHED_AT_ONCE = 1 << 23

_TEXTS = frozenset({"", ".md", ".txt", ".cff"})
"""Endings of files that people add, such as LICENSE; where they are listed they are read for paths."""

NEEDED = (schema.CARD, schema.SPLITS_FILE, schema.BUILD_FILE)

_MACHINE_PATH = re.compile(
    r"(?<![\w./-])/(?:home|root|Users|tmp|var|mnt|media|opt|srv|work|workspace|private|scratch|usr|nfs|lustre|gpfs|Volumes|run)/[\w.-]"
    r"|\b[A-Za-z]:\\|file://"
)


def machine_path(text: str, known: Sequence[str] = ()) -> str | None:
    """The first path of a machine in a text, or the first of the `known` folders; None if there is none."""
    match = _MACHINE_PATH.search(text)
    if match:
        return re.split(r"[\s\"'`,;)]", text[match.start() : match.start() + 80])[0]
    return next((folder for folder in known if folder in text), None)


def known_folders(folder: Path | None) -> tuple[str, ...]:
    """Folders of this machine that are long enough not to occur in a text by chance."""
    folders = [home(), Path.cwd(), *([folder.resolve()] if folder is not None else [])]
    return tuple(sorted({str(path) for path in folders if len(path.parts) > 2}))


def is_read_whole(name: str) -> bool:
    """Whether a file is small and read at once; others are read in parts."""
    known = name in NEEDED or name in (schema.CHECKSUMS_FILE, schema.SUMS_FILE)
    return known or ("/" not in name and Path(name).suffix.lower() in _TEXTS)


def may_be_read(place: Place, name: str, findings: Findings) -> bool:
    """Whether a file can belong to a dataset; hidden files and links that lead out are reported and not read."""
    if any(part.startswith(".") and part.strip(".") for part in name.split("/")):
        findings.add(FILES, name, "is no part of a dataset: remove it")
        return False
    try:
        relative_name(name, "name")
    except SpecsiaError as error:
        findings.add(FILES, name, str(error))
        return False
    if place.folder is not None and leads_out(place.folder, name):
        findings.add(FILES, name, "is a link that leads out of the dataset, so it is not read: copy the file")
        return False
    return True


def named_shards(names: Sequence[str], findings: Findings) -> tuple[Shard, ...]:
    """The shards among a dataset's files; those of another name are reported and left out."""
    shards: list[Shard] = []
    for name in names:
        if not (name.startswith(f"{schema.DATA}/") and name.endswith(".parquet")):
            continue
        parsed = schema.parse_shard_name(name, own=True)
        if parsed is None:
            findings.add(FILES, name, "is not named as a shard is, such as data/train-00000-of-00001.parquet")
        else:
            shards.append(Shard(name, parsed.config, parsed.split))
    for name, problem in schema.odd_shards(shard.name for shard in shards):
        findings.add(FILES, name, problem)
    return tuple(sorted(shards, key=lambda s: (s.config, schema.SPLITS.index(s.split), s.name)))


def check_presence(
    names: Sequence[str],
    shards: Sequence[Shard],
    sums: Mapping[str, str] | None,
    findings: Findings,
    needed: Sequence[str] = NEEDED,
) -> None:
    """Check that the files of a dataset are there, and none that has no place in it."""
    for name in needed:
        if name not in names:
            findings.add(FILES, name, "is missing")
    known = {*NEEDED, schema.TEASER, schema.CHECKSUMS_FILE, schema.SUMS_FILE, *(shard.name for shard in shards)}
    for name in names:
        if Path(name).suffix.lower() in FORMATS:
            findings.add(FILES, name, "is a 3D asset, which a dataset must not hold")
        elif sums is not None and name not in sums and name != schema.SUMS_FILE:
            findings.add(SUMS, name, f"is not listed in {schema.SUMS_FILE}")
        elif not (name in known or name.endswith(".parquet") or (sums and Path(name).suffix.lower() in _TEXTS)):
            findings.add(FILES, name, "is no part of a dataset")


def _read_text(folder: Path, name: str, findings: Findings) -> str | None:
    """Content of a small file; None if there is none, or none that can be read, which is reported."""
    path = folder / name
    if not path.is_file():
        return None
    try:
        if (size := path.stat().st_size) > MOST_TEXT_BYTES:
            raise OSError(f"it has {size / 2**20:,.0f} MB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        findings.add(FILES, name, f"cannot be read: {error}")
        return None


def check_texts(folder: Path, names: Sequence[str], folders: Sequence[str], findings: Findings) -> None:
    """Check that the dataset's texts hold no path of a machine."""
    for name in (name for name in names if name in NEEDED or Path(name).suffix.lower() in _TEXTS):
        # The needed ones are read, and complained of, by their own checks.
        text = _read_text(folder, name, Findings() if name in NEEDED else findings)
        if path := machine_path(text or "", folders):
            findings.add(FILES, name, f"holds a path of a machine: {path}")


def read_sums(folder: Path, findings: Findings) -> dict[str, str] | None:
    """SHA-256 by name of `SHA256SUMS`; None if there is no such file."""
    if not (folder / schema.SUMS_FILE).is_file():
        return None
    sums, unusable = parse_sums(_read_text(folder, schema.SUMS_FILE, findings) or "")
    for line in unusable:
        findings.add(SUMS, schema.SUMS_FILE, f"has a line that cannot be used: {line[:80]!r}")
    return sums


def hash_file(file: tuple[Place, str]) -> str | None:
    """SHA-256 of a file in hexadecimal digits; None if it cannot be read."""
    place, name = file
    digest = hashlib.sha256()
    try:
        with place.open(name) as stream:
            while part := stream.read(_HASHED_AT_ONCE):
                digest.update(part)
    except read_errors():
        return None
    # A web server that knows no ranges.
    except ValueError:
        return None
    return digest.hexdigest()


def check_sum(name: str, listed: str, actual: str | None, findings: Findings) -> None:
    """Check that a file is there and is the listed one."""
    if actual is None:
        findings.add(SUMS, name, f"is listed in {schema.SUMS_FILE} but cannot be read or is missing")
    elif actual != listed:
        # Shards are too large for a build to read each time; a card may have been edited.
        cure = "; delete it, and the same build or download brings it back" if name.endswith(".parquet") else ""
        findings.add(SUMS, name, f"is not the file that {schema.SUMS_FILE} lists: its content has changed{cure}")


def check_card(folder: Path, shards: Sequence[Shard], findings: Findings) -> Mapping[str, Any] | None:
    """The card's YAML, None if it cannot be read; its configurations must name every shard and nothing else."""
    text = _read_text(folder, schema.CARD, findings)
    if text is None:
        return None
    named: set[str] = set()
    try:
        fields = card_fields(text)
        entries = data_files(fields)
        if not entries:
            raise ValueError("names no configurations with their data_files in its YAML")
        if len(fields["configs"]) > 1 and sum(bool(config.get("default")) for config in fields["configs"]) != 1:
            raise ValueError("must mark one of its configurations as the default")
        for config, split, pattern in entries:
            matched = [shard for shard in shards if fits(shard.name, pattern)]
            if not matched:
                findings.add(FILES, schema.CARD, f"names {pattern} ({config}, {split}), which no file fits")
            for shard in matched:
                named.add(shard.name)
                if (shard.config, shard.split) != (config, split):
                    findings.add(FILES, shard.name, f"is {split} of {config} by the card, but not by its place")
    except ValueError as error:
        findings.add(FILES, schema.CARD, str(error))
        return None
    for shard in shards:
        if shard.name not in named:
            findings.add(FILES, shard.name, "is named by no configuration of the card")
    return fields


def check_licences(card: Mapping[str, Any], licenses: Sequence[str | None], what: str, findings: Findings) -> None:
    """Check that a card's YAML states the licences of all characters, as the rows or parts (`what`) have them."""
    wanted = license_fields(licenses)
    stated = {name: card[name] for name in ("license", "license_name") if name in card}
    if stated != wanted:
        findings.add(LICENSES, schema.CARD, f"gives {stated}, where the {what} have {wanted}")


def licence_notes(licenses: Sequence[str | None]) -> list[str]:
    """A note on the licences that do not let a dataset be passed on, if there are any."""
    problems = withheld(licenses)
    return [] if problems is None else [f"it is not to be passed on as it is: {problems}"]


def read_frozen_splits(folder: Path, findings: Findings) -> dict[str, str] | None:
    """Split of each id of `splits.json`; None if there is none to read."""
    if not (folder / schema.SPLITS_FILE).is_file():
        return None
    try:
        return splits.from_json(folder / schema.SPLITS_FILE)
    except SpecsiaError as error:
        findings.add(SPLITS, schema.SPLITS_FILE, str(error).replace(f"{folder / schema.SPLITS_FILE} ", "", 1))
        return None


@dataclass(frozen=True)
class BuildFacts:
    """What `build.json` says of the rows; None where it does not.

    Attributes:
        views: of every character; of clips, cameras of each motion.
        size: of every image in pixels.
        pos_frame: `character` or `view`.
        backends: names.
        fps: frames a second of clips.
    """

    views: int | None = None
    size: int | None = None
    pos_frame: str = "character"
    backends: tuple[str, ...] = ()
    fps: float | None = None


def read_build(folder: Path, moving: bool, findings: Findings) -> BuildFacts:
    """What `build.json` says; a wrong entry is reported.

    Args:
        folder: of the dataset.
        moving: whether the rows are frames of clips.
        findings: where problems go.
    """
    text = _read_text(folder, schema.BUILD_FILE, findings)
    if text is None:
        return BuildFacts()
    try:
        config = parse_json(text, schema.BUILD_FILE)["config"]
        size, frame, backends = config["size"], config["pos_frame"], config["backends"]
        views = config["clips"]["views"] if moving else config["views"]
        fps = config["clips"]["fps"] if moving else None
    except (SpecsiaError, KeyError, TypeError):
        findings.add(FILES, schema.BUILD_FILE, "does not hold the build's settings")
        return BuildFacts()
    usable = {
        "views": (views, type(views) is int and 1 <= views <= schema.MOST_VIEWS),
        "size": (size, type(size) is int and size >= 1),
        "pos_frame": (frame, frame in POS_FRAMES),
        "backends": (backends, isinstance(backends, list) and all(isinstance(b, str) for b in backends)),
        "fps": (fps, fps is None or (type(fps) in (int, float) and 0 < fps < float("inf"))),
    }
    for name, (value, good) in usable.items():
        if not good:
            findings.add(FILES, schema.BUILD_FILE, f"gives {brief(repr(value), 80)} for {name}")
    facts = {name: value for name, (value, good) in usable.items() if good}
    return BuildFacts(**{**facts, "backends": tuple(facts.get("backends", ()))})


def check_shard(
    place: Place, shard: Shard, expected: pa.Schema, folders: Sequence[str], findings: Findings
) -> tuple[int, ...] | None:
    """Check a shard's footer and columns.

    Returns:
        Rows of each row group; None if the rows cannot be checked.
    """
    try:
        with place.open(shard.name) as stream, pq.ParquetFile(stream) as opened:
            stored, footer = opened.schema_arrow, opened.metadata
            groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
            texts = [*_texts_of(footer, stored)]
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        findings.add(FILES, shard.name, f"cannot be read as parquet: {' '.join(str(error).split())}")
        return None
    for path in sorted({path for text in texts if (path := machine_path(text, folders))}):
        findings.add(FILES, shard.name, f"holds a path of a machine in its schema: {path}")
    for index, group in enumerate(groups):
        if group.total_byte_size >= MOST_GROUP_BYTES:
            size = f"{group.total_byte_size / 1e6:.0f} MB"
            findings.add(FILES, shard.name, f"has {size} in row group {index}; 100 are the most")
    before = findings.counts.get(SCHEMA, 0)
    for field in expected:
        have = stored.get_all_field_indices(field.name)
        if len(have) != 1:
            findings.add(SCHEMA, shard.name, f"has {'no' if not have else len(have)} column {field.name}")
        elif stored.field(have[0]).type != field.type:
            findings.add(SCHEMA, shard.name, f"has {field.name} as {stored.field(have[0]).type}, not {field.type}")
    readable = findings.counts.get(SCHEMA, 0) == before
    surplus = [name for name in stored.names if name not in expected.names]
    if surplus:
        findings.add(SCHEMA, shard.name, f"has columns that are not promised: {', '.join(surplus)}")
    elif readable and stored.names != expected.names:
        findings.add(SCHEMA, shard.name, "has its columns in another order")
    if not _decodes_images(stored):
        findings.add(SCHEMA, shard.name, "lacks the huggingface metadata by which datasets decodes the images")
    return tuple(group.num_rows for group in groups) if readable else None


def _texts_of(footer: pq.FileMetaData, stored: pa.Schema) -> Iterator[str]:
    """Texts of a parquet file beside its rows."""
    yield str(footer.created_by)
    for metadata in (footer.metadata, stored.metadata, *(field.metadata for field in stored)):
        for key, value in (metadata or {}).items():
            # The schema in Arrow's own form repeats the one beside it.
            if key != b"ARROW:schema":
                yield f"{key.decode(errors='replace')} {value.decode(errors='replace')}"


def _decodes_images(stored: pa.Schema) -> bool:
    try:
        features = parse_json((stored.metadata or {})[b"huggingface"], "metadata")["info"]["features"]
        return all(features[name]["_type"] == "Image" for name in schema.IMAGE_COLUMNS if name in stored.names)
    except (SpecsiaError, KeyError, TypeError):
        return False
