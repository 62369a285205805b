"""Open a packed dataset, of this project's schema or of the published one, wherever it lies, and read its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.front_matter import MOST_CARD_BYTES, card_fields, data_files, fits
from specsia_build.dataset.parquet import array_of, batches, table
from specsia_build.dataset.places import Place, find_place
from specsia_build.errors import SpecsiaError, UsageError, brief, plural
from specsia_build.files.names import file_name, folded_name, relative_name
from specsia_build.files.records import parse_json

Kind = Literal["specsia", "published", "clips"]
"""Rows are views of a character, such views in the published schema, or frames of clips."""

_OWN_ONLY = frozenset(schema.COLUMNS) - frozenset(schema.PUBLISHED_COLUMNS)

_STREAM_BYTES = 1 << 22
"""Bytes of a column that are read at once: large enough for a remote store; row groups may be much larger."""

_BATCH_ROWS = 16

_RANGES = {
    "view": (0, schema.MOST_VIEWS - 1),
    "iou": (0.0, 1.0),
    "outline_px": (0, 16),
    "outline_grey": (0, 255),
    "frame": (0, schema.MOST_FRAMES - 1),
    "time": (0.0, 1e9),
}
"""Least and most of the numbers that others compute with."""

_TYPES = {
    "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_null),
    "whole numbers": (pa.types.is_integer,),
    "numbers": (pa.types.is_floating, pa.types.is_integer),
    "lists": (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list),
    "images": (pa.types.is_binary, pa.types.is_large_binary),
}


@dataclass(frozen=True)
class Shard:
    """One parquet file of rows: its name relative to the dataset, its configuration and its split."""

    name: str
    config: str
    split: str


@dataclass(frozen=True)
class OpenedDataset:
    """A packed dataset that can be read; to open it, the list of its files, the card and one footer are read.

    Attributes:
        where: path, URL or Hub id, as the user gave it.
        kind: of its rows.
        configs: names of its configurations, the default first.
        columns: of its rows, in order.
        place: its folder.
        files: bytes of all its files by relative name.
        shards: in the order of configurations, splits and names.
    """

    where: str
    kind: Kind
    configs: tuple[str, ...]
    columns: tuple[str, ...]
    place: Place = field(repr=False)
    files: Mapping[str, int] = field(repr=False)
    shards: tuple[Shard, ...] = field(repr=False)
    _footers: dict[str, pq.FileMetaData] = field(repr=False, compare=False)

    @property
    def moving(self) -> bool:
        """Whether its rows are frames of clips."""
        return self.kind == "clips"

    @property
    def schema(self) -> Literal["specsia", "published"]:
        """`specsia`, or `published` for the columns of SPECSIA-15K."""
        return "published" if self.kind == "published" else "specsia"

    def splits(self, config: str) -> dict[str, int]:
        """Rows by split, in the order train, validation, test; splits without rows are absent.

        Raises:
            UsageError: if there is no such configuration.
            SpecsiaError: if a shard is damaged.
        """
        rows = dict.fromkeys(schema.SPLITS, 0)
        for shard in self._shards(config):
            rows[shard.split] += self._footer(shard).num_rows
        return {name: count for name, count in rows.items() if count}

    def stream(self, config: str, split: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Rows in order, in bounded memory; images as PNG bytes.

        Raises:
            UsageError: if there is no such configuration or split.
            SpecsiaError: if a shard is damaged or lacks a column.
        """
        for shard in self._shards(config, split):
            yield from self.rows_of(shard, columns)

    def rows_of(self, shard: Shard, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Rows of one shard, as `stream` gives them."""
        with self._parquet(shard, columns, _STREAM_BYTES) as opened:
            for batch in batches(opened, columns, most=_BATCH_ROWS):
                yield from _rows(batch, self.where)

    def take(self, config: str, split: str, indices: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of a split by number, in the order asked for; only the row groups that hold them are read.

        Raises:
            IndexError: if the split has no row of such a number.
            UsageError: if there is no such configuration or split.
            SpecsiaError: if a shard is damaged or lacks a column.
        """
        wanted = sorted({int(i) for i in indices})
        rows: dict[int, dict[str, Any]] = {}
        start = 0
        for shard in self._shards(config, split):
            footer = self._footer(shard)
            groups = []
            for group in range(footer.num_row_groups):
                count = footer.row_group(group).num_rows
                here = [i for i in wanted if start <= i < start + count]
                groups += [(group, start, here)] if here else []
                start += count
            if groups:
                with self._parquet(shard, columns) as opened:
                    for group, first, here in groups:
                        chosen = table(opened, columns, [group]).take(array_of([i - first for i in here], pa.int64()))
                        rows.update(zip(here, _rows(chosen, self.where), strict=True))
        if absent := [i for i in wanted if i not in rows]:
            raise IndexError(f"{split} has {plural(start, 'row')}, so there is no row {absent[-1]}")
        return [rows[int(i)] for i in indices]

    def build(self) -> dict[str, Any]:
        """Content of `build.json`; empty if there is none.

        Raises:
            SpecsiaError: if it cannot be read or is no JSON.
        """
        if schema.BUILD_FILE not in self.files:
            return {}
        stated = parse_json(self.place.read(schema.BUILD_FILE), f"{self.where}/{schema.BUILD_FILE}")
        return stated if isinstance(stated, dict) else {}

    def keeps_places(self) -> bool:
        """Whether a position means the same place on the character in every view.

        Not so with `pos_frame: view`, nor in the published schema unless `build.json` says so.

        Raises:
            SpecsiaError: if `build.json` cannot be read.
        """
        config = self.build().get("config")
        stated = config.get("pos_frame") if isinstance(config, dict) else None
        return bool(stated == "character" if stated else self.kind != "published")

    def digest(self) -> str:
        """SHA-256 that identifies the content: of `SHA256SUMS`, or else of the shards' names, sizes and footers.

        Raises:
            SpecsiaError: if these cannot be read.
        """
        if schema.SUMS_FILE in self.files:
            return hashlib.sha256(self.place.read(schema.SUMS_FILE)).hexdigest()
        digest = hashlib.sha256()
        for shard in self.shards:
            digest.update(f"{shard.name} {self.files[shard.name]} {self._footer(shard).to_dict()}\n".encode())
        return digest.hexdigest()

    def _shards(self, config: str, split: str | None = None) -> list[Shard]:
        if config not in self.configs:
            raise UsageError(f"{self.where} has no configuration '{config}': it has {', '.join(self.configs)}")
        shards = [s for s in self.shards if s.config == config]
        names = dict.fromkeys(s.split for s in shards)
        if split is not None and split not in names:
            there = f"it has {', '.join(names)}"
            raise UsageError(f"{self.where} has no split '{split}' in its configuration '{config}': {there}")
        return [s for s in shards if split in (None, s.split)]

    def _footer(self, shard: Shard) -> pq.FileMetaData:
        if shard.name not in self._footers:
            self._footers[shard.name] = _read_footer(self.place, shard.name)
        return self._footers[shard.name]

    @contextmanager
    def _parquet(self, shard: Shard, columns: Sequence[str], buffer: int = 0) -> Iterator[pq.ParquetFile]:
        footer = self._footer(shard)
        if (problem := _column_problem(footer.schema.to_arrow_schema(), columns)) is not None:
            raise SpecsiaError(f"{self.where}/{shard.name} {problem}")
        with _open_shard(self.place, shard.name, footer, buffer) as opened:
            yield opened


@contextmanager
def _open_shard(
    place: Place, name: str, footer: pq.FileMetaData | None = None, buffer: int = 0
) -> Iterator[pq.ParquetFile]:
    """A shard, open for reading, so many bytes of a column at once, or all of a row group; its errors are sentences."""
    try:
        with place.reading(name), place.open(name) as stream:
            yield pq.ParquetFile(stream, metadata=footer, buffer_size=buffer)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise SpecsiaError(
            f"{place.where}/{name} is damaged or cut off ({reason}): download it or pack it again"
        ) from error


def _read_footer(place: Place, name: str) -> pq.FileMetaData:
    with _open_shard(place, name) as opened:
        # Raises here if Arrow does not understand it.
        opened.schema_arrow  # noqa: B018
        return opened.metadata


def _rows(batch: pa.RecordBatch | pa.Table, where: str) -> Iterator[dict[str, Any]]:
    """Checked rows of a batch; images as their bytes, whether they are stored as such or as `datasets` does."""
    # It takes a tenth of a second to import, which a command that reads no row need not wait for.
    import pyarrow.compute as pc

    columns = {}
    for column in batch.schema:
        values = batch.column(column.name)
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            values = pc.struct_field(values, "bytes")
        columns[column.name] = values.to_pylist()
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        _check_row(row, where)
        yield row


def _check_row(row: Mapping[str, Any], where: str) -> None:
    """Check that ids can be file names, and numbers are in range."""
    for name in ("uid", "character_id", "clip"):
        if name in row:
            file_name(row[name] or "", f"{name} of a row of {where}")
    what = f"the row {brief(str(row['uid']), 80)}" if "uid" in row else "a row"
    for name, (least, most) in _RANGES.items():
        value = row.get(name)
        if value is None and name in row and name in ("view", "frame", "time"):
            raise SpecsiaError(f"{what} of {where} has no {name}")
        if value is not None and not least <= value <= most:
            raise SpecsiaError(f"{what} of {where} has {value:g} for {name}: it must be {least:g} to {most:g}")


def _column_problem(stored: pa.Schema, wanted: Sequence[str]) -> str | None:
    """Why a shard has not each wanted column once and of the type that it must be; None if it has."""
    for name in wanted:
        places = stored.get_all_field_indices(name)
        if len(places) != 1:
            return f"has {len(places) or 'no'} column '{name}': it has {', '.join(stored.names)}"
        arrow, must = stored.field(places[0]).type, "images"
        if name in schema.VALUE_COLUMNS:
            stated, length = schema.value_type(name)
            must = "lists" if length else {"string": "text", "int32": "whole numbers", "float64": "numbers"}[stated]
        elif name not in schema.IMAGE_COLUMNS:
            continue
        if pa.types.is_struct(arrow) and (held := arrow.get_field_index("bytes")) >= 0:
            arrow = arrow.field(held).type
        value = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
        if not any(check(value) for check in _TYPES[must]):
            return f"holds {arrow} in its column '{name}', which must be {must}"
    return None


def find_shards(names: Iterable[str], card: str) -> tuple[Shard, ...]:
    """Shards among a dataset's files: those that its card names, or else those that are named as shards are.

    Returns:
        In the order of configurations (the default first), splits and names.

    Raises:
        ValueError: if the card's YAML cannot be understood.
    """
    parquet = [name for name in names if name.endswith(".parquet") and name != schema.CHECKSUMS_FILE]
    shards = {
        Shard(name, config, schema.SPLIT_NAMES[split]): None
        for config, split, pattern in data_files(card_fields(card))
        for name in parquet
        if split in schema.SPLIT_NAMES and fits(name, pattern)
    } or {Shard(name, said.config, said.split): None for name in parquet if (said := schema.parse_shard_name(name))}
    order = list(dict.fromkeys(shard.config for shard in shards))
    return tuple(sorted(shards, key=lambda s: (order.index(s.config), schema.SPLITS.index(s.split), s.name)))


def _check_names(shards: Sequence[Shard], where: str) -> None:
    folded: dict[str, str] = {}
    for shard in shards:
        relative_name(shard.name, f"shard of {where}")
        config = file_name(shard.config, f"configuration of {where}")
        if (other := folded.setdefault(folded_name(config), config)) != config:
            raise SpecsiaError(f"the configurations '{other}' and '{config}' of {where} are one")


def kind_of(columns: Collection[str]) -> Kind | None:
    """The kind of dataset that a set of columns is of, None for none; `verify` checks that it is complete."""
    if _OWN_ONLY & set(columns) and {"uid", schema.COLOR, schema.GT} <= set(columns):
        return "clips" if "clip" in columns else "specsia"
    return "published" if set(schema.PUBLISHED_COLUMNS) <= set(columns) else None


def no_dataset(where: str, names: Collection[str]) -> str:
    """The message that a place is no packed dataset, with a hint."""
    hint = "build one with `specsia build`, or write one with to_parquet of `datasets`"
    if any(name.startswith(f"dataset/{schema.DATA}/") for name in names):
        hint = f"did you mean {where.rstrip('/')}/dataset?"
    elif "run.json" in names or any(name.startswith("checkpoints/") for name in names):
        hint = "it holds a model of `specsia train`"
    shard = f"{schema.DATA}/train-00000-of-00001.parquet"
    return f"{where} is no packed dataset, as it has no shards, such as {shard}: {hint}"


def open_dataset(where: str | Path) -> OpenedDataset:
    """Open a packed dataset. Splits of which no file is there, such as those left out of a download, are absent.

    Args:
        where: a local folder, an fsspec URL (`s3://…`, `memory://…`), or a Hub id `OWNER/NAME`, with `@REVISION` if one
            is wanted. A folder that is there beats a Hub id of the same name; a `Path` is never a Hub id.

    Raises:
        UsageError: if there is no such folder, or it holds no dataset or one of other columns.
        SpecsiaError: if it cannot be reached, lacks shards, or a configuration or shard has a name that cannot be one
            of a file.
    """
    place = find_place(where)
    files = place.files()
    try:
        if files.get(schema.CARD, 0) > MOST_CARD_BYTES:
            raise ValueError(f"it has more than {MOST_CARD_BYTES / 2**20:.0f} MB")
        card = place.read(schema.CARD).decode("utf-8") if schema.CARD in files else ""
        shards = find_shards(files, card)
    except ValueError as error:
        raise SpecsiaError(f"the card {place.where}/{schema.CARD} cannot be understood: {error}") from error
    if not shards:
        raise UsageError(no_dataset(place.where, files))
    _check_names(shards, place.where)
    for name, problem in schema.odd_shards(shard.name for shard in shards):
        raise SpecsiaError(f"{place.where} is not whole: {name} {problem}; download all of it, or pack it again")
    footer = _read_footer(place, shards[0].name)
    columns = tuple(footer.schema.to_arrow_schema().names)
    kind = kind_of(columns)
    if kind is None:
        absent = ", ".join(repr(name) for name in schema.PUBLISHED_COLUMNS if name not in columns)
        there = brief(", ".join(columns), 200)
        raise UsageError(f"{place.where} is no dataset of pairs: {shards[0].name} has no column {absent}, but {there}")
    configs = tuple(dict.fromkeys(shard.config for shard in shards))
    return OpenedDataset(place.where, kind, configs, columns, place, files, shards, {shards[0].name: footer})
