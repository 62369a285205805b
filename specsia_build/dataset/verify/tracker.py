"""Checks between rows: views of a character, frames of a clip, splits, configurations and image digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specsia_build.dataset.checksums import ImageSums
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.schema import CHECKSUMS_FILE, GT, GT_MASK, IMAGE_COLUMNS, SPLITS_FILE
from specsia_build.dataset.verify.files import BuildFacts
from specsia_build.dataset.verify.report import FILES, IMAGES, LICENSES, SPLITS, SUMS, VIEWS, Findings
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

    `frozen` and `sums` are those of `splits.json` and `checksums.parquet`, None if there are none; `several` tells
    whether there is more than one configuration; `characters` are by configuration and id.
    """

    build: BuildFacts
    moving: bool
    frozen: Mapping[str, str] | None
    sums: ImageSums | None
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
        add, config = self.findings.add, shard.config
        known = self.characters.setdefault((config, row.character_id), _Character({shard.split}, row.constants))
        known.splits.add(shard.split)
        if self.moving:
            self._feed_clip(config, row)
        else:
            self._feed_view(config, row, known)
        for (name, value), (_, first) in zip(row.constants, known.constants, strict=True):
            if value != first:
                message = f"{name} is {value!r} but {first!r} in another row of its character"
                add(LICENSES if name == "license" else VIEWS, row.uid, message)
        if row.size is not None:
            self._size = self._size or row.size
            size = self._size if self.build.size is None else (self.build.size, self.build.size)
            if row.size != size:
                message = f"its images have {row.size[0]} x {row.size[1]} pixels, not {size[0]} x {size[1]}"
                add(IMAGES, row.uid, message)
        if row.front is not None:
            other, uid, split = self._fronts.setdefault(row.front, (row.character_id, row.uid, shard.split))
            if other != row.character_id and split != shard.split:
                add(SPLITS, row.uid, f"shows the same character as {uid} of {split}")
        if self.several and self._targets.setdefault(row.uid, row.digests[_TARGETS]) != row.digests[_TARGETS]:
            add(VIEWS, row.uid, f"gt or gt_mask differ between {config} and another configuration")
        self._check_sums(config, row)

    def _feed_view(self, config: str, row: RowFacts, known: _Character) -> None:
        add, views = self.findings.add, self.build.views
        if row.view in known.views:
            add(VIEWS, row.uid, f"stands more than once in {config}")
        known.views.add(row.view)
        if views is not None and not 0 <= row.view < views:
            add(VIEWS, row.uid, f"view {row.view} is none of 0 to {views - 1}")
        elif views is not None and row.yaw is not None and not abs(row.yaw - view_yaws(views)[row.view]) <= TOLERANCE:
            add(VIEWS, row.uid, f"yaw_deg is {row.yaw:g}, not {view_yaws(views)[row.view]:g}")

    def _feed_clip(self, config: str, row: RowFacts) -> None:
        assert row.clip is not None
        clip, frame, time, action = row.clip
        last, self._last = self._last, row
        fps, cameras, add = self.build.fps, self.build.views, self.findings.add
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

    def _check_sums(self, config: str, row: RowFacts) -> None:
        if self.sums is None:
            return
        try:
            listed = self.sums.take((config, row.uid))
        except SpecsiaError as error:
            self.findings.add(FILES, CHECKSUMS_FILE, str(error))
            self.sums = None
            return
        if listed is None:
            self.findings.add(SUMS, row.uid, f"is not listed in {CHECKSUMS_FILE} (or stands twice) for {config}")
            return
        for index, (column, actual) in enumerate(zip(_COLUMNS, row.digests, strict=True)):
            wanted = listed[32 * index : 32 * index + 32]
            if (any(wanted) or actual) and actual != wanted:
                self.findings.add(SUMS, row.uid, f"{column} is not the image that {CHECKSUMS_FILE} lists")

    def finish(self, whole: bool) -> None:
        """Check what only all rows tell; unless the `whole` dataset was read, the absence of rows is no problem."""
        add = self.findings.add
        splits: dict[str, set[str]] = {}
        seen = max((max(known.views) for known in self.characters.values() if known.views), default=-1) + 1
        views = 0 if self.moving or not whole else seen if self.build.views is None else self.build.views
        for (config, character_id), known in self.characters.items():
            splits.setdefault(character_id, set()).update(known.splits)
            if missing := [str(view) for view in range(views) if view not in known.views]:
                lacks = f"lacks {plural(len(missing), 'view')} of {views} in {config}: {some(missing, 10)}"
                add(VIEWS, character_id, lacks)
        for character_id, present in splits.items():
            if len(present) > 1:
                add(SPLITS, character_id, f"stands in {' and in '.join(sorted(present))}")
            elif self.frozen is not None and present != {promised := self.frozen.get(character_id, "no split")}:
                add(SPLITS, character_id, f"is in {', '.join(present)}, but in {promised} by {SPLITS_FILE}")
        try:
            for config, uid in self.sums.rest() if self.sums is not None and whole else ():
                add(SUMS, uid, f"is listed in {CHECKSUMS_FILE} but not in {config}")
        except SpecsiaError as error:
            add(FILES, CHECKSUMS_FILE, str(error))
