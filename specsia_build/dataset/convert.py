"""Convert a dataset to the published schema: RGB on grey, and only the columns of SPECSIA-15K."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from specsia_build import __version__, png
from specsia_build.dataset import schema, splits
from specsia_build.dataset.card import write_converted_card, write_teaser
from specsia_build.dataset.checksums import write_sums
from specsia_build.dataset.pairs import composite, decode_column
from specsia_build.dataset.parquet import write_shard
from specsia_build.dataset.places import public_name
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import Shard
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.writing import replacing, writing
from specsia_build.pool import results

_NEEDED = (*schema.PUBLISHED_COLUMNS, "character_id", "license")


def to_published(
    dataset: OpenedDataset, out: Path, workers: int = 1, advance: Callable[[int], None] = lambda _: None
) -> dict[str, dict[str, int]]:
    """Write a dataset in the published schema, with the same splits, shards and order of rows.

    The folder `out` must be absent or empty, and is written atomically. `advance` is called with the number
    of rows of each shard. Returns the number of rows by configuration and split.
    """
    if dataset.kind != "specsia":
        reason = (
            "is in the published schema already" if dataset.kind == "published" else "holds clips, not views"
        )
        raise UsageError(f"{dataset.where} {reason}: convert a dataset that `specsia build` made")
    rows = {config: dict.fromkeys(dataset.splits(config), 0) for config in dataset.configs}
    folder = out.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{out} already exists: give --out a new folder")
    members: dict[tuple[str, str], dict[str, str | None]] = {}
    with writing(out), replacing(folder) as scratch:
        tasks = []
        for config, split in ((config, split) for config in dataset.configs for split in schema.SPLITS):
            data = scratch / schema.data_folder(config, len(dataset.configs) > 1)
            data.mkdir(parents=True, exist_ok=True)
            shards = [shard for shard in dataset.shards if (shard.config, shard.split) == (config, split)]
            for index, shard in enumerate(shards):
                tasks.append((dataset, shard, data / schema.shard_name(split, index, len(shards))))
        # The workers must stop before the folder that they write into is removed.
        with closing(results((partial(_convert, *task) for task in tasks), workers)) as converted:
            for (_, shard, _), (count, licenses) in zip(tasks, converted, strict=True):
                members.setdefault((shard.config, shard.split), {}).update(licenses)
                if count:
                    rows[shard.config][shard.split] += count
                advance(count)
        record = dataset.build()
        if schema.BUILD_FILE in dataset.files and not isinstance(record.get("config"), dict):
            raise SpecsiaError(f"{dataset.where}/{schema.BUILD_FILE} does not hold a build's settings")
        split_of = {i: split for (_, split), licenses in members.items() for i in licenses}
        if schema.SPLITS_FILE in dataset.files:
            split_of = splits.parse(
                dataset.place.read(schema.SPLITS_FILE), f"{dataset.where}/{schema.SPLITS_FILE}"
            )
        # Without paths of this machine.
        source = (
            brief(str(record["config"].get("source", "a dataset"))) if record else public_name(dataset.where)
        )
        origin = {"digest": dataset.digest(), "configs": list(rows)}
        converted_by = {"specsia": __version__, "to": "published", "from": origin}
        record = {"specsia": __version__, **record, "converted": converted_by}
        texts = {
            schema.BUILD_FILE: json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n",
            schema.SPLITS_FILE: splits.to_json(split_of),
            schema.CARD: write_converted_card(source, rows, members, record),
        }
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
        write_teaser(scratch, list(rows))
        write_sums(scratch)
    return rows


def _convert(dataset: OpenedDataset, shard: Shard, path: Path) -> tuple[int, dict[str, str | None]]:
    """Convert a shard; returns its number of rows, and the licence of each character."""
    licenses: dict[str, str | None] = {}

    def rows() -> Iterator[schema.Row]:
        for row in dataset.rows_of(shard, _NEEDED):
            images = {name: _published(row, name) for name in schema.PUBLISHED_COLUMNS[1:]}
            licenses[row["character_id"]] = row["license"]
            yield schema.Row({"uid": row["uid"]}, images)

    return write_shard(path, rows(), schema.arrow_schema(schema.PUBLISHED_COLUMNS)), licenses


def _published(row: Mapping[str, Any], column: str) -> bytes:
    """Convert an image of a row: RGBA is composited, `mask` and `edge` are unchanged."""
    try:
        image = decode_column(row[column], column)
    except ValueError as error:
        raise SpecsiaError(f"the row {row['uid']} cannot be converted: {error}") from error
    return png.encode(composite(image)) if image.ndim == 3 else bytes(row[column])
