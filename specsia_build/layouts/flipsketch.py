"""The layout `flipsketch`: line films with a caption and their first frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dataset.layers import LINE, STROKES
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.line_styles import LineDrawing, line_options
from specsia_build.layouts.media import caption, played, require_first
from specsia_build.layouts.part import Part, Written
from specsia_build.pictures.films import write_mp4

_FRAMES, _FPS = 16, 8  # Frames of an item, and frames a second at which the loader samples a film


class FlipSketch(Layout):
    """The layout that Text-To-Video-Finetuning's `VideoFolderDataset` and FlipSketch's app read."""

    name = "flipsketch"
    version = 4
    title = "sketched films with captions, as Text-To-Video-Finetuning reads them to teach FlipSketch"
    layers = (LINE,)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256, "fps": float(_FPS), "line_px": 1.5}
    loading = f"""\
`SPLIT/CLIP.mp4` is a film of strokes on white, `CLIP.txt` a caption made from the names of the \
character and the motion, and `CLIP.png` the first frame; FlipSketch's `app.py` takes the latter two. The \
loader takes {_FRAMES} frames at {_FPS} a second; shorter motions are repeated. With `--svg`, \
`SPLIT/CLIP/` has each frame as SVG, a path for each line.

```yaml
# in a checkout of ExponentialML/Text-To-Video-Finetuning: configs/v2/lora_training_config.yaml
dataset_types: ["folder"]
train_data: {{width: 256, height: 256, use_bucketing: False, n_sample_frames: {_FRAMES}, fps: {_FPS}, \
path: FOLDER/train}}
```

FOLDER is the folder of this card. To train, run `python train.py \
--config configs/v2/lora_training_config.yaml`.
"""

    def check(self, config: BuildConfig) -> None:
        if config.size % 2:
            problem = f"{self.name}'s films have even sides, not {config.size}: --size {config.size + 1}"
            raise UsageError(problem)

    def layers_for(self, clips: ClipSettings | None) -> Sequence[str]:
        return (*self.layers, STROKES) if clips is not None and clips.svg else self.layers

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        clips = config.clips
        return line_options(clips) | ({"svg_px": clips.line_px} if clips is not None and clips.svg else {})

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        folder, fps = out / part.split, clip.meta["fps"]
        text = caption(clip.meta)
        order = played(clip, _FRAMES * max(1, round(fps / _FPS)))
        drawing = LineDrawing.of(part.options, part.key)

        def line(k: int) -> Pixels:
            return drawing.picture(drawing.levels(clip.frame(LINE, k), k))

        require_first(clip.frame(LINE, 0).min() < 255, part.key, "sketch to move")
        write_mp4(folder / f"{part.key}.mp4", map(line, order), fps, lossless=True)
        write_bytes(folder / f"{part.key}.txt", text.encode("ascii"))
        write_bytes(folder / f"{part.key}.png", png.encode(line(0)))
        facts = {"frames": len(order), "drawn": clip.frames, "caption": text}
        facts |= {"size": clip.meta["size"], "fps": fps}
        if "svg_px" not in part.options:
            return facts
        for k in range(clip.frames):
            picture = drawing.svg(clip.frame(STROKES, k), clip.meta["size"], part.options["svg_px"])
            write_bytes(folder / part.key / f"{k:04d}.svg", picture)
        return facts | {"svg": clip.frames}

    def expected(self, part: Written) -> Mapping[str, int]:
        stem = f"{part.split}/{part.key}"
        frames = [f"{stem}/{k:04d}.svg" for k in range(part.facts.get("svg", 0))]
        others = dict.fromkeys([f"{stem}.png", f"{stem}.txt", *frames], 0)
        return {f"{stem}.mp4": part.facts["frames"], **others}
