"""In which frame a mesh looks like its picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.backends.likeness import Turned, better_frame, small
from specsia_build.backends.placing import into_frame
from specsia_build.backends.selftest import ellipsoid, figure
from specsia_build.frame import axis_names, view_cameras
from specsia_build.registration import register
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Mesh, concatenate
from tests.rendering.scenes import look_at

TRUTH = figure()
GOAL = small(look_at(TRUTH, size=256).color, look_at(TRUTH, size=256).mask)

RIGHT = np.eye(3)
AWAY = np.diag([-1.0, -1.0, 1.0])
MIRRORED = np.diag([-1.0, 1.0, 1.0])
SIDEWAYS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
LYING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
ON_ITS_HEAD = np.diag([-1.0, 1.0, -1.0])
TRIPOSR = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Its files, Z up and left-handed, read as if Y were up."""


def put(matrix: NDArray[np.float64]) -> Mesh:
    return into_frame(TRUTH, axis_names(matrix))


def looked_at(mesh: Mesh) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    front, behind = (look_at(mesh, yaw, size=256).color for yaw in (0.0, 180.0))
    return small(front, front[..., 3]), small(behind, behind[..., 3])


@pytest.mark.parametrize("views", [True, False])
def test_a_mesh_in_the_frame_is_left_there(views: bool) -> None:
    front, behind = looked_at(TRUTH)
    as_is, turned = better_frame(TRUTH, TRUTH, front, behind if views else None, GOAL, "unlit")
    assert turned is None
    assert (as_is.iou, as_is.apart, as_is.pale) == (1.0, 0.0, False)


@pytest.mark.parametrize(
    ("matrix", "seems"),
    [
        (AWAY, "face away"),
        (MIRRORED, "be mirrored"),
        (AWAY @ MIRRORED, "be mirrored and turned"),
        (SIDEWAYS, "face sideways"),
        (LYING, "lie or stand on its head"),
        (ON_ITS_HEAD, "lie or stand on its head"),
        (TRIPOSR, "be mirrored and not upright"),
    ],
)
def test_another_frame_is_found_and_undone(matrix: NDArray[np.float64], seems: str) -> None:
    mesh = put(matrix)
    _, turned = better_frame(mesh, mesh, *looked_at(mesh), GOAL, "unlit")
    assert turned is not None
    assert turned.seems == seems
    np.testing.assert_array_equal(turned.matrix @ matrix, RIGHT)


def test_a_mirror_that_one_thin_part_tells_is_found_though_registration_has_moved_it() -> None:
    """Colours are the same everywhere, and only a staff is at one side."""
    parts = (
        ((0.0, 0.0, 0.3), (0.14, 0.14, 0.17)),
        ((0.0, 0.0, -0.1), (0.16, 0.12, 0.34)),
        ((0.25, 0.0, 0.05), (0.13, 0.05, 0.05)),
        ((-0.25, 0.0, 0.05), (0.13, 0.05, 0.05)),
        ((0.36, 0.0, 0.2), (0.02, 0.03, 0.28)),
    )
    truth = concatenate([ellipsoid(*part, (0.5, 0.4, 0.3), (0.5, 0.4, 0.3)) for part in parts])
    goal, _ = looked_at(truth)
    cameras = view_cameras(4, 256)
    masks = np.stack(list(silhouettes(truth, cameras)))

    def found(matrix: NDArray[np.float64]) -> Turned | None:
        mesh = into_frame(truth, axis_names(matrix))
        placed = register(mesh, masks, cameras).similarity.apply_to(mesh)
        return better_frame(mesh, placed, *looked_at(placed), goal, "unlit")[1]

    assert found(RIGHT) is None
    mirrored = found(MIRRORED)
    assert mirrored is not None and mirrored.seems == "be mirrored"


def test_colours_that_are_encoded_twice_are_pale_and_do_not_hide_it() -> None:
    mesh = put(AWAY)
    assert mesh.colors is not None
    pale = Mesh(
        mesh.vertices,
        mesh.faces,
        mesh.materials,
        mesh.face_material,
        colors=np.concatenate([linear_to_srgb(mesh.colors[..., :3]), mesh.colors[..., 3:]], axis=-1).astype(np.float32),
    )
    as_is, turned = better_frame(pale, pale, *looked_at(pale), GOAL, "unlit")
    assert turned is not None and turned.seems == "face away"
    assert turned.likeness.pale
    assert as_is.apart > turned.likeness.apart
