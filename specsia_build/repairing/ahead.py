"""Compile what draws views in a second process, while a drawing is read, cut out and reconstructed.

Run as a program, it draws one small mesh: ``python -m specsia_build.repairing.ahead``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from specsia_build.config import cores
from specsia_build.frame import Camera
from specsia_build.jit import cache_folder
from specsia_build.processes import Program
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.positions import position_image


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Compile in a process beside the block, ended with it, unless that was done before or on one core.

    What the block draws before it is compiled is compiled there too: only time depends on it.
    """
    if _marker().exists() or cores() == 1:
        yield
        return
    program = None
    with suppress(OSError):
        program = Program([sys.executable, "-P", "-m", __name__], os.environ, piped=False)
    try:
        yield
    finally:
        if program is not None:
            program.end()


def _marker() -> Path:
    """File that says that the code is compiled."""
    return cache_folder() / "drawing"


def _draw_small() -> None:
    """Draw a tetrahedron with a texture, and its positions."""
    corners = np.array([[0, -0.3, -0.3], [0.3, 0.3, -0.3], [-0.3, 0.3, -0.3], [0, 0, 0.3]], np.float32)
    faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]], np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 4), np.uint8)
    material = Material(texture=Texture(pixels, wrap=("clamp", "clamp")))
    uv = np.random.default_rng(1).random((4, 3, 2), np.float32)
    mesh = Mesh(corners, faces, (material,), np.zeros(4, np.int32), uv=uv)
    (layers,) = FastRenderer().render(mesh, [Camera(0.0, 128)])
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    position_image(layers.position, layers.mask, low, high)


if __name__ == "__main__":
    _draw_small()
    _marker().touch()
