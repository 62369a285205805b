"""The layout `specsia-15k-rows`: the rows of the published set on the Hub, in its columns and shards."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset import schema, splits
from specsia_build.dataset.parquet import write_shard
from specsia_build.dataset.verify.check import verify as verify_rows
from specsia_build.dataset.verify.report import Progress, Report
from specsia_build.layouts.card import how_built, licences_text
from specsia_build.layouts.layout import Group, Layout, json_text
from specsia_build.layouts.pairs.card import filled, front_matter, write_pairs_teaser
from specsia_build.layouts.part import Facts, Member, Part, Parts
from specsia_build.layouts.specsia_15k import check_views, views_of
from specsia_build.published.ids import IDS_FILE, ids_text, in_order, numbered, shards, view_uid
from specsia_build.published.writing import row_pictures


class Specsia15KRows(Layout):
    """What the authors' upload puts on the Hub."""

    name = "specsia-15k-rows"
    title = "rows of SPECSIA-15K, in Parquet shards as its authors upload them"
    unit = "view"
    layers: ClassVar[Sequence[str]] = ()
    shows = "pairs"
    loading = "`datasets.load_dataset` of the folder."

    def check(self, config: BuildConfig) -> None:
        check_views(config, self.name)

    def group(self, members: Sequence[Member], splits: Mapping[str, str]) -> Iterator[Group]:
        numbers = numbered(splits)
        by_id = {member.character: member for member in members}
        for split in schema.SPLITS:
            ids = in_order((i for i in by_id if splits[i] == split), numbers)
            pieces = shards([by_id[i].rows for i in ids])
            for index, piece in enumerate(pieces):
                name = schema.shard_name(split, index, len(pieces)).removesuffix(".parquet")
                chosen = [by_id[ids[k]] for k in piece.characters]
                numbers_of_part = [numbers[member.character] for member in chosen]
                options = {"numbers": numbers_of_part, "first": piece.first, "rows": piece.rows}
                yield Group(f"{schema.DATA}/{name}", chosen, options)

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        columns = schema.arrow_schema(schema.PUBLISHED_COLUMNS)
        return {"frames": write_shard(out / f"{part.key}.parquet", _rows(part), columns, named=False)}

    def finish(self, folder: Path, parts: Parts, facts: Facts) -> Iterator[tuple[str, bytes]]:
        rows = Counter[str]()
        for part in parts():
            rows[part.split] += part.facts["frames"]
        configs = {schema.DEFAULT_CONFIG: rows}
        licences = [(member.license, member.credit) for member in facts.members]
        numbers = numbered(facts.splits)
        card = filled(
            Path(__file__).with_name("specsia_15k_rows.md"),
            front_matter=front_matter(facts.source, {name for name, _ in licences}, configs, folder),
            source=facts.source,
            counts="\n".join(f"- {split}: {rows[split]:,} rows" for split in schema.SPLITS if rows[split]),
            how_built=how_built(facts.build),
            licences=licences_text(licences),
        )
        record = {**facts.build, "planned": facts.planned, "quarantined": dict(facts.quarantined)}
        yield schema.TEASER, write_pairs_teaser(folder, [schema.DEFAULT_CONFIG])
        yield schema.CARD, card.encode()
        by_number = {numbers[i]: split for i, split in facts.splits.items()}
        yield schema.SPLITS_FILE, splits.to_json(by_number).encode()
        yield IDS_FILE, ids_text({member.id: numbers[member.id] for member in facts.members}).encode()
        yield schema.BUILD_FILE, json_text(record)

    def verify(self, where: str, workers: int, progress: Progress) -> Report:
        return verify_rows(where, workers=workers, progress=progress)


def _rows(part: Part) -> Iterator[schema.Row]:
    """Rows of a shard: those of its characters, without the views that lie in the shards beside it."""
    skipped, left = part.options["first"], part.options["rows"]
    for number, pictures in zip(part.options["numbers"], part, strict=True):
        views = range(skipped, min(pictures.frames, skipped + left))
        for view, layers in enumerate(views_of(pictures)):
            if view in views:
                encoded = {name: png.encode(picture) for name, picture in row_pictures(*layers).items()}
                yield schema.Row({"uid": view_uid(number, view)}, encoded)
        skipped, left = 0, left - len(views)
