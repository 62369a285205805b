"""Check a packed dataset: its files, each row, and rows against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from specsia_build.config import COLOURED
from specsia_build.dataset import schema, splits
from specsia_build.dataset.licences import stated_by_card, withheld
from specsia_build.dataset.places import find_place
from specsia_build.dataset.reading import Kind, OpenedDataset, open_dataset
from specsia_build.dataset.schema import MOST_VIEWS, SPLITS_FILE, SUMS_FILE
from specsia_build.dataset.verify import files, published
from specsia_build.dataset.verify.report import CHECKS, Findings, Progress, Report
from specsia_build.dataset.verify.rows import RowFacts, RowGroup, Values, check_group
from specsia_build.errors import plural, some
from specsia_build.frame import view_yaws
from specsia_build.pool import results as results_of
from specsia_build.published.places import PUBLISHED_VIEWS
from specsia_build.published.tree import is_tree

TOLERANCE = 1e-6  # Largest error of a yaw in degrees and of a time in seconds
_INK, _BOX = ("outline_grey", "outline_rgb"), ("bbox_min", "bbox_max")
_CONSTANTS = ("backend", "outline_px", *_INK, "license", *_BOX)
"""Columns that are the same in all rows of a character: `_INK` unless the contour follows the figure's
colours, and the box only if positions are in the character's frame."""

_SplitRows = tuple[str, str, Callable[[], tuple[list[RowFacts], Findings]]]
"""Configuration and split of rows, and the call that checks them."""


def verify(where: str | Path, *, workers: int = 1, progress: Progress = lambda done, total: None) -> Report:
    """Check a packed dataset of this project's schema or of the published one, or the published tree.

    The report does not depend on `workers`. `progress` gets the numbers of rows checked and of all rows.
    """
    place = find_place(where)
    if place.folder is not None and is_tree(place.folder):
        return verify_tree(open_dataset(where), workers, progress)
    findings = Findings()
    names = files.list_files(place, findings)
    footers = files.read_footers(place, names, findings)
    kind = files.kind_of_shards(footers.values())
    texts = files.check_files(place, names, kind, findings)
    sums = files.read_sums(texts.get(SUMS_FILE), findings)
    for name in sorted({*names} - {*sums, SUMS_FILE}) if SUMS_FILE in texts else ():
        findings.add("sums", name, f"is not listed in {SUMS_FILE}")
    card = files.check_card(texts.get(schema.CARD), list(footers), findings)
    frozen = files.read_splits(texts.get(SPLITS_FILE), findings)
    settings = files.read_build(texts.get(schema.BUILD_FILE), findings)
    counts: dict[schema.Shard, tuple[int, ...] | None] = {}
    for shard, footer in footers.items():
        counts[shard] = None if footer is None else files.check_shard(shard, footer, kind, findings)

    # In the order in which the shards were packed and their digests listed.
    order = {backend: index for index, backend in enumerate(settings.backends)}
    groups = [
        RowGroup(place, shard, number, kind, settings)
        for shard, sizes in sorted(counts.items(), key=lambda item: order.get(item[0].config, 0))
        for number in range(len(sizes or ()))
    ]
    parts: list[_SplitRows] = [(g.shard.config, g.shard.split, partial(check_group, g)) for g in groups]
    if kind == "published":
        settings = msgspec.structs.replace(settings, views=PUBLISHED_VIEWS)
        parts = _published_parts(where, findings)
    hashes = [partial(files.hash_file, place, name) for name in sums]
    for (name, listed), actual in zip(sums.items(), results_of(hashes, workers), strict=True):
        files.check_sum(name, listed, actual, findings)
    configs = tuple(dict.fromkeys(shard.config for shard in footers))
    comparison = RowChecks(settings, kind, len(configs) > 1, findings)
    total = sum(sum(rows or ()) for rows in counts.values())
    _compare(comparison, parts, total, workers, progress)
    whole = comparison.rows == total and None not in counts.values()
    comparison.finish(whole, frozen)

    characters = comparison.characters.items()
    licenses_of = {name: character.first.get("license") for (_, name), character in characters}
    licenses = list(licenses_of.values())
    if kind == "published":
        licenses = [stated_by_card(card or {})] * len(licenses)
    elif card is not None and whole:
        files.check_licences(card, licenses, "rows", findings)
    skipped, notes = {"layout"}, list[str]()
    if SUMS_FILE not in names:
        skipped.add("sums")
        notes.append(f"there is no {SUMS_FILE}: whether files have changed was not checked")
    if kind == "clips":
        positions = "positions of a clip are those at rest"
        notes.append(f"{positions}: whether they land was checked only in turntables")
    if kind == "published":
        skipped |= {"alpha", "contour", "iou", "licences"}
        notes.append("the published schema has no gt_mask, iou and contours: these were not checked")
    else:
        skipped.add("grounds")
    if frozen is not None and whole:
        notes += splits.empty_notes(frozen, licenses_of)
    notes += [f"it {reason}" for reason in withheld(licenses)]
    return Report(total, len(licenses), configs, *findings.verdicts(CHECKS.keys() - skipped), tuple(notes))


