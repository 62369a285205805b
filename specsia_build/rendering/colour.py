"""The sRGB transfer function (IEC 61966-2-1) as arrays and as look-up tables for compiled code."""

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.jit import inlined


def srgb_to_linear(encoded: NDArray[np.floating]) -> Doubles:
    """Linear light 0-1 of encoded values, clipped to 0-1; same shape."""
    e = np.clip(np.asarray(encoded, dtype=np.float64), 0.0, 1.0)
    return np.where(e <= 0.04045, e / 12.92, ((e + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: NDArray[np.floating]) -> Doubles:
    """Encoded values 0-1 of linear light, clipped to 0-1."""
    v = np.clip(np.asarray(linear, dtype=np.float64), 0.0, 1.0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


DECODE_STEPS = 16  # Entries of `DECODE` per 8-bit level; interpolated texels fall between levels

DECODE: Floats = srgb_to_linear(np.arange(255 * DECODE_STEPS + 1) / (255 * DECODE_STEPS)).astype(np.float32)
"""Linear light of the encoded value i / (255 * DECODE_STEPS)."""

ENCODE_STEPS = 65535
_LEVELS = linear_to_srgb(np.arange(ENCODE_STEPS + 1) / ENCODE_STEPS) * 255
ENCODE: Pixels = np.floor(_LEVELS + 0.5).astype(np.uint8)
"""Encoded byte of the linear value i / ENCODE_STEPS; the steepest byte still has 20 entries."""


@inlined
def encode(value):  # type: ignore[no-untyped-def]
    """sRGB byte of linear light 0-1, float32."""
    return ENCODE[np.uint32(value * np.float32(ENCODE_STEPS) + np.float32(0.5))]
