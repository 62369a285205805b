"""Checks of a dataset's files: their names, whether they are whole, and what their texts say."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pyarrow.parquet as pq

from specsia_build.characters.formats import FORMATS
from specsia_build.config import RANDOM
from specsia_build.dataset import reading, schema, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.licences import license_fields
from specsia_build.dataset.places import Place, leads_out, read_errors
from specsia_build.dataset.schema import Shard
from specsia_build.dataset.verify.report import Findings
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.names import relative_name
from specsia_build.files.records import parse_json
from specsia_build.folders import home
from specsia_build.published.ids import IDS_FILE

_NEEDED = frozenset({schema.CARD, schema.SPLITS_FILE, schema.BUILD_FILE})
_OWN = _NEEDED | {schema.TEASER, schema.SUMS_FILE, IDS_FILE, "checksums.parquet"}  # 0.1.0 wrote the last one
_TEXTS = frozenset({"", ".md", ".txt", ".cff"})  # Endings of files that people add, such as LICENSE

_ROOTS = "home|root|Users|tmp|var|mnt|media|opt|srv|work|workspace|private|scratch|usr|nfs|lustre|gpfs"
_MACHINE_PATH = re.compile(rf"(?<![\w./-])/(?:{_ROOTS}|Volumes|run)/[\w.-]|\b[A-Za-z]:\\|file://")


@cache
def _own_folders() -> tuple[str, ...]:
    """The user's home and the working folder, if long enough not to occur in a text by chance."""
    return tuple(str(path) for path in (home(), Path.cwd()) if len(path.parts) > 2)


def machine_path(text: str) -> str | None:
    """The first path of a machine in a text, or this user's home or working folder; None if there is none."""
    if match := _MACHINE_PATH.search(text):
        return re.split(r"[\s\"'`,;)]", text[match.start() : match.start() + 80])[0]
    return next((folder for folder in _own_folders() if folder in text), None)


def list_files(place: Place, findings: Findings) -> list[str]:
    """Names of a dataset's files; reports and leaves out unsafe names and links that lead out."""
    names = schema.own_files(place.folder) if place.folder is not None else list(place.files())
    if not any(name.startswith(f"{schema.DATA}/") and name.endswith(".parquet") for name in names):
        raise UsageError(reading.no_dataset(place.where, names))
    usable = []
    for name in names:
        with findings.catching("files", name):
            relative_name(name, "name")
            if place.folder is not None and leads_out(place.folder, name):
                problem = "is a link that leads out of the dataset, so it is not read: copy the file"
                raise SpecsiaError(problem)
            usable.append(name)
    return usable


def check_files(place: Place, names: Sequence[str], kind: reading.Kind, findings: Findings) -> dict[str, str]:
    """Check which files there are, and that texts hold no path of this machine; returns texts by name."""
    texts = {}
    for name in sorted({schema.CARD} if kind == "published" else _NEEDED):
        if name not in names:
            findings.add("files", name, "is missing")
    for name in names:
        suffix = Path(name).suffix.lower()
        is_text = "/" not in name and suffix in _TEXTS
        if suffix in FORMATS:
            findings.add("files", name, "is a 3D asset, which a dataset must not hold")
        elif not (name in _OWN or schema.parse_shard_name(name, own=True) or is_text):
            findings.add("files", name, "is not part of a dataset, or not the name of a shard")
        elif name in _NEEDED or suffix in _TEXTS:
            with findings.catching("files", name):
                try:
                    texts[name] = place.read(name).decode("utf-8")
                except UnicodeDecodeError as error:
                    raise SpecsiaError("cannot be read: it is not UTF-8") from error
                if path := machine_path(texts[name]):
                    findings.add("files", name, f"holds a path of a machine: {path}")
    return texts


def read_footers(
    place: Place, names: Sequence[str], findings: Findings
) -> dict[Shard, pq.FileMetaData | None]:
    """Footer of each shard in order, None if it cannot be read; reports these, and missing shards."""
    shards = [shard for name in names if (shard := schema.parse_shard_name(name, own=True)) is not None]
    for name, problem in schema.wrong_shards(shard.name for shard in shards):
        findings.add("files", name, problem)
    footers: dict[Shard, pq.FileMetaData | None] = {}
    for shard in sorted(shards, key=lambda s: (s.config, schema.SPLITS.index(s.split), s.name)):
        footers[shard] = None
        with findings.catching("files", shard.name):
            footers[shard] = reading.read_footer(place, shard.name)
    return footers


def kind_of_shards(footers: Iterable[pq.FileMetaData | None]) -> reading.Kind:
    """The kind of the first readable shard; this project's if there is none."""
    schemas = (footer.schema.to_arrow_schema() for footer in footers if footer is not None)
    names = next((set(stored.names) for stored in schemas), set[str]())
    return "clips" if schema.CLIP_COLUMNS.keys() & names else reading.kind_of(names) or "specsia"


def read_sums(text: str | None, findings: Findings) -> dict[str, str]:
    """SHA-256 by name of the text of `SHA256SUMS`; nothing without one."""
    sums, unusable = parse_sums(text or "")
    for line in unusable:
        findings.add("sums", schema.SUMS_FILE, f"has a line that cannot be used: {line[:80]!r}")
    return sums


