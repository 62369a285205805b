"""The recipe `frames`: a folder for each clip, with `color/`, `mask/` and `pos/`, a picture each for every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.config import FRAMES, BuildConfig
from specsia_build.dataset.layers import COLOR, GT, MASK, POS, frame_file
from specsia_build.dataset.schema import PARTS_FILE
from specsia_build.dataset.verify.pixels import check_alpha
from specsia_build.films import side_by_side
from specsia_build.picture_files import write_film
from specsia_build.recipes import checks
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written

RECORD = "clip.json"
"""Beside the folders of a clip: what it is."""

KIND = "specsia clip"

PREVIEW = "preview"


class Frames(Recipe):
    """What `specsia enhance` and stylisers take."""

    name = FRAMES
    title = "a folder for each clip with color/, mask/ and pos/, as `specsia enhance` takes it"
    layers = (COLOR, MASK, POS)
    reconstructions = True

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        return {"preview": config.clips is not None and config.clips.preview}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        folder = out / part.key
        for layer in self.layers:
            (folder / layer).mkdir(parents=True)
            for frame in range(clip.frames):
                (folder / layer / f"{frame:04d}.png").write_bytes(clip.raw(layer, frame))
        if part.options["preview"]:
            _write_preview(clip, folder / PREVIEW)
        text = json.dumps(_record(clip.meta), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
        return {"frames": clip.frames}

    def load(self) -> str:
        return (
            "`CLIP/color/0000.png` … are RGBA frames, `mask/` their alpha, `pos/` the rest positions of what is seen, "
            "`clip.json` says what the clip is.\n\n```bash\nspecsia enhance RUN CLIP --out repaired\n```\n"
        )

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        name = f"{part.key}/{RECORD}"
        said = checks.record(folder, name)
        size, times, stated = said.get("size"), said.get("times"), (part.key, part.character, part.license)
        if tuple(said.get(field) for field in ("clip", "character", "license")) != stated:
            yield f"{name} says another clip, character or licence than {PARTS_FILE}"
        if type(size) is not int or not isinstance(times, list) or len(times) != part.facts.get("frames"):
            yield f"{name} does not say the size and the times of {part.facts.get('frames')} frames"
            return
        frames = [f"{frame:04d}.png" for frame in range(len(times))]
        wanted = {name, *(f"{part.key}/{layer}/{frame}" for layer in self.layers for frame in frames)}
        previews = {name for name in part.files if Path(name).stem == PREVIEW}
        yield from checks.names(part, wanted | previews)
        if wanted <= part.files.keys():
            for frame in frames:
                color, mask, pos = (
                    checks.picture(folder, f"{part.key}/{layer}/{frame}", channels, (size, size))
                    for layer, channels in ((COLOR, 4), (MASK, 1), (POS, 4))
                )
                yield from (f"{part.key} in frame {frame}: {said}" for said in check_alpha(color, mask, pos))


def _record(meta: Mapping[str, Any]) -> dict[str, Any]:
    same = ("character", "yaws", "fps", "times", "size", "width", "box", "backend", "license", "source")
    return {
        "kind": KIND,
        "clip": meta["id"],
        "action": meta["clip"]["action"],
        "view": meta["clip"]["view"],
        **{name: meta.get(name) for name in same},
    }


def _write_preview(clip: ClipFrames, stem: Path) -> None:
    beside: list[tuple[Mapping[str, bytes], str]] = [(clip.files, COLOR)]
    if clip.clean is not None:
        beside.append((clip.clean, GT if frame_file(GT, 0) in clip.clean else COLOR))

    def composed() -> Iterator[NDArray[np.uint8]]:
        for frame in range(clip.frames):
            pictures = [png.decode(files[frame_file(layer, frame)], 4) for files, layer in beside]
            yield side_by_side(pictures, (clip.meta["size"], clip.meta["size"]))

    write_film(stem, clip.frames, composed(), clip.meta["fps"])
