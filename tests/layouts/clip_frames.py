"""Frames of clips for layouts, made from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.lines import segments
from specsia_build.dataset.layers import LAYERS, frame_file
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Facts, Member, Part, Pictures, Written

FPS = 12.0

WALK_SIZE, STEP = 40, 2
"""Pixels on a side of the frames of `walking`, and by which it moves."""

BUILD = {"specsia": "1.0", "config": {"source": "heroes"}, "stages": {"draw": 1}, "packages": {"numpy": "2"}}

FACTS = Facts(BUILD, "heroes", 5, {}, {}, ())

PALETTE = [[200, 80, 40], [30, 90, 210]]


def clip_frames(
    clip: str, layers: Mapping[str, Sequence[Any]], yaws: float | Sequence[float] = 0.0, **meta: Any
) -> Pictures:
    """A clip with the id CHARACTER-ACTION-VIEW, of the frames of each layer, None for one that is missing."""
    character, action, view = clip.rsplit("-", 2)
    count = max(map(len, layers.values()))
    files = {
        frame_file(name, k): LAYERS[name].encode(frame)
        for name, frames in layers.items()
        for k, frame in enumerate(frames)
        if frame is not None
    }
    pictures = [name for name in layers if LAYERS[name].suffix == ".png" and frame_file(name, 0) in files]
    turned = [float(yaw) for yaw in np.broadcast_to(np.asarray(yaws), count)]
    shown = {"view": int(view), "yaw": turned[0], "frames": count}
    facts = {
        "id": clip,
        "character": character,
        "clip": {**shown, "id": clip, "action": action, "origin": "own"},
        "fps": FPS,
        "times": [k / FPS for k in range(count)],
        "loops": True,
        "yaws": turned,
        "size": len(LAYERS[pictures[0]].decode(files[frame_file(pictures[0], 0)])),
        "width": 1.2,
        "box": [[-0.5] * 3, [0.5] * 3],
        "license": "CC0-1.0",
        "source": "made by hand",
    }
    return Pictures({**facts, **meta}, files)


def member(key: str, character: str, rows: int = 1, backend: str | None = None, **changes: Any) -> Member:
    """The summary of a clip or character, free of rights."""
    pair = (None, None) if backend is None else (0.5, 0.4)
    summary = Member(key, character, backend, rows, key, 0, pair[0], pair[1], None, "CC0-1.0", "made by hand")
    return msgspec.structs.replace(summary, **changes)


def part_of(key: str, clips: Sequence[Pictures], split: str = "train", **options: Any) -> Part:
    """A part of some clips of one character."""
    by_id = {clip.meta["id"]: clip for clip in clips}
    members = tuple(member(i, clip.meta["character"], clip.frames) for i, clip in by_id.items())
    return Part(key, split, members, options, lambda member: by_id[member.id])


def written(layout: Layout, part: Part, folder: Path) -> Written:
    """The record of a part that a layout writes into an empty folder."""
    facts = layout.write(part, folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): (path.stat().st_size, "") for path in paths}
    ids = [member.id for member in part.members]
    return Written(part.key, part.character, part.split, ids, "CC0-1.0", None, files, facts)


def write_clips(layout: Layout, clips: Sequence[Pictures], out: Path, split: str = "train") -> Written:
    """Write a part of some clips of a character."""
    key = clips[0].meta["id" if layout.unit == "clip" else "character"]
    return written(layout, part_of(key, clips, split), out)


def ring(size: int) -> NDArray[np.uint8]:
    """A frame (size, size) of lines: that around a disc of 12 pixels, grey on white."""
    return np.where(disc(size, 12)[..., 3] != disc(size, 10)[..., 3], 90, 255).astype(np.uint8)


def disc(size: int, radius: float, colour: tuple[int, int, int] = (200, 80, 40)) -> NDArray[np.uint8]:
    """A frame (size, size, 4): a disc in the middle of nothing."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    frame = np.zeros((size, size, 4), np.uint8)
    frame[np.hypot(x, y) < radius] = (*colour, 255)
    return frame


def label_at(column: int | None) -> NDArray[np.int32]:
    """A body, region 0, with a head, region 1, on it, from a column on; nothing if that is None."""
    label = np.full((WALK_SIZE, WALK_SIZE), -1, np.int32)
    if column is not None:
        label[18:32, column : column + 12] = 0
        label[10:18, column + 3 : column + 9] = 1
    return label


def line_of(label: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Anti-aliased: black within every border, and grey, too light for a line, beside it."""
    line = np.full(label.shape, 255, np.uint8)
    padded = np.pad(label, 1, constant_values=-1)
    beside = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    border = np.any([other != label for other in beside], axis=0)
    line[border] = 220
    line[border & (label >= 0)] = 0
    return line


def walking(
    clip: str, columns: Sequence[int | None], yaws: float | Sequence[float] = 0.0, *, lines: bool = True
) -> Pictures:
    """A clip of a figure of two regions that walks, with all layers known."""
    labels = [label_at(column) for column in columns]
    lined = [line_of(label) if lines else np.full(label.shape, 255, np.uint8) for label in labels]
    masks = [np.where(label >= 0, 255, 0).astype(np.uint8) for label in labels]
    flat = np.array([[*PALETTE[0], 255], [*PALETTE[1], 255], [0, 0, 0, 0]], np.uint8)
    pairs, reverse = list(pairwise(columns)), [(there, here) for here, there in pairwise(columns)]
    layers: dict[str, Sequence[Any]] = {
        "color": [flat[label] for label in labels],
        "line": lined,
        "label": labels,
        "seg": [segments(*frame) for frame in zip(lined, labels, masks, strict=True)],
        "flow": [*(_flow(*pair) for pair in pairs), None],
        "unmatched": [*(_unmatched(*pair) for pair in pairs), None],
        "back": [None, *(_flow(*pair) for pair in reverse)],
        "back_unmatched": [None, *(_unmatched(*pair) for pair in reverse)],
    }
    return clip_frames(clip, layers, yaws, palette=PALETTE)


def _flow(here: int | None, there: int | None) -> NDArray[np.float32]:
    flow = np.zeros((WALK_SIZE, WALK_SIZE, 2), np.float32)
    flow[label_at(here) >= 0, 0] = 0 if here is None or there is None else there - here
    return flow


def _unmatched(here: int | None, there: int | None) -> NDArray[np.bool_]:
    return (label_at(here) < 0) | (there is None)
