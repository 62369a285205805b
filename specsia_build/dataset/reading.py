"""The one way to open a packed dataset, of this project's schema or of the published one, wherever it lies."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.arrays import array_of
from specsia_build.dataset.card.head import MOST_CARD_BYTES, card_fields, data_files, fits
from specsia_build.dataset.decoding import batches, table
from specsia_build.dataset.places import Place, find_place
from specsia_build.dataset.rows import check_columns, checked_row
from specsia_build.errors import SpecsiaError, UsageError, brief, plural
from specsia_build.files.names import file_name, folded_name, relative_name
from specsia_build.files.records import parse_json

Schema = Literal["specsia", "published"]

Kind = Literal["specsia", "published", "clips"]

_OWN_ONLY = frozenset(schema.COLUMNS) - frozenset(schema.PUBLISHED_COLUMNS)

_STREAM_BYTES = 1 << 22
"""Of a column that are read at once: large enough for a remote store, and row groups may be much larger."""

_BATCH_ROWS = 16


@dataclass(frozen=True)
class Shard:
    """One parquet file of rows: its name relative to the dataset, its configuration and its split."""

    name: str
    config: str
    split: str


@dataclass(frozen=True)
class OpenedDataset:
    """A packed dataset that can be read; nothing but the list of its files and one footer is read to open it.

    Attributes:
        where: what the user called it.
        schema: `specsia`, or `published` for the columns of SPECSIA-15K.
        configs: names of its configurations, the default first.
        columns: of its rows, in order.
        place: its folder.
        files: bytes by relative name of all its files.
        shards: in the order of configurations, splits and names, of splits that are whole.
        lacking: what other splits lack, in a sentence, by configuration and split; none of what `open_dataset` opens.
    """

    where: str
    schema: Schema
    configs: tuple[str, ...]
    columns: tuple[str, ...]
    place: Place = field(repr=False)
    files: Mapping[str, int] = field(repr=False)
    shards: tuple[Shard, ...] = field(repr=False)
    lacking: Mapping[tuple[str, str], str] = field(repr=False)
    _footers: dict[str, pq.FileMetaData] = field(repr=False, compare=False)

    @property
    def moving(self) -> bool:
        """Whether its rows are frames of clips."""
        return self.schema == "specsia" and schema.is_moving(self.columns)

    @property
    def kind(self) -> Kind:
        """The schema, `clips` where the rows are frames of clips."""
        return "clips" if self.moving else self.schema

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
        with self._parquet(shard, columns, buffer=_STREAM_BYTES) as opened:
            for batch in batches(opened, columns, most=_BATCH_ROWS):
                for row in _rows(batch):
                    yield checked_row(row, self.where)

    def take(self, config: str, split: str, indices: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of a split by number, in the order asked for; only the row groups that hold them are read.

        Raises:
            IndexError: if the split has no row of such a number.
            UsageError: if there is no such configuration or split.
            SpecsiaError: if a shard is damaged or lacks a column.
        """
        wanted = sorted({int(i) for i in indices})
        if wanted and wanted[0] < 0:
            raise IndexError(f"there is no row {wanted[0]}")
        found: dict[int, dict[str, Any]] = {}
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
                        chosen = array_of([i - first for i in here], pa.int64())
                        rows = _rows(table(opened, columns, [group]).take(chosen))
                        found.update(zip(here, (checked_row(row, self.where) for row in rows), strict=True))
        if len(found) < len(wanted):
            raise IndexError(f"{split} has {plural(start, 'row')}, so there is no row {wanted[-1]}")
        return [found[int(i)] for i in indices]

    def build(self) -> dict[str, Any]:
        """What `build.json` states; empty where there is none.

        Raises:
            SpecsiaError: if it cannot be read or is no JSON.
        """
        if schema.BUILD_FILE not in self.files:
            return {}
        stated = parse_json(self.place.read(schema.BUILD_FILE), f"{self.where}/{schema.BUILD_FILE}")
        return stated if isinstance(stated, dict) else {}

    def keeps_places(self) -> bool:
        """Whether a position means the same place on the character in every view.

        Not so with `pos_frame: view`, as the published script colours positions, nor where nothing is stated of data of
        the published schema.

        Raises:
            SpecsiaError: if `build.json` cannot be read.
        """
        config = self.build().get("config")
        stated = config.get("pos_frame") if isinstance(config, dict) else None
        return bool(stated == "character" if stated else self.schema == "specsia")

    def digest(self) -> str:
        """SHA-256 that identifies the content: of `SHA256SUMS`, or else of the shards' names, sizes and footers.

        Raises:
            SpecsiaError: if these cannot be read.
        """
        if schema.SUMS_FILE in self.files:
            return hashlib.sha256(self.place.read(schema.SUMS_FILE)).hexdigest()
        found = hashlib.sha256()
        for shard in self.shards:
            footer = self._footer(shard)
            found.update(f"{shard.name} {self.files[shard.name]} {footer.num_rows}\n".encode())
            for group in range(footer.num_row_groups):
                found.update(repr(footer.row_group(group).to_dict()).encode())
        return found.hexdigest()

    def _shards(self, config: str, split: str | None = None) -> list[Shard]:
        if split is not None and (lack := self.lacking.get((config, split))) is not None:
            raise SpecsiaError(f"{split} of {self.where} is not whole: {lack}; download all of it, or pack it again")
        if config not in self.configs:
            raise UsageError(f"{self.where} has no configuration '{config}': it has {', '.join(self.configs)}")
        found = [s for s in self.shards if s.config == config]
        if split is not None and split not in {s.split for s in found}:
            names = ", ".join(dict.fromkeys(s.split for s in found))
            raise UsageError(f"{self.where} has no split '{split}' in its configuration '{config}': it has {names}")
        return [s for s in found if split in (None, s.split)]

    def _footer(self, shard: Shard) -> pq.FileMetaData:
        if shard.name not in self._footers:
            self._footers[shard.name] = _read_footer(self.place, shard.name)
        return self._footers[shard.name]

    def _parquet(self, shard: Shard, columns: Sequence[str], buffer: int = 0) -> AbstractContextManager[pq.ParquetFile]:
        footer = self._footer(shard)
        try:
            check_columns(footer.schema.to_arrow_schema(), columns)
        except ValueError as error:
            raise SpecsiaError(f"{self.where}/{shard.name} {error}") from error
        return open_shard(self.place, shard.name, footer, buffer)


