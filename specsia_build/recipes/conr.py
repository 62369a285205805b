"""The recipe `conr`: of each character a sheet of four frames, and dense poses and pictures of all the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.layers import COLOR, UDP
from specsia_build.errors import CharacterError, plural
from specsia_build.recipes import checks
from specsia_build.recipes.backgrounds import background
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written
from specsia_build.rendering.layers import HALF_COVERED

SHEET, POSES, IMAGES = "character_sheet", "poses", "images"

RECORD = "clips.json"
"""Beside them: which numbers are frames of which clip."""

BACKGROUNDS = "backgrounds"

SHEETS = 4

LEAST_SHOWN, MOST_FILLED = 0.001, 0.95
"""Share of a picture that the loader takes for a figure, and of its box that the renderer takes for one cut out."""

PICTURES = 32
"""How many backgrounds there are."""


@dataclass(frozen=True)
class _Frame:
    number: int
    action: str
    yaw: float
    draw: bytes
    filled: float


class Conr(Recipe):
    """What CoNR's `FileDataset` reads; its training code was not released."""

    name = "conr"
    title = "character sheets, and Ultra-Dense Poses of other frames with their pictures, as CoNR reads them"
    layers = (COLOR, UDP)
    by_pattern = True
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256}
    by = "character"

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        folder = out / part.split / part.key
        for name in (SHEET, POSES, IMAGES):
            (folder / name).mkdir(parents=True)
        frames: list[_Frame] = []
        clips, count, size = [], 0, 0
        for clip in part:
            frames += _written(clip, folder, count)
            clips.append(_record(clip, count))
            count, size = count + clip.frames, clip.meta["size"]
        chosen = _sheet([frame for frame in frames if frame.filled < MOST_FILLED])
        if len(chosen) < SHEETS or len(frames) == SHEETS:
            raise CharacterError(
                f"{part.key} has {plural(len(frames), 'frame')} to show it, and CoNR takes {SHEETS} that stand free as "
                "a sheet, and others as targets: give it more views, or motions"
            )
        for frame in chosen:
            (folder / IMAGES / _name(frame.number)).rename(folder / SHEET / _name(frame.number))
            (folder / POSES / _name(frame.number, ".npz")).unlink()
        record = {"sheet": sorted(frame.number for frame in chosen), "clips": clips}
        (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return {"frames": len(frames), "size": size}

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        first = next(iter(parts), None)
        if first is not None:
            size = first.facts["size"]
            for number in range(PICTURES):
                yield f"{BACKGROUNDS}/{number:04d}.png", png.encode(background(number, size, size))

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        top = f"{part.split}/{part.key}"
        size: Any = part.facts.get("size")
        numbers = {kind: _numbers(part, f"{top}/{kind}/") for kind in (SHEET, POSES, IMAGES)}
        if len(numbers[SHEET]) != SHEETS or checks.record(folder, f"{top}/{RECORD}").get("sheet") != numbers[SHEET]:
            yield f"{top}/{SHEET} does not hold the {SHEETS} frames that {RECORD} says"
        if not numbers[POSES] or numbers[POSES] != numbers[IMAGES] or set(numbers[POSES]) & set(numbers[SHEET]):
            yield f"{top}/{POSES} and {IMAGES} do not hold the same frames, none of the sheet"
            return
        for number in numbers[SHEET]:
            checks.picture(folder, f"{top}/{SHEET}/{_name(number)}", 4, (size, size))
        for number in numbers[POSES]:
            alpha = checks.picture(folder, f"{top}/{IMAGES}/{_name(number)}", 4, (size, size))[..., 3]
            name = f"{top}/{POSES}/{_name(number, '.npz')}"
            pose = checks.array(folder, name, (size, size, 4), np.float32)
            if not (pose.min() >= 0 and pose.max() <= 1):
                yield f"{name} has values that are not from 0 to 1"
            elif not np.array_equal(pose[..., 3] > 0, alpha >= HALF_COVERED):
                yield f"{name} is occupied where its picture is not, or the other way round"


def _written(clip: ClipFrames, folder: Path, first: int) -> Iterator[_Frame]:
    """Write those frames of a clip that show something, numbered from `first` on."""
    for k in range(clip.frames):
        alpha = clip.frame(COLOR, k)[..., 3]
        if np.count_nonzero(alpha >= HALF_COVERED) < LEAST_SHOWN * alpha.size:
            continue
        number = first + k
        (folder / IMAGES / _name(number)).write_bytes(clip.raw(COLOR, k))
        (folder / POSES / _name(number, ".npz")).write_bytes(clip.raw(UDP, k))
        draw = hashlib.sha256(f"{clip.meta['id']}/{k}".encode()).digest()
        yield _Frame(number, clip.meta["clip"]["action"], clip.meta["yaws"][k], draw, _filled(alpha))


def _numbers(part: Written, folder: str) -> list[int]:
    """Of the frames that a part has in a folder."""
    return sorted(int(Path(name).stem) for name in part.files if name.startswith(folder))


def _name(number: int, suffix: str = ".png") -> str:
    return f"{number:06d}{suffix}"


def _filled(alpha: NDArray[np.uint8]) -> float:
    """What share of the square around a figure it fills."""
    sides = [np.flatnonzero(alpha.any(axis=axis)) for axis in (0, 1)]
    return float(alpha.sum() / 255 / max(seen[-1] + 1 - seen[0] for seen in sides) ** 2)


def _record(clip: ClipFrames, first: int) -> dict[str, Any]:
    meta = clip.meta
    said = {"clip": meta["id"], "action": meta["clip"]["action"], "first": first, "frames": clip.frames}
    return {**said, "fps": meta["fps"], "yaws": meta["yaws"]}


def _sheet(frames: Sequence[_Frame]) -> list[_Frame]:
    """Frames of sides and actions as unlike as there are; which of those, a hash decides."""
    left = sorted(frames, key=lambda frame: frame.draw)
    chosen: list[_Frame] = []
    while left and len(chosen) < SHEETS:
        chosen.append(max(left, key=lambda frame: min((_apart(frame, other) for other in chosen), default=0.0)))
        left.remove(chosen[-1])
    return chosen


def _apart(one: _Frame, other: _Frame) -> float:
    """Degrees between the sides that two frames show, and an eighth of a turn for another action."""
    turn = abs(one.yaw - other.yaw) % 360
    return min(turn, 360 - turn) + 45 * (one.action != other.action)


_LOAD = f"""\
`SPLIT/CHARACTER/{SHEET}/` holds {SHEETS} frames of unlike sides and actions as RGBA. Every other frame is a target: \
`{POSES}/` has its Ultra-Dense Pose, float32 (H, W, 4) under the key `i`, XYZ and occupancy from 0 to 1, and \
`{IMAGES}/` its picture under the same number. `{RECORD}` says which numbers are frames of which clip. `test` holds \
out about one character in fifteen, where CoNR held out one in sixteen, and `validation` as many again; no character \
is in two.

```python
# in a checkout of megvii-research/IJCAI2023-CoNR; FOLDER is where this card lies
from glob import glob
from data_loader import FileDataset, RandomResizedCropWithAutoCenteringAndZeroPadding as Crop

folder = "FOLDER/train/CHARACTER"
sheet = sorted(glob(folder + "/{SHEET}/*"))
items = [[pose, *sheet] for pose in sorted(glob(folder + "/{POSES}/*"))]
dataset = FileDataset(items, Crop((256, 256), scale=(1, 1), ratio=(1.0, 1.0), center_jitter=(0.0, 0.0)))
print(dataset[0]["pose_label"].shape, dataset[0]["character_images"].shape)
```

Its `train.py` takes `--test_input_poses_images=FOLDER/test/CHARACTER/{POSES}` and \
`--test_input_person_images=FOLDER/test/CHARACTER/{SHEET}`. How it was trained was not released; by the paper, \
characters are pasted on backgrounds meanwhile. `{BACKGROUNDS}/` holds {PICTURES} pictures for that, made up of \
gradients, clouds and flat shapes and nobody's property; photographs and paintings of your own, beside them or \
instead, teach more.
"""
