"""Files of one layer of a view: OpenEXR, normals and depth as pictures, and the layers of `--layers`."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.dataset.truth import encode_truth
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
        raise ValueError(f"it is not an EXR of one layer: {error}") from error
    return np.asarray(image, np.float32)


def encode_tar(samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> bytes:
    """Encode samples by WebDataset's convention: the key of each, and its files by suffix."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for key, files in samples:
            for suffix, data in sorted(files.items()):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def grey16(image: NDArray[np.floating]) -> bytes:
    """Encode (H, W) as a PNG of 16 bits, rounded and clipped to 0 to 65535."""
    return png.encode(np.clip(np.rint(image), 0, 65535).astype(np.uint16))


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


LAYER_SUFFIXES: Mapping[str, str] = {
    "depth": ".exr",
    "normal": ".png",
    "position": ".exr",
    "part": ".png",
    "material": ".png",
    "lit": ".png",
}
"""Suffixes by layer. Depth (H, W) along the camera's axis and positions (H, W, 3) are in units of the layout
and 0 where nothing is seen; the PNGs are those of `dataset.truth`."""


def encode_layer(name: str, view: SurfaceView, scale: float, seed: int) -> bytes:
    """Encode a layer of `LAYER_SUFFIXES`; `scale` is the number of the layout's units in one of the frame."""
    if LAYER_SUFFIXES[name] == ".png":
        return encode_truth(name, view, seed)
    return encode_exr((view.depth if name == "depth" else view.layers.position) * scale)