@contextmanager
def open_shard(
    place: Place, name: str, footer: pq.FileMetaData | None = None, buffer: int = 0
) -> Iterator[pq.ParquetFile]:
    """A shard, open for reading.

    Args:
        place: of the dataset.
        name: of the shard.
        footer: where it has been read already.
        buffer: bytes of a column to read at once, 0 for all that a row group holds.

    Raises:
        SpecsiaError: here or while it is read, if it is damaged or cannot be reached.
    """
    try:
        with place.reading(name), place.open(name) as stream:
            yield pq.ParquetFile(stream, metadata=footer, buffer_size=buffer)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SpecsiaError(
            f"{place.where}/{name} is damaged or cut off ({' '.join(str(error).split())[:120]}): "
            "download it or pack it again"
        ) from error


def _rows(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """Rows of a batch, images as their bytes whether they are stored as such or as `datasets` does."""
    # It takes a tenth of a second, which a command that reads no row need not wait.
    import pyarrow.compute as pc

    columns = {}
    for column in batch.schema:
        values = batch.column(column.name)
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            values = pc.struct_field(values, "bytes")
        columns[column.name] = values.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def find_shards(names: Iterable[str], card: str) -> tuple[Shard, ...]:
    """The shards among a dataset's files: those that its card names, or else those that are named as shards are.

    Args:
        names: of the files, relative to the dataset.
        card: text of the card, empty if there is none.

    Returns:
        In the order of configurations (the default first), splits and names.

    Raises:
        ValueError: if the card's YAML cannot be understood.
    """
    parquet = [name for name in names if name.endswith(".parquet") and name != schema.CHECKSUMS_FILE]
    found = {
        Shard(name, config, schema.SPLIT_NAMES[split]): None
        for config, split, pattern in data_files(card_fields(card))
        for name in parquet
        if split in schema.SPLIT_NAMES and fits(name, pattern)
    } or {Shard(name, said.config, said.split): None for name in parquet if (said := schema.parse_shard_name(name))}
    order = list(dict.fromkeys(shard.config for shard in found))
    return tuple(sorted(found, key=lambda s: (order.index(s.config), schema.SPLITS.index(s.split), s.name)))


def _lacks(shards: Sequence[Shard], card: str) -> dict[tuple[str, str], str]:
    """What splits that are here in part lack, or have too much of, a sentence by configuration and split."""
    found: dict[tuple[str, str], str] = {}
    for name, problem in schema.odd_shards(shard.name for shard in shards):
        series = schema.series_of(name)
        for shard in shards:
            if schema.series_of(shard.name) == series:
                found.setdefault((shard.config, shard.split), f"{name} {problem}")
    for config, split, pattern in data_files(card_fields(card)):
        if split in schema.SPLIT_NAMES and not any(
            shard.config == config and fits(shard.name, pattern) for shard in shards
        ):
            lack = f"{pattern} is named by its card, and no file is called so"
            found.setdefault((config, schema.SPLIT_NAMES[split]), lack)
    return found


def _check_names(shards: Sequence[Shard], where: str) -> None:
    for shard in shards:
        relative_name(shard.name, f"shard of {where}")
        file_name(shard.config, f"configuration of {where}")
    configs = dict.fromkeys(shard.config for shard in shards)
    alike = Counter(map(folded_name, configs))
    twins = [config for config in configs if alike[folded_name(config)] > 1]
    if twins:
        raise SpecsiaError(
            f"the configurations {' and '.join(map(repr, twins))} of {where} would share one folder where case is "
            "ignored: rename one"
        )


def schema_of(columns: Collection[str]) -> Schema | None:
    """Which schema a set of columns is of, None for neither; whether it is complete is for `verify` to say."""
    if _OWN_ONLY & set(columns) and {"uid", schema.COLOR, schema.GT} <= set(columns):
        return "specsia"
    return "published" if set(schema.PUBLISHED_COLUMNS) <= set(columns) else None


def no_dataset(where: str, names: Collection[str]) -> str:
    """That a place is no packed dataset, and what its files seem to be; none of them is a shard."""
    first = f"{schema.DATA}/train-00000-of-00001.parquet"
    parquet = [name for name in names if name.endswith(".parquet") and name != schema.CHECKSUMS_FILE]
    hint = "build one with `specsia build`"
    if any(name.startswith(f"dataset/{schema.DATA}/") for name in names):
        hint = f"did you mean {where.rstrip('/')}/dataset?"
    elif any(name.endswith(".arrow") for name in names):
        hint = (
            "`save_to_disk` of `datasets` wrote it; load_from_disk gives its splits, and "
            f"to_parquet('{first}') writes one as it is read here"
        )
    elif parquet:
        hint = f"{parquet[0]} is named otherwise than shards are, which are called as {first}, or as its card says"
    elif "run.json" in names or any(name.startswith("checkpoints/") for name in names):
        hint = "it holds a model of `specsia train`; give the dataset in this place"
    elif any(name.startswith("color/") for name in names):
        hint = "it holds frames, which `specsia enhance` repairs; what is learnt from are rows of pictures beside Y*"
    elif other := next((name for name in names if name.endswith((".tar", ".csv", "metadata.jsonl"))), None):
        hint = f"of another layout ({other}), load it with `datasets`, and write it with to_parquet('{first}')"
    return f"{where} is no packed dataset, as it has no parquet files in {schema.DATA}/: {hint}"


def open_dataset(where: str | Path) -> OpenedDataset:
    """Open a packed dataset.

    Args:
        where: a local folder, an fsspec URL (`s3://…`, `memory://…`), or a Hub id `OWNER/NAME`, with `@REVISION` where
            one is wanted. A folder that is there beats a Hub id of the same name; a `Path` is never a Hub id.

    Raises:
        UsageError: if there is no such folder, or it holds no dataset or one of other columns.
        SpecsiaError: if it cannot be reached, lacks shards that its card or the names of others speak of, or a
            configuration or shard has a name that cannot be one of a file.
    """
    opened = open_part(where)
    for lack in opened.lacking.values():
        raise SpecsiaError(f"{opened.where} is not whole: {lack}; download all of it, or pack it again")
    return opened


def open_part(where: str | Path, say: Callable[[str], None] | None = None) -> OpenedDataset:
    """Open a packed dataset for what needs only some of its splits: one that is here with those alone is one too.

    Args:
        where: as of `open_dataset`.
        say: shows a line to the user, on what is not here.

    Raises:
        UsageError, SpecsiaError: as `open_dataset`, but for splits that are not whole, which are refused when read.
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
    lacking = _lacks(shards, card)
    whole = tuple(shard for shard in shards if (shard.config, shard.split) not in lacking)
    if lacking and whole and say is not None:
        said = ", ".join(dict.fromkeys(split for _, split in lacking))
        say(f"note: {place.where} is here in part, without all of {said}: {next(iter(lacking.values()))}")
    shards = whole or shards
    footer = _read_footer(place, shards[0].name)
    columns = tuple(footer.schema.to_arrow_schema().names)
    found = schema_of(columns)
    if found is None:
        absent = [name for name in schema.PUBLISHED_COLUMNS if name not in columns]
        raise UsageError(
            f"{place.where} is no dataset of pairs: {shards[0].name} has no column {', '.join(map(repr, absent))}, but "
            f"{brief(', '.join(columns), 200)}; rename_columns of `datasets` gives columns other names"
        )
    configs = tuple(dict.fromkeys(shard.config for shard in shards))
    return OpenedDataset(place.where, found, configs, columns, place, files, shards, lacking, {shards[0].name: footer})


def _read_footer(place: Place, name: str) -> pq.FileMetaData:
    with open_shard(place, name) as opened:
        # Also seen to be one that Arrow understands.
        opened.schema_arrow  # noqa: B018
        return opened.metadata
