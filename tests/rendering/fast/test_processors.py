"""Vectors are cut to what a processor has; what is drawn is the same on all of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import concatenate
from tests.rendering.scenes import box
from tests.rendering.test_pyrender import dressed

ROOT = Path(__file__).parents[3]

SIZE = 300

DRAW = "from tests.rendering.fast.test_processors import digest; print(digest())"


def digest() -> str:
    """Of pictures of textures, vertex colours, a face that is wider than what 32 bits hold, and one to look through."""
    glass = box((0.1, -0.5, 0.0), (0.3, 0.05, 0.3), (0.2, 0.8, 0.9, 0.5), alpha_mode="blend")
    wide = box((0.0, 0.4, 0.0), (0.6, 0.02, 0.6), (0.7, 0.6, 0.5, 1.0))
    found = hashlib.sha256()
    for layers in FastRenderer().render(concatenate([dressed(), glass, wide]), [Camera(0.0, SIZE), Camera(36.0, SIZE)]):
        for array in (layers.color, layers.coverage, layers.position):
            found.update(array.tobytes())
    return found.hexdigest()


@pytest.mark.slow
def test_a_processor_without_wide_vectors_draws_the_same_bytes(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", DRAW], env=os.environ | plain, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
