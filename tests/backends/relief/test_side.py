"""`relief` with a drawn side: its silhouette, its gaps, its colours."""

from dataclasses import replace

import numpy as np
import pytest

from specsia_build.backends.base import Context, SideDrawing
from specsia_build.backends.relief import backend
from specsia_build.backends.relief.sheets import figure_of
from specsia_build.backends.relief.solid import solid_of
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import topology
from tests.backends.drawings import Image, iou, limb, painted, seen
from tests.backends.turnarounds import ANIMAL, drawn

CONTEXT = Context("7", 1, framed=True)
SIZE = 128


def with_side(front: Image, side: Image, back: Image | None = None) -> Mesh:
    context = replace(CONTEXT, side=SideDrawing(side, "left"), back=back)
    return backend.create(None).reconstruct(front, context)


def test_silhouettes_and_colours_are_those_of_the_drawings() -> None:
    animal = with_side(*(drawn(ANIMAL, yaw) for yaw in (0, 90, 180)))
    for yaw, least in ((0, 0.97), (90, 0.97), (180, 0.97), (270, 0.97), (45, 0.85)):
        assert iou(seen(animal, yaw, SIZE), drawn(ANIMAL, yaw)) > least
    alone = backend.create(None).reconstruct(drawn(ANIMAL, 0), CONTEXT)
    assert iou(seen(alone, 45, SIZE), drawn(ANIMAL, 45)) < 0.8
    for yaw in (0, 90, 180, 270):
        view, wanted = seen(animal, yaw, SIZE), drawn(ANIMAL, yaw)
        both = (view[..., 3] == 255) & (wanted[..., 3] == 255)
        assert np.abs(view[both].astype(int) - wanted[both]).mean() < 6
    # The surface is closed and faces outwards.
    assert (topology(animal).sides >= 0).all()
    corners = animal.vertices[animal.faces].astype(np.float64)
    assert np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) > 0


def test_right_side_is_the_mirror_image() -> None:
    front, side = drawn(ANIMAL, 0), drawn(ANIMAL, 90)
    left = with_side(front, side)
    context = replace(CONTEXT, side=SideDrawing(side[:, ::-1].copy(), "right"))
    right = backend.create(None).reconstruct(front, context)
    assert np.array_equal(left.vertices, right.vertices) and np.array_equal(left.faces, right.faces)


def test_wide_side_of_any_number_of_columns() -> None:
    front, side = drawn(ANIMAL, 0), drawn(ANIMAL, 90)
    mesh = with_side(front, np.pad(side, ((0, 0), (50, 31), (0, 0))))
    assert iou(seen(mesh, 90, SIZE), side) > 0.97


def test_empty_side_is_refused() -> None:
    with pytest.raises(CharacterError):
        with_side(drawn(ANIMAL, 0), np.zeros((SIZE, SIZE, 4), np.uint8))


def striding(size: int) -> tuple[Image, Image]:
    """Front and side of two legs, one before the other, below a body."""
    body = limb(size, (0.5, 0.2), (0.5, 0.5), 0.08)
    front = [limb(size, (x, 0.5), (x, 0.85), 0.03) for x in (0.46, 0.54)]
    side = [limb(size, (0.5, 0.52), (x, 0.85), 0.03) for x in (0.38, 0.62)]
    return painted(np.maximum.reduce([body, *front])), painted(np.maximum.reduce([body, *side]))


def test_each_striding_leg_is_one_leg() -> None:
    front, side = striding(256)
    mesh = with_side(front, side)
    assert iou(seen(mesh, 90, 256), side) > 0.95
    low = mesh.vertices[mesh.vertices[:, 2] < mesh.vertices[:, 2].min() + 0.1]
    left, right = (low[low[:, 0] > 0, 1], low[low[:, 0] < 0, 1])
    # Neither leg reaches to where the other is.
    assert left.max() < right.min() or right.max() < left.min()


def test_part_in_a_gap_of_the_side_is_moved_and_not_lost() -> None:
    bars = [limb(256, (x, 0.2), (x, 0.8), 0.03) for x in (0.3, 0.5, 0.7)]
    front, side = painted(np.maximum.reduce(bars)), painted(np.maximum(bars[0], bars[2]))
    figure = figure_of(front)
    inside = figure.crop.resized(figure.picture)[..., 3] >= 128
    # The bars are predicted one behind the other, the one in the middle where the side shows nothing.
    middle = np.linspace(0.3, -0.3, len(inside), dtype=np.float32)
    depth = np.broadcast_to(middle[None, :, None] + np.array([0.02, -0.02], np.float32), (*inside.shape, 2))
    mesh, _ = solid_of(figure, depth, inside, side)
    assert iou(seen(mesh, 0, 256), front) > 0.95
    assert iou(seen(mesh, 90, 256), side) > 0.9