def _published_parts(where: str | Path, findings: Findings) -> list[_SplitRows]:
    """Calls that check the rows of a set in the published schema; none if it cannot be opened."""
    with findings.catching("files", str(where)):
        dataset = open_dataset(where)
        published.check_order(dataset, findings)
        return [(views.config, views.split, call) for views, call in published.check_calls(dataset)]
    return []


def _compare(
    comparison: RowChecks, parts: Sequence[_SplitRows], total: int, workers: int, progress: Progress
) -> None:
    """Check rows in workers, and compare them with each other in order."""
    progress(comparison.rows, total)
    results = results_of([call for _, _, call in parts], workers)
    for (config, split, _), (rows, problems) in zip(parts, results, strict=True):
        comparison.findings.merge(problems)
        for row in rows:
            comparison.compare(config, split, row)
        progress(comparison.rows, total)


def verify_tree(
    tree: OpenedDataset, workers: int = 1, progress: Progress = lambda done, total: None
) -> Report:
    """Check the published folder tree as `verify` does."""
    findings = Findings()
    if tree.tree is not None:
        published.check_lists(tree.tree, findings)
    published.check_order(tree, findings)
    comparison = RowChecks(files.Settings(views=PUBLISHED_VIEWS), tree.kind, False, findings)
    parts = [(views.config, views.split, call) for views, call in published.check_calls(tree)]
    total = sum(tree.splits(tree.configs[0]).values())
    _compare(comparison, parts, total, workers, progress)
    comparison.finish(comparison.rows == total, None)
    notes = ("a tree has no licences, card and sums: these were not checked",)
    checks = ("files", "splits", "views", "images", "grounds", "edge", "position")
    return Report(total, len(comparison.characters), tree.configs, *findings.verdicts(checks), notes)


def _constants(settings: files.Settings) -> Iterator[str]:
    """Columns that are constant with these settings."""
    varying = {*_INK} if settings.outline == COLOURED else set()
    varying |= {*_BOX} if settings.pos_frame == "view" else set()
    return (name for name in _CONSTANTS if name not in varying)


@dataclass
class _Character:
    """Record of one character in one configuration: the values of its first row, its splits and views."""

    first: Values
    splits: set[str] = field(default_factory=set)
    views: set[int] = field(default_factory=set)


