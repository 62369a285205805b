"""A dataset of ours, packed anew in the published schema: RGB on grey, and the columns of SPECSIA-15K alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build import __version__, png
from specsia_build.dataset import schema, splits
from specsia_build.dataset.checksums import write_checksums, write_sums
from specsia_build.dataset.convert.card import ConvertedFacts, write_converted_card
from specsia_build.dataset.pairs import composite
from specsia_build.dataset.parallel import results
from specsia_build.dataset.parquet import write_shard
from specsia_build.dataset.places import public_name
from specsia_build.dataset.reading import OpenedDataset, Shard
from specsia_build.dataset.teaser import write_teaser
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.writing import replacing, writing

_COMPOSITED = (schema.COLOR, schema.POS, schema.GT)

_NEEDED = (*schema.PUBLISHED_COLUMNS, "character_id", "license")


@dataclass(frozen=True)
class Conversion:
    """What was written: the folder, and rows by configuration and split."""

    folder: Path
    rows: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class _Task:
    dataset: OpenedDataset
    shard: Shard
    config: str
    path: Path


@dataclass(frozen=True)
class _Done:
    rows: int
    digests: list[tuple[str, str, str, str]]
    licenses: dict[str, str | None]


def to_published(
    dataset: OpenedDataset,
    out: Path,
    configs: Sequence[str] = (),
    workers: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Conversion:
    """Pack a dataset in the published schema, shard by shard; splits, shards and the order of rows stay.

    Args:
        dataset: of this project's schema.
        out: folder that is to be written, whole or not at all; it must not exist or be empty.
        configs: to be converted, all if none is named; one alone becomes the `default` one, as in the published set.
        workers: processes; the bytes do not depend on it.
        advance: told the rows of each shard when they are written.

    Raises:
        UsageError: if the dataset is in the published schema already, or of clips, a configuration is unknown, or
            `out` is in use.
        SpecsiaError: if a row cannot be read.
        WriteError: if the dataset cannot be written.
    """
    if dataset.schema == "published":
        raise UsageError(f"{dataset.where} is in the published schema already")
    if dataset.moving:
        raise UsageError(
            f"{dataset.where} holds frames of clips, and the published schema views of characters alone: convert a "
            "dataset that `specsia build` made"
        )
    chosen = tuple(dict.fromkeys(configs)) or dataset.configs
    for config in chosen:
        dataset.splits(config)
    folder = out.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{out} is there already: give --out a new folder")
    with writing(out):
        return Conversion(out, _write(dataset, folder, chosen, workers, advance))


def _write(
    dataset: OpenedDataset, out: Path, chosen: Sequence[str], workers: int, advance: Callable[[int], None]
) -> dict[str, dict[str, int]]:
    """Write the folder; returns the rows by configuration and split."""
    rows: dict[str, dict[str, int]] = {config: {} for config in chosen}
    digests: list[tuple[str, str, str, str]] = []
    licenses: dict[str, str | None] = {}
    members: dict[tuple[str, str], set[str]] = {}
    with replacing(out) as scratch:
        tasks = list(_tasks(dataset, chosen, scratch))
        # Workers write into the folder, which must not go before they do.
        with closing(results(((_convert, task) for task in tasks), workers)) as converted:
            for task, done in zip(tasks, converted, strict=True):
                config, split = task.shard.config, task.shard.split
                rows[config][split] = rows[config].get(split, 0) + done.rows
                digests += done.digests
                licenses |= done.licenses
                members.setdefault((config, split), set()).update(done.licenses)
                advance(done.rows)
        _write_texts(dataset, scratch, rows, members, licenses)
        write_checksums(scratch, digests)
        write_sums(scratch)
    return rows


def _tasks(dataset: OpenedDataset, chosen: Sequence[str], folder: Path) -> Iterator[_Task]:
    several = len(chosen) > 1
    for config in chosen:
        data = folder / schema.data_folder(config, several)
        data.mkdir(parents=True)
        name = config if several else schema.DEFAULT_CONFIG
        shards = [shard for shard in dataset.shards if shard.config == config]
        for split in schema.SPLITS:
            found = [shard for shard in shards if shard.split == split]
            for index, shard in enumerate(found):
                yield _Task(dataset, shard, name, data / schema.shard_name(split, index, len(found)))


def _convert(task: _Task) -> _Done:
    digests: list[tuple[str, str, str, str]] = []
    licenses: dict[str, str | None] = {}

    def rows() -> Iterator[schema.Row]:
        for row in task.dataset.rows_of(task.shard, _NEEDED):
            made = published_row(row)
            digests.extend(
                (task.config, row["uid"], column, hashlib.sha256(data).hexdigest())
                for column, data in made.images.items()
            )
            licenses[row["character_id"]] = row["license"]
            yield made

    count = write_shard(task.path, rows(), schema.arrow_schema(schema.PUBLISHED_COLUMNS))
    return _Done(count, digests, licenses)


def published_row(row: Mapping[str, Any]) -> schema.Row:
    """A row of ours in the published schema: `color`, `pos` and `gt` composited, `mask` and `edge` as they are.

    Raises:
        SpecsiaError: if an image cannot be decoded.
    """
    images: dict[str, bytes] = {}
    for column in (name for name in schema.PUBLISHED_COLUMNS if name in schema.IMAGE_COLUMNS):
        try:
            image = png.decode(row[column] or b"", len(schema.IMAGE_COLUMNS[column]))
        except ValueError as error:
            raise SpecsiaError(f"the row {row['uid']} cannot be converted: {column} {error}") from error
        images[column] = png.encode(composite(image)) if column in _COMPOSITED else row[column]
    return schema.Row({"uid": row["uid"]}, images)


def _write_texts(
    dataset: OpenedDataset,
    folder: Path,
    rows: Mapping[str, Mapping[str, int]],
    members: Mapping[tuple[str, str], Set[str]],
    licenses: Mapping[str, str | None],
) -> None:
    record = _build_record(dataset)
    origin = {"digest": dataset.digest(), "configs": list(rows)}
    made = {"specsia": __version__, **record, "converted": {"specsia": __version__, "to": "published", "from": origin}}
    text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
    if schema.SPLITS_FILE in dataset.files:
        data = dataset.place.read(schema.SPLITS_FILE)
        splits.parse(data, f"{dataset.where}/{schema.SPLITS_FILE}")
        (folder / schema.SPLITS_FILE).write_bytes(data)
    else:
        split_of = {i: split for (_, split), ids in members.items() for i in ids}
        (folder / schema.SPLITS_FILE).write_text(splits.to_json(split_of), encoding="utf-8")
    facts = ConvertedFacts(
        source=_source_name(dataset, record),
        digest=dataset.digest(),
        rows=rows,
        characters={c: {s: len(members[c, s]) for s in by_split} for c, by_split in rows.items()},
        licenses=licenses,
        build=record,
    )
    (folder / schema.CARD).write_text(write_converted_card(facts), encoding="utf-8")
    write_teaser(folder, list(rows))


def _build_record(dataset: OpenedDataset) -> dict[str, Any]:
    record = dataset.build()
    if schema.BUILD_FILE in dataset.files and not isinstance(record.get("config"), dict):
        raise SpecsiaError(f"{dataset.where}/{schema.BUILD_FILE} does not hold a build's settings")
    return record


def _source_name(dataset: OpenedDataset, record: Mapping[str, Any]) -> str:
    """What the card may call the dataset: never a path of this machine."""
    return brief(str(record["config"].get("source", "a dataset"))) if record else public_name(dataset.where)
