"""The sections of the page about a packed dataset of clips, and what it shares with that about one of views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import COLOR, GT
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.progress import Progress
from specsia_build.report import charts
from specsia_build.report.choose import spread_ranks
from specsia_build.report.markup import Html, fixed, join, plural, section, table, tag
from specsia_build.report.playing import MOST_CLIPS, Playing, card, clips_section, playing, shown_frames

_COLUMNS = ("character_id", "view", "iou", "license", "clip", "time", "action")


@dataclass
class PackedClip:
    """One clip of a split of a configuration.

    Attributes:
        id, character, action, view, license: as its rows state them.
        rows: number of the row of each frame.
        times, ious: of each frame.
    """

    id: str
    character: str
    action: str
    view: int
    license: str | None
    rows: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames a second; one where its frames do not say."""
        passed = self.times[-1] - self.times[0]
        return (len(self.times) - 1) / passed if passed > 0 else 1.0


Clips = Mapping[tuple[str, str], Sequence[PackedClip]]
"""By configuration and split."""


def clips_of(dataset: OpenedDataset, config: str, split: str) -> list[PackedClip]:
    """Clips of a split in their order; no picture is read.

    Raises:
        SpecsiaError: if a shard cannot be read.
    """
    found: dict[str, PackedClip] = {}
    for number, row in enumerate(dataset.stream(config, split, _COLUMNS)):
        name = row["clip"]
        if name not in found:
            stated = row["character_id"], row["action"] or "", row["view"], row["license"]
            found[name] = PackedClip(name, *stated)
        found[name].rows.append(number)
        found[name].times.append(row["time"])
        if row["iou"] is not None:
            found[name].ious.append(row["iou"])
    return list(found.values())


def sections_of_clips(dataset: OpenedDataset, progress: Progress) -> tuple[str, dict[str, Html]]:
    """What the page says of a dataset in a sentence, and its sections by their anchors.

    Raises:
        SpecsiaError: if a shard cannot be read.
    """
    clips = {
        (config, split): clips_of(dataset, config, split)
        for config in dataset.configs
        for split in dataset.splits(config)
    }
    each = max(1, MOST_CLIPS // max(1, len(clips)))
    parts: list[Html] = []
    with progress.bar("report", sum(min(each, len(found)) for found in clips.values())) as advance:
        for (config, split), found in clips.items():
            cards = []
            for rank in spread_ranks(len(found), min(each, len(found))):
                one = found[rank]
                cards.append(card(one.id, _facts_of(one), _playing(dataset, config, split, one)))
                advance(1)
            some = f", {len(cards)} of them shown" if len(cards) < len(found) else ""
            parts += [
                tag("h3", f"{config}: {split}" if len(dataset.configs) > 1 else split),
                tag("p", f"{plural(len(found), 'clip')}{some}.", cls="lead"),
                tag("div", *cards, cls="cards"),
            ]
    sections = {"overview": _overview(dataset, clips), "clips": clips_section(parts)}
    if (quality := _quality(clips)) is not None:
        sections["quality"] = quality
    frames = sum(rows for config in dataset.configs for rows in dataset.splits(config).values())
    different = len({one.id for found in clips.values() for one in found})
    return f"{plural(frames, 'frame')} of {plural(different, 'clip')}, the schema of specsia.", sections


def _facts_of(one: PackedClip) -> list[object]:
    facts: list[object] = [one.action, f"view {one.view}", plural(len(one.rows), "frame")]
    if one.ious:
        facts.append(join(["mean IoU ", tag("b", fixed(fmean(one.ious)))]))
    return [*facts, *([] if one.license is None else [one.license])]


def _playing(dataset: OpenedDataset, config: str, split: str, one: PackedClip) -> Playing | str:
    numbers = shown_frames(len(one.rows))
    try:
        rows = dataset.take(config, split, [one.rows[k] for k in numbers], [COLOR, GT])
        return playing([[row[COLOR] or b"", row[GT] or b""] for row in rows], one.fps / numbers.step)
    except (SpecsiaError, OSError, ValueError) as error:
        return f"its pictures cannot be read: {error}"


def _overview(dataset: OpenedDataset, clips: Clips) -> Html:
    rows = []
    for (config, split), found in clips.items():
        values = [fmean(one.ious) for one in found if one.ious]
        rows.append(
            (
                config,
                split,
                f"{len({one.character for one in found}):,}",
                f"{len(found):,}",
                f"{sum(len(one.rows) for one in found):,}",
                fixed(fmean(values) if values else None),
            )
        )
    head = ("configuration", "split", "characters", "clips", "frames", "mean IoU")
    actions = Counter(action for _, action in {(one.id, one.action) for found in clips.values() for one in found})
    listed = sorted(actions.items(), key=lambda item: (-item[1], item[0]))
    return section(
        "overview",
        "Overview",
        table(head, rows, numbers=range(2, 6)),
        table(("action", "clips"), [(name, f"{count:,}") for name, count in listed[:60]], numbers=(1,)),
        about(dataset, "the schema of specsia, of clips"),
        licences({one.character: one.license for found in clips.values() for one in found}),
    )


def about(dataset: OpenedDataset, schema: str) -> Html:
    """What a dataset is as a whole."""
    facts = {
        "schema": schema,
        "columns": ", ".join(dataset.columns),
        "files": f"{len(dataset.files):,}, {sum(dataset.files.values()) / 1e6:,.1f} MB",
        "digest": dataset.digest(),
    }
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in facts.items()), cls="settings")


def licences(by_character: Mapping[str, str | None]) -> Html:
    """A table of licences and how many characters have each."""
    counted = Counter(name or "not stated" for name in by_character.values())
    rows = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return table(("licence", "characters"), [(name, f"{count:,}") for name, count in rows], numbers=(1,))


def _quality(clips: Clips) -> Html | None:
    values: dict[str, list[float]] = {}
    for (config, _), found in clips.items():
        values.setdefault(config, []).extend(value for one in found for value in one.ious)
    values = {config: found for config, found in values.items() if found}
    if not values:
        return None
    return section("quality", "Quality", tag("div", *charts.iou_figures(values, "frames"), cls="figures-row"))
