"""The recipe `control-video`: films with line films to steer them by, a reference picture and a prompt."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import COLOR, LINE
from specsia_build.errors import UsageError
from specsia_build.films import need_ffmpeg, on_white, write_mp4
from specsia_build.recipes.captions import caption
from specsia_build.recipes.checks import picture
from specsia_build.recipes.filming import check_film, film, line_film, played, require_first, write_line_film
from specsia_build.recipes.recipe import Part, Recipe, Written

VIDEOS, CONTROL, REFERENCE = "videos", "control", "reference"

COLUMNS = ("video", "control_video", "reference_image", "prompt")

TABLES = {"train": "metadata.csv", "test": "metadata_test.csv"}
"""The trainers read the first; `validation` is in the second."""

SIDE, STEP = 32, 8
"""What sides are multiples of, and what numbers of frames are one more than multiples of."""


class ControlVideo(Recipe):
    """What DiffSynth-Studio (Wan) and LTX-Video-Trainer read."""

    name = "control-video"
    version = 4
    title = "films, line films to steer them by, references and prompts, as Wan's and LTX's trainers read them"
    layers = (COLOR, LINE)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 512, "fps": 16.0, "frames": 49}

    def check(self, config: BuildConfig) -> None:
        need_ffmpeg(self.name)
        if config.size % SIDE:
            near = max(SIDE, round(config.size / SIDE) * SIDE)
            raise UsageError(f"{self.name}'s sides are multiples of {SIDE}, not {config.size}: --size {near}")
        frames = None if config.clips is None else config.clips.frames
        if frames is None or frames < 1 + STEP or (frames - 1) % STEP:
            raise UsageError(
                f"{self.name}'s films are all of one length, a multiple of {STEP} frames and one more, not {frames}: "
                "--frames 25, 49 or 81"
            )

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        return {"frames": config.clips and config.clips.frames}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        order, fps = played(clip, part.options["frames"]), clip.meta["fps"]
        first = clip.frame(COLOR, 0)
        require_first(first[..., 3].any(), part.key, "reference")
        write_mp4(out / VIDEOS / f"{part.key}.mp4", (on_white(clip.frame(COLOR, k)) for k in order), fps)
        write_line_film(out / CONTROL / f"{part.key}.mp4", partial(clip.frame, LINE), order, fps)
        (out / REFERENCE).mkdir()
        (out / REFERENCE / f"{part.key}.png").write_bytes(png.encode(on_white(first)))
        said = f"{caption(clip.meta)}, on a white background"
        return {"frames": len(order), "drawn": clip.frames, "prompt": said, "size": clip.meta["size"]}

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        rows: dict[str, list[tuple[str, ...]]] = {split: [COLUMNS] for split in TABLES}
        for part in parts:
            rows["train" if part.split == "train" else "test"].append(_row(part))
        for split, name in TABLES.items():
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows[split])
            yield name, text.getvalue().encode()

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        count, size = part.facts["frames"], (part.facts["size"],) * 2
        if size[0] % SIDE or (count - 1) % STEP:
            yield f"{VIDEOS}/{part.key}.mp4 has {count} frames of {size[0]} pixels a side, which LTX does not take"
        video, control, reference, _ = row = _row(part)
        check_film(film(folder, video, size, count, picture(folder, reference, 3, size)))
        check_film(line_film(folder, control, size, count))
        table = folder / TABLES["train" if part.split == "train" else "test"]
        if row not in _rows(table, table.stat().st_mtime_ns):
            yield f"{table.name} has no row of {video} with its control, its reference and the prompt that is on record"


@lru_cache(maxsize=2)
def _rows(table: Path, _: int) -> frozenset[tuple[str, ...]]:
    """Rows of a table, as it was when it was changed last."""
    with table.open(encoding="utf-8", newline="") as stream:
        return frozenset(map(tuple, csv.reader(stream)))


def _row(part: Written) -> tuple[str, ...]:
    names = (f"{VIDEOS}/{part.key}.mp4", f"{CONTROL}/{part.key}.mp4", f"{REFERENCE}/{part.key}.png")
    return (*names, part.facts["prompt"])


_LOAD = f"""\
`{TABLES["train"]}` has a row for each clip of the split `train`, `{TABLES["test"]}` of the others: the film in \
`{VIDEOS}/`, on white; the line film in `{CONTROL}/`, black on white; its first frame in `{REFERENCE}/`; and a prompt \
made of what the names of the character and the motion say. All films are of one size and one length. A shorter motion \
is played on: round and round where it ends as it began, else to and fro, so that it never jumps.

```bash
# in a checkout of modelscope/DiffSynth-Studio; FOLDER is where this card lies, SIZE and FRAMES are below. To these are
# added the model and how to train, as in examples/wanvideo/model_training/lora/Wan2.1-Fun-V1.1-1.3B-Control.sh
accelerate launch examples/wanvideo/model_training/train.py --dataset_base_path FOLDER \\
  --dataset_metadata_path FOLDER/{TABLES["train"]} --data_file_keys "video,control_video,reference_image" \\
  --extra_inputs "control_video,reference_image" --height SIZE --width SIZE --num_frames FRAMES
```

```bash
# in a checkout of Lightricks/LTX-Video-Trainer
python scripts/preprocess_dataset.py FOLDER/{TABLES["train"]} --resolution-buckets SIZExSIZExFRAMES \\
  --caption-column prompt --video-column video --reference-column control_video
```

A model that was taught with white lines on black, such as Canny's, takes the inverse: \
`ffmpeg -i control.mp4 -vf negate -crf 0 inverse.mp4`.
"""
