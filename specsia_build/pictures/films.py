"""Pictures on a ground and beside each other, and MP4 and GIF films through ffmpeg."""

import math
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.errors import WriteError, brief
from specsia_build.files.writing import replacing

FILM_GAP = 8  # White pixels between two pictures
HALF_OPAQUE = 128  # Alpha from which a pixel of a GIF is opaque
_QUALITY = 10  # Constant rate factor of H.264, from 0 (lossless) to 51
_SAME_EVERYWHERE = ("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact")
"""The bytes depend on the number of threads, and on the version that ffmpeg writes."""


def over(picture: Pixels, ground: Pixels | int) -> Pixels:
    """Composite an RGBA picture (H, W, 4) uint8 on a ground, (H, W, 3) uint8 or a grey: (H, W, 3) uint8."""
    alpha = picture[..., 3].astype(np.uint16)
    behind = np.broadcast_to(np.asarray(ground, np.uint16), (*alpha.shape, 3))
    # Inner loops over three channels would take three times as long.
    levels = [(picture[..., k] * alpha + behind[..., k] * (255 - alpha) + 127) // 255 for k in range(3)]
    return np.stack(levels, axis=2, dtype=np.uint8, casting="unsafe")


def on_white(picture: Pixels) -> Pixels:
    """Composite a picture (H, W, 4) uint8 with straight alpha on white: (H, W, 3) uint8."""
    return over(picture, 255)


def side_by_side(pictures: Sequence[Pixels], shape: tuple[int, int]) -> Pixels:
    """Put RGBA pictures on white, each in a field of `shape` (height, width): (H, W, 3) uint8, sides even."""
    height, width = shape
    whole = len(pictures) * (width + FILM_GAP) - FILM_GAP
    out = np.full((height + height % 2, whole + whole % 2, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        start = number * (width + FILM_GAP)
        out[: picture.shape[0], start : start + picture.shape[1]] = on_white(picture)
    return out


def write_mp4(
    path: Path, frames: Iterator[Pixels], fps: float | Fraction, *, lossless: bool = False, comment: str = ""
) -> None:
    """Write an H.264 film, whole or not at all; the same bytes each time. `lossless` keeps greys exactly.

    `frames` are (H, W, 3) uint8, of one size with even sides.
    """
    quality = ("-crf", "0" if lossless else str(_QUALITY))
    film = ["-c:v", "libx264", "-pix_fmt", "yuv420p", *quality, *_SAME_EVERYWHERE]
    film += ["-metadata", f"comment={comment}"] if comment else []
    with replacing(path) as temporary:
        _through_ffmpeg(path, frames, fps, (*film, "-f", "mp4", str(temporary)))


def write_gif(path: Path, frames: Iterator[Pixels], fps: float | Fraction, *, comment: bytes = b"") -> None:
    """Write a GIF that loops, whole or not at all; the same bytes each time.

    `frames` are of one size, (H, W, 3) uint8, or (H, W, 4) uint8 with straight alpha, of which pixels from
    `HALF_OPAQUE` on are opaque. They share one palette and are not dithered, so that nothing flickers.
    """
    with replacing(path) as temporary, tempfile.TemporaryDirectory(prefix="specsia-") as scratch:
        stored, palette = Path(scratch) / "frames", Path(scratch) / "palette.png"
        shape = _store(frames, stored)
        colours = f"palettegen=reserve_transparent={int(shape[2] == 4)}"
        analysis = ("-vf", colours, "-update", "1", str(palette))
        _through_ffmpeg(path, map(_opaque_alone, _stored(stored, shape)), fps, analysis)
        use = f"paletteuse=dither=none:alpha_threshold={HALF_OPAQUE}"
        film = ("-i", str(palette), "-lavfi", use, "-loop", "0")
        output = (*film, *_SAME_EVERYWHERE, "-f", "gif", str(temporary))
        _through_ffmpeg(path, _stored(stored, shape), fps, output)
        data = temporary.read_bytes()
        block = b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0" if comment else b""
        # The last byte ends the file.
        temporary.write_bytes(data[:-1] + block + data[-1:])


def _store(frames: Iterator[Pixels], file: Path) -> tuple[int, ...]:
    """Write the bytes of frames one after the other, for reading them again; returns the shape of one."""
    shape: tuple[int, ...] = ()
    with file.open("wb") as stream:
        for frame in frames:
            shape = frame.shape
            stream.write(np.ascontiguousarray(frame).data)
    return shape


def _stored(file: Path, shape: tuple[int, ...]) -> Iterator[Pixels]:
    with file.open("rb") as stream:
        while data := stream.read(math.prod(shape)):
            yield np.frombuffer(data, np.uint8).reshape(shape)


def _opaque_alone(frame: Pixels) -> Pixels:
    """Repeat a frame's opaque pixels all over it, so that a palette is not spent on what is not seen."""
    if frame.shape[2] == 3:
        return frame
    opaque = frame[frame[..., 3] >= HALF_OPAQUE]
    return np.asarray(np.resize(opaque, frame.shape)) if len(opaque) else frame


def _through_ffmpeg(
    path: Path, frames: Iterator[Pixels], fps: float | Fraction, arguments: Sequence[str]
) -> None:
    """Send frames (H, W, 3) or (H, W, 4) uint8 to ffmpeg as its first input; `path` is for the error."""
    import imageio_ffmpeg

    first = next(frames)
    size, rate = f"{first.shape[1]}x{first.shape[0]}", str(Fraction(fps).limit_denominator())
    kind = "rgba" if first.shape[2] == 4 else "rgb24"
    raw = ("-f", "rawvideo", "-pix_fmt", kind, "-s", size, "-r", rate, "-i", "-")
    command = (imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *arguments)
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log) as process:  # noqa: S603
            assert process.stdin is not None
            # Where ffmpeg ends early, its log says why.
            with suppress(BrokenPipeError):
                for frame in chain((first,), frames):
                    process.stdin.write(np.ascontiguousarray(frame).data)
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.returncode:
            log.seek(0)
            why = brief(log.read().decode(errors="replace"))
            raise WriteError(f"{path} cannot be written by ffmpeg: {why}")


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
