"""How FBX and .blend characters move, against places worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.rig import posed
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import RawMesh, RawMoving
from tests.characters.blender.conftest import Write, read_with_blender

STRIP = ((1.0, 0.0, 0.0), (1.0, 0.0, 3.0), (1.0, 0.0, 4.0))
"""Its lowest, middle and uppermost left corner at rest."""

SWORD, BOX, CHEEK, MIRRORED, CHIN = (
    (2.0, 0.0, 5.0),
    (1.0, 20.0, 1.0),
    (2.2, 10.0, 1.2),
    (-2.2, 10.0, 1.2),
    (2.0, 10.5, 0.0),
)


@pytest.fixture(scope="module")
def moving_file(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    folder = tmp_path_factory.mktemp("moving")
    return write(folder / "moving.blend", Path(__file__).with_name("make_moving.py"))


@pytest.fixture(scope="module")
def read(moving_file: Path) -> RawMesh:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(CACHE_SETTING, str(moving_file.parent))
        return read_with_blender(moving_file, moving=True)


def moving_of(raw: RawMesh) -> RawMoving:
    assert raw.moving is not None
    return raw.moving


def places(raw: RawMesh, points: object, name: str, t: float) -> NDArray[np.float32]:
    """Where points of the mesh at rest are at a time from the first frame on."""
    moving = moving_of(raw)
    (motion,) = [motion for motion in moving.motions if motion.name == name]
    rows = [int(np.argmin(np.linalg.norm(raw.mesh.vertices - point, axis=1))) for point in np.array(points)]
    return posed(raw.mesh, moving.rig, motion, motion.start + t).vertices[rows]


def test_at_rest_the_mesh_is_the_still_one(read: RawMesh) -> None:
    moving = moving_of(read)
    assert_allclose(posed(read.mesh, moving.rig, None, 0.0).vertices, read.mesh.vertices, atol=1e-5)
    for point in (*STRIP, SWORD, BOX, CHEEK, MIRRORED, CHIN):
        assert np.linalg.norm(read.mesh.vertices - point, axis=1).min() < 1e-5, point


@pytest.mark.parametrize(
    ("points", "name", "t", "expected"),
    [
        (STRIP, "Bend", 0.0, STRIP),
        # Half of what the middle's bones say, bent and not: (0, -0.5, 1) and (0, 0, 1.5) of the rig, which is twice.
        (STRIP, "Bend", 1.0, ((1, 3, 0), (1, 2.5, 2.5), (1, 1, 2))),
        ((SWORD,), "Bend", 1.0, ((2, 0, 2),)),
        ((BOX,), "BoxAction", 1.0, ((11, 20, 1),)),
        # A take is of one thing and is not played with what is no take of it.
        (STRIP, "BoxAction", 1.0, STRIP),
        ((CHEEK, MIRRORED, CHIN), "Smiling", 1.0, ((3, 10, 2), (-3, 10, 2), (2, 10.5, 0))),
        ((CHEEK, CHIN), "Smiling", 0.5, ((2.6, 10, 1.6), (2, 10.5, 0))),
        # One unit along the bone, upwards, of a rig that is twice as large.
        ((*STRIP, SWORD), "Lift", 0.5, tuple((x, y, z + 2) for x, y, z in (*STRIP, SWORD))),
    ],
)
def test_points_are_where_they_belong(read: RawMesh, points: object, name: str, t: float, expected: object) -> None:
    assert_allclose(places(read, points, name, t), np.array(expected), atol=1e-4)


def test_motions_have_their_seconds(read: RawMesh) -> None:
    moving = moving_of(read)
    lengths = {motion.name: round(motion.duration, 6) for motion in moving.motions}
    assert lengths == {"Bend": 1.0, "BoxAction": 1.0, "Lift": 0.5, "Smiling": 1.0}
    assert any("'Endless'" in warning for warning in read.warnings)
