"""Compile what draws and repairs views in other processes, while a drawing is read and reconstructed.

Run as a program, it compiles one part, by small input: ``python -m specsia_build.repairing.ahead drawing``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from specsia_build import png, terminal
from specsia_build.config import cores
from specsia_build.dravie.drawing import NO_CONTOUR, Drawing, visible_places
from specsia_build.dravie.model.checkpoint import load_predictor
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import SHIPPED_RUN
from specsia_build.frame import Camera
from specsia_build.jit import cache_folder
from specsia_build.processes import Program
from specsia_build.rendering.fast.prepare import prepare
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.mesh import Material, Mesh, Texture
from specsia_build.rendering.positions import position_image


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Compile in processes beside the block, ended with it, and say so, unless it was done before.

    What the block calls before it is compiled is compiled there too, and on one core all of it: only time
    depends on the processes.
    """
    missing = [part for part in _PARTS if not _marker(part).exists()]
    if not missing:
        yield
        return
    terminal.say(terminal.COMPILING)
    if cores() == 1:
        yield
        with suppress(OSError):
            for part in missing:
                _marker(part).touch()
        return
    with ExitStack() as programs:
        with suppress(OSError):
            for part in missing:
                program = Program([sys.executable, "-P", "-m", __name__, part], os.environ, piped=False)
                programs.callback(program.end)
        yield


def _marker(part: str) -> Path:
    """File that says that a part is compiled."""
    return cache_folder() / part


def _small() -> Mesh:
    """A tetrahedron with a texture."""
    corners = np.array([[0, -0.3, -0.3], [0.3, 0.3, -0.3], [-0.3, 0.3, -0.3], [0, 0, 0.3]], np.float32)
    faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]], np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 4), np.uint8)
    material = Material(texture=Texture(pixels, wrap=("clamp", "clamp")))
    uv = np.random.default_rng(1).random((4, 3, 2), np.float32)
    return Mesh(corners, faces, (material,), np.zeros(4, np.int32), uv=uv)


def _draw() -> None:
    """Draw a small mesh, and its positions."""
    mesh, camera = _small(), Camera(0.0, 128)
    glance(mesh, [camera])
    (layers,) = FastRenderer().render(mesh, [camera])
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    position_image(layers.position, layers.mask, low, high)


def _paint() -> None:
    """Lay out a small mesh, which the other part needs later, repair a view, and read a picture."""
    prepare(_small(), 128.0, lit=False)
    color, pos = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 4), np.uint8)
    drawing = Drawing(*visible_places(pos, color, color[..., 3]), NO_CONTOUR)
    repair(load_predictor(SHIPPED_RUN, "cpu"), color, pos, drawing)
    png.decode(png.encode(color), 4)


_PARTS = {"drawing": _draw, "painting": _paint}


if __name__ == "__main__":
    _PARTS[sys.argv[1]]()
    _marker(sys.argv[1]).touch()
