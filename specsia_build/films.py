"""A film of frames, side by side: MP4 through ffmpeg where imageio-ffmpeg is installed, else an animated WebP."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.files.writing import replacing

GAP = 8
"""White pixels between two pictures."""


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 with straight alpha, composited on white: (H, W, 3) uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    return np.asarray((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255, np.uint8)


def side_by_side(pictures: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """RGBA pictures on white, each in a field of `shape` (height, width): (H, W, 3) uint8, sides even."""
    height, width = shape
    whole = len(pictures) * (width + GAP) - GAP
    out = np.full((height + height % 2, whole + whole % 2, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        start = number * (width + GAP)
        out[: picture.shape[0], start : start + picture.shape[1]] = on_white(picture)
    return out


class _Clip:
    """What Pillow needs of an image of many frames, composed one at a time, so that a long film fits into memory."""

    mode = "composed"
    has_transparency_data = False

    def __init__(self, count: int, frames: Iterator[NDArray[np.uint8]]) -> None:
        self.n_frames, self._frames = count, frames

    def seek(self, index: int) -> None:
        """Nothing: frames are asked for in order, once."""

    def convert(self, *_: Any) -> Image.Image:
        return Image.fromarray(next(self._frames))


def write_film(stem: Path, count: int, frames: Iterator[NDArray[np.uint8]], fps: float) -> Path:
    """Write a film, whole or not at all.

    Args:
        stem: path without a suffix.
        count: of frames, at least one.
        frames: so many pictures (H, W, 3) uint8, all of one size with even sides.
        fps: frames a second.

    Returns:
        The file, `.mp4` or `.webp`.

    Raises:
        WriteError: if it cannot be written.
    """
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        return _mp4(stem, frames, fps)
    path = stem.with_name(f"{stem.name}.webp")
    first = Image.fromarray(next(frames))
    rest: Any = [_Clip(count - 1, frames)] if count > 1 else []
    how: dict[str, Any] = {"duration": 1000 / fps, "loop": 0, "quality": 85, "method": 2}
    with replacing(path) as temporary:
        first.save(temporary, "WEBP", save_all=True, append_images=rest, **how)
    return path


def _mp4(stem: Path, frames: Iterator[NDArray[np.uint8]], fps: float) -> Path:
    import imageio_ffmpeg

    path = stem.with_name(f"{stem.name}.mp4")
    first = next(frames)
    size = first.shape[1], first.shape[0]
    with replacing(path) as temporary:
        writer = imageio_ffmpeg.write_frames(
            str(temporary), size, fps=fps, quality=8, macro_block_size=2, output_params=["-f", "mp4"]
        )
        writer.send(None)
        for frame in chain((first,), frames):
            writer.send(np.ascontiguousarray(frame))
        writer.close()
    return path
