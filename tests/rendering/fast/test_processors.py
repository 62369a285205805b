"""A picture has the same bytes on every processor, whatever the width of its vectors."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.mesh import concatenate
from tests.rendering.fast.test_blend import half_glassy, noise
from tests.rendering.scenes import checker, look_at, sheet, sphere, textured

COMPUTE = "from tests.rendering.fast.test_processors import digest; print(digest())"


def digest() -> str:
    """Digest of pictures of opaque and translucent faces, textures near and far, light and contours."""
    results = hashlib.sha256()
    walls = [sheet(2.3, 4.1, 50.2, 49.7, y=0.4, material=textured(checker(texels))) for texels in (9, 200)]
    veiled = concatenate([walls[0], half_glassy(3), sheet(10.3, 8.6, 44.5, 40.2, material=noise(20))])
    for mesh, look in ((veiled, "unlit"), (concatenate([walls[1], sphere(0.3)]), "lit")):
        layers = look_at(mesh, 20, 54, look)  # type: ignore[arg-type]
        drawn = draw_contour(layers.color, np.ascontiguousarray(layers.coverage), 1.7, 40)
        for array in (layers.color, layers.coverage, layers.position, drawn):
            results.update(array.tobytes())
    return results.hexdigest()


@pytest.mark.slow
def test_a_processor_without_wide_vectors_draws_the_same_bytes(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    command, top = [sys.executable, "-c", COMPUTE], Path(__file__).parents[3]
    ran = subprocess.run(command, env=os.environ | plain, cwd=top, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
