"""Checks between rows: views of a character, frames of a clip, splits, configurations and image digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specsia_build.dataset.checksums import ListedImages
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.schema import CHECKSUMS_FILE, GT, GT_MASK, IMAGE_COLUMNS, SPLITS_FILE
from specsia_build.dataset.verify.files import BuildFacts
from specsia_build.dataset.verify.report import IMAGES, LICENSES, SPLITS, SUMS, VIEWS, Findings
from specsia_build.dataset.verify.rows import RowFacts
from specsia_build.errors import SpecsiaError, plural, some
from specsia_build.frame import view_yaws

_COLUMNS = tuple(IMAGE_COLUMNS)
_TARGETS = slice(_COLUMNS.index(GT), _COLUMNS.index(GT_MASK) + 1)

TOLERANCE = 1e-6
"""Degrees or seconds by which a yaw or a time may differ from what it must be."""


@dataclass
class _Character:
    """One character in one configuration, as far as its rows have been seen."""

    splits: set[str]
    constants: tuple[tuple[str, Any], ...]
    views: set[int] = field(default_factory=set)


@dataclass
class Tracker:
    """Takes the facts of every row in the order of the dataset; holds what is needed to compare them, not the rows.

    Attributes:
        build: what `build.json` says.
        moving: whether rows are frames of clips.
        frozen: split of each id by `splits.json`; None if there is none.
        digests: those of `checksums.parquet`; None if there are none.
        several: whether there is more than one configuration.
        findings: where problems go.
    """

    build: BuildFacts
    moving: bool
    frozen: Mapping[str, str] | None
    digests: ListedImages | None
    several: bool
    findings: Findings
    characters: dict[tuple[str, str], _Character] = field(default_factory=dict)
    _size: tuple[int, int] | None = None
    _targets: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    _fronts: dict[bytes, tuple[str, str, str]] = field(default_factory=dict)
    _last: RowFacts | None = None
    _clips: set[tuple[str, str]] = field(default_factory=set)

    @property
    def licenses(self) -> dict[str, str | None]:
        """Licence of each character; None where the rows have no such column."""
        return {i: dict(known.constants).get("license") for (_, i), known in self.characters.items()}

    def feed(self, shard: Shard, row: RowFacts) -> None:
        """Compare a row with those before it."""
        findings = self.findings
        known = self.characters.setdefault((shard.config, row.character_id), _Character({shard.split}, row.constants))
        known.splits.add(shard.split)
        if row.clip is not None:
            self._feed_clip(shard.config, row)
        else:
            self._feed_view(shard.config, row, known)
        for (name, value), (_, first) in zip(row.constants, known.constants, strict=True):
            if value != first:
                shown = [repr(v) if not isinstance(v, tuple) else "another" for v in (value, first)]
                message = f"{name} is {shown[0]} but {shown[1]} in another row of its character"
                findings.add(LICENSES if name == "license" else VIEWS, row.uid, message)
        if row.size is not None:
            size = (self.build.size, self.build.size) if self.build.size is not None else self._size
            self._size = self._size or row.size
            if size is not None and row.size != size:
                message = f"its images have {row.size[0]} x {row.size[1]} pixels, not {size[0]} x {size[1]}"
                findings.add(IMAGES, row.uid, message)
        if row.front is not None:
            other, uid, split = self._fronts.setdefault(row.front, (row.character_id, row.uid, shard.split))
            if other != row.character_id and split != shard.split:
                findings.add(SPLITS, row.uid, f"shows the same character as {uid} of {split}")
        if self.several and self._targets.setdefault(row.uid, row.digests[_TARGETS]) != row.digests[_TARGETS]:
            findings.add(VIEWS, row.uid, f"gt or gt_mask differ between {shard.config} and another configuration")
        if self.digests is not None:
            self._compare(self.digests, shard.config, row)

    def _feed_view(self, config: str, row: RowFacts, known: _Character) -> None:
        if row.view in known.views:
            self.findings.add(VIEWS, row.uid, f"stands more than once in {config}")
        known.views.add(row.view)
        views = self.build.views
        if views is not None and not 0 <= row.view < views:
            self.findings.add(VIEWS, row.uid, f"view {row.view} is none of 0 to {views - 1}")
        elif views is not None and row.yaw is not None and not abs(row.yaw - view_yaws(views)[row.view]) <= TOLERANCE:
            self.findings.add(VIEWS, row.uid, f"yaw_deg is {row.yaw:g}, not {view_yaws(views)[row.view]:g}")

    def _feed_clip(self, config: str, row: RowFacts) -> None:
        assert row.clip is not None
        clip, frame, time, action = row.clip
        last, self._last = self._last, row
        fps, cameras = self.build.fps, self.build.views
        add = self.findings.add
        if cameras is not None and not 0 <= row.view < cameras:
            add(VIEWS, row.uid, f"view {row.view} is none of 0 to {cameras - 1}")
        if last is None or last.clip is None or last.clip[0] != clip or frame == 0:
            if (config, clip) in self._clips:
                add(VIEWS, row.uid, f"stands apart from the other frames of {clip}")
            self._clips.add((config, clip))
            if frame != 0 or time != 0:
                add(VIEWS, row.uid, f"is the first frame of {clip}, but frame {frame} at {time:g} s")
            return
        if (row.character_id, row.view, action) != (last.character_id, last.view, last.clip[3]):
            add(VIEWS, row.uid, f"has another character, view or action than the frame of {clip} before it")
        if frame != last.clip[1] + 1:
            add(VIEWS, row.uid, f"comes after frame {last.clip[1]} of {clip} but is frame {frame}")
        if (fps is not None and not abs(time - frame / fps) <= TOLERANCE) or not time > last.clip[2]:
            add(VIEWS, row.uid, f"time is {time:g} s" + (f", not {frame / fps:g}" if fps else ", no later than before"))

    def _compare(self, digests: ListedImages, config: str, row: RowFacts) -> None:
        try:
            listed = digests.take(config, row.uid)
        except SpecsiaError as error:
            self.findings.add(SUMS, CHECKSUMS_FILE, str(error))
            self.digests = None
            return
        if listed is None:
            self.findings.add(SUMS, row.uid, f"is not listed in {CHECKSUMS_FILE} (or stands twice) for {config}")
            return
        for index, (column, actual) in enumerate(zip(_COLUMNS, row.digests, strict=True)):
            wanted = listed[32 * index : 32 * index + 32]
            if actual and not any(wanted):
                self.findings.add(SUMS, row.uid, f"{column} is not listed in {CHECKSUMS_FILE}")
            elif any(wanted) and actual != wanted:
                self.findings.add(SUMS, row.uid, f"{column} is not the image that {CHECKSUMS_FILE} lists")

    def finish(self, unread: bool) -> None:
        """Report what only all rows tell; with rows that could not be read, their absence is no other problem."""
        by_character: dict[str, set[str]] = {}
        seen = max((max(known.views) for known in self.characters.values() if known.views), default=-1) + 1
        views = 0 if self.moving or unread else self.build.views if self.build.views is not None else seen
        for (config, character_id), known in self.characters.items():
            by_character.setdefault(character_id, set()).update(known.splits)
            missing = [view for view in range(views) if view not in known.views]
            if missing:
                listed = some([str(view) for view in missing], 10)
                message = f"lacks {plural(len(missing), 'view')} of {views} in {config}: {listed}"
                self.findings.add(VIEWS, character_id, message)
        for character_id, present in by_character.items():
            promised = None if self.frozen is None else self.frozen.get(character_id)
            if len(present) > 1:
                self.findings.add(SPLITS, character_id, f"stands in {' and in '.join(sorted(present))}")
            elif self.frozen is not None and promised is None:
                self.findings.add(SPLITS, character_id, f"is not in {SPLITS_FILE}")
            elif promised is not None and present != {promised}:
                message = f"is in {', '.join(sorted(present))} but in {promised} by {SPLITS_FILE}"
                self.findings.add(SPLITS, character_id, message)
        if self.digests is not None and not unread:
            for config, uid in self.digests.rest():
                self.findings.add(SUMS, uid, f"is listed in {CHECKSUMS_FILE} but not in {config}")
