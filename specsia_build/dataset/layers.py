"""Layers of a view or frame: their names and file formats."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import npz, png
from specsia_build.dataset.schema import COLOR as COLOR
from specsia_build.dataset.schema import GT as GT
from specsia_build.dataset.schema import MASK as MASK
from specsia_build.dataset.schema import POS as POS

LINE = "line"
LABEL = "label"
SEG = "seg"
STROKES = "strokes"
UDP = "udp"
TRACKS = "tracks"
FLOW = "flow"  # Of each point to the next frame, which the last frame lacks
UNMATCHED = "unmatched"
BACK = "back"  # Flow to the previous frame, which the first frame lacks
BACK_UNMATCHED = "back_unmatched"


@dataclass(frozen=True)
class LayerFormat:
    """File format of a layer: suffix and codec, which raises ValueError for damaged bytes."""

    suffix: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


_GREY = LayerFormat(".png", png.encode, lambda data: png.decode(data, 1))
_RGBA = LayerFormat(".png", png.encode, lambda data: png.decode(data, 4))


def _encode_numbers(numbers: NDArray[np.int32]) -> bytes:
    """Encode numbers from -1 to 2^24 - 2 (H, W) as a PNG: each plus one in 24 bits, red most significant."""
    return png.encode((numbers + 1).astype(">u4")[..., None].view(np.uint8)[..., 1:])


def _decode_numbers(data: bytes) -> NDArray[np.int32]:
    padded = np.pad(png.decode(data, 3), ((0, 0), (0, 0), (1, 0)))
    return padded.view(">u4")[..., 0].astype(np.int32) - 1


_NUMBERS = LayerFormat(".png", _encode_numbers, _decode_numbers)
_ARRAY = LayerFormat(".npz", npz.encode, npz.decode)
_SPARSE = LayerFormat(".npz", npz.encode_sparse, npz.decode_sparse)
_FLAGS = LayerFormat(
    ".png",
    lambda flags: png.encode(np.where(flags, np.uint8(255), np.uint8(0))),
    lambda data: png.decode(data, 1) > 0,
)
_RECORD = LayerFormat(".json", lambda record: json.dumps(record, separators=(",", ":")).encode(), json.loads)

LAYERS: dict[str, LayerFormat] = {
    COLOR: _RGBA,
    MASK: _GREY,
    POS: _RGBA,
    GT: _RGBA,
    LINE: _GREY,
    LABEL: _NUMBERS,
    SEG: _NUMBERS,
    STROKES: _RECORD,
    FLOW: _SPARSE,
    UNMATCHED: _FLAGS,
    BACK: _SPARSE,
    BACK_UNMATCHED: _FLAGS,
    UDP: _ARRAY,
    TRACKS: _ARRAY,
}
"""The layers of a frame, in order: pictures (H, W) or (H, W, 4) uint8; numbers (H, W) int32 from -1 on;
float32 arrays, the flows (H, W, 2) in pixels, UDP (H, W, 4) from 0 to 1, and tracks (N, 3) of the points
visible in the clip's first frame: x and y in pixels, the first one's centre at (0.5, 0.5), and 1 where the
frame shows the point; flags (H, W) bool; and strokes as a mapping."""


def view_file(name: str, view: int) -> str:
    """File name of one view's image, such as ``gt_03.png``."""
    return f"{name}_{view:02d}.png"


def frame_file(name: str, frame: int) -> str:
    """File name of one layer of a clip's frame, such as ``color_0003.png``."""
    return f"{name}_{frame:04d}{LAYERS[name].suffix if name in LAYERS else '.png'}"
