"""The layout `animeinbet`: line art, and the graph of surface points that it is drawn from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LINE, STROKES
from specsia_build.errors import CharacterError, UsageError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Part, Written

_FRAMES, _LABELS = "frames", "labels"
PLACES = "vertex location"
JOINED = "connection"
POINTS = "original index"
_SIDE = 720  # Largest frame: the loader moves points into this many pixels
_GAP = 5  # Frames between the two of a pair, in the training as it was published
_FEWEST_POINTS, _MOST_POINTS = 66, 3050
"""Points of a frame: the network takes 64 values of the graph's spectrum, the loader at most 3,050 points."""


class Animeinbet(Layout):
    """The layout that AnimeInbet's `MixamoLineArt` and its second stage read."""

    name = "animeinbet"
    title = "line art with the graph of surface points that it is drawn from, as AnimeInbet reads it"
    layers = (LINE, STROKES)
    defaults: ClassVar[Mapping[str, Any]] = {"size": _SIDE, "fps": 24.0}
    loading = f"""\
`SPLIT/{_FRAMES}/CLIP/Image0001.png` … are black lines on white, `SPLIT/{_LABELS}/CLIP/Line0001.json` … the \
graphs that they are drawn from: `{PLACES}` in pixels, x to the right and y down; `{JOINED}`, the \
neighbours of each point; `{POINTS}`, the vertex of the character, the same in all frames of all its clips. \
CLIP is ACTION-CHARACTER-VIEW, so that the reader's `model` and `action` exclude what they name.

```python
# in the folder corr of a checkout of lisiyao21/AnimeInbet; FOLDER is the folder of this card
from datasets.ml_dataset import MixamoLineArt

dataset = MixamoLineArt(root="FOLDER", gap={_GAP}, split="train", mode="train")
print(len(dataset), dataset[0]["keypoints0"].shape)
```

To train, set `root: FOLDER` under `train:` and `test:` of `configs/vtx_corr.yaml`, then run `python -u \
main.py --config configs/vtx_corr.yaml --train`.
"""

    def check(self, config: BuildConfig) -> None:
        if config.size > _SIDE:
            problem = f"AnimeInbet reads frames of at most {_SIDE} pixels, not {config.size}: --size {_SIDE}"
            raise UsageError(problem)
        frames = config.clips.frames if config.clips is not None else None
        if frames is not None and frames < _GAP + 2:
            problem = f"AnimeInbet pairs frames {_GAP + 1} apart, so a clip needs {_GAP + 2}"
            raise UsageError(f"{problem}: --frames {_GAP + 2}")

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        if clip.frames < _GAP + 2:
            raise CharacterError(
                f"{part.key} has {plural(clip.frames, 'frame')}, and AnimeInbet pairs those "
                f"{_GAP + 1} apart: a higher --fps makes more"
            )
        pictures, graphs = (out / folder for folder in _folders(part))
        most = 0
        for k in range(clip.frames):
            graph = clip.frame(STROKES, k)
            count = len(graph[PLACES])
            if not _FEWEST_POINTS <= count <= _MOST_POINTS:
                raise CharacterError(
                    f"frame {k} of {part.key} has lines of {count} points, and AnimeInbet takes "
                    f"{_FEWEST_POINTS} to {_MOST_POINTS}"
                )
            write_bytes(pictures / f"Image{k + 1:04d}.png", clip.raw(LINE, k))
            # In whole pixels: one stage of the reader rounds places, the other truncates them.
            places = np.clip(np.floor(graph[PLACES]), 0, clip.meta["size"] - 1).astype(int).tolist()
            record = {PLACES: places, JOINED: graph[JOINED], POINTS: graph[POINTS]}
            text = json.dumps(record, separators=(",", ":"))
            write_bytes(graphs / f"Line{k + 1:04d}.json", text.encode())
            most = max(most, count)
        return {"frames": clip.frames, "most_points": most}

    def expected(self, part: Written) -> Mapping[str, int]:
        (pictures, graphs), numbers = _folders(part), range(1, part.facts["frames"] + 1)
        names = [f"{pictures}/Image{k:04d}.png" for k in numbers]
        return dict.fromkeys([*names, *(f"{graphs}/Line{k:04d}.json" for k in numbers)], 0)


def _folders(part: Part | Written) -> tuple[str, str]:
    # Actions hold no hyphen, so that no two clips get one name.
    character, action, view = part.key.rsplit("-", 2)
    clip = f"{action}-{character}-{view}"
    return f"{part.split}/{_FRAMES}/{clip}", f"{part.split}/{_LABELS}/{clip}"
