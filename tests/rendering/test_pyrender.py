"""The optional renderer on OpenGL draws what the default one draws, and says what it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.parity import compare
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import Camera
from specsia_build.rendering import pyrender as optional
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import load_renderer
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from tests.rendering.scenes import box, compass, sheet

SIZE = 96


@pytest.fixture
def needs_gl() -> None:
    try:
        optional.offscreen(SIZE * optional.GRID)
    except SpecsiaError as error:
        pytest.skip(str(error))


def dressed() -> Mesh:
    """Boxes, a texture with a factor and an emission, and vertex colours."""
    smooth = np.linspace(0, 255, 8 * 8 * 4).reshape(8, 8, 4).astype(np.uint8)
    smooth[..., 3] = 255
    cloth = Material("cloth", (0.9, 0.5, 0.3, 1.0), Texture(smooth, ("clamp", "repeat")), emissive=(0.0, 0.05, 0.1))
    corners = [(1.0, 0.2, 0.2, 1.0), (0.2, 1.0, 0.2, 1.0), (0.4, 0.4, 0.8, 1.0), (0.5, 0.5, 0.5, 1.0)]
    return concatenate(
        [
            compass(),
            sheet(12, 12, 40, 40, -0.1, cloth, SIZE, uv=(0.0, 0.0, 1.5, 1.5)),
            sheet(12, 56, 40, 84, 0.1, None, SIZE, colors=corners),
        ]
    )


@pytest.mark.usefixtures("needs_gl")
@pytest.mark.parametrize("yaw", [0.0, 36.0])
def test_the_picture_is_the_default_renderer_s(yaw: float) -> None:
    mesh, camera = dressed(), Camera(yaw, SIZE)
    (theirs,) = load_renderer("pyrender").render(mesh, [camera])
    (ours,) = FastRenderer().render(mesh, [camera])
    parity = compare(ours, theirs, *mesh.bounds())
    assert parity.iou >= 0.99
    assert parity.coverage_edge_mae <= 0.05
    # Vertex colours are interpolated as they are encoded.
    assert parity.color_mae <= 3
    assert parity.position_p95 <= 1
    assert not theirs.color[theirs.mask == 0].any()
    assert (theirs.mask == 0).any()


BOX = box((0, 0, 0), (0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("mesh", "look", "error"),
    [
        (BOX, "lit", UsageError),
        (replace(BOX, rest=np.zeros((8, 3), np.float32)), "unlit", UsageError),
        (box((0, 0, 0), (0.1, 0.1, 0.1), alpha_mode="blend"), "unlit", CharacterError),
    ],
)
def test_what_it_cannot_draw_is_refused(mesh: Mesh, look: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="use --renderer fast"):
        next(load_renderer("pyrender").render(mesh, [Camera(0.0, SIZE)], look))
