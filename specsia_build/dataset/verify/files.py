"""Checks of a dataset's folder: which files there are, whether they are whole, and what their texts say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.characters.formats import FORMATS
from specsia_build.config import POS_FRAMES
from specsia_build.dataset import schema
from specsia_build.dataset.card.head import DataFiles, card_fields, data_files, fits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.places import Place, read_errors
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.verify.report import FILES, METADATA, SCHEMA, SUMS, Findings
from specsia_build.dataset.verify.rows import machine_path
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.records import MOST_JSON_BYTES, parse_json

MOST_GROUP_BYTES = 100_000_000
"""Size from which a row group is slow to open at random and troubles the Hub's viewer."""

MOST_TEXT_BYTES = MOST_JSON_BYTES

_HASHED_AT_ONCE = 1 << 23

TEXTS = frozenset({"", ".md", ".txt", ".cff"})
"""Endings of what people add beside a dataset's own files, such as LICENSE; listed ones are read for paths."""

NEEDED = (schema.CARD, schema.SPLITS_FILE, schema.BUILD_FILE)


@dataclass(frozen=True)
class BuildFacts:
    """What `build.json` says of the rows, None where it does not.

    Attributes:
        views: of every character; of clips, cameras that see each motion.
        size: of every image, in pixels.
        pos_frame: `character` or `view`.
        backends: names.
        fps: frames a second of clips.
    """

    views: int | None = None
    size: int | None = None
    pos_frame: str | None = None
    backends: tuple[str, ...] | None = None
    fps: float | None = None


def is_read_whole(name: str) -> bool:
    """Whether a file is small and read at once; all others may be of any size and are read in parts."""
    known = name in NEEDED or name in (schema.CHECKSUMS_FILE, schema.SUMS_FILE)
    return known or ("/" not in name and Path(name).suffix.lower() in TEXTS)


def named_shards(names: Sequence[str], findings: Findings) -> tuple[Shard, ...]:
    """The shards among a dataset's files; those whose name says no split are reported and left out."""
    shards: list[Shard] = []
    for name in names:
        if not (name.startswith(f"{schema.DATA}/") and name.endswith(".parquet")):
            continue
        said = schema.parse_shard_name(name, own=True)
        if said is None:
            findings.add(FILES, name, "is not named as a shard is, such as data/train-00000-of-00001.parquet")
            continue
        shards.append(Shard(name, said.config, said.split))
    for name, problem in schema.odd_shards(shard.name for shard in shards):
        findings.add(FILES, name, problem)
    return tuple(sorted(shards, key=lambda s: (s.config, schema.SPLITS.index(s.split), s.name)))


def check_presence(
    names: Sequence[str],
    shards: Sequence[Shard],
    sums: Mapping[str, str] | None,
    into: Findings,
    needed: Sequence[str] = NEEDED,
) -> None:
    """That the files of a dataset are there, and none that has no place in it."""
    for name in needed:
        if name not in names:
            into.add(FILES, name, "is missing")
    known = {*NEEDED, schema.TEASER, schema.CHECKSUMS_FILE, schema.SUMS_FILE, *(shard.name for shard in shards)}
    for name in names:
        if Path(name).suffix.lower() in FORMATS:
            into.add(FILES, name, "is a 3D asset, which a dataset must not hold")
        elif sums is not None and name not in sums and name != schema.SUMS_FILE:
            into.add(SUMS, name, f"is not listed in {schema.SUMS_FILE}")
        elif not (name in known or name.endswith(".parquet") or (sums and Path(name).suffix.lower() in TEXTS)):
            into.add(FILES, name, "is no part of a dataset")


