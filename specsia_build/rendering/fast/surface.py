"""Data of a mesh that shading reads, laid out for compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Surface(NamedTuple):
    """Per-corner and per-material arrays that shading reads.

    F faces, M materials. `uv` is (F, 3, 2) in 0-1 texture space, `colors` (F, 3, 4) linear or empty, `normals`
    (F, 3, 3) or empty, `positions` (V, 3) the attribute that position images show. `base` is (M, 4) linear,
    `emissive` (M, 3) linear, `texture` and `glow` (M,) index the texture table or are -1, `cutoff` (M,), and
    `plain` (M,) says that a texel is shown as it is: no factor, no emission. `rough` (F,) says that the texture on
    the face is not locally linear, so that a pixel that spans several texels needs several look-ups.
    """

    faces: NDArray[np.int32]
    material: NDArray[np.int32]
    uv: NDArray[np.float32]
    colors: NDArray[np.float32]
    normals: NDArray[np.float32]
    positions: NDArray[np.float32]
    base: NDArray[np.float32]
    emissive: NDArray[np.float32]
    texture: NDArray[np.int32]
    glow: NDArray[np.int32]
    cutoff: NDArray[np.float32]
    unlit: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    rough: NDArray[np.bool_]