class RowChecks:
    """Checks between rows: views, frames, constants, splits and configurations; holds no rows."""

    def __init__(self, settings: files.Settings, kind: Kind, several: bool, findings: Findings) -> None:
        self.characters: dict[tuple[str, str], _Character] = {}
        self.rows = 0
        self._settings, self._kind = settings, kind
        self._several = several
        self.findings, self._add = findings, findings.add
        self._views = settings.view_count or MOST_VIEWS
        ring = settings.views if settings.cameras is None and kind == "specsia" else None
        self._yaws = () if ring is None else view_yaws(ring)
        self._constants = tuple(_constants(settings)) if kind != "published" else ()
        self._size = settings.size
        self._targets: dict[str, tuple[str, ...]] = {}
        self._contents: dict[str, tuple[str, str, str]] = {}
        self._clips: set[tuple[str, str]] = set()
        self._before: Values | None = None

    def compare(self, config: str, split: str, row: RowFacts) -> None:
        """Compare a row with earlier ones."""
        values, uid = row.values, row.values["uid"]
        character = self.characters.setdefault((config, values["character_id"]), _Character(values))
        character.splits.add(split)
        self.rows += 1
        self._check_view(config, values, character)
        if self._kind == "clips":
            self._check_frame(config, values)
        for name in self._constants:
            value, first = values.get(name), character.first.get(name)
            if value != first:
                message = f"{name} is {value!r} but {first!r} in another row of its character"
                self._add("licences" if name == "license" else "views", uid, message)
        if row.size is not None:
            self._size = self._size or row.size[0]
            if row.size != (self._size, self._size):
                self._add("images", uid, f"its images have {row.size} pixels, not {self._size} squared")
        if row.content is not None:
            name = values["character_id"]
            other, other_uid, other_split = self._contents.setdefault(row.content, (name, uid, split))
            if other != name and other_split != split:
                self._add("splits", uid, f"shows the same character as {other_uid} of {other_split}")
        if self._several and self._targets.setdefault(uid, row.target) != row.target:
            self._add("views", uid, f"gt or gt_mask differ between {config} and another configuration")

    def _check_view(self, config: str, values: Values, character: _Character) -> None:
        uid, view = values["uid"], values["view"]
        if not 0 <= view < self._views:
            self._add("views", uid, f"view {view} is not between 0 and {self._views - 1}")
            return
        if view in character.views and self._kind != "clips":
            self._add("views", uid, f"occurs more than once in {config}")
        character.views.add(view)
        if self._yaws and not abs(values["yaw_deg"] - self._yaws[view]) <= TOLERANCE:
            self._add("views", uid, f"yaw_deg is {values['yaw_deg']:g}, not {self._yaws[view]:g}")

    def _check_frame(self, config: str, values: Values) -> None:
        before, clips = self._before, self._settings.clips
        uid, clip, frame, time = (values[name] for name in ("uid", "clip", "frame", "time"))
        if before is not None and before["clip"] != clip:
            before = None
        if before is None and (config, clip) in self._clips:
            self._add("views", uid, f"is separate from the other frames of {clip}")
        self._clips.add((config, clip))
        self._before = values
        number = 0 if before is None else before["frame"] + 1
        if frame != number:
            self._add("views", uid, f"is frame {frame} where frame {number} of {clip} must be")
        of_clip = ("character_id", "view", "action")
        if before is not None and any(values[name] != before[name] for name in of_clip):
            message = f"has another character, view or action than the frame of {clip} before it"
            self._add("views", uid, message)
        wrong = time != 0 if before is None else not time > before["time"]
        if wrong or (clips is not None and not abs(time - frame / clips.fps) <= TOLERANCE):
            self._add("views", uid, f"time cannot be {time:g} s in frame {frame}")

    def finish(self, whole: bool, frozen: Mapping[str, str] | None) -> None:
        """Check splits against the frozen ones and, with all rows compared, for missing views and images."""
        splits_of: dict[str, set[str]] = {}
        shown = [view for character in self.characters.values() for view in character.views]
        views = self._settings.view_count or max(shown, default=-1) + 1
        for (config, name), character in self.characters.items():
            splits_of.setdefault(name, set()).update(character.splits)
            missing = [str(view) for view in range(views) if view not in character.views]
            if missing and whole and self._kind != "clips" and not self._settings.selected:
                message = f"lacks {plural(len(missing), 'view')} of {views} in {config}: {some(missing, 10)}"
                self._add("views", name, message)
        for name, present in splits_of.items():
            if len(present) > 1:
                self._add("splits", name, f"is in {' and in '.join(sorted(present))}")
            elif frozen is not None and present != {planned := frozen.get(name, "no split")}:
                self._add("splits", name, f"is in {', '.join(present)}, but in {planned} by {SPLITS_FILE}")
