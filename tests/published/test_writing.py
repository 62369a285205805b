"""Published pictures beside numbers measured by running the release's scripts."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.frame import Camera
from specsia_build.published import writing
from specsia_build.published.tree import PICTURE_FILES
from specsia_build.published.writing import positions_in_views, row_pictures, tree_pictures
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.rendering.positions import edge_image
from specsia_build.stages.project import positioned, turned_box
from tests.published.rules import problems
from tests.rendering.scenes import sphere

Pixels = NDArray[np.uint8]

SIZE = 128

YAWS = (0.0, 36.0, 90.0, 200.0)

ALPHAS = (0, 255, 128, 1, 64, 3, 127, 67, 117, 118)
LEVELS = (0, 77, 0, 255, 200, 10, 255, 240, 240, 240)
ON_GREY = (240, 77, 119, 240, 229, 237, 247, 239, 239, 240)
"""Levels that `pack_multiview_to_animateddrawings.py` gave; the last ones show single precision."""


def drawn(mesh: Mesh, yaws: Sequence[float] = YAWS) -> tuple[list[Layers], Pixels, NDArray[np.float64]]:
    """Layers of each view, positions (V, S, S, 4) on the character, and their boxes (V, 2, 3)."""
    cameras = [Camera(yaw, SIZE) for yaw in yaws]
    layers = [FastRenderer().render(mesh, [camera], "unlit") for camera in cameras]
    views = [next(iter(of_one)) for of_one in layers]
    coded = [positioned(view, mesh, camera, "character") for view, camera in zip(views, cameras, strict=True)]
    return views, np.stack([pos for pos, _, _ in coded]), np.array([box for _, *box in coded])


def test_positions_of_a_ball() -> None:
    """The scripts colour a ball's nearest point (130, 1, 128), and one near its top (130, 59, 234)."""
    mesh = sphere(0.4)
    _, pos, boxes = drawn(mesh)
    boxes_of_all = np.array([turned_box(mesh, Camera(yaw, SIZE)) for yaw in YAWS])
    for turned in (positions_in_views(pos, YAWS, boxes, boxes_of_all), positions_in_views(pos, YAWS, boxes)):
        for view in turned.astype(int):
            assert abs(view[SIZE // 2, SIZE // 2] - [130, 1, 128, 255]).max() <= 3
            column = view[:, SIZE // 2 + 1]
            near_top = column[abs(column[:, 2] - 234).argmin()]
            assert abs(near_top - [130, 59, 234, 255]).max() <= 5


def test_positions_turn_with_the_view() -> None:
    """A knob on the character's own left is at the image's right in front, and nearest at 90 degrees."""
    mesh = concatenate([sphere(0.3), sphere(0.08, centre=(0.4, 0.0, 0.0))])
    views, pos, boxes = drawn(mesh)
    turned = positions_in_views(pos, YAWS, boxes)
    front, _, side, _ = turned.astype(int)
    right = np.nonzero(views[0].mask[SIZE // 2])[0].max() - 2
    assert front[SIZE // 2, right, 0] > 240
    assert 90 < front[SIZE // 2, right, 1] < 165
    assert side[SIZE // 2, SIZE // 2, 1] < 4
    assert abs(side[SIZE // 2, SIZE // 2, 0] - 128) < 6


def test_positions_are_those_that_a_build_in_views_has() -> None:
    mesh = concatenate([sphere(0.3), sphere(0.1, centre=(0.3, -0.2, 0.3))])
    views, pos, boxes = drawn(mesh)
    cameras = [Camera(yaw, SIZE) for yaw in YAWS]
    wanted = [positioned(view, mesh, camera, "view")[0] for view, camera in zip(views, cameras, strict=True)]
    turned = positions_in_views(pos, YAWS, boxes, np.array([turned_box(mesh, camera) for camera in cameras]))
    assert abs(turned.astype(int) - np.stack(wanted)).max() <= 2


def test_nothing_shown_has_no_positions() -> None:
    boxes = np.tile([(-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)], (2, 1, 1))
    pos = np.zeros((2, 8, 8, 4), np.uint8)
    assert not positions_in_views(pos, (0.0, 180.0), boxes).any()


def test_target_on_grey() -> None:
    target = np.stack([LEVELS, LEVELS, LEVELS, ALPHAS], axis=1).astype(np.uint8)
    assert_array_equal(writing.on_ground(target[None])[0], np.stack([ON_GREY] * 3, axis=1))


def test_silhouette_has_any_alpha() -> None:
    gt = np.zeros((1, 4, 4), np.uint8)
    gt[0, :, 3] = (0, 1, 128, 255)
    assert writing.silhouette(gt).tolist() == [[0, 255, 255, 255]]


Row = dict[str, Pixels]


def on_white(row: Row, name: str, ground: int) -> Row:
    picture = row[name]
    return {name: np.where((picture == ground).all(axis=2, keepdims=True), np.uint8(255), picture)}


def flipped(row: Row, channel: int) -> Row:
    pos = row["pos"].copy()
    shown = pos.any(axis=2)
    pos[shown, channel] = 255 - pos[shown, channel]
    return {"pos": pos}


BROKEN: dict[str, Callable[[Row], Row]] = {
    "right flipped": lambda row: flipped(row, 0),
    "depth flipped": lambda row: flipped(row, 1),
    "up flipped": lambda row: flipped(row, 2),
    "channels exchanged": lambda row: {"pos": row["pos"][..., [0, 2, 1]]},
    "color on white": lambda row: on_white(row, "color", 0),
    "target on white": lambda row: on_white(row, "gt", 240),
    "edge in grey": lambda row: {"edge": row["edge"][..., 0]},
    "mask without rim": lambda row: {"mask": np.minimum(row["mask"], np.roll(row["mask"], 4, axis=0))},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_rules_find_another_row(fault: str) -> None:
    views, pos, boxes = drawn(sphere(0.4))
    pos, color = positions_in_views(pos, YAWS, boxes)[1], views[1].color
    row = dict(row_pictures(color, pos, color, edge_image(pos)))
    broken = row | BROKEN[fault](row)
    assert [*problems({name: png.encode(np.ascontiguousarray(image)) for name, image in broken.items()})]


def test_tree_keeps_alpha() -> None:
    views, pos, boxes = drawn(sphere(0.4))
    color = views[0].color
    files = tree_pictures(color, positions_in_views(pos, YAWS, boxes)[0], color)
    shapes = {PICTURE_FILES[name]: picture.shape[2:] for name, picture in files.items()}
    rest = {"color": (4,), "pos": (4,), "edge": ()}
    char = {"char/texture.png": (4,), "char/texture_with_bg.png": (3,), "char/mask.png": ()}
    assert shapes == char | {f"mesh/blender_render/rest_pose/{k}/0001.png": v for k, v in rest.items()}
    assert_array_equal(files["gt"], color)
    assert_array_equal(files["pos"][..., 3], color[..., 3])