def hash_file(place: Place, name: str) -> str | None:
    """SHA-256 of a file in hexadecimal digits; None if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with place.open(name) as stream:
            while part := stream.read(1 << 23):
                digest.update(part)
    # A ValueError is of a web server that knows no ranges.
    except read_errors(ValueError):
        return None
    return digest.hexdigest()


def check_sum(name: str, listed: str, actual: str | None, findings: Findings) -> None:
    """Check the SHA-256 of a file, None if it cannot be read."""
    if actual is None:
        findings.add("sums", name, f"is listed in {schema.SUMS_FILE} but cannot be read or is missing")
    elif actual != listed:
        cure = "; delete it, and the same build or download brings it back"
        cure = cure if name.endswith(".parquet") else ""
        problem = f"is not the file that {schema.SUMS_FILE} lists: its content has changed"
        findings.add("sums", name, f"{problem}{cure}")


def check_card(text: str | None, shards: Sequence[Shard], findings: Findings) -> Mapping[str, Any] | None:
    """The card's YAML, None if unreadable; its configurations must name every shard and nothing else."""
    fields: dict[str, Any] = {}
    entries: list[tuple[str, str, str]] = []
    with findings.catching("files", schema.CARD):
        if text is not None and not (entries := reading.data_files(fields := reading.card_fields(text))):
            raise ValueError("names no configurations with their reading.data_files in its YAML")
    if not entries:
        return None
    for config, split, pattern in entries:
        if not any(reading.fits(shard.name, pattern) for shard in shards):
            findings.add("files", schema.CARD, f"names {pattern} ({config}, {split}), which matches no file")
    for shard in shards:
        stated = {(config, split) for config, split, pattern in entries if reading.fits(shard.name, pattern)}
        if stated != {(shard.config, shard.split)}:
            problem = f"is not, or not only, {shard.split} of {shard.config} by the card"
            findings.add("files", shard.name, problem)
    return fields


def check_licences(
    card: Mapping[str, Any], licenses: Sequence[str | None], noun: str, findings: Findings
) -> None:
    """Check that a card's YAML states the licences of all rows or parts (`noun`)."""
    expected = license_fields(licenses)
    stated = {name: card[name] for name in ("license", "license_name") if name in card}
    if stated != expected:
        findings.add("licences", schema.CARD, f"states {stated}, but the {noun} have {expected}")


def read_splits(text: str | None, findings: Findings) -> dict[str, str] | None:
    """Parse the text of `splits.json`; None if there is none or it is malformed."""
    with findings.catching("splits", schema.SPLITS_FILE):
        return None if text is None else splits.parse(text, "this")
    return None


_Count = Annotated[int, msgspec.Meta(ge=1, le=schema.MOST_VIEWS)]


class _Clips(msgspec.Struct):
    views: _Count
    fps: Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class Settings(msgspec.Struct):
    """Settings of `build.json` that rows must fit; None where it states none."""

    views: _Count | None = None
    size: Annotated[int, msgspec.Meta(ge=1)] | None = None
    pos_frame: Literal["character", "view"] = "character"
    backends: list[str] = []
    outline: str = RANDOM
    clips: _Clips | None = None
    cameras: str | None = None
    selected: bool = False  # Whether rows were chosen, so that views of a character may be missing

    @property
    def view_count(self) -> int | None:
        """Views of each character, or of each motion of a clip."""
        return self.views if self.clips is None else self.clips.views


class _Build(msgspec.Struct):
    config: Settings
    stages: dict[str, int] = {}
    selected: dict[str, Any] | None = None


def read_build(text: str | None, findings: Findings) -> Settings:
    """Settings of `build.json`; reported if it has none, or positions with earlier versions' channels."""
    if text is None:
        return Settings()
    try:
        build = msgspec.json.decode(text, type=_Build)
    except (msgspec.MsgspecError, RecursionError) as error:
        findings.add("files", schema.BUILD_FILE, f"does not hold the build's settings: {error}")
        return Settings()
    if schema.has_earlier_channels(build.config.pos_frame, build.stages):
        findings.add("position", schema.BUILD_FILE, f"states {schema.EARLIER_CHANNELS}")
    return msgspec.structs.replace(build.config, selected=build.selected is not None)


def check_shard(
    shard: Shard, footer: pq.FileMetaData, kind: reading.Kind, findings: Findings
) -> tuple[int, ...] | None:
    """Check a shard's row groups and columns; returns the rows of each group, None if not checkable."""
    stored = footer.schema.to_arrow_schema()
    expected = schema.arrow_schema(schema.columns_of(kind, stored.names))
    problems = []
    for column in expected:
        types = [stored.field(index).type for index in stored.get_all_field_indices(column.name)]
        if types != [column.type]:
            present = ", ".join(map(str, types)) or "no column"
            problems.append(f"has {column.name} as {present}, not {column.type}")
    readable = not problems
    if readable and stored.names != expected.names:
        problems.append(f"has the columns {', '.join(stored.names)}, not {', '.join(expected.names)}")
    try:
        features = parse_json((stored.metadata or {})[b"huggingface"], "metadata")["info"]["features"]
        images = [name for name in schema.ALL_IMAGES if name in stored.names]
        decodes = all(features[name]["_type"] == "Image" for name in images)
    except (SpecsiaError, KeyError, TypeError):
        decodes = False
    if not decodes:
        problems.append("lacks the huggingface metadata that makes `datasets` decode the images")
    for problem in problems:
        findings.add("schema", shard.name, problem)
    counts = (footer.row_group(index).num_rows for index in range(footer.num_row_groups))
    return tuple(counts) if readable else None
