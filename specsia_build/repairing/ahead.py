"""Compile what draws and repairs views in a second process, while a drawing is read and reconstructed.

Run as a program, it draws and repairs one small mesh: ``python -m specsia_build.repairing.ahead``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from specsia_build import terminal
from specsia_build.config import cores
from specsia_build.dravie.drawing import NO_CONTOUR, Drawing, visible_places
from specsia_build.dravie.model.checkpoint import load_predictor
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import SHIPPED_RUN
from specsia_build.frame import Camera
from specsia_build.jit import cache_folder
from specsia_build.processes import Program
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.positions import position_image


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Compile in a process beside the block, ended with it, and say so, unless it was done before.

    What the block draws before it is compiled is compiled there too, and on one core all of it: only time
    depends on the process.
    """
    if _marker().exists():
        yield
        return
    terminal.say(terminal.COMPILING)
    if cores() == 1:
        yield
        with suppress(OSError):
            _marker().touch()
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


def _repair_small() -> None:
    """Draw a tetrahedron with a texture, and its positions, and repair that view."""
    corners = np.array([[0, -0.3, -0.3], [0.3, 0.3, -0.3], [-0.3, 0.3, -0.3], [0, 0, 0.3]], np.float32)
    faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]], np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 4), np.uint8)
    material = Material(texture=Texture(pixels, wrap=("clamp", "clamp")))
    uv = np.random.default_rng(1).random((4, 3, 2), np.float32)
    mesh = Mesh(corners, faces, (material,), np.zeros(4, np.int32), uv=uv)
    camera = Camera(0.0, 128)
    # In the order in which a repair needs it, so that both processes seldom compile the same.
    glance(mesh, [camera])
    (layers,) = FastRenderer().render(mesh, [camera])
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    pos = position_image(layers.position, layers.mask, low, high)
    drawing = Drawing(*visible_places(pos, layers.color, layers.mask), NO_CONTOUR)
    repair(load_predictor(SHIPPED_RUN, "cpu"), layers.color, pos, drawing)


if __name__ == "__main__":
    _repair_small()
    _marker().touch()
