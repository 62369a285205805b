"""The page about a packed dataset alone, wherever it lies: counts, quality, licences and contact sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from PIL import Image

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.pairs import place_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import COLOR, EDGE, GT, MASK, POS
from specsia_build.errors import SpecsiaError
from specsia_build.frame import view_yaws
from specsia_build.pipeline.progress import Progress
from specsia_build.report import charts
from specsia_build.report.choose import SheetPlan, plan_sheets, spread_ranks
from specsia_build.report.dataset_clips import about, licences, sections_of_clips
from specsia_build.report.markup import Html, fixed, join, plural, section, table, tag
from specsia_build.report.page import document, refuse_other_file, save
from specsia_build.report.pictures import PAIR, TARGET, Strip, ViewRow, tile
from specsia_build.report.sheets import MOST_ROWS, card

_HEADINGS = {**{column: PAIR[column] for column in (COLOR, MASK, POS, EDGE)}, GT: TARGET}


@dataclass(frozen=True)
class PackedCharacter:
    """One character of a split of a configuration.

    Attributes:
        id: of the character.
        rows: number of the row of each view.
        ious: of each view, empty where the schema has none.
        license: as its rows state it.
    """

    id: str
    rows: Mapping[int, int]
    ious: Mapping[int, float]
    license: str | None = None


def write_dataset_report(dataset: OpenedDataset, path: Path, progress: Progress) -> None:
    """Write the page about a dataset; pictures are read a few rows at a time.

    Raises:
        UsageError: if something else is in the page's place.
        SpecsiaError: if a shard cannot be read, or the page cannot be written.
    """
    refuse_other_file(path)
    if dataset.moving:
        lead, moving = sections_of_clips(dataset, progress)
        save(path, document(dataset.where, lead, moving))
        return
    members = {
        (config, split): characters_of(dataset, config, split)
        for config in dataset.configs
        for split in dataset.splits(config)
    }
    views = 1 + max((view for found in members.values() for m in found for view in m.rows), default=0)
    counts = {f"{config}/{split}": len(found) for (config, split), found in members.items()}
    plan = plan_sheets(counts, 1, views)
    parts: dict[str, list[Html]] = {config: [] for config in dataset.configs}
    with progress.bar("report", sum(min(plan.per_split, count) for count in counts.values())) as advance:
        for (config, split), found in members.items():
            chosen = [found[rank] for rank in spread_ranks(len(found), plan.per_split)]
            cards = []
            for member in chosen:
                cards.append(card(member.id, _facts_line(member), _strip(dataset, config, split, member, views, plan)))
                advance(1)
            some = f", {len(chosen)} of them shown" if len(chosen) < len(found) else ""
            parts[config] += [
                tag("h3", f"{config}: {split}" if len(dataset.configs) > 1 else split),
                tag("p", f"{plural(len(found), 'character')}{some}.", cls="lead"),
                tag("div", *cards, cls="cards wide" if len(plan.views) > MOST_ROWS else "cards"),
            ]
    sections = {
        "overview": _overview(dataset, members),
        "pairs": section("pairs", "Pairs", *(part for found in parts.values() for part in found)),
        "quality": _quality(members, views),
    }
    total = sum(rows for config in dataset.configs for rows in dataset.splits(config).values())
    lead = f"{plural(total, 'row')}, {_SCHEMAS[dataset.schema]}."
    save(path, document(dataset.where, lead, {name: found for name, found in sections.items() if found is not None}))


_SCHEMAS = {"specsia": "the schema of specsia", "published": "the published schema"}


def characters_of(dataset: OpenedDataset, config: str, split: str) -> list[PackedCharacter]:
    """Characters of a split, the lowest mean IoU first where it is known and by id otherwise; no picture is read.

    Raises:
        SpecsiaError: if a shard cannot be read, or a row's uid is none.
    """
    columns = ["uid", "character_id", "view", "iou", "license"] if dataset.schema == "specsia" else ["uid"]
    rows: dict[str, dict[int, int]] = {}
    ious: dict[str, dict[int, float]] = {}
    licenses: dict[str, str | None] = {}
    for number, row in enumerate(dataset.stream(config, split, columns)):
        character_id, view, _ = place_of(row, dataset.where)
        rows.setdefault(character_id, {})[view] = number
        licenses.setdefault(character_id, row.get("license"))
        if row.get("iou") is not None:
            ious.setdefault(character_id, {})[view] = row["iou"]
    found = [PackedCharacter(i, rows[i], ious.get(i, {}), licenses[i]) for i in rows]
    return sorted(found, key=lambda m: (fmean(m.ious.values()) if m.ious else 1.0, id_order_key(m.id)))


def _strip(
    dataset: OpenedDataset, config: str, split: str, member: PackedCharacter, views: int, plan: SheetPlan
) -> Strip:
    shown = [view for view in plan.views if view in member.rows]
    try:
        rows = dataset.take(config, split, [member.rows[view] for view in shown], list(_HEADINGS))
        tiles = [
            tuple(tile(row[column], heading, None, plan.pixels) for column, heading in _HEADINGS.items())
            for row in rows
        ]
    except (SpecsiaError, OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
        return Strip(problem=f"its pictures cannot be read: {error}")
    yaws = view_yaws(views)
    ious = [{"": member.ious[view]} if view in member.ious else {} for view in shown]
    return Strip(tuple(ViewRow(v, yaws[v], i, t) for v, i, t in zip(shown, ious, tiles, strict=True)))


def _facts_line(member: PackedCharacter) -> Html:
    parts: list[object] = [plural(len(member.rows), "view")]
    if member.ious:
        parts.append(join(["mean IoU ", tag("b", fixed(fmean(member.ious.values())))]))
    if member.license is not None:
        parts.append(member.license)
    return join((tag("span", part) for part in parts), " ")


def _overview(dataset: OpenedDataset, members: Mapping[tuple[str, str], Sequence[PackedCharacter]]) -> Html:
    rows = []
    for (config, split), found in members.items():
        values = [value for member in found for value in member.ious.values()]
        frontal = [member.ious[0] for member in found if 0 in member.ious]
        rows.append(
            (
                config,
                split,
                f"{len(found):,}",
                f"{dataset.splits(config)[split]:,}",
                fixed(fmean(values) if values else None),
                fixed(fmean(frontal) if frontal else None),
            )
        )
    counts = table(("configuration", "split", "characters", "rows", "mean IoU", "frontal"), rows, numbers=range(2, 6))
    parts = [counts, about(dataset, _SCHEMAS[dataset.schema])]
    if dataset.schema == "specsia":
        parts.append(licences({m.id: m.license for found in members.values() for m in found}))
    else:
        note = "The published schema holds no IoU, no contour and no licence of a row, so that none is shown."
        parts.append(tag("div", tag("p", note), cls="note"))
    return section("overview", "Overview", *parts)


def _quality(members: Mapping[tuple[str, str], Sequence[PackedCharacter]], views: int) -> Html | None:
    """Charts of IoU; None where the schema has none."""
    by_config: dict[str, list[PackedCharacter]] = {}
    for (config, _), found in members.items():
        by_config.setdefault(config, []).extend(member for member in found if len(member.ious) == views)
    used = {config: found for config, found in by_config.items() if found}
    if not used:
        return None
    values = {config: [v for member in found for v in member.ious.values()] for config, found in used.items()}
    figures = charts.iou_figures(values, "rows")
    angles = {config: [[m.ious[v] for v in range(views)] for m in found] for config, found in used.items()}
    figures.append(
        tag("figure", charts.iou_by_angle(angles, view_yaws(views)), tag("figcaption", "Mean over the characters"))
    )
    return section("quality", "Quality", tag("div", *figures, cls="figures-row"))
