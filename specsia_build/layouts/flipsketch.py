"""The layout `flipsketch`: line films with a caption and their first frame."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LINE
from specsia_build.errors import UsageError
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.media import caption, played, require_first, rgb, write_line_film
from specsia_build.layouts.part import Part, Written

_FRAMES, _FPS = 16, 8  # Frames of an item, and frames a second at which the loader samples a film


class FlipSketch(Layout):
    """The layout that Text-To-Video-Finetuning's `VideoFolderDataset` and FlipSketch's app read."""

    name = "flipsketch"
    version = 4
    title = "sketched films with captions, as Text-To-Video-Finetuning reads them to teach FlipSketch"
    layers = (LINE,)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256, "fps": float(_FPS), "line_px": 1.5}
    loading = f"""\
`SPLIT/CLIP.mp4` is a film of black strokes on white, `CLIP.txt` a caption made from the names of the \
character and the motion, and `CLIP.png` the first frame; FlipSketch's `app.py` takes the latter two. The \
loader takes {_FRAMES} frames at {_FPS} a second; shorter motions are repeated.

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

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        folder, fps = out / part.split, clip.meta["fps"]
        text = caption(clip.meta)
        order, line = played(clip, _FRAMES * max(1, round(fps / _FPS))), partial(clip.frame, LINE)
        require_first(line(0).min() < 255, part.key, "sketch to move")
        folder.mkdir()
        write_line_film(folder / f"{part.key}.mp4", line, order, fps)
        (folder / f"{part.key}.txt").write_text(text, encoding="ascii")
        (folder / f"{part.key}.png").write_bytes(png.encode(rgb(line(0))))
        facts = {"frames": len(order), "drawn": clip.frames, "caption": text}
        return facts | {"size": clip.meta["size"], "fps": fps}

    def expected(self, part: Written) -> Mapping[str, int]:
        stem = f"{part.split}/{part.key}"
        return {f"{stem}.mp4": part.facts["frames"], f"{stem}.png": 0, f"{stem}.txt": 0}
