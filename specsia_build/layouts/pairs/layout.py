"""The layout `pairs`: a Parquet row for each view of a character, or frame of a clip, by every backend."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

from specsia_build.config import PAIRS, BuildConfig
from specsia_build.dataset import schema, splits
from specsia_build.dataset.layers import GT, MASK
from specsia_build.dataset.parquet import plan_shards, write_shard
from specsia_build.dataset.verify.check import verify as verify_rows
from specsia_build.dataset.verify.report import Progress, Report
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.layouts.layout import Group, Layout
from specsia_build.layouts.pairs.card import by_backend, write_card, write_pairs_teaser
from specsia_build.layouts.part import Facts, Member, Part, Parts


class PairsLayout(Layout):
    """The layout that `specsia train` and `datasets.load_dataset` read.

    Only the frozen order of the ids decides the shards, so that a dataset that is packed in several builds
    has the same bytes as one that is packed in a single build.
    """

    name = PAIRS
    version = 5
    title = "rows of pairs, Z beside Y*, in Parquet shards, as `specsia train` and `datasets` load them"
    loading = "`datasets.load_dataset` of the folder."
    unit = "view"
    layers = (MASK, GT)
    shows = "pairs"
    joins_backends = True
    folder = "dataset"

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        return {"moving": config.clips is not None, "layers": [f"gt_{name}" for name in config.layers]}

    def group(self, members: Sequence[Member], splits: Mapping[str, str]) -> Iterator[Group]:
        groups = by_backend(members)
        for backend, of_backend in groups.items():
            folder = schema.data_folder(backend, len(groups) > 1)
            characters: dict[str, list[Member]] = {}
            for member in of_backend:
                characters.setdefault(member.character, []).append(member)
            for split in schema.SPLITS:
                ids = [i for i, its_split in splits.items() if its_split == split and i in characters]
                chosen = [member for i in ids for member in characters[i]]
                sizes = [member.image_bytes for member in chosen]
                shards = plan_shards([member.id for member in chosen], sizes) if chosen else []
                for index, shard in enumerate(shards):
                    name = schema.shard_name(split, index, len(shards)).removesuffix(".parquet")
                    yield Group(f"{folder}/{name}", chosen[shard])

    def fingerprint(self, part: Part) -> str:
        versions = [schema.SCHEMA_VERSION, version("pyarrow"), version("datasets")]
        digests = [member.digest for member in part.members]
        return sha256(canonical_json(["pack", self.version, *versions, *digests]).encode())

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        columns = schema.MOVING_COLUMNS if part.options["moving"] else schema.COLUMNS
        weight = [schema.WEIGHT] if part.options.get("weighted") else []
        arrow = schema.arrow_schema((*columns, *part.options["layers"], *weight))
        return {"frames": write_shard(out / f"{part.key}.parquet", _rows(part), arrow)}

    def finish(self, folder: Path, parts: Parts, facts: Facts) -> Iterator[tuple[str, bytes]]:
        groups = by_backend(facts.members)
        members = {backend: [*map(attrgetter("values"), group)] for backend, group in groups.items()}
        record = {**facts.build, "schema_version": schema.SCHEMA_VERSION}
        record |= {"planned": facts.planned, "quarantined": dict(facts.quarantined)}
        content = {"members": members, "record": record, "splits": splits.to_json(facts.splits)}
        record["fingerprint"] = sha256(canonical_json(content).encode())
        record["shards"] = {f"{part.key}.parquet": part.fingerprint for part in parts()}
        configs = [backend if len(groups) > 1 else schema.DEFAULT_CONFIG for backend in groups]
        yield schema.TEASER, write_pairs_teaser(folder, configs)
        yield schema.CARD, write_card(facts, record, folder).encode()
        yield schema.SPLITS_FILE, splits.to_json(facts.splits).encode()
        text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
        yield schema.BUILD_FILE, f"{text}\n".encode()

    def verify(self, where: str, workers: int, progress: Progress) -> Report:
        return verify_rows(where, workers=workers, progress=progress)


def _rows(part: Part) -> Iterator[schema.Row]:
    columns = (*schema.IMAGE_COLUMNS, *part.options["layers"])
    for pictures in part:
        for k, scalars in enumerate(pictures.meta["rows"]):
            yield schema.Row(scalars, {column: pictures.raw(column, k) for column in columns})
