"""Stills and films as files of the format their name ends in, marked as ours; same frames, same bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from specsia_build.arrays import Pixels
from specsia_build.errors import UsageError, plural
from specsia_build.files.writing import replacing
from specsia_build.folders import refuse_foreign_file
from specsia_build.pictures.films import write_gif, write_mp4

DPI = 300  # Pixels an inch of stills, as journals ask for
_MARK = b"drawn by specsia"
_QUALITY = 90  # Quality of WebP and PDF
_MOST_PIXELS = 1 << 27  # Pixels that are in memory at once
_SOFTWARE = 0x0131  # Tag of EXIF


@dataclass(frozen=True)
class Format:
    """What a kind of file can hold."""

    name: str
    most: int  # Pixels on a side
    clear: bool = True  # Transparency
    still: bool = True  # One picture
    film: bool = True  # Many
    held: bool = False  # Whether all frames are in memory while it is written


_FORMATS = {
    ".mp4": Format("MP4", 8192, clear=False, still=False),
    ".webp": Format("WebP", 16383),
    ".gif": Format("GIF", 65535, still=False),
    ".png": Format("PNG", 65535, held=True),
    ".pdf": Format("PDF", 65500, clear=False, film=False),
}


def check_target(path: Path, film: bool, clear: bool) -> None:
    """UsageError if a still or `film`, transparent if `clear`, cannot be written to a file of that name."""
    known = {end: form for end, form in _FORMATS.items() if (form.film if film else form.still)}
    end = path.suffix.lower()
    if end not in known:
        kind = "a film" if film else "a sheet"
        raise UsageError(f"{path} cannot be {kind}: its name must end in {', '.join(known)}")
    if clear and not known[end].clear:
        others = ", ".join(end for end, form in known.items() if form.clear)
        cure = f"name another --background, or a file ending in {others}"
        raise UsageError(f"{end} cannot be transparent: {cure}")
    refuse_foreign_file(path, "picture that specsia drew", _MARK)


def check_size(path: Path, size: tuple[int, int], count: int = 1) -> tuple[int, int]:
    """Return width and height in a file of `count` pictures; UsageError if the format cannot hold them."""
    form, (width, height) = _FORMATS[path.suffix.lower()], size
    if max(size) > form.most:
        raise UsageError(
            f"a picture of {width} x {height} pixels is more than {form.name} can hold, {form.most} on a "
            "side: choose fewer characters or views, a smaller --size, or other --columns"
        )
    if width * height * (count if form.held else 1) > _MOST_PIXELS:
        raise UsageError(
            f"{plural(count, 'picture')} of {width} x {height} pixels {'are' if count > 1 else 'is'} more "
            "than fits into memory: choose fewer characters or views, or a smaller --size"
        )
    return (width + width % 2, height + height % 2) if form.name == "MP4" else size


def write_still(path: Path, picture: Pixels) -> None:
    """Write one picture, (H, W, 4) uint8 with straight alpha, whole or not at all."""
    name = _FORMATS[path.suffix.lower()].name
    with replacing(path) as temporary:
        _plain(picture).save(temporary, name, **_mark(name), **_STILLS[name])


def _mark(name: str) -> dict[str, Any]:
    """Options of Pillow that mark a file of a format as ours."""
    if name == "WebP":
        exif = Image.Exif()
        exif[_SOFTWARE] = _MARK.decode()
        return {"exif": exif.tobytes()}
    if name == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Software", _MARK.decode())
        return {"pnginfo": info}
    # Without dates, Pillow writes the time.
    return {"producer": _MARK, "title": None, "creationDate": None, "modDate": None}


_STILLS: dict[str, dict[str, Any]] = {
    "WebP": {"quality": _QUALITY, "method": 4},
    "PNG": {"dpi": (DPI, DPI)},
    "PDF": {"quality": _QUALITY, "resolution": DPI},
}


class _Frames:
    """Frames for Pillow, drawn one at a time, so that a long film fits into memory."""

    mode = "composed"
    has_transparency_data = False

    def __init__(self, count: int, frames: Iterator[Image.Image]) -> None:
        self.n_frames, self._frames = count, frames

    def seek(self, index: int) -> None:
        """Do nothing: Pillow takes each frame once, in order."""

    def convert(self, *_: Any) -> Image.Image:
        return next(self._frames)


def write_moving(path: Path, count: int, frames: Iterator[Pixels], fps: Fraction) -> None:
    """Write a looping film whole or not at all; `frames` are (H, W, 3) or (H, W, 4) uint8, straight alpha."""
    name = _FORMATS[path.suffix.lower()].name
    if name == "MP4":
        even = (
            np.pad(f[..., :3], ((0, len(f) % 2), (0, f.shape[1] % 2), (0, 0)), mode="edge") for f in frames
        )
        write_mp4(path, even, fps, comment=_MARK.decode())
        return
    if name == "GIF":
        write_gif(path, frames, fps, comment=_MARK)
        return
    images = map(_plain, frames)
    first = next(images)
    how: dict[str, Any] = {"save_all": True, "duration": float(1000 / fps), "loop": 0, **_mark(name)}
    if name == "WebP":
        rest: Any = [_Frames(count - 1, images)] if count > 1 else []
        how |= _STILLS[name]
    else:
        rest = list(images)
    with replacing(path) as temporary:
        first.save(temporary, name, append_images=rest, **how)


def _plain(frame: Pixels) -> Image.Image:
    """A picture for Pillow, without an alpha channel that is opaque everywhere."""
    is_clear = frame.shape[2] == 4 and (frame[..., 3] < 255).any()
    return Image.fromarray(frame if is_clear else np.ascontiguousarray(frame[..., :3]))


def write_film(stem: Path, count: int, frames: Iterator[Pixels], fps: float) -> Path:
    """Write a film of opaque frames as MP4; returns the file. See `write_moving`."""
    path = stem.with_name(f"{stem.name}.mp4")
    write_moving(path, count, frames, Fraction(fps).limit_denominator())
    return path
