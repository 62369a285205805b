"""Clips' frames as recipes get them, of arrays made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.layers import LAYERS, frame_file
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written

FPS = 12.0


def clip_frames(
    clip: str, layers: Mapping[str, Sequence[Any]], yaws: float | Sequence[float] = 0.0, **meta: Any
) -> ClipFrames:
    """A clip whose id, CHARACTER-ACTION-VIEW, says what it is.

    Args:
        clip: its id.
        layers: of each frame, by name; what is None is not there.
        yaws: of the camera, or of it in each frame.
        meta: what else is known of it, over what follows from the rest.
    """
    character, action, view = clip.rsplit("-", 2)
    count = max(map(len, layers.values()))
    files = {
        frame_file(name, k): LAYERS[name].encode(frame)
        for name, frames in layers.items()
        for k, frame in enumerate(frames)
        if frame is not None
    }
    turned = [float(yaw) for yaw in np.broadcast_to(np.asarray(yaws), count)]
    said = {
        "id": clip,
        "character": character,
        "clip": {"id": clip, "action": action, "origin": "own", "view": int(view), "yaw": turned[0], "frames": count},
        "fps": FPS,
        "times": [k / FPS for k in range(count)],
        "loops": True,
        "yaws": turned,
        "size": next(len(LAYERS[name].decode(data)) for name, data in _pictures(layers, files)),
        "width": 1.2,
        "box": [[-0.5] * 3, [0.5] * 3],
        "license": "CC0-1.0",
        "source": "made by hand",
        "backend": None,
    }
    return ClipFrames({**said, **meta}, files)


def _pictures(layers: Mapping[str, Sequence[Any]], files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    firsts = [(name, frame_file(name, 0)) for name in layers if LAYERS[name].suffix == ".png"]
    return [(name, files[file]) for name, file in firsts if file in files]


def part_of(key: str, clips: Sequence[ClipFrames], split: str = "train", **options: Any) -> Part:
    """A part of some clips of one character."""
    by_id = {clip.meta["id"]: clip for clip in clips}
    return Part(key, clips[0].meta["character"], split, options, tuple(by_id), by_id.__getitem__)


def written(recipe: Recipe, part: Part, folder: Path) -> Written:
    """What is on record of a part that a recipe wrote into an empty folder."""
    facts = recipe.write(part, folder)
    files = {path.relative_to(folder).as_posix(): (path.stat().st_size, "") for path in _files(folder)}
    return Written(part.key, part.character, part.split, part.clips, "CC0-1.0", None, files, facts)


def complaints(recipe: Recipe, folder: Path, part: Written) -> list[str]:
    """What `verify` yields, and what it raises."""
    sentences = []
    try:
        for sentence in recipe.verify(folder, part):
            sentences.append(sentence)
    except ValueError as error:
        sentences.append(str(error))
    return sentences


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def ring(size: int) -> NDArray[np.uint8]:
    """A frame (size, size) of lines: that around a disc of 12 pixels, grey on white."""
    return np.where(disc(size, 12)[..., 3] != disc(size, 10)[..., 3], 90, 255).astype(np.uint8)


def disc(size: int, radius: float, colour: tuple[int, int, int] = (200, 80, 40)) -> NDArray[np.uint8]:
    """A frame (size, size, 4): a disc in the middle of nothing."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    frame = np.zeros((size, size, 4), np.uint8)
    frame[np.hypot(x, y) < radius] = (*colour, 255)
    return frame
