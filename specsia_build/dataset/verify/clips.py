"""Checks of the frames of clips: that they stand as a clip does, and which clips show a character at rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specsia_build.dataset.verify.report import CLIPS, Findings
from specsia_build.frame import view_yaws

TOLERANCE = 1e-6
"""Degrees or seconds by which a yaw or a time may differ from what it must be."""


@dataclass(frozen=True)
class Place:
    """Where a row stands: its clip, frame, time in seconds, action, camera and that camera's yaw in degrees."""

    clip: str
    frame: int
    time: float
    action: str
    view: int
    yaw: float


def turns(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The clips among rows in which a camera goes once around, evenly, with the frames that this takes.

    Args:
        rows: with `clip`, `frame` and `yaw_deg`, in any order; what cannot be such a clip is none.
    """
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        clip, frame, yaw = row["clip"], row["frame"], row["yaw_deg"]
        if clip is not None and frame is not None and yaw is not None and math.isfinite(yaw):
            found.setdefault(clip, {})[frame] = yaw
    around = {}
    for clip, yaws in found.items():
        if len(yaws) > 1 and (frames := _frames_of_turn(yaws)) is not None:
            around[clip] = frames
    return around


def _frames_of_turn(yaws: Mapping[int, float]) -> int | None:
    """Frames of an even turn that yaws by frame are of; None where they are of none."""
    first, last = min(yaws), max(yaws)
    step = (yaws[last] - yaws[first]) / (last - first)
    frames = round(360 / step) if step > 360 / 1e6 else 0
    if frames < 2:
        return None
    start = yaws[first] - 360 * first / frames
    even = all(abs(yaw - start - 360 * frame / frames) <= TOLERANCE for frame, yaw in yaws.items())
    return frames if even and last < frames else None


@dataclass
class _Clip:
    """The clip whose frames come by."""

    config: str
    character: str
    first: Place
    last: Place
    yaws: list[tuple[str, float]]


@dataclass
class ClipOrder:
    """Takes every frame in the order of the dataset and holds those of one clip.

    Attributes:
        views: evenly spaced cameras that see each motion; 0 where that is not known.
        fps: frames a second; None where that is not known.
    """

    views: int
    fps: float | None
    _now: _Clip | None = None
    _done: set[tuple[str, str]] = field(default_factory=set)

    def feed(self, config: str, uid: str, character: str, place: Place, findings: Findings) -> None:
        """Compare a frame with those of its clip before it."""
        now = self._now
        if now is None or (now.config, now.first.clip) != (config, place.clip):
            self.close(findings)
            if (config, place.clip) in self._done:
                findings.add(CLIPS, uid, f"stands apart from the other frames of {place.clip}")
            self._now = _Clip(config, character, place, place, [(uid, place.yaw)])
            if place.frame != 0:
                findings.add(CLIPS, uid, f"is the first frame that {place.clip} has, but frame {place.frame}, not 0")
            elif place.time != 0:
                findings.add(CLIPS, uid, f"time is {place.time:g} s, not 0 in a clip's first frame")
            return
        for name, value, first in (
            ("character_id", character, now.character),
            ("view", place.view, now.first.view),
            ("action", place.action, now.first.action),
        ):
            if value != first:
                findings.add(CLIPS, uid, f"{name} is {value!r} but {first!r} in the first frame of {place.clip}")
        if place.frame != now.last.frame + 1:
            findings.add(CLIPS, uid, f"comes after frame {now.last.frame} of {place.clip} but is frame {place.frame}")
        if self.fps is not None and not abs(place.time - place.frame / self.fps) <= TOLERANCE:
            findings.add(CLIPS, uid, f"time is {place.time:g} s, not {place.frame / self.fps:g}")
        elif not place.time > now.last.time:
            findings.add(CLIPS, uid, f"time is {place.time:g} s, no later than that of the frame before it")
        now.last = place
        now.yaws.append((uid, place.yaw))

    def close(self, findings: Findings) -> None:
        """Say what only a whole clip tells."""
        if self._now is None:
            return
        now, self._now = self._now, None
        self._done.add((now.config, now.first.clip))
        start, count = now.yaws[0][1], len(now.yaws)
        walked = [start + 360 * k / count for k in range(count)]
        still = [yaw for _, yaw in now.yaws if abs(yaw - start) <= TOLERANCE]
        wanted = [start] * count if 2 * len(still) > count else walked
        for (uid, yaw), must in zip(now.yaws, wanted, strict=True):
            if not abs(yaw - must) <= TOLERANCE:
                findings.add(CLIPS, uid, f"yaw_deg is {yaw:g}, not {must:g} as the other frames of its clip have it")
        if 2 * len(still) > count and 0 <= now.first.view < self.views:
            must = view_yaws(self.views)[now.first.view]
            if not abs(start - must) <= TOLERANCE:
                findings.add(CLIPS, now.yaws[0][0], f"yaw_deg is {start:g}, not {must:g} as view {now.first.view} has")
