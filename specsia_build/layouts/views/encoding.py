"""Files of one layer of a view: OpenEXR, normals and depth as pictures, and the layers of `--layers`."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.dataset.layers import LABEL, LAYERS
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.pictures.sheets import as_stored
from specsia_build.rendering.surface import SurfaceView

_MOST_PIXELS = 1 << 24  # Pixels of an EXR that is read


def encode_exr(image: Floats) -> bytes:
    """Encode (H, W) float32 as an EXR with the channel Y, or (H, W, 3) with R, G and B."""
    import OpenEXR

    channels = {"Y" if image.ndim == 2 else "RGB": np.ascontiguousarray(image, np.float32)}
    header = {"compression": OpenEXR.RLE_COMPRESSION, "type": OpenEXR.scanlineimage}
    stream = io.BytesIO()
    OpenEXR.File(header, channels, num_threads=0).write(stream)
    return stream.getvalue()


def decode_exr(data: bytes) -> Floats:
    """Decode an EXR of the channel Y, (H, W), or of R, G and B, (H, W, 3) float32; ValueError if none."""
    import OpenEXR

    try:
        low, high = OpenEXR.File(io.BytesIO(data), header_only=True).header()["dataWindow"]
        if not 0 < int(np.prod(np.subtract(high, low, dtype=np.int64) + 1)) <= _MOST_PIXELS:
            raise ValueError("it has no pixels, or too many")
        channels = OpenEXR.File(io.BytesIO(data), num_threads=0).channels()
        (image,) = (channels[name].pixels for name in channels)
    except (RuntimeError, TypeError, KeyError) as error:
        raise ValueError(f"it is no EXR of one layer: {error}") from error
    return np.asarray(image, np.float32)


def grey16(image: NDArray[np.floating]) -> bytes:
    """Encode (H, W) as a PNG of 16 bits, rounded and clipped to 0 to 65535."""
    stream = io.BytesIO()
    levels = np.clip(np.rint(image), 0, 65535).astype(np.uint16)
    Image.fromarray(levels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def webp(picture: Pixels) -> bytes:
    """Encode (H, W, 4) as a lossless WebP that keeps the colours of clear pixels."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "WEBP", lossless=True, exact=True, quality=0, method=0)
    return stream.getvalue()


def picture(file: Path | io.BytesIO, mode: str) -> NDArray[np.integer]:
    """Read a PNG or WebP of a mode of Pillow's; ValueError if it is damaged or of another mode."""
    try:
        with Image.open(file, formats=("PNG", "WEBP")) as image:
            if image.mode != mode:
                raise ValueError(f"is of mode {image.mode}, not {mode}")
            return np.asarray(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be decoded: {error}") from error


def decode_normals(levels: NDArray[np.integer]) -> Doubles:
    """Vectors (H, W, 3) of a picture of normals."""
    return np.asarray(levels[..., :3] / 127.5 - 1.0)


def problem_of(name: str, data: bytes) -> str | None:
    """Why a file of a view (PNG, EXR or JSON, by its name's end) cannot be decoded; None if it can."""
    try:
        if name.endswith(".png"):
            as_stored(data)
        elif name.endswith(".exr"):
            decode_exr(data)
        else:
            parse_json(data, "it")
    except (ValueError, SpecsiaError) as error:
        return f"cannot be decoded: {error}"
    return None


class ViewLayer(NamedTuple):
    """A layer of `--layers`: the suffix of its file, and its bytes of a view, a scale and a seed."""

    suffix: str
    encode: Callable[[SurfaceView, float, int], bytes]


def _depth(view: SurfaceView, scale: float, _: int) -> bytes:
    return encode_exr(view.depth * scale)


def _normal(view: SurfaceView, _scale: float, _seed: int) -> bytes:
    return png.encode(view.normal_picture())


def _position(view: SurfaceView, scale: float, _: int) -> bytes:
    return encode_exr(view.layers.position * scale)


def _part(view: SurfaceView, _scale: float, _seed: int) -> bytes:
    return LAYERS[LABEL].encode(view.part)


def _material(view: SurfaceView, _scale: float, _seed: int) -> bytes:
    return LAYERS[LABEL].encode(view.material)


def _lit(view: SurfaceView, _scale: float, seed: int) -> bytes:
    return png.encode(view.lit(seed))


VIEW_LAYERS: Mapping[str, ViewLayer] = {
    "depth": ViewLayer(".exr", _depth),
    "normal": ViewLayer(".png", _normal),
    "position": ViewLayer(".exr", _position),
    "part": ViewLayer(".png", _part),
    "material": ViewLayer(".png", _material),
    "lit": ViewLayer(".png", _lit),
}
"""Depth (H, W) along the camera's axis and positions (H, W, 3), both 0 where nothing is seen, in units of the
layout; normals of the frame as RGBA; numbers of parts and materials plus one, in 24 bits; light by a seed."""
