"""What is measured of meshes, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rendering.scenes import box


def test_what_is_made_of_a_mesh_is_made_once_and_never_of_another() -> None:
    mesh = box((0, 0, 0), (0.5, 0.5, 0.5))
    assert mesh.used is mesh.used
    assert mesh.doubled_areas is mesh.doubled_areas
    for made in (mesh.used, mesh.doubled_areas):
        with pytest.raises(ValueError, match="read-only"):
            made[0] = 0
    low, _ = mesh.bounds()
    low -= 1
    assert mesh.bounds()[0].tolist() == [-0.5, -0.5, -0.5]
    larger = mesh.with_vertices(mesh.vertices * 2)
    assert larger.bounds()[0].tolist() == [-1, -1, -1]
    assert np.allclose(larger.doubled_areas, 4 * mesh.doubled_areas)
    half = mesh.of_faces(np.arange(len(mesh.faces)) < 2)
    assert half.used.sum() == 4
    assert len(half.doubled_areas) == 2
