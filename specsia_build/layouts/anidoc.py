"""The layout `anidoc`: colour films with their line films, a reference picture and point tracks."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import npz, png
from specsia_build.annotation.lines import BINARY
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, LINE, TRACKS
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.media import background, corner, on_canvas, played, require_first, write_line_film
from specsia_build.layouts.part import Part, Written
from specsia_build.pictures.films import over, write_mp4

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
the first frame. `{_POINTS}/CLIP.npz` has points of the surface: `reference` (P, 2), `points` (T, P, 2) and \
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
            raise UsageError(
                f"{self.name}'s films are {_SHAPE[1]} x {_SHAPE[0]}, and frames of {config.size} pixels do "
                f"not fit: --size {_SHAPE[0]}"
            )

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        order = played(clip, _LEAST)
        folder, fps = out / part.split, clip.meta["fps"]
        row, column = corner(clip.meta["size"], _SHAPE)
        # (T, P, 3): x and y on the canvas, with whole numbers at centres of pixels, and 1 if visible.
        shift = np.array([column - 0.5, row - 0.5, 0.0], np.float32)
        tracks = np.stack([clip.frame(TRACKS, k) + shift for k in range(clip.frames)])
        require_first(tracks.size > 0, part.key, "reference")
        number = int.from_bytes(hashlib.sha256(part.key.encode()).digest()[:8], "big")
        ground = background(number, *_SHAPE)

        def colour(k: int) -> NDArray[np.uint8]:
            return over(on_canvas(clip.frame(COLOR, k), _SHAPE, 0), ground)

        def line(k: int) -> NDArray[np.uint8]:
            return on_canvas(np.where(clip.frame(LINE, k) < BINARY, 0, 255).astype(np.uint8), _SHAPE, 255)

        evenly = [order[k] for k in np.linspace(0, len(order) - 1, _CONTROLS, dtype=int)]
        ends = [order[0]] * (_CONTROLS // 2) + [order[-1]] * (_CONTROLS // 2)
        write_mp4(folder / _FILMS / f"{part.key}.mp4", map(colour, order), fps)
        for name, frames in ((_LINES, order), (_CONTROL, evenly), (_SPARSE, ends)):
            write_line_film(folder / name / f"{part.key}.mp4", line, frames, fps)
        write_bytes(folder / _REFERENCE / f"{part.key}.png", png.encode(colour(0)))
        write_bytes(folder / _POINTS / f"{part.key}.npz", _points(tracks, order))
        write_bytes(folder / _SPARSE / f"{part.key}.npz", _points(tracks, evenly))
        return {"frames": len(order), "drawn": clip.frames, "points": tracks.shape[1]}

    def expected(self, part: Written) -> Mapping[str, int]:
        count = part.facts["frames"]
        films = {_FILMS: count, _LINES: count, _CONTROL: _CONTROLS, _SPARSE: _CONTROLS}
        films = {f"{part.split}/{kind}/{part.key}.mp4": frames for kind, frames in films.items()}
        others = [f"{part.split}/{kind}/{part.key}.npz" for kind in (_POINTS, _SPARSE)]
        return films | dict.fromkeys([*others, f"{part.split}/{_REFERENCE}/{part.key}.png"], 0)


def _points(tracks: NDArray[np.float32], order: list[int]) -> bytes:
    points, visible = tracks[order, :, :2], tracks[order, :, 2] > 0
    return npz.encode_named({"reference": tracks[0, :, :2], "points": points, "visible": visible})
