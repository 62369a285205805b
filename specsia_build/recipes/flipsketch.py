"""The recipe `flipsketch`: line films with a caption and their first frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LINE
from specsia_build.errors import UsageError, plural
from specsia_build.films import need_ffmpeg
from specsia_build.recipes.captions import caption
from specsia_build.recipes.checks import picture
from specsia_build.recipes.filming import check_film, line_film, played, require_first, rgb, write_line_film
from specsia_build.recipes.recipe import Part, Recipe, Written

FRAMES, FPS = 16, 8
"""Frames of an item, and how many a second its loader takes of a film."""


class FlipSketch(Recipe):
    """What Text-To-Video-Finetuning's `VideoFolderDataset` and FlipSketch's app read."""

    name = "flipsketch"
    version = 4
    title = "sketched films with captions, as Text-To-Video-Finetuning reads them to teach FlipSketch"
    layers = (LINE,)
    by_pattern = True
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256, "fps": float(FPS), "line_px": 1.5}

    def check(self, config: BuildConfig) -> None:
        need_ffmpeg(self.name)
        if config.size % 2:
            raise UsageError(f"{self.name}'s films have even sides, not {config.size}: --size {config.size + 1}")

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        fps, folder, said = clip.meta["fps"], out / part.split, caption(clip.meta)
        order, line = played(clip, _least(fps)), partial(clip.frame, LINE)
        require_first(line(0).min() < 255, part.key, "sketch to move")
        folder.mkdir()
        write_line_film(folder / f"{part.key}.mp4", line, order, fps)
        (folder / f"{part.key}.txt").write_text(said, encoding="ascii")
        (folder / f"{part.key}.png").write_bytes(png.encode(rgb(line(0))))
        return {"frames": len(order), "drawn": clip.frames, "caption": said, "size": clip.meta["size"], "fps": fps}

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        stem, count, fps = f"{part.split}/{part.key}", part.facts["frames"], part.facts["fps"]
        size = (part.facts["size"],) * 2
        if count < _least(fps):
            yield f"{stem}.mp4 has {plural(count, 'frame')}, and at {fps:g} a second its loader needs {_least(fps)}"
        check_film(line_film(folder, f"{stem}.mp4", size, count, picture(folder, f"{stem}.png", 3, size)))
        if (folder / f"{stem}.txt").read_bytes() != part.facts["caption"].encode():
            yield f"{stem}.txt does not say: {part.facts['caption']}"


def _least(fps: float) -> int:
    """Frames that a film needs to be an item of `FRAMES`."""
    return FRAMES * max(1, round(fps / FPS))


_LOAD = f"""\
`SPLIT/CLIP.mp4` is a film of black strokes on white, `CLIP.txt` what it shows, in words that the names of the \
character and the motion have, and `CLIP.png` its first frame, the sketch that FlipSketch is given. Strokes are the \
lines of the geometry, anti-aliased; greys are kept to a level.

The loader takes {FRAMES} frames at {FPS} a second. A shorter motion is played on: round and round where it ends as \
it began, else to and fro, so that it never jumps.

```yaml
# in a checkout of ExponentialML/Text-To-Video-Finetuning: configs/v2/lora_training_config.yaml
dataset_types: ["folder"]
train_data: {{width: 256, height: 256, use_bucketing: False, n_sample_frames: {FRAMES}, fps: {FPS}, path: FOLDER/train}}
```

```bash
python train.py --config configs/v2/lora_training_config.yaml
```

FOLDER is where this card lies. FlipSketch's `app.py` takes a `CLIP.png` and its caption as they are.
"""
