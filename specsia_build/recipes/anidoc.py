"""The recipe `anidoc`: colour films with their line films, a reference picture and points tracked from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import npz, png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, LINE, TRACKS
from specsia_build.errors import UsageError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.films import need_ffmpeg, over, write_mp4
from specsia_build.recipes.backgrounds import background
from specsia_build.recipes.checks import picture
from specsia_build.recipes.filming import (
    binarised,
    check_film,
    corner,
    film,
    line_film,
    named_arrays,
    on_canvas,
    played,
    require_first,
    write_line_film,
)
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written

FILMS, LINES, CONTROL, REFERENCE, POINTS, SPARSE = "color", "line", "control", "reference", "tracks", "sparse"

SHAPE = (320, 512)
"""Height and width that AniDoc resizes all to."""

LEAST = 61
"""Frames that its loader needs: a reference, a gap of 36, and 25."""

CONTROLS = 14
"""Frames that it makes."""


class AniDoc(Recipe):
    """What AniDoc's `SakugaRefDataset` and its inference read."""

    name = "anidoc"
    title = "films in colour and in lines, a reference picture and point tracks, as AniDoc reads them"
    layers = (COLOR, LINE, TRACKS)
    by_pattern = True
    defaults: ClassVar[Mapping[str, Any]] = {"size": SHAPE[0], "fps": 24.0, "line_px": 1.5}

    def check(self, config: BuildConfig) -> None:
        need_ffmpeg(self.name)
        if config.size > SHAPE[0]:
            raise UsageError(
                f"{self.name}'s films are {SHAPE[1]} x {SHAPE[0]}, and frames of {config.size} pixels do not fit: "
                f"--size {SHAPE[0]}"
            )

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        order, folder, fps = played(clip, LEAST), out / part.split, clip.meta["fps"]
        tracks = _tracks(clip)
        require_first(tracks.size > 0, part.key, "reference")
        number = int.from_bytes(hashlib.sha256(part.key.encode()).digest()[:8], "big")
        ground = background(number, *SHAPE)

        def colour(k: int) -> NDArray[np.uint8]:
            return over(on_canvas(clip.frame(COLOR, k), SHAPE, 0), ground)

        def line(k: int) -> NDArray[np.uint8]:
            return on_canvas(binarised(clip.frame(LINE, k)), SHAPE, 255)

        evenly = [order[at] for at in _evenly(len(order))]
        ends = [order[0]] * (CONTROLS // 2) + [order[-1]] * (CONTROLS // 2)
        write_mp4(folder / FILMS / f"{part.key}.mp4", map(colour, order), fps)
        for name, frames in ((LINES, order), (CONTROL, evenly), (SPARSE, ends)):
            write_line_film(folder / name / f"{part.key}.mp4", line, frames, fps)
        write_bytes(folder / REFERENCE / f"{part.key}.png", png.encode(colour(0)))
        write_bytes(folder / POINTS / f"{part.key}.npz", _points(tracks, order))
        write_bytes(folder / SPARSE / f"{part.key}.npz", _points(tracks, evenly))
        return {"frames": len(order), "drawn": clip.frames, "points": tracks.shape[1]}

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        count, points = part.facts["frames"], part.facts["points"]
        films, lines, control, sparse = (
            f"{part.split}/{name}/{part.key}.mp4" for name in (FILMS, LINES, CONTROL, SPARSE)
        )
        if count < LEAST:
            yield f"{films} has {plural(count, 'frame')}, and AniDoc's loader needs {LEAST}"
        reference = picture(folder, f"{part.split}/{REFERENCE}/{part.key}.png", 3, SHAPE)
        check_film(film(folder, films, SHAPE, count, reference))
        taken = line_film(folder, control, SHAPE, CONTROLS)
        for k, frame in enumerate(line_film(folder, lines, SHAPE, count)):
            if ((frame > 0) & (frame < 255)).any():
                yield f"{lines} has greys in frame {k}, where all is black or white"
            if k in _evenly(count) and not np.array_equal(frame, next(taken, frame[:0])):
                yield f"{control} is not made of frames of {lines}"
        check_film(line_film(folder, sparse, SHAPE, CONTROLS))
        for name, frames in ((POINTS, count), (SPARSE, CONTROLS)):
            shapes = {"reference": (points, 2), "points": (frames, points, 2)}
            kinds = {**{key: (np.float32, shape) for key, shape in shapes.items()}, "visible": (bool, (frames, points))}
            found = named_arrays(folder, f"{part.split}/{name}/{part.key}.npz", kinds)
            shown = found["points"][found["visible"]]
            if ((shown < -0.5) | (shown > np.array(SHAPE[::-1]) - 0.5)).any():
                yield f"{part.split}/{name}/{part.key}.npz has points that are visible outside of the frame"


def _evenly(count: int) -> list[int]:
    return [int(at) for at in np.linspace(0, count - 1, CONTROLS, dtype=int)]


def _tracks(clip: ClipFrames) -> NDArray[np.float32]:
    """Of each frame (T, P, 3): x and y on the canvas, where centres of pixels are whole numbers, and 1 if visible."""
    row, column = corner(clip.meta["size"], SHAPE)
    moved = np.array([column - 0.5, row - 0.5, 0.0], np.float32)
    return np.stack([clip.frame(TRACKS, k) + moved for k in range(clip.frames)])


def _points(tracks: NDArray[np.float32], order: list[int]) -> bytes:
    shown = tracks[order]
    named = {"reference": tracks[0, :, :2], "points": shown[..., :2], "visible": shown[..., 2] > 0}
    return npz.encode_named(named)


_LOAD = f"""\
`SPLIT/{FILMS}/CLIP.mp4` is a film of {SHAPE[1]} x {SHAPE[0]} on a made-up background, another for each clip; \
`{LINES}/` has its line art frame by frame, 0 and 255 and nothing between; `{CONTROL}/` {CONTROLS} of those frames, \
evenly taken; `{REFERENCE}/CLIP.png` is the first frame. `{POINTS}/CLIP.npz` follows points of the surface: \
`reference` (P, 2) where they are in the reference, `points` (T, P, 2) and `visible` (T, P) in the film, x and y in \
pixels with whole numbers at centres; they are known from the geometry, not estimated. `{SPARSE}/` is for two \
keyframes: the first line frame {CONTROLS // 2} times and the last as often, and the points in the frames of \
`{CONTROL}/`.

The loader needs {LEAST} frames. A shorter motion is played on: round and round where it ends as it began, else to \
and fro, so that it never jumps. Films are of 24 frames a second, which the loader does not read, so that fewer need \
it.

```python
# in a checkout of yihao-meng/AniDoc; FOLDER is where this card lies
from datasets.sakuga_ref_datasets import SakugaRefDataset

films = SakugaRefDataset(
    base_folder="FOLDER/train/{FILMS}",
    temporal_sample=lambda frames: (0, {LEAST}),
    transform=lambda film: film / 127.5 - 1,
)
print(films.get_sample(0)["pixel_values"].shape)
```

```bash
python scripts_infer/anidoc_inference.py --all_sketch --matching --tracking \\
  --control_image FOLDER/test/{CONTROL}/CLIP.mp4 --ref_image FOLDER/test/{REFERENCE}/CLIP.png
```

Two lines of that file import `pcache_fileio`, which is not public and is needed for neither: take them out. AniDoc's \
own transforms and training code were not released.
"""
