"""Films of frames: MP4 through ffmpeg where imageio-ffmpeg is installed, else an animated WebP."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import UsageError, WriteError, brief
from specsia_build.files.writing import replacing

GAP = 8
"""White pixels between two pictures."""

_QUALITY = 10
"""Of H.264, from 0, which loses nothing of what its colours can say, to 51."""

_SAME_EVERYWHERE = ("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact")
"""What ffmpeg writes depends on the number of threads, and it signs its files."""


def over(picture: NDArray[np.uint8], ground: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    """An RGBA picture (H, W, 4) uint8 on a ground, (H, W, 3) uint8 or a grey: (H, W, 3) uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    behind = np.asarray(ground, np.uint16)
    return np.asarray((picture[..., :3] * alpha + behind * (255 - alpha) + 127) // 255, np.uint8)


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 with straight alpha, composited on white: (H, W, 3) uint8."""
    return over(picture, 255)


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
    if _has_ffmpeg():
        path = stem.with_name(f"{stem.name}.mp4")
        write_mp4(path, frames, fps)
        return path
    path = stem.with_name(f"{stem.name}.webp")
    first = Image.fromarray(next(frames))
    rest: Any = [_Clip(count - 1, frames)] if count > 1 else []
    how: dict[str, Any] = {"duration": 1000 / fps, "loop": 0, "quality": 85, "method": 2}
    with replacing(path) as temporary:
        first.save(temporary, "WEBP", save_all=True, append_images=rest, **how)
    return path


def _has_ffmpeg() -> bool:
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def need_ffmpeg(who: str) -> None:
    """See that MP4 can be written and read.

    Raises:
        UsageError: if not, with what to install for `who`.
    """
    if not _has_ffmpeg():
        raise UsageError(f"{who}'s films are MP4, for which ffmpeg is missing: pip install 'specsia[video]'")


def write_mp4(path: Path, frames: Iterator[NDArray[np.uint8]], fps: float, *, lossless: bool = False) -> None:
    """Write an H.264 film, whole or not at all; the same bytes each time.

    Args:
        path: of the file.
        frames: pictures (H, W, 3) uint8, at least one, all of one size with even sides.
        fps: frames a second.
        lossless: whether greys are kept as they are, black and white exactly.

    Raises:
        WriteError: if it cannot be written.
    """
    import imageio_ffmpeg

    first = next(frames)
    taken = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{first.shape[1]}x{first.shape[0]}")
    rate = ("-r", str(Fraction(fps).limit_denominator()))
    made = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "0" if lossless else str(_QUALITY), *_SAME_EVERYWHERE)
    command = (imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *taken, *rate, "-i", "-", *made, "-f", "mp4")
    with replacing(path) as temporary, tempfile.TemporaryFile() as said:
        with subprocess.Popen([*command, str(temporary)], stdin=subprocess.PIPE, stderr=said) as process:  # noqa: S603
            assert process.stdin is not None
            # What stops it, it says itself.
            with suppress(BrokenPipeError):
                for frame in chain((first,), frames):
                    process.stdin.write(np.ascontiguousarray(frame).data)
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.returncode:
            said.seek(0)
            raise WriteError(f"{path} cannot be written by ffmpeg: {brief(said.read().decode(errors='replace'))}")


def read_mp4(path: Path) -> tuple[float, Iterator[NDArray[np.uint8]]]:
    """Frames a second and the frames of a film, each (H, W, 3) uint8; they raise ValueError where it is damaged.

    Raises:
        ValueError: if the file is no film.
    """
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path))
    try:
        facts = next(reader)
    except (OSError, StopIteration) as error:
        raise ValueError("it is no film that ffmpeg reads") from error
    width, height = facts["size"]

    def frames() -> Iterator[NDArray[np.uint8]]:
        try:
            for data in reader:
                yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
        except (OSError, RuntimeError) as error:
            raise ValueError("it breaks off") from error

    return facts["fps"], frames()