def _read_text(path: Path, where: str, findings: Findings) -> str | None:
    try:
        if (size := path.stat().st_size) > MOST_TEXT_BYTES:
            raise OSError(f"it has {size / 2**20:,.0f} MB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        findings.add(FILES, where, f"cannot be read: {error}")
        return None


def read_sums(folder: Path, findings: Findings) -> dict[str, str] | None:
    """SHA-256 by relative name that `SHA256SUMS` lists, or None where there is no such file."""
    if not (folder / schema.SUMS_FILE).is_file():
        return None
    text = _read_text(folder / schema.SUMS_FILE, schema.SUMS_FILE, findings) or ""
    sums, unusable = parse_sums(text)
    for line in unusable:
        findings.add(SUMS, schema.SUMS_FILE, f"has a line that cannot be used: {line[:80]!r}")
    return sums


def hash_file(file: tuple[Place, str]) -> str | None:
    """SHA-256 of a file of a place in hexadecimal digits, None where there is none to read."""
    place, name = file
    found = hashlib.sha256()
    try:
        with place.open(name) as stream:
            while part := stream.read(_HASHED_AT_ONCE):
                found.update(part)
    except read_errors():
        return None
    # As that of a web server that knows no ranges.
    except ValueError:
        return None
    return found.hexdigest()


def check_sum(name: str, listed: str, found: str | None, into: Findings) -> None:
    """That a file is there and is the one that was listed."""
    if found is None:
        into.add(SUMS, name, f"is listed in {schema.SUMS_FILE} but cannot be read or is missing")
    elif found != listed:
        # Shards are too large for a build to read each time; a card may have been edited.
        mends = "; delete it, and the same build or download brings it back" if name.endswith(".parquet") else ""
        into.add(SUMS, name, f"is not the file that {schema.SUMS_FILE} lists: its content has changed{mends}")


def _entries(fields: Mapping[str, Any]) -> list[DataFiles]:
    """The entries of a card's YAML.

    Raises:
        ValueError: if the card has no readable list of them.
    """
    if not fields:
        raise ValueError("does not begin with YAML between two lines of ---")
    found = data_files(fields)
    if not found:
        raise ValueError("names no configurations with their data_files in its YAML")
    if len(fields["configs"]) > 1 and sum(bool(config.get("default")) for config in fields["configs"]) != 1:
        raise ValueError("must mark one of its configurations as the default")
    return found


def check_card(folder: Path, shards: Sequence[Shard], findings: Findings) -> Mapping[str, Any] | None:
    """The card's YAML, if it can be read; its configurations name every shard as what it is, and nothing else."""
    text = _read_text(folder / schema.CARD, schema.CARD, findings) if (folder / schema.CARD).is_file() else None
    if text is None:
        return None
    named: set[str] = set()
    try:
        fields = card_fields(text)
        for config, split, pattern in _entries(fields):
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


def read_build(folder: Path, findings: Findings, moving: bool = False) -> BuildFacts:
    """What `build.json` says; what it lacks or says wrongly is None, and the latter is reported.

    Args:
        folder: of the dataset.
        findings: where problems go.
        moving: whether the rows are frames of clips.
    """
    path = folder / schema.BUILD_FILE
    if not path.is_file():
        return BuildFacts()
    text = _read_text(path, schema.BUILD_FILE, findings)
    if text is None:
        return BuildFacts()
    try:
        config = parse_json(text, schema.BUILD_FILE)["config"]
        size, frame, backends = (config[k] for k in ("size", "pos_frame", "backends"))
        views = config["clips"]["views"] if moving else config["views"]
        fps = config["clips"]["fps"] if moving else None
    except (SpecsiaError, KeyError, TypeError):
        findings.add(FILES, schema.BUILD_FILE, "does not hold the build's settings")
        return BuildFacts()

    def usable(value: Any, good: bool, name: str) -> Any:
        if good:
            return value
        findings.add(FILES, schema.BUILD_FILE, f"gives {brief(repr(value), 80)} for {name}")
        return None

    return BuildFacts(
        views=usable(views, type(views) is int and 1 <= views <= 360, "views"),
        size=usable(size, type(size) is int and size >= 1, "size"),
        pos_frame=usable(frame, frame in POS_FRAMES, "pos_frame"),
        backends=usable(
            tuple(backends) if isinstance(backends, list) else backends,
            isinstance(backends, list) and all(isinstance(b, str) for b in backends),
            "backends",
        ),
        fps=usable(fps, fps is None or (type(fps) in (int, float) and 0 < fps < float("inf")), "fps"),
    )


def check_texts(folder: Path, names: Sequence[str], folders: Sequence[str], findings: Findings) -> None:
    """That the dataset's texts hold no path of a machine, and that what looks like a text is one."""
    for name in names:
        path = folder / name
        if not path.is_file() or (name not in NEEDED and path.suffix.lower() not in TEXTS):
            continue
        # The needed ones are read, and complained of, by their own checks.
        if name in NEEDED:
            with path.open("rb") as stream:
                text = stream.read(MOST_TEXT_BYTES).decode(errors="replace")
        else:
            text = _read_text(path, name, findings) or ""
        found = machine_path(text, folders)
        if found:
            findings.add(METADATA, name, f"holds a path of a machine: {found}")


def _metadata_texts(opened: pq.ParquetFile) -> Iterator[str]:
    """All that a parquet file says of itself and of its columns."""
    footer: pq.FileMetaData = opened.metadata
    yield str(footer.created_by)
    stored = [footer.metadata, opened.schema_arrow.metadata]
    pending = list(opened.schema_arrow)
    while pending:
        field = pending.pop()
        stored.append(field.metadata)
        yield field.name
        pending += [field.type.field(i) for i in range(field.type.num_fields)]
    for metadata in stored:
        for key, value in (metadata or {}).items():
            # The schema in Arrow's own form is the one that is walked above.
            if key != b"ARROW:schema":
                yield f"{key.decode(errors='replace')} {value.decode(errors='replace')}"


def check_parquet_metadata(opened: pq.ParquetFile, name: str, folders: Sequence[str], into: Findings) -> None:
    """That the metadata of a parquet file hold no path of a machine."""
    found = {path for text in _metadata_texts(opened) if (path := machine_path(text, folders))}
    for path in sorted(found):
        into.add(METADATA, name, f"holds a path of a machine in its schema: {path}")


def check_shard(
    place: Place, shard: Shard, expected: pa.Schema, folders: Sequence[str], into: Findings
) -> tuple[int, ...] | None:
    """Check a shard's footer and columns.

    Returns:
        Rows of each row group; None where the rows cannot be checked.
    """
    try:
        with place.open(shard.name) as stream, pq.ParquetFile(stream) as opened:
            found, footer = opened.schema_arrow, opened.metadata
            check_parquet_metadata(opened, shard.name, folders, into)
            groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        into.add(FILES, shard.name, f"cannot be read as parquet: {' '.join(str(error).split())}")
        return None
    for index, group in enumerate(groups):
        if group.total_byte_size >= MOST_GROUP_BYTES:
            into.add(
                FILES, shard.name, f"has {group.total_byte_size / 1e6:.0f} MB in row group {index}; 100 are the most"
            )
    before = into.counts.get(SCHEMA, 0)
    for field in expected:
        have = found.get_all_field_indices(field.name)
        if len(have) != 1:
            into.add(SCHEMA, shard.name, f"has {'no' if not have else len(have)} column {field.name}")
        elif found.field(have[0]).type != field.type:
            into.add(SCHEMA, shard.name, f"has {field.name} as {found.field(have[0]).type}, not {field.type}")
    readable = into.counts.get(SCHEMA, 0) == before
    surplus = [name for name in found.names if name not in expected.names]
    if surplus:
        into.add(SCHEMA, shard.name, f"has columns that are not promised: {', '.join(surplus)}")
    elif readable and found.names != expected.names:
        into.add(SCHEMA, shard.name, "has its columns in another order")
    if not _decodes_images(found):
        into.add(SCHEMA, shard.name, "lacks the huggingface metadata by which datasets decodes the images")
    return tuple(group.num_rows for group in groups) if readable else None


def _decodes_images(found: pa.Schema) -> bool:
    try:
        features = parse_json((found.metadata or {})[b"huggingface"], "metadata")["info"]["features"]
        return all(features[name]["_type"] == "Image" for name in schema.IMAGE_COLUMNS if name in found.names)
    except (SpecsiaError, KeyError, TypeError):
        return False
