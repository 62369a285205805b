"""Pictures on a ground and beside each other, and MP4 films through ffmpeg, where imageio-ffmpeg is installed."""

import importlib.util
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import UsageError, WriteError, brief
from specsia_build.files.writing import replacing

Pixels = NDArray[np.uint8]
"""A picture: (H, W) grey, or (H, W, C) with C = 2 grey and alpha, 3 RGB, 4 RGBA, alpha straight."""

GAP = 8  # White pixels between two pictures
_QUALITY = 10  # Constant rate factor of H.264, from 0 (lossless) to 51

_SAME_EVERYWHERE = ("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact")
"""The bytes depend on the number of threads, and on the version that ffmpeg writes."""


def over(picture: Pixels, ground: Pixels | int) -> Pixels:
    """Composite an RGBA picture (H, W, 4) uint8 on a ground, (H, W, 3) uint8 or a grey: (H, W, 3) uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    behind = np.asarray(ground, np.uint16)
    return np.asarray((picture[..., :3] * alpha + behind * (255 - alpha) + 127) // 255, np.uint8)


def on_white(picture: Pixels) -> Pixels:
    """Composite a picture (H, W, 4) uint8 with straight alpha on white: (H, W, 3) uint8."""
    return over(picture, 255)


def side_by_side(pictures: Sequence[Pixels], shape: tuple[int, int]) -> Pixels:
    """Put RGBA pictures on white, each in a field of `shape` (height, width): (H, W, 3) uint8, sides even."""
    height, width = shape
    whole = len(pictures) * (width + GAP) - GAP
    out = np.full((height + height % 2, whole + whole % 2, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        start = number * (width + GAP)
        out[: picture.shape[0], start : start + picture.shape[1]] = on_white(picture)
    return out


def has_ffmpeg() -> bool:
    """Whether MP4 can be written and read."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def need_ffmpeg(who: str) -> None:
    """Raise a UsageError unless MP4 can be written and read, with what to install for `who`."""
    if not has_ffmpeg():
        raise UsageError(f"{who}'s films are MP4, for which ffmpeg is missing: pip install 'specsia[video]'")


def write_mp4(
    path: Path, frames: Iterator[Pixels], fps: float | Fraction, *, lossless: bool = False, comment: str = ""
) -> None:
    """Write an H.264 film, whole or not at all; the same bytes each time. `lossless` keeps greys exactly.

    `frames` are (H, W, 3) uint8, of one size with even sides.
    """
    import imageio_ffmpeg

    first = next(frames)
    size, rate = f"{first.shape[1]}x{first.shape[0]}", str(Fraction(fps).limit_denominator())
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "-")
    film = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "0" if lossless else str(_QUALITY), *_SAME_EVERYWHERE]
    film += ["-metadata", f"comment={comment}"] if comment else []
    command = (imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *film, "-f", "mp4")
    with replacing(path) as temporary, tempfile.TemporaryFile() as log:
        with subprocess.Popen([*command, str(temporary)], stdin=subprocess.PIPE, stderr=log) as process:  # noqa: S603
            assert process.stdin is not None
            # Where ffmpeg ends early, its log says why.
            with suppress(BrokenPipeError):
                for frame in chain((first,), frames):
                    process.stdin.write(np.ascontiguousarray(frame).data)
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.returncode:
            log.seek(0)
            raise WriteError(f"{path} cannot be written by ffmpeg: {brief(log.read().decode(errors='replace'))}")


def read_mp4(path: Path) -> tuple[float, Iterator[Pixels]]:
    """Return frames a second and the frames (H, W, 3) uint8 of a film. Raises ValueError if it is damaged."""
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path))
    try:
        facts = next(reader)
    except (OSError, StopIteration) as error:
        raise ValueError("it is not a film that ffmpeg reads") from error
    width, height = facts["size"]

    def frames() -> Iterator[Pixels]:
        try:
            for data in reader:
                yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
        except (OSError, RuntimeError) as error:
            raise ValueError("it breaks off") from error

    return facts["fps"], frames()
