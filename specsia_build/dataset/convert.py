"""Convert a dataset to the published schema: RGB on grey, and the columns of SPECSIA-15K alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build import __version__, png
from specsia_build.dataset import schema, splits
from specsia_build.dataset.card import write_converted_card
from specsia_build.dataset.checksums import write_checksums, write_sums
from specsia_build.dataset.pairs import composite
from specsia_build.dataset.parquet import write_shard
from specsia_build.dataset.places import public_name
from specsia_build.dataset.reading import OpenedDataset, Shard
from specsia_build.dataset.teaser import write_teaser
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.writing import replacing, writing
from specsia_build.pool import results

_NEEDED = (*schema.PUBLISHED_COLUMNS, "character_id", "license")


@dataclass(frozen=True)
class Conversion:
    """The written folder, and its rows by configuration and split."""

    folder: Path
    rows: Mapping[str, Mapping[str, int]]


def to_published(
    dataset: OpenedDataset,
    out: Path,
    configs: Sequence[str] = (),
    workers: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Conversion:
    """Write a dataset in the published schema, shard by shard; splits, shards and the order of rows stay.

    Args:
        dataset: of this project's schema.
        out: folder to write, whole or not at all; it must not exist or be empty.
        configs: to be converted, all if none is named; one alone becomes the `default` one.
        workers: processes; the bytes do not depend on it.
        advance: called with the rows of each shard that is written.

    Raises:
        UsageError: if the dataset has another schema, a configuration is unknown, or `out` is in use.
        SpecsiaError: if a row cannot be read.
        WriteError: if the dataset cannot be written.
    """
    if dataset.kind != "specsia":
        reason = "is in the published schema already" if dataset.kind == "published" else "holds clips, not views"
        raise UsageError(f"{dataset.where} {reason}: convert a dataset that `specsia build` made")
    chosen = tuple(dict.fromkeys(configs)) or dataset.configs
    for config in chosen:
        dataset.splits(config)
    folder = out.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{out} is there already: give --out a new folder")
    rows: dict[str, dict[str, int]] = {config: {} for config in chosen}
    digests: list[tuple[str, str, str, str]] = []
    members: dict[tuple[str, str], dict[str, str | None]] = {}
    with writing(out), replacing(folder) as scratch:
        tasks = [(dataset, shard, path) for shard, path in _paths(dataset, chosen, scratch)]
        # Workers write into the folder, which must not go before they do.
        with closing(results(((_convert, task) for task in tasks), workers)) as converted:
            for (_, shard, _), (sums, licenses) in zip(tasks, converted, strict=True):
                config = shard.config if len(chosen) > 1 else schema.DEFAULT_CONFIG
                digests += [(config, *one) for one in sums]
                members.setdefault((shard.config, shard.split), {}).update(licenses)
                count = len(sums) // len(schema.PUBLISHED_COLUMNS[1:])
                rows[shard.config][shard.split] = rows[shard.config].get(shard.split, 0) + count
                advance(count)
        _write_texts(dataset, scratch, rows, members)
        write_checksums(scratch, digests)
        write_sums(scratch)
    return Conversion(out, rows)


def _paths(dataset: OpenedDataset, chosen: Sequence[str], folder: Path) -> Iterator[tuple[Shard, Path]]:
    for config in chosen:
        data = folder / schema.data_folder(config, len(chosen) > 1)
        data.mkdir(parents=True)
        for split in schema.SPLITS:
            shards = [shard for shard in dataset.shards if (shard.config, shard.split) == (config, split)]
            for index, shard in enumerate(shards):
                yield shard, data / schema.shard_name(split, index, len(shards))


def _convert(task: tuple[OpenedDataset, Shard, Path]) -> tuple[list[tuple[str, str, str]], dict[str, str | None]]:
    """Convert a shard; returns uid, column and SHA-256 of each image, and the licence of each character."""
    dataset, shard, path = task
    digests: list[tuple[str, str, str]] = []
    licenses: dict[str, str | None] = {}

    def rows() -> Iterator[schema.Row]:
        for row in dataset.rows_of(shard, _NEEDED):
            converted = published_row(row)
            licenses[row["character_id"]] = row["license"]
            for name, data in converted.images.items():
                digests.append((row["uid"], name, hashlib.sha256(data).hexdigest()))
            yield converted

    write_shard(path, rows(), schema.arrow_schema(schema.PUBLISHED_COLUMNS))
    return digests, licenses


def published_row(row: Mapping[str, Any]) -> schema.Row:
    """A row in the published schema: `color`, `pos` and `gt` composited, `mask` and `edge` as they are.

    Raises:
        SpecsiaError: if an image cannot be decoded.
    """
    images: dict[str, bytes] = {}
    for column in schema.PUBLISHED_COLUMNS[1:]:
        mode = schema.IMAGE_COLUMNS[column]
        try:
            image = png.decode(row[column] or b"", len(mode))
        except ValueError as error:
            raise SpecsiaError(f"the row {row['uid']} cannot be converted: {column} {error}") from error
        images[column] = png.encode(composite(image)) if mode == "RGBA" else row[column]
    return schema.Row({"uid": row["uid"]}, images)


def _write_texts(
    dataset: OpenedDataset,
    folder: Path,
    rows: Mapping[str, Mapping[str, int]],
    members: Mapping[tuple[str, str], Mapping[str, str | None]],
) -> None:
    record = dataset.build()
    if schema.BUILD_FILE in dataset.files and not isinstance(record.get("config"), dict):
        raise SpecsiaError(f"{dataset.where}/{schema.BUILD_FILE} does not hold a build's settings")
    origin = {"digest": dataset.digest(), "configs": list(rows)}
    made = {"specsia": __version__, **record, "converted": {"specsia": __version__, "to": "published", "from": origin}}
    text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
    split_of = {i: split for (_, split), licenses in members.items() for i in licenses}
    if schema.SPLITS_FILE in dataset.files:
        split_of = splits.parse(dataset.place.read(schema.SPLITS_FILE), f"{dataset.where}/{schema.SPLITS_FILE}")
    (folder / schema.SPLITS_FILE).write_text(splits.to_json(split_of), encoding="utf-8")
    # Never a path of this machine.
    source = brief(str(record["config"].get("source", "a dataset"))) if record else public_name(dataset.where)
    (folder / schema.CARD).write_text(write_converted_card(source, rows, members, made), encoding="utf-8")
    write_teaser(folder, list(rows))
