"""Published pictures beside numbers measured by running the release's scripts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.frame import Camera
from specsia_build.published.tree import PICTURE_FILES
from specsia_build.published.writing import (
    on_ground,
    positions_in_views,
    row_pictures,
    silhouette,
    tree_pictures,
)
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

ON_GREY = {
    (0, 0): 240,
    (255, 77): 77,
    (128, 0): 119,
    (1, 255): 240,
    (64, 200): 229,
    (3, 10): 237,
    (127, 255): 247,
    (67, 240): 239,
    (117, 240): 239,
    (118, 240): 240,
}
"""Levels that `pack_multiview_to_animateddrawings.py` gave, by alpha and level; the last ones show the
rounding of single precision."""


def drawn(mesh: Mesh) -> tuple[list[Layers], Pixels, NDArray[np.float64]]:
    """Layers of each view, positions (V, S, S, 4) on the character, and their boxes (V, 2, 3)."""
    cameras = [Camera(yaw, SIZE) for yaw in YAWS]
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
    for (alpha, level), wanted in ON_GREY.items():
        assert_array_equal(on_ground(np.array([[[level, level, level, alpha]]], np.uint8)), wanted)


def test_silhouette_has_any_alpha() -> None:
    gt = np.zeros((1, 4, 4), np.uint8)
    gt[0, :, 3] = (0, 1, 128, 255)
    assert silhouette(gt).tolist() == [[0, 255, 255, 255]]


def row_of_ball(view: int = 1) -> dict[str, Pixels]:
    views, pos, boxes = drawn(sphere(0.4))
    turned = positions_in_views(pos, YAWS, boxes)
    edge = edge_image(turned[view])
    return dict(row_pictures(views[view].color, turned[view], views[view].color, edge))


def faults(row: dict[str, Pixels]) -> list[str]:
    return list(problems({name: png.encode(np.ascontiguousarray(picture)) for name, picture in row.items()}))


@pytest.mark.parametrize("view", range(len(YAWS)))
def test_row_follows_the_rules(view: int) -> None:
    assert faults(row_of_ball(view)) == []


def on_white(row: dict[str, Pixels], name: str) -> None:
    row[name] = np.where((row[name] == 0).all(axis=2, keepdims=True), np.uint8(255), row[name])


def flip(row: dict[str, Pixels], channel: int) -> None:
    pos = row["pos"].copy()
    shown = pos.any(axis=2)
    pos[shown, channel] = 255 - pos[shown, channel]
    row["pos"] = pos


BROKEN: dict[str, Callable[[dict[str, Pixels]], None]] = {}


def broken(change: Callable[[dict[str, Pixels]], None]) -> None:
    BROKEN[change.__name__] = change


@broken
def right_flipped(row: dict[str, Pixels]) -> None:
    flip(row, 0)


@broken
def depth_flipped(row: dict[str, Pixels]) -> None:
    flip(row, 1)


@broken
def up_flipped(row: dict[str, Pixels]) -> None:
    flip(row, 2)


@broken
def channels_exchanged(row: dict[str, Pixels]) -> None:
    row["pos"] = row["pos"][..., [0, 2, 1]]


@broken
def color_on_white(row: dict[str, Pixels]) -> None:
    on_white(row, "color")


@broken
def target_on_white(row: dict[str, Pixels]) -> None:
    row["gt"] = np.where(row["gt"] == 240, np.uint8(255), row["gt"])


@broken
def edge_in_grey(row: dict[str, Pixels]) -> None:
    row["edge"] = row["edge"][..., 0]


@broken
def mask_without_rim(row: dict[str, Pixels]) -> None:
    row["mask"] = np.minimum(row["mask"], np.roll(row["mask"], 4, axis=0))


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_the_rules_find_another_row(change: Callable[[dict[str, Pixels]], None]) -> None:
    row = row_of_ball()
    change(row)
    assert faults(row)


def test_tree_keeps_alpha() -> None:
    views, pos, boxes = drawn(sphere(0.4))
    color = views[0].color
    files = tree_pictures(color, positions_in_views(pos, YAWS, boxes)[0], color)
    shapes = {PICTURE_FILES[name]: picture.shape[2:] for name, picture in files.items()}
    rest = "mesh/blender_render/rest_pose"
    assert shapes == {
        "char/texture.png": (4,),
        "char/texture_with_bg.png": (3,),
        "char/mask.png": (),
        f"{rest}/color/0001.png": (4,),
        f"{rest}/pos/0001.png": (4,),
        f"{rest}/edge/0001.png": (),
    }
    assert_array_equal(files["gt"], color)
    assert_array_equal(files["pos"][..., 3], color[..., 3])
