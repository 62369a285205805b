"""The layout `control-video`: films, line films to steer them by, reference pictures and prompts."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, LINE
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.media import caption, played, require_first, rgb
from specsia_build.layouts.part import Part, Written
from specsia_build.pictures.films import on_white, write_mp4

_VIDEOS, _CONTROL = "videos", "control"
_REFERENCE = "reference"
TABLE_COLUMNS = ("video", "control_video", "reference_image", "prompt")
_TABLES = {"train": "metadata.csv", "test": "metadata_test.csv"}
"""The trainers read the first; `validation` is in the second."""

# Sides are multiples of the first; numbers of frames are one more than a multiple of the second
_SIDE, _STEP = 32, 8


class ControlVideo(Layout):
    """The layout that DiffSynth-Studio (Wan) and LTX-Video-Trainer read."""

    name = "control-video"
    version = 4
    title = (
        "films, line films to steer them by, references and prompts, as Wan's and LTX's trainers read them"
    )
    layers = (COLOR, LINE)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 512, "fps": 16.0, "frames": 49}
    loading = f"""\
`{_TABLES["train"]}` has a row for each clip of the split `train`, `{_TABLES["test"]}` for all others: the \
film in `{_VIDEOS}/`, on white; the line film in `{_CONTROL}/`, black on white; its first frame in \
`{_REFERENCE}/`; and a prompt made from the names of the character and the motion. All films have one size \
and one length; shorter motions are repeated. FOLDER is the folder of this card, SIZE and FRAMES are below.

```bash
# in a checkout of modelscope/DiffSynth-Studio. Add the arguments of a model, as in
# examples/wanvideo/model_training/lora/Wan2.1-Fun-V1.1-1.3B-Control.sh
accelerate launch examples/wanvideo/model_training/train.py --dataset_base_path FOLDER \\
  --dataset_metadata_path FOLDER/{_TABLES["train"]} --data_file_keys "video,control_video,reference_image" \\
  --extra_inputs "control_video,reference_image" --height SIZE --width SIZE --num_frames FRAMES
```

```bash
# in a checkout of Lightricks/LTX-Video-Trainer
python scripts/preprocess_dataset.py FOLDER/{_TABLES["train"]} --resolution-buckets SIZExSIZExFRAMES \\
  --caption-column prompt --video-column video --reference-column control_video
```
"""

    def check(self, config: BuildConfig) -> None:
        if config.size % _SIDE:
            near = max(_SIDE, round(config.size / _SIDE) * _SIDE)
            problem = f"{self.name}'s sides are multiples of {_SIDE}, not {config.size}: --size {near}"
            raise UsageError(problem)
        frames = None if config.clips is None else config.clips.frames
        if frames is None or frames < 1 + _STEP or (frames - 1) % _STEP:
            length = f"a multiple of {_STEP} frames and one more, not {frames}"
            raise UsageError(f"{self.name}'s films are all of one length, {length}: --frames 25, 49 or 81")

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        return {"frames": config.clips and config.clips.frames}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        order, fps = played(clip, part.options["frames"]), clip.meta["fps"]
        first = clip.frame(COLOR, 0)
        require_first(first[..., 3].any(), part.key, "reference")
        write_mp4(out / _VIDEOS / f"{part.key}.mp4", (on_white(clip.frame(COLOR, k)) for k in order), fps)
        lines = (rgb(clip.frame(LINE, k)) for k in order)
        write_mp4(out / _CONTROL / f"{part.key}.mp4", lines, fps, lossless=True)
        write_bytes(out / _REFERENCE / f"{part.key}.png", png.encode(on_white(first)))
        prompt = f"{caption(clip.meta)}, on a white background"
        return {"frames": len(order), "drawn": clip.frames, "prompt": prompt, "size": clip.meta["size"]}

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        rows = {split: [TABLE_COLUMNS] for split in _TABLES}
        for part in parts:
            rows["train" if part.split == "train" else "test"].append(_row(part))
        for split, name in _TABLES.items():
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows[split])
            yield name, text.getvalue().encode()

    def expected(self, part: Written) -> Mapping[str, int]:
        video, control, reference, _ = _row(part)
        return {video: part.facts["frames"], control: part.facts["frames"], reference: 0}


def _row(part: Written) -> tuple[str, str, str, str]:
    key = part.key
    return f"{_VIDEOS}/{key}.mp4", f"{_CONTROL}/{key}.mp4", f"{_REFERENCE}/{key}.png", part.facts["prompt"]
