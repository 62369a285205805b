"""Channels of the network's input and output; no other module knows them.

Every channel is a float32 in [-1, 1], which 0…255 is mapped to linearly. The input is

| channels | | |
|---|---|---|
| 0-3 | Z on white (R, G, B), Zmask | always |
| 4-6 | Zpos (x, z, -y) | always |
| 7-18 | the drawing looked up by position and colour, see `look_up` | with the drawing as reference |
| 19-22 | thickness and colour of the drawing's contour there, see `Ink` | with the drawing as reference |

where 4-18 are -1 outside of Zmask, and everywhere for a model without positions. The target is Y* on white
(R, G, B) and its alpha, which covers the contour. Nothing at all is white with alpha 0 on both sides, and so
is everything outside a frame.

Whole frames and training patches are encoded by the same compiled functions, pixel by pixel.
"""

import numpy as np

from specsia_build.arrays import Floats, Pixels
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.drawing import NO_DRAWING, Drawing
from specsia_build.dravie.look_up import LOOKED_UP_CHANNELS
from specsia_build.jit import compiled, inlined, ready

Z_CHANNELS = 4
_POSITION_CHANNELS = 3
STYLE_CHANNELS = 4
_PLAIN = Z_CHANNELS + _POSITION_CHANNELS  # Channels of an input without the drawing
GUIDED = _PLAIN + LOOKED_UP_CHANNELS + STYLE_CHANNELS  # Channels of an input that shows the drawing

CANDIDATES = (0, *range(_PLAIN, _PLAIN + LOOKED_UP_CHANNELS, 4), GUIDED - 3)
"""First of the three channels of each colour that a pixel may take: Z's, those looked up, the contour's."""

HINTS = slice(Z_CHANNELS, GUIDED - STYLE_CHANNELS)  # Channels that Zpos decides, of either input
TARGET_CHANNELS = 4  # Y* on white, and its alpha; also what the network paints
NO_CODE = np.float32(-1)  # Code of level 0


def input_channels(config: ModelConfig) -> int:
    """Return the number of channels of a network's input."""
    return GUIDED if config.sees_drawing else _PLAIN


@inlined
def code(value):  # type: ignore[no-untyped-def]
    """A level 0…255 in [-1, 1]."""
    return np.float32(value) / np.float32(127.5) - np.float32(1)


@inlined
def code_on_white(value, alpha):  # type: ignore[no-untyped-def]
    """A straight colour level composited on white, in [-1, 1]; exact at both ends."""
    over = np.float32(value) * np.float32(alpha) + np.float32(255) * (np.float32(255) - np.float32(alpha))
    return over / np.float32(32512.5) - np.float32(1)


@inlined
def put_picture(out, pixel):  # type: ignore[no-untyped-def]
    """Encode a pixel (4,) of Z or Y* into the first four channels of `out`, float32."""
    for c in range(3):
        out[c] = code_on_white(pixel[c], pixel[3])
    out[3] = code(pixel[3])


@inlined
def put_input(out, pixel, position, looked_up, style):  # type: ignore[no-untyped-def]
    """Encode a pixel of Z (4,), Zpos (3,), drawing (12,), style (4,) into `out`, (7,) or (23,) float32."""
    put_picture(out, pixel)
    covered = pixel[3] > 0
    for c in range(_POSITION_CHANNELS):
        out[Z_CHANNELS + c] = code(position[c]) if covered else NO_CODE
    if out.shape[0] == GUIDED:
        for c in range(LOOKED_UP_CHANNELS):
            out[_PLAIN + c] = code(looked_up[c]) if covered else NO_CODE
        for c in range(STYLE_CHANNELS):
            out[_PLAIN + LOOKED_UP_CHANNELS + c] = code(style[c])


@compiled
def _encode_input(z, pos, looked_up, thickness, ink, out):  # type: ignore[no-untyped-def]
    style = np.full(STYLE_CHANNELS, thickness, np.float32)
    for y in range(z.shape[0]):
        for x in range(z.shape[1]):
            for c in range(3):
                style[1 + c] = ink[y, x, c]
            put_input(out[y, x], z[y, x], pos[y, x], looked_up[y, x], style)


def encode_input(z: Pixels, pos: Pixels, config: ModelConfig, drawing: Drawing = NO_DRAWING) -> Floats:
    """Encode Z and Zpos, (H, W, 4) uint8 each, and the drawing as the network's input.

    Returns (H, W, `input_channels`) float32 in [-1, 1].
    """
    out = np.empty((*z.shape[:2], input_channels(config)), np.float32)
    looked_up = drawing.look_up(pos, z) if config.sees_drawing else np.zeros((*z.shape[:2], 0), np.uint8)
    ink = ready(drawing.ink.around(z))
    _encode_input(ready(z, np.uint8), ready(pos, np.uint8), looked_up, drawing.thickness, ink, out)
    if not config.positions:
        out[..., HINTS] = NO_CODE
    return out


def decode_output(painted: Floats) -> Pixels:
    """Decode colour on white and alpha (H, W, 4), clipped to [-1, 1], to a picture (H, W, 4) uint8.

    The picture has straight alpha, RGB 0 where alpha is 0, and the painted colours on white.
    """
    levels = np.clip((np.asarray(painted, np.float32) + 1) * np.float32(127.5), 0, 255)
    alpha = np.floor(levels[..., 3:] + np.float32(0.5))
    white = 255 - alpha
    straight = (levels[..., :3] - white) * np.float32(255) / np.maximum(alpha, 1)
    colour = np.where(alpha > 0, np.floor(np.clip(straight, 0, 255) + np.float32(0.5)), 0)
    return np.concatenate([colour, alpha], axis=-1).astype(np.uint8)
