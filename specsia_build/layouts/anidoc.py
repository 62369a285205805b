"""The layout `anidoc`: colour films with their line films, a reference picture and point tracks."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import npz, png
from specsia_build.annotation.lines import BINARY
from specsia_build.arrays import Pixels
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, LINE, TRACKS
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.line_styles import LineDrawing, behind, line_options
from specsia_build.layouts.media import background, corner, on_canvas, played, require_first
from specsia_build.layouts.part import Part, Pictures, Written
from specsia_build.pictures.films import over, write_mp4
from specsia_build.rendering.layers import HALF_COVERED

_FILMS = "color"
_LINES = "line"
_CONTROL = "control"
_REFERENCE = "reference"
_POINTS = "tracks"
_SPARSE = "sparse"
_SHAPE = (320, 512)  # Height and width to which AniDoc resizes everything
_LEAST = 61  # Frames that the loader needs: a reference, a gap of 36, and 25
_CONTROLS = 14  # Frames that AniDoc generates


class AniDoc(Layout):
    """The layout that AniDoc's `SakugaRefDataset` and its inference read."""

    name = "anidoc"
    title = "films in colour and in lines, a reference picture and point tracks, as AniDoc reads them"
    layers = (COLOR, LINE, TRACKS)
    defaults: ClassVar[Mapping[str, Any]] = {"size": _SHAPE[0], "fps": 24.0, "line_px": 1.5}
    loading = f"""\
`SPLIT/{_FILMS}/CLIP.mp4` is a film of {_SHAPE[1]} x {_SHAPE[0]} on a generated background; `{_LINES}/` its \
line art in black and white; `{_CONTROL}/` {_CONTROLS} evenly spaced frames of that; `{_REFERENCE}/CLIP.png` \
the first frame, or with `--reference other` another pose on another ground. `{_POINTS}/CLIP.npz` has points \
of the surface: `reference` (P, 2), `points` (T, P, 2) and \
`visible` (T, P), x and y in pixels with whole numbers at centres. `{_SPARSE}/` has the first and the last \
line frame, {_CONTROLS // 2} times each, and the points in the frames of `{_CONTROL}/`. Motions of fewer \
than {_LEAST} frames are repeated.

```python
# in a checkout of yihao-meng/AniDoc; FOLDER is the folder of this card
from datasets.sakuga_ref_datasets import SakugaRefDataset

films = SakugaRefDataset(
    base_folder="FOLDER/train/{_FILMS}",
    temporal_sample=lambda frames: (0, {_LEAST}),
    transform=lambda film: film / 127.5 - 1,
)
print(films.get_sample(0)["pixel_values"].shape)
```

```bash
# without the two lines of the script that import `pcache_fileio`, which is not public
python scripts_infer/anidoc_inference.py --all_sketch --matching --tracking \\
  --control_image FOLDER/test/{_CONTROL}/CLIP.mp4 --ref_image FOLDER/test/{_REFERENCE}/CLIP.png
```
"""

    def check(self, config: BuildConfig) -> None:
        if config.size > _SHAPE[0]:
            problem = f"films are {_SHAPE[1]} x {_SHAPE[0]}, and frames of {config.size} pixels do not fit"
            raise UsageError(f"{self.name}'s {problem}: --size {_SHAPE[0]}")

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        clips = config.clips
        if clips is None:
            return {}
        changed = {"reference": clips.reference != "first", "figures": clips.figures > 1}
        return line_options(clips) | {name: True for name, is_changed in changed.items() if is_changed}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        order = played(clip, _LEAST)
        folder, fps = out / part.split, clip.meta["fps"]
        twins, drawing = "figures" in part.options, LineDrawing.of(part.options, part.key)
        scene = _Scene(clip, twins)
        tracks = np.stack([scene.tracks(k) for k in range(clip.frames)])
        require_first(tracks.size > 0, part.key, "reference")
        number = int.from_bytes(hashlib.sha256(part.key.encode()).digest()[:8], "big")
        ground = background(number, *_SHAPE)

        def colour(k: int) -> Pixels:
            return over(scene.picture(k), ground)

        def line(k: int) -> Pixels:
            levels = drawing.levels(scene.line(k), k)
            return drawing.picture(np.where(levels < BINARY, 0, 255).astype(np.uint8))

        evenly = [order[k] for k in np.linspace(0, len(order) - 1, _CONTROLS, dtype=int)]
        ends = [order[0]] * (_CONTROLS // 2) + [order[-1]] * (_CONTROLS // 2)
        write_mp4(folder / _FILMS / f"{part.key}.mp4", map(colour, order), fps)
        for name, frames in ((_LINES, order), (_CONTROL, evenly), (_SPARSE, ends)):
            write_mp4(folder / name / f"{part.key}.mp4", map(line, frames), fps, lossless=True)
        shown, reference = 0, colour(0)
        if "reference" in part.options:
            # The pose that differs most from the first, by the points that both show.
            apart = np.linalg.norm(tracks[..., :2] - tracks[0, :, :2], axis=-1)
            shown = int((apart * tracks[..., 2] * tracks[0, :, 2]).sum(axis=1).argmax())
            reference = over(scene.picture(shown), background(number ^ 1, *_SHAPE))
        write_bytes(folder / _REFERENCE / f"{part.key}.png", png.encode(reference))
        for name, frames in ((_POINTS, order), (_SPARSE, evenly)):
            points, visible = tracks[frames, :, :2], tracks[frames, :, 2] > 0
            arrays = {"reference": tracks[shown, :, :2], "points": points, "visible": visible}
            if shown:
                arrays["reference_visible"] = tracks[shown, :, 2] > 0
            write_bytes(folder / name / f"{part.key}.npz", npz.encode_named(arrays))
        return {"frames": len(order), "drawn": clip.frames, "points": tracks.shape[1]}

    def expected(self, part: Written) -> Mapping[str, int]:
        count = part.facts["frames"]
        films = {_FILMS: count, _LINES: count, _CONTROL: _CONTROLS, _SPARSE: _CONTROLS}
        films = {f"{part.split}/{kind}/{part.key}.mp4": frames for kind, frames in films.items()}
        others = [f"{part.split}/{kind}/{part.key}.npz" for kind in (_POINTS, _SPARSE)]
        return films | dict.fromkeys([*others, f"{part.split}/{_REFERENCE}/{part.key}.png"], 0)


class _Scene:
    """Frames of a clip on the canvas: in the middle; or, with `twins`, on the left, and behind it, on the
    right, the same figure half the clip later."""

    def __init__(self, clip: Pictures, twins: bool) -> None:
        size = clip.meta["size"]
        _, middle = corner(size, _SHAPE)
        self._clip, self._columns = clip, (0, _SHAPE[1] - size) if twins else (middle,)

    def _placed(self, layer: str, k: int, fill: int) -> list[Pixels]:
        """Canvases of each figure's layer, the nearest first."""
        numbers = [(k + late * self._clip.frames // 2) % self._clip.frames for late in (0, 1)]
        pictures = [self._clip.frame(layer, number) for number in numbers[: len(self._columns)]]
        return [on_canvas(p, _SHAPE, fill, at) for p, at in zip(pictures, self._columns, strict=True)]

    def picture(self, k: int) -> Pixels:
        """Colours (H, W, 4) uint8 with straight alpha."""
        near, *far = self._placed(COLOR, k, 0)
        for other in far:
            alpha = near[..., 3:].astype(np.float32) / 255
            below = (1 - alpha) * other[..., 3:]
            total = 255 * alpha + below
            mixed = (255 * alpha * near[..., :3] + below * other[..., :3]) / np.maximum(total, 1)
            near = np.rint(np.concatenate([mixed, total], axis=2)).astype(np.uint8)
        return near

    def line(self, k: int) -> Pixels:
        """Lines (H, W) uint8, black on white."""
        near, *far = self._placed(LINE, k, 255)
        return behind(near, self._placed(COLOR, k, 0)[0][..., 3], far[0]) if far else near

    def tracks(self, k: int) -> NDArray[np.float32]:
        """Points (P, 3): x and y on the canvas, with whole numbers at centres of pixels, and 1 if visible."""
        row, _ = corner(self._clip.meta["size"], _SHAPE)
        both = []
        for late, column in enumerate(self._columns):
            points = self._clip.frame(TRACKS, (k + late * self._clip.frames // 2) % self._clip.frames)
            both.append(points + np.array([column - 0.5, row - 0.5, 0], np.float32))
        if len(both) > 1 and both[1].size:
            alpha = self._placed(COLOR, k, 0)[0][..., 3]
            x, y = np.rint(both[1][:, :2]).astype(int).T
            inside = (x >= 0) & (x < _SHAPE[1]) & (y >= 0) & (y < _SHAPE[0])
            both[1][inside, 2] *= alpha[y[inside], x[inside]] < HALF_COVERED
        return np.concatenate(both)
