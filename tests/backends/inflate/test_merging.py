"""Where a surface is nearly flat it has fewer vertices, and is what it was."""

import numpy as np
import pytest

from specsia_build.backends.inflate.merging import TOLERANCE, merged
from specsia_build.backends.inflate.surface import Shell, close_surface
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.rendering.topology import topology


def inflated(width: float) -> Shell:
    """A rounded bar, 60 cells long and `width` wide."""
    row, column = np.indices((int(width) + 8, 68), np.float64)
    across = width / 2 - np.abs(row - width / 2 - 4)
    along = 30 - np.abs(column - 34)
    inside = np.minimum(across, along)
    return close_surface(np.where(inside > 0, inside * (width - inside), inside * width))


def mesh_of(surface: Shell) -> Mesh:
    faces = surface.faces.astype(np.int32)
    return Mesh(surface.points.astype(np.float32), faces, (Material(),), np.zeros(len(faces), np.int32))


@pytest.mark.parametrize("width", [3.0, 9.0, 30.0])
def test_fewer_vertices_make_the_same_surface(width: float) -> None:
    before = inflated(width)
    after = merged(before)
    assert len(after.faces) < 0.6 * len(before.faces)
    was, now = topology(mesh_of(before)), topology(mesh_of(after))
    assert len(now.areas) == len(was.areas) and now.opposed.all()
    # A closed surface has as many holes as before.
    assert len(after.points) - len(after.faces) // 2 == len(before.points) - len(before.faces) // 2
    assert now.volumes.sum() == pytest.approx(was.volumes.sum(), rel=0.03)
    assert now.areas.sum() == pytest.approx(was.areas.sum(), rel=0.03)
    assert {*map(tuple, after.points)} < {*map(tuple, before.points)}


def test_the_rim_and_the_sides_of_it_stay() -> None:
    before = inflated(20.0)
    after = merged(before)
    rim, kept = ({*map(tuple, one.points[one.points[:, 2] == 0.0])} for one in (before, after))
    assert kept == rim
    heights = after.points[after.faces][..., 2]
    assert (heights[after.front] >= 0).all() and (heights[~after.front] <= 0).all()


def test_what_is_curved_keeps_what_it_needs() -> None:
    """Rows of a thin bar, which turn by much from one to the next, are farther apart than the tolerance."""
    before = inflated(3.0)
    after = merged(before)
    top = before.points[:, 2].max()
    assert after.points[:, 2].max() >= top - 2 * TOLERANCE
