"""The layout `conr`: a sheet of a few frames a character, and dense poses and pictures of all others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, UDP
from specsia_build.errors import CharacterError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout, json_text
from specsia_build.layouts.media import background
from specsia_build.layouts.part import Part, Pictures, Written
from specsia_build.rendering.layers import HALF_COVERED

SHEET, POSES = "character_sheet", "poses"
IMAGES, BACKGROUNDS = "images", "backgrounds"
RECORD = "clips.json"  # File that maps frame numbers to clips
SHEETS = 4  # Pictures of a sheet, unless settings say otherwise
_LEAST_SHOWN = 0.001  # Least share of a picture that must be covered, as the loader crops to the figure
_MOST_FILLED = 0.95
"""Share of a figure's box from which CoNR's renderer takes the picture for one without transparency."""

PICTURES = 32  # Number of backgrounds


@dataclass(frozen=True)
class _ShownFrame:
    number: int
    action: str
    yaw: float
    draw: bytes
    filled: float

    def distance(self, other: _ShownFrame) -> float:
        """Degrees between the views of two frames, plus 45 for different actions."""
        turn = abs(self.yaw - other.yaw) % 360
        return min(turn, 360 - turn) + 45 * (self.action != other.action)


class Conr(Layout):
    """The layout that CoNR's `FileDataset` reads; its training code was not released."""

    name = "conr"
    title = "character sheets, and Ultra-Dense Poses of other frames with their pictures, as CoNR reads them"
    layers = (COLOR, UDP)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256}
    unit = "character"
    loading = f"""\
`SPLIT/CHARACTER/{SHEET}/` holds {SHEETS} RGBA frames, or `--sheet-views`, of different views and actions. \
Every other frame is a target: `{POSES}/` has its Ultra-Dense Pose, float32 (H, W, 4) under the key `i`, XYZ \
and occupancy from 0 to 1, and `{IMAGES}/` its picture under the same number. `{RECORD}` says which \
numbers are frames of which clip. `{BACKGROUNDS}/` holds {PICTURES} generated pictures, free of rights, to \
paste characters on.

```python
# in a checkout of megvii-research/IJCAI2023-CoNR; FOLDER is the folder of this card
from glob import glob
from data_loader import FileDataset, RandomResizedCropWithAutoCenteringAndZeroPadding as Crop

folder = "FOLDER/train/CHARACTER"
sheet = sorted(glob(folder + "/{SHEET}/*"))
items = [[pose, *sheet] for pose in sorted(glob(folder + "/{POSES}/*"))]
dataset = FileDataset(items, Crop((256, 256), scale=(1, 1), ratio=(1.0, 1.0), center_jitter=(0.0, 0.0)))
print(dataset[0]["pose_label"].shape, dataset[0]["character_images"].shape)
```

`train.py` takes `--test_input_poses_images=FOLDER/test/CHARACTER/{POSES}` and \
`--test_input_person_images=FOLDER/test/CHARACTER/{SHEET}`. CoNR's training code was not released.
"""

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        count = SHEETS if config.clips is None else config.clips.sheet_views
        return {} if count == SHEETS else {"sheet_views": count}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        sheets = part.options.get("sheet_views", SHEETS)
        folder = out / part.split / part.key
        (folder / SHEET).mkdir(parents=True)
        frames: list[_ShownFrame] = []
        clips = []
        count = size = 0
        for clip in part:
            frames += _write_clip(clip, folder, count)
            meta = clip.meta
            facts = {"clip": meta["id"], "action": meta["clip"]["action"], "first": count}
            clips.append({**facts, "frames": clip.frames, "fps": meta["fps"], "yaws": meta["yaws"]})
            count, size = count + clip.frames, meta["size"]
        # Pick frames that differ most in view and action; hashes break ties.
        candidates = [frame for frame in frames if frame.filled < _MOST_FILLED]
        candidates.sort(key=lambda frame: frame.draw)
        sheet: list[_ShownFrame] = []
        while candidates and len(sheet) < sheets:
            sheet.append(max(candidates, key=lambda frame: min(map(frame.distance, sheet), default=0.0)))
            candidates.remove(sheet[-1])
        if len(sheet) < sheets or len(frames) == sheets:
            shown = plural(len(frames), "frame")
            problem = f"{part.key} has {shown} to show it, and its sheet takes {sheets}"
            cure = "give it more views, motions, or a smaller --sheet-views"
            raise CharacterError(f"{problem} that stand free, besides targets: {cure}")
        for frame in sheet:
            (folder / IMAGES / _name(frame.number)).rename(folder / SHEET / _name(frame.number))
            (folder / POSES / _name(frame.number, ".npz")).unlink()
        record = {"sheet": sorted(frame.number for frame in sheet), "clips": clips}
        write_bytes(folder / RECORD, json_text(record))
        return {"frames": len(frames), "size": size}

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        first = next(iter(parts), None)
        if first is not None:
            size = first.facts["size"]
            for number in range(PICTURES):
                yield f"{BACKGROUNDS}/{number:04d}.png", png.encode(background(number, size, size))


def _write_clip(clip: Pictures, folder: Path, first: int) -> Iterator[_ShownFrame]:
    """Write the frames of a clip that show something, numbered from `first`."""
    for k in range(clip.frames):
        alpha = clip.frame(COLOR, k)[..., 3]
        if np.count_nonzero(alpha >= HALF_COVERED) < _LEAST_SHOWN * alpha.size:
            continue
        write_bytes(folder / IMAGES / _name(first + k), clip.raw(COLOR, k))
        write_bytes(folder / POSES / _name(first + k, ".npz"), clip.raw(UDP, k))
        draw = hashlib.sha256(f"{clip.meta['id']}/{k}".encode()).digest()
        sides = [np.flatnonzero(alpha.any(axis=axis)) for axis in (0, 1)]
        # Share of the square around the figure that it covers.
        filled = float(alpha.sum() / 255 / max(side[-1] + 1 - side[0] for side in sides) ** 2)
        yield _ShownFrame(first + k, clip.meta["clip"]["action"], clip.meta["yaws"][k], draw, filled)


def _name(number: int, suffix: str = ".png") -> str:
    return f"{number:06d}{suffix}"
