"""Vectors are cut to what a processor has; what is computed is the same on all of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from specsia_build.rendering.contour import outside_distance
from specsia_build.rendering.fast.lookups import LOOKS
from specsia_build.rendering.fast.raster import NO_FACE
from specsia_build.rendering.fast.rows import padded
from tests.rendering import test_rows as rows
from tests.rendering.fast import test_lanes as lanes
from tests.rendering.fast import test_lookups as lookups

ROOT = Path(__file__).parents[3]

COMPUTE = "from tests.rendering.fast.test_processors import digest; print(digest())"


def digest() -> str:
    """Digest of what the functions that are written for vectors compute from random numbers."""
    rng, results = np.random.default_rng(0), hashlib.sha256()
    texels, color = rng.integers(0, 256, (64, 4)).astype(np.uint8), padded((8, 8, 4), np.uint8)
    nearest, ids = padded((64,), np.float32), padded((64,), np.int32)
    for _ in range(100):
        edges, steps, down = (rng.integers(-(1 << 12), 1 << 12, 3).tolist() for _ in range(3))
        u, v, du, dv, z, slope = rng.uniform(0, 0.9, 6).tolist()
        nearest[:], ids[:] = rng.uniform(-1, 1, 64), NO_FACE
        color[:] = rng.integers(0, 256, color.shape)
        looks = rng.uniform(0, 255, (8, 4 * LOOKS)).astype(np.float32)
        numbers = (
            lanes._bits(*edges),
            lanes._inside(edges, steps, down),
            rows._contrasting(color, 5, 6, 24),
            rows._reaching(nearest, 7, 13, edges, steps, -0.5, z, slope),
            *lookups._texel(texels, 8, u, v),
            lookups._mean(looks, 8, color, 9, 3, 8.0),
        )
        rows._see(nearest, ids, 7, 13, 9, edges, steps, z, slope, 3)
        lookups._row(texels, color, 20, 4, 8, u, v, du, dv)
        results.update(repr([float(number) for number in numbers]).encode())
        for array in (nearest, ids, color):
            results.update(array.tobytes())
    distances = outside_distance(rng.integers(0, 256, (40, 40)).astype(np.uint8), 6.0)
    results.update(distances.tobytes())
    return results.hexdigest()


@pytest.mark.slow
def test_a_processor_without_wide_vectors_computes_the_same_bytes(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", COMPUTE], env=os.environ | plain, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
