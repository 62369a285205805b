"""The recipe `animeinbet`: line art, and the graph of surface points that it is drawn from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LINE, STROKES
from specsia_build.errors import CharacterError, UsageError, plural
from specsia_build.recipes import checks
from specsia_build.recipes.recipe import Part, Recipe, Written

FRAMES, LABELS = "frames", "labels"

PLACES, JOINED, POINTS = "vertex location", "connection", "original index"

SIDE = 720
"""Pixels within which the loader moves whatever lies beyond."""

GAP = 5
"""Frames between the two of a pair, where the training is left as it is."""

FEWEST_POINTS, MOST_POINTS = 66, 3050
"""In every frame: the network takes 64 values of the graph's spectrum, and the loader has no room for more."""


class Animeinbet(Recipe):
    """What AnimeInbet's `MixamoLineArt` reads, and the sequences of its second stage."""

    name = "animeinbet"
    title = "line art with the graph of surface points that it is drawn from, as AnimeInbet reads it"
    layers = (LINE, STROKES)
    by_pattern = True
    defaults: ClassVar[Mapping[str, Any]] = {"size": SIDE, "fps": 24.0}

    def check(self, config: BuildConfig) -> None:
        if config.size > SIDE:
            raise UsageError(f"AnimeInbet reads frames of at most {SIDE} pixels, not {config.size}: --size {SIDE}")
        frames = config.clips.frames if config.clips is not None else None
        if frames is not None and frames < GAP + 2:
            raise UsageError(f"AnimeInbet pairs frames {GAP + 1} apart, so a clip needs {GAP + 2}: --frames {GAP + 2}")

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        if clip.frames < GAP + 2:
            raise CharacterError(
                f"{part.key} has {plural(clip.frames, 'frame')}, and AnimeInbet pairs those {GAP + 1} apart: "
                "a higher --fps makes more"
            )
        # Only an action never holds the sign that parts them, so that no two clips have one name.
        character, action, view = part.key.rsplit("-", 2)
        pictures, graphs = (out / part.split / kind / f"{action}-{character}-{view}" for kind in (FRAMES, LABELS))
        pictures.mkdir(parents=True)
        graphs.mkdir(parents=True)
        most = 0
        for k in range(clip.frames):
            graph = clip.frame(STROKES, k)
            count = len(graph[PLACES])
            if not FEWEST_POINTS <= count <= MOST_POINTS:
                raise CharacterError(
                    f"frame {k} of {part.key} has lines of {count} points, and AnimeInbet takes {FEWEST_POINTS} to "
                    f"{MOST_POINTS}"
                )
            (pictures / f"Image{k + 1:04d}.png").write_bytes(clip.raw(LINE, k))
            label = json.dumps(_whole(graph, clip.meta["size"]), separators=(",", ":"))
            (graphs / f"Line{k + 1:04d}.json").write_text(label, encoding="utf-8")
            most = max(most, count)
        return {"frames": clip.frames, "most_points": most}

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        pictures, graphs = (sorted(name for name in part.files if f"/{kind}/" in name) for kind in (FRAMES, LABELS))
        if len(pictures) != part.facts.get("frames") or len(graphs) != len(pictures) or len(graphs) < GAP + 2:
            yield f"{part.split}/{LABELS} and {FRAMES} of {part.key} do not hold the {part.facts.get('frames')} frames"
            return
        for picture, graph in zip(pictures, graphs, strict=True):
            height, width = checks.picture(folder, picture, 1).shape
            said = _unfit(checks.record(folder, graph), height, width)
            if said:
                yield f"{graph} {said}"


def _whole(graph: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The graph with the pixels that hold its points: one stage of the reader rounds, the other cuts off."""
    places = [[min(max(int(along // 1), 0), size - 1) for along in place] for place in graph[PLACES]]
    return {PLACES: places, JOINED: graph[JOINED], POINTS: graph[POINTS]}


def _unfit(graph: Mapping[str, Any], height: int, width: int) -> str:
    """What is wrong with a graph of a frame, from its verb on; empty where nothing is."""
    lists: list[Any] = [graph.get(name) for name in (PLACES, JOINED, POINTS)]
    if not all(isinstance(one, list) for one in lists) or len({len(one) for one in lists}) > 1:
        return "has places, connections and numbers that are not lists of one length"
    places, joined, points = lists
    if not FEWEST_POINTS <= len(points) <= MOST_POINTS:
        return f"has {len(points)} points, not {FEWEST_POINTS} to {MOST_POINTS}"
    if len(set(points)) < len(points):
        return "has a point twice"
    if not all(type(along) is int for place in places for along in place):
        return "has points that are no whole pixels"
    if not all(0 <= x < width and 0 <= y < height for x, y in places):
        return "has points outside of the picture"
    pairs = {(one, other) for one, others in enumerate(joined) for other in others}
    if not all(0 <= other < len(points) for _, other in pairs):
        return "joins points that it has not"
    return "" if all((other, one) in pairs for one, other in pairs) else "joins points one way only"


_LOAD = f"""\
`SPLIT/{FRAMES}/CLIP/Image0001.png` … are black lines on white, `SPLIT/{LABELS}/CLIP/Line0001.json` … the graphs \
that they are drawn from: `{PLACES}` in pixels, x to the right and y down; `{JOINED}`, the neighbours of each; \
`{POINTS}`, which vertex of the character it is, the same in all frames of all its clips. A CLIP is named ACTION- \
CHARACTER-VIEW, so that `model` and `action` of the reader leave out what they name. Every frame has \
{FEWEST_POINTS} to {MOST_POINTS} points and every clip at least {GAP + 2} frames. The reader knows `train` and \
`test`; `validation` is read as `split="validation"`.

```python
# in the folder corr of a checkout of lisiyao21/AnimeInbet; FOLDER is where this card lies
from datasets.ml_dataset import MixamoLineArt

dataset = MixamoLineArt(root="FOLDER", gap={GAP}, split="train", mode="train")
print(len(dataset), dataset[0]["keypoints0"].shape)
```

To train, state `root: FOLDER` under `train:` and `test:` of `configs/vtx_corr.yaml`, then `python -u main.py \
--config configs/vtx_corr.yaml --train`.
"""
