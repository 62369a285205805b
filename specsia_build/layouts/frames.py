"""The layout `frames`: a folder for each clip with `color/`, `mask/` and `pos/`, one picture a frame."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.config import FRAMES, BuildConfig
from specsia_build.dataset.layers import COLOR, GT, MASK, POS, frame_file
from specsia_build.dataset.verify.rows import check_alpha
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Part, Pictures, Written
from specsia_build.pictures.files import write_film
from specsia_build.pictures.films import side_by_side

_RECORD = "clip.json"  # Description of a clip, in its folder
_KIND = "specsia clip"
_PREVIEW = "preview"


class Frames(Layout):
    """The layout that `specsia enhance` and stylisers read."""

    name = FRAMES
    title = "a folder for each clip with color/, mask/ and pos/, as `specsia enhance` takes it"
    layers = (COLOR, MASK, POS)
    shows = "both"
    loading = """\
`CLIP/color/0000.png` … are RGBA frames, `mask/` their alpha, `pos/` the rest positions of what is seen, \
and `clip.json` describes the clip.

```bash
specsia enhance RUN CLIP --out repaired
```
"""

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        return {"preview": config.clips is not None and config.clips.preview}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        folder = out / part.key
        for layer in self.layers:
            for frame in range(clip.frames):
                write_bytes(folder / layer / f"{frame:04d}.png", clip.raw(layer, frame))
        if part.options["preview"]:
            _write_preview(clip, folder / _PREVIEW)
        fields = ("character", "yaws", "fps", "times", "size", "width", "box", "backend", "license", "source")
        record = {name: clip.meta.get(name) for name in fields} | {"kind": _KIND, "clip": clip.meta["id"]}
        record |= {name: clip.meta["clip"][name] for name in ("action", "view")}
        text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_bytes(folder / _RECORD, text.encode())
        return {"frames": clip.frames}

    def expected(self, part: Written) -> Mapping[str, int]:
        frames = range(part.facts["frames"])
        names = [f"{part.key}/{layer}/{frame:04d}.png" for layer in self.layers for frame in frames]
        previews = [name for name in part.files if Path(name).stem == _PREVIEW]
        return dict.fromkeys([*names, *previews, f"{part.key}/{_RECORD}"], 0)

    def check_part(self, folder: Path, part: Written) -> Iterator[str]:
        yield from (problems := [*super().check_part(folder, part)])
        for frame in range(0 if problems else part.facts["frames"]):
            files = [folder / part.key / layer / f"{frame:04d}.png" for layer in self.layers]
            layers = [png.decode(file.read_bytes(), 1 if file.parent.name == MASK else 4) for file in files]
            yield from (f"{part.key} in frame {frame:04d}.png: {problem}" for problem in check_alpha(*layers))


def _write_preview(clip: Pictures, stem: Path) -> None:
    """Write a film of a clip; of a reconstruction, with the clean frames beside it."""
    columns: list[tuple[Mapping[str, bytes], str]] = [(clip.files, COLOR)]
    if clip.clean is not None:
        columns.append((clip.clean, GT if frame_file(GT, 0) in clip.clean else COLOR))

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for frame in range(clip.frames):
            decoded = [png.decode(files[frame_file(layer, frame)], 4) for files, layer in columns]
            yield side_by_side(decoded, (clip.meta["size"], clip.meta["size"]))

    write_film(stem, clip.frames, pictures(), clip.meta["fps"])
