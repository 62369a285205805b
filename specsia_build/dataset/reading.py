"""Open a packed dataset, in this project's schema or the published one, wherever it lies; read its rows."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from specsia_build.dataset import schema
from specsia_build.dataset.foreign import Foreign, stored_columns
from specsia_build.dataset.parquet import array_of, batches, checked_rows, table
from specsia_build.dataset.places import Place, find_place
from specsia_build.dataset.schema import Shard
from specsia_build.errors import SpecsiaError, UsageError, brief, plural, some
from specsia_build.files.names import file_name, folded_name, relative_name
from specsia_build.files.records import PlainLoader, parse_json
from specsia_build.published import rows as published
from specsia_build.published.ids import LIST_FILES
from specsia_build.published.tree import Tree, is_tree, open_tree

Kind = Literal["specsia", "published", "clips"]
"""Rows are views of a character, such views in the published schema (whose rows are read as this project's,
without what it lacks), or frames of clips."""

MOST_CARD_BYTES = 1 << 22
_OWN_ONLY = frozenset(schema.COLUMNS) - frozenset(schema.PUBLISHED_COLUMNS)
_STREAM_BYTES, _BATCH_ROWS = 1 << 22, 16
"""Bytes of a column to request at once, large enough for a remote store, and rows to decode at once."""


@dataclass(frozen=True)
class OpenedDataset:
    """A packed dataset. Opening it reads the list of files, the card and one footer.

    Methods raise UsageError for an unknown configuration or split, and SpecsiaError for a damaged file.
    """

    where: str  # Path, URL or Hub id, as the user gave it
    kind: Kind
    configs: tuple[str, ...]  # Names of its configurations, the default first
    columns: tuple[str, ...]  # As they are stored
    place: Place = field(repr=False)
    files: Mapping[str, int] = field(repr=False)  # Size in bytes by relative name
    # In the order of configurations, splits and names; of a tree, its lists
    shards: tuple[Shard, ...] = field(repr=False)
    _footers: dict[str, pq.FileMetaData] = field(repr=False, compare=False)
    tree: Tree | None = field(default=None, repr=False)  # The published folder tree, if it is one
    _foreign: dict[str, Foreign] = field(default_factory=dict, repr=False, compare=False)

    @property
    def moving(self) -> bool:
        """Whether its rows are frames of clips."""
        return self.kind == "clips"

    def splits(self, config: str) -> dict[str, int]:
        """Number of rows of each split that has any, in the order train, validation, test."""
        rows = dict.fromkeys(schema.SPLITS, 0)
        for shard in self._shards(config):
            rows[shard.split] += self._count(shard)
        return {name: count for name, count in rows.items() if count}

    def stream(self, config: str, split: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Read the rows of a split in order and in bounded memory; images are PNG bytes.

        Rows of the published schema come in this project's, with `character_id` and `view`.
        """
        is_foreign = self.kind == "published"
        names = stored_columns(columns, self.columns) if is_foreign else columns
        stored = (row for shard in self._shards(config, split) for row in self.stored_rows(shard, names))
        yield from self._foreign_of(config).converted(split, stored, columns) if is_foreign else stored

    def stored_rows(self, shard: Shard, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Read the rows of one shard as they are stored; images are PNG bytes."""
        if self.tree is not None:
            yield from self.tree.rows(self.tree.uids[shard.split], columns)
            return
        with self._parquet(shard, columns, _STREAM_BYTES) as parquet:
            for batch in batches(parquet, columns, most=_BATCH_ROWS):
                yield from checked_rows(batch, self.where)

    def take(
        self, config: str, split: str, indices: Sequence[int], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Read rows of a split by number, in the given order; decodes only the row groups that hold them."""
        if self.kind != "published":
            return self.take_stored(config, split, indices, columns)
        stored = self.take_stored(config, split, indices, stored_columns(columns, self.columns))
        return list(self._foreign_of(config).converted(split, stored, columns))

    @property
    def channels(self) -> Mapping[str, int]:
        """Channels of the pictures of rows of the published schema, as they are stored."""
        return published.ROW_CHANNELS if self.tree is None else published.TREE_CHANNELS

    def _foreign_of(self, config: str) -> Foreign:
        """Reader of a configuration's rows of the published schema."""
        if config not in self._foreign:
            take, uids = partial(self.take_stored, config), partial(self.uids, config)
            self._foreign[config] = Foreign(self.where, self.channels, take, uids)
        return self._foreign[config]

    def characters(self, config: str, split: str) -> dict[str, list[int]]:
        """Numbers of the rows of each character of a split, of the published schema."""
        return self._foreign_of(config).numbers(split)

    def uids(self, config: str, split: str) -> list[str]:
        """The uids of a split, in order."""
        shards = self._shards(config, split)
        return [row["uid"] for shard in shards for row in self.stored_rows(shard, ["uid"])]

    def take_stored(
        self, config: str, split: str, indices: Sequence[int], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Read rows by number as `take` does, but as they are stored."""
        rows_wanted = sorted({int(i) for i in indices})
        rows: dict[int, dict[str, Any]] = {}
        start = 0
        for shard in self._shards(config, split):
            if self.tree is not None:
                uids = self.tree.uids[split]
                inside = [i for i in rows_wanted if 0 <= i < len(uids)]
                rows |= dict(zip(inside, self.tree.rows([uids[i] for i in inside], columns), strict=True))
                start = len(uids)
                continue
            footer, groups = self._footer(shard), []
            for group in range(footer.num_row_groups):
                end = start + footer.row_group(group).num_rows
                if inside := [i for i in rows_wanted if start <= i < end]:
                    groups.append((group, start, inside))
                start = end
            if groups:
                with self._parquet(shard, columns) as parquet:
                    for group, first, inside in groups:
                        offsets = array_of([i - first for i in inside], pa.int64())
                        chosen = table(parquet, columns, [group]).take(offsets)
                        rows.update(zip(inside, checked_rows(chosen, self.where), strict=True))
        if absent := [i for i in rows_wanted if i not in rows]:
            raise IndexError(f"{split} has {plural(start, 'row')}, so there is no row {absent[-1]}")
        return [rows[int(i)] for i in indices]

    def build(self) -> dict[str, Any]:
        """Content of `build.json`; empty if there is none."""
        if schema.BUILD_FILE not in self.files:
            return {}
        record = parse_json(self.place.read(schema.BUILD_FILE), f"{self.where}/{schema.BUILD_FILE}")
        return record if isinstance(record, dict) else {}

    def settings(self) -> dict[str, Any]:
        """Settings of the build in `build.json`; empty if there are none."""
        settings = self.build().get("config")
        return settings if isinstance(settings, dict) else {}

    def keeps_places(self, config: str, character_id: str) -> bool:
        """Whether a position means the same place on a character in every view.

        Not so with `pos_frame: view`, and not of a character of the published schema that has too few views
        to turn its positions.
        """
        if self.kind == "published":
            reader = self._foreign_of(config)
            splits = [split for split in self.splits(config) if character_id in reader.numbers(split)]
            return all(reader.placement(split, character_id) is not None for split in splits)
        return self.settings().get("pos_frame") in (None, "character")

    def digest(self) -> str:
        """SHA-256 that identifies the content: of `SHA256SUMS`, or else of the shards' names, sizes and
        footers, or of a tree's lists and the names and sizes of its files."""
        if self.tree is not None:
            sizes = (f"{name} {size}\n" for name, size in self.tree.sizes())
            lists = (json.dumps([split, *uids]) for split, uids in self.tree.uids.items())
            return hashlib.sha256("".join((*lists, *sizes)).encode()).hexdigest()
        if schema.SUMS_FILE in self.files:
            return hashlib.sha256(self.place.read(schema.SUMS_FILE)).hexdigest()
        footers = [f"{s.name} {self.files[s.name]} {self._footer(s).to_dict()}\n" for s in self.shards]
        return hashlib.sha256("".join(footers).encode()).hexdigest()

    def _shards(self, config: str, split: str | None = None) -> list[Shard]:
        if config not in self.configs:
            problem = f"{self.where} has no configuration '{config}': it has {', '.join(self.configs)}"
            raise UsageError(problem)
        shards = [s for s in self.shards if s.config == config]
        names = dict.fromkeys(s.split for s in shards)
        if split is not None and split not in names:
            raise UsageError(f"{self.where} has no split '{split}' in '{config}': it has {', '.join(names)}")
        return [s for s in shards if split in (None, s.split)]

    def _count(self, shard: Shard) -> int:
        """Number of rows of a shard."""
        return int(self._footer(shard).num_rows) if self.tree is None else len(self.tree.uids[shard.split])

    def _footer(self, shard: Shard) -> pq.FileMetaData:
        if shard.name not in self._footers:
            self._footers[shard.name] = read_footer(self.place, shard.name)
        return self._footers[shard.name]

    @contextmanager
    def _parquet(self, shard: Shard, columns: Sequence[str], buffer: int = 0) -> Iterator[pq.ParquetFile]:
        footer = self._footer(shard)
        names = footer.schema.to_arrow_schema().names
        if wrong := [name for name in columns if names.count(name) != 1]:
            problem = f"{self.where}/{shard.name} must have one column '{wrong[0]}': it has {some(names)}"
            raise SpecsiaError(problem)
        with open_shard(self.place, shard.name, footer, buffer) as parquet:
            yield parquet


@contextmanager
def open_shard(
    place: Place, name: str, footer: pq.FileMetaData | None = None, buffer: int = 0
) -> Iterator[pq.ParquetFile]:
    """Open a shard, errors as SpecsiaErrors; `buffer`: bytes of a column to read at once, 0 for all."""
    try:
        with place.reading(name), place.open(name) as stream:
            yield pq.ParquetFile(stream, metadata=footer, buffer_size=buffer)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:120]
        problem = f"{place.where}/{name} is damaged ({reason}): download it or pack it again"
        raise SpecsiaError(problem) from error


def read_footer(place: Place, name: str) -> pq.FileMetaData:
    """Read the footer of a shard."""
    with open_shard(place, name) as parquet:
        # Raises here if Arrow does not understand it.
        parquet.schema_arrow  # noqa: B018
        return parquet.metadata


class _DataFiles(msgspec.Struct):
    split: str
    path: str | list[str]


class _Config(msgspec.Struct):
    config_name: str
    data_files: list[_DataFiles]
    default: bool = False


def card_fields(text: str) -> dict[str, Any]:
    """Parse the YAML at the head of a card; empty if it has none. ValueError if it is not a mapping."""
    match = re.match(r"---\r?\n(.*?\n)---\s*(?:\n|$)", text[:MOST_CARD_BYTES], re.DOTALL)
    try:
        fields = {} if match is None else yaml.load(match[1], PlainLoader)  # noqa: S506  loads plain values only
    # Numbers and dates that Python cannot represent are ValueErrors.
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError("the YAML at its head cannot be read") from error
    if not isinstance(fields, dict):
        raise ValueError("the YAML at its head holds no fields")
    return fields


def data_files(fields: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Configuration, split and file pattern of each of a card's `configs`, the default configuration first.

    Raises ValueError if they have another form, or a pattern could match a file outside of the dataset.
    """
    entries = []
    try:
        configs = msgspec.convert(fields.get("configs") or [], list[_Config])
        for config in sorted(configs, key=lambda config: not config.default):
            for files in config.data_files:
                for path in [files.path] if isinstance(files.path, str) else files.path:
                    pattern = path.removeprefix("./")
                    relative_name(re.sub(r"\[!?[^]/]+\]|[*?]", "x", pattern), "pattern of data_files")
                    entries.append((config.config_name, files.split, pattern))
    except msgspec.ValidationError as error:
        raise ValueError(f"its configs have no data_files by split ({error})") from error
    except SpecsiaError as error:
        raise ValueError(str(error)) from error
    return entries


def fits(name: str, pattern: str) -> bool:
    """Whether a file matches a pattern of `data_files`, as fsspec and thus `datasets` match it."""
    from fsspec.utils import glob_translate

    return re.fullmatch(glob_translate(pattern), name) is not None


def find_shards(names: Iterable[str], card: str) -> tuple[Shard, ...]:
    """Find the shards among a dataset's files: those that its card lists, or else those named as shards."""
    parquet = [name for name in names if name.endswith(".parquet")]
    # A dict keeps the order of the configurations and drops a shard that two patterns match.
    shards = {
        Shard(name, config, schema.SPLIT_NAMES[split]): None
        for config, split, pattern in data_files(card_fields(card))
        for name in parquet
        if split in schema.SPLIT_NAMES and fits(name, pattern)
    } or dict.fromkeys(filter(None, map(schema.parse_shard_name, parquet)))
    order = list(dict.fromkeys(shard.config for shard in shards))
    return tuple(sorted(shards, key=lambda s: (order.index(s.config), schema.SPLITS.index(s.split), s.name)))


def kind_of(columns: Collection[str]) -> Kind | None:
    """Kind of dataset with these columns, or None; `verify` checks that they are complete."""
    if _OWN_ONLY & set(columns) and {"uid", schema.COLOR, schema.GT} <= set(columns):
        return "clips" if "clip" in columns else "specsia"
    return "published" if set(schema.PUBLISHED_COLUMNS) <= set(columns) else None


def _opened_tree(place: Place, folder: Path) -> OpenedDataset:
    """Open the published folder tree; its lists stand for shards."""
    tree = open_tree(place.where, folder)
    if not tree.uids:
        raise UsageError(f"{place.where} is a folder tree whose lists in splits/ name no view")
    config = schema.DEFAULT_CONFIG
    shards = tuple(Shard(LIST_FILES[split], config, split) for split in tree.uids)
    files = {shard.name: (folder / shard.name).stat().st_size for shard in shards}
    columns = ("uid", *published.PICTURE_COLUMNS)
    return OpenedDataset(place.where, "published", (config,), columns, place, files, shards, {}, tree)


def no_dataset(where: str, names: Collection[str]) -> str:
    """Message that a folder with these files is not a packed dataset, with a hint."""
    inner = any(name.startswith(f"dataset/{schema.DATA}/") for name in names)
    hint = f"did you mean {where.rstrip('/')}/dataset?" if inner else "build one with `specsia build`"
    return f"{where} is not a packed dataset, as it has no shards in {schema.DATA}/: {hint}"


def open_dataset(where: str | Path) -> OpenedDataset:
    """Open a packed dataset. Splits without any file, such as those left out of a download, are absent.

    See `find_place` for `where`. Raises UsageError if it is not a dataset of pairs; SpecsiaError if it cannot
    be reached, or has unsafe names.
    """
    place = find_place(where)
    if place.folder is not None and is_tree(place.folder):
        return _opened_tree(place, place.folder)
    files = place.files()
    try:
        if files.get(schema.CARD, 0) > MOST_CARD_BYTES:
            raise ValueError(f"it has more than {MOST_CARD_BYTES / 2**20:.0f} MB")
        shards = find_shards(files, place.read(schema.CARD).decode("utf-8") if schema.CARD in files else "")
    except ValueError as error:
        raise SpecsiaError(f"the card {place.where}/{schema.CARD} cannot be understood: {error}") from error
    if not shards:
        raise UsageError(no_dataset(place.where, files))
    for shard in shards:
        relative_name(shard.name, f"shard of {place.where}")
    configs = tuple(dict.fromkeys(file_name(s.config, f"configuration of {place.where}") for s in shards))
    if len({folded_name(config) for config in configs}) < len(configs):
        raise SpecsiaError(f"configurations of {place.where} differ in case only: {', '.join(configs)}")
    for name, problem in schema.wrong_shards(shard.name for shard in shards):
        fault = f"{place.where} is not whole: {name} {problem}"
        raise SpecsiaError(f"{fault}; download all of it, or pack it again")
    footer = read_footer(place, shards[0].name)
    columns = tuple(footer.schema.to_arrow_schema().names)
    kind = kind_of(columns)
    if kind is None:
        absent = ", ".join(repr(name) for name in schema.PUBLISHED_COLUMNS if name not in columns)
        lacking = f"{shards[0].name} has {brief(', '.join(columns), 200)}, but no {absent}"
        raise UsageError(f"{place.where} is not a dataset of pairs: {lacking}")
    return OpenedDataset(place.where, kind, configs, columns, place, files, shards, {shards[0].name: footer})
