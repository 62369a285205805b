"""Checks of a dataset's files: which there are, whether they are whole, and what their texts say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.characters.formats import FORMATS
from specsia_build.dataset import schema, splits
from specsia_build.dataset.card import license_fields
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.front_matter import card_fields, data_files, fits
from specsia_build.dataset.licences import withheld
from specsia_build.dataset.places import Place, leads_out, read_errors
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.verify.report import FILES, LICENSES, SCHEMA, SPLITS, SUMS, Findings
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import relative_name
from specsia_build.files.records import parse_json
from specsia_build.folders import home

MOST_GROUP_BYTES = 100_000_000
"""Size from which a row group is slow to open at random and troubles the Hub's viewer."""

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
    if match := _MACHINE_PATH.search(text):
        return re.split(r"[\s\"'`,;)]", text[match.start() : match.start() + 80])[0]
    return next((folder for folder in known if folder in text), None)


def known_folders(folder: Path | None) -> tuple[str, ...]:
    """Folders of this machine that are long enough not to occur in a text by chance."""
    folders = [home(), Path.cwd(), *([folder.resolve()] if folder is not None else [])]
    return tuple(sorted({str(path) for path in folders if len(path.parts) > 2}))


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


def read_texts(place: Place, names: Sequence[str], folders: Sequence[str], findings: Findings) -> dict[str, str]:
    """Contents of the text files of a dataset by name; those that hold a path of a machine are reported."""
    texts = {}
    for name in names:
        if name in NEEDED or ("/" not in name and Path(name).suffix.lower() in _TEXTS):
            try:
                texts[name] = place.read(name).decode("utf-8")
            except (SpecsiaError, UnicodeDecodeError) as error:
                findings.add(FILES, name, f"cannot be read: {error}")
                continue
            if path := machine_path(texts[name], folders):
                findings.add(FILES, name, f"holds a path of a machine: {path}")
    return texts


def named_shards(names: Sequence[str], findings: Findings) -> tuple[Shard, ...]:
    """The shards among a dataset's files; those of another name are reported and left out."""
    shards: list[Shard] = []
    for name in names:
        if name.startswith(f"{schema.DATA}/") and name.endswith(".parquet"):
            if (parsed := schema.parse_shard_name(name, own=True)) is not None:
                shards.append(Shard(name, parsed.config, parsed.split))
            else:
                findings.add(FILES, name, "is not named as a shard is, such as data/train-00000-of-00001.parquet")
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
        suffix = Path(name).suffix.lower()
        if suffix in FORMATS:
            findings.add(FILES, name, "is a 3D asset, which a dataset must not hold")
        elif sums is not None and name not in sums and name != schema.SUMS_FILE:
            findings.add(SUMS, name, f"is not listed in {schema.SUMS_FILE}")
        elif not (name in known or name.endswith(".parquet") or (sums and suffix in _TEXTS)):
            findings.add(FILES, name, "is no part of a dataset")


def read_sums(text: str | None, findings: Findings) -> dict[str, str] | None:
    """SHA-256 by name of the text of `SHA256SUMS`; None without one."""
    if text is None:
        return None
    sums, unusable = parse_sums(text)
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
    # A ValueError is of a web server that knows no ranges.
    except read_errors(ValueError):
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


def check_card(text: str | None, shards: Sequence[Shard], findings: Findings) -> Mapping[str, Any] | None:
    """The card's YAML, None if it cannot be read; its configurations must name every shard and nothing else."""
    if text is None:
        return None
    try:
        fields = card_fields(text)
        entries = data_files(fields)
        if not entries:
            raise ValueError("names no configurations with their data_files in its YAML")
        if len(fields["configs"]) > 1 and sum(bool(config.get("default")) for config in fields["configs"]) != 1:
            raise ValueError("must mark one of its configurations as the default")
    except ValueError as error:
        findings.add(FILES, schema.CARD, str(error))
        return None
    for config, split, pattern in entries:
        if not any(fits(shard.name, pattern) for shard in shards):
            findings.add(FILES, schema.CARD, f"names {pattern} ({config}, {split}), which no file fits")
    for shard in shards:
        named = {(config, split) for config, split, pattern in entries if fits(shard.name, pattern)}
        if named != {(shard.config, shard.split)}:
            there = " and ".join(f"{split} of {config}" for config, split in sorted(named)) or "no configuration"
            findings.add(FILES, shard.name, f"is in {there} by the card, not in {shard.split} of {shard.config}")
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


def read_splits(text: str | None, findings: Findings) -> dict[str, str] | None:
    """Split of each id of the text of `splits.json`; None without one that can be used."""
    if text is None:
        return None
    try:
        return splits.parse(text, "it")
    except SpecsiaError as error:
        findings.add(SPLITS, schema.SPLITS_FILE, str(error).removeprefix("it "))
        return None


_Count = Annotated[int, msgspec.Meta(ge=1, le=schema.MOST_VIEWS)]


class _Clips(msgspec.Struct):
    views: _Count
    fps: Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class _Config(msgspec.Struct):
    views: _Count
    size: Annotated[int, msgspec.Meta(ge=1)]
    pos_frame: Literal["character", "view"]
    backends: list[str]
    clips: _Clips | None = None


class _Build(msgspec.Struct):
    config: _Config


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


def read_build(text: str | None, findings: Findings) -> BuildFacts:
    """What the text of `build.json` says; one that holds no settings is reported."""
    if text is None:
        return BuildFacts()
    try:
        config = msgspec.json.decode(text, type=_Build).config
    except (msgspec.MsgspecError, RecursionError) as error:
        findings.add(FILES, schema.BUILD_FILE, f"does not hold the build's settings: {error}")
        return BuildFacts()
    clips = config.clips
    views, fps = (config.views, None) if clips is None else (clips.views, clips.fps)
    return BuildFacts(views, config.size, config.pos_frame, tuple(config.backends), fps)


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
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        findings.add(FILES, shard.name, f"cannot be read as parquet: {' '.join(str(error).split())}")
        return None
    if path := machine_path(str(stored.metadata), folders):
        findings.add(FILES, shard.name, f"holds a path of a machine in its schema: {path}")
    for index, group in enumerate(groups):
        if group.total_byte_size >= MOST_GROUP_BYTES:
            size = f"{group.total_byte_size / 1e6:.0f} MB"
            findings.add(FILES, shard.name, f"has {size} in row group {index}; 100 are the most")
    wrong = []
    for field in expected:
        types = [stored.field(index).type for index in stored.get_all_field_indices(field.name)]
        if len(types) != 1:
            wrong.append(f"has {len(types) or 'no'} column {field.name}")
        elif types[0] != field.type:
            wrong.append(f"has {field.name} as {types[0]}, not {field.type}")
    readable = not wrong
    if readable and stored.names != expected.names:
        wrong.append(f"has the columns {', '.join(stored.names)}, not {', '.join(expected.names)}")
    if not _decodes_images(stored):
        wrong.append("lacks the huggingface metadata by which datasets decodes the images")
    for message in wrong:
        findings.add(SCHEMA, shard.name, message)
    return tuple(group.num_rows for group in groups) if readable else None


def _decodes_images(stored: pa.Schema) -> bool:
    try:
        features = parse_json((stored.metadata or {})[b"huggingface"], "metadata")["info"]["features"]
        return all(features[name]["_type"] == "Image" for name in schema.IMAGE_COLUMNS if name in stored.names)
    except (SpecsiaError, KeyError, TypeError):
        return False
