"""What a caller hands over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import specsia_build as specsia
from specsia_build.backends.selftest import figure
from specsia_build.library.given import given_mesh, given_pixels

PICTURE = np.zeros((8, 8, 4), np.uint8)
PICTURE[2:6, 2:6] = (200, 100, 50, 255)


@pytest.mark.parametrize(
    "same", [PICTURE, PICTURE.tolist(), PICTURE.astype(np.int64), np.asfortranarray(PICTURE), PICTURE[:, ::-1][:, ::-1]]
)
def test_whole_numbers_are_a_picture_whatever_holds_them(same: Any) -> None:
    found = given_pixels(same, "a picture")
    np.testing.assert_array_equal(found, PICTURE)
    assert found.dtype == np.uint8 and found.flags.c_contiguous


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (PICTURE / 255, "uint8, not float64 from 0 to 1"),
        (PICTURE.astype(np.float32), "uint8, not float32 from 0 to 255"),
        (PICTURE.astype(np.uint16) * 257, "uint8, not uint16 from 0 to 65535"),
        (PICTURE.astype(np.int64) - 1, "uint8, not int64 from -1 to 254"),
        (PICTURE > 0, "uint8, not bool"),
        (np.full(PICTURE.shape, np.nan), "uint8, not float64"),
        (PICTURE[..., :3], r"not \(8, 8, 3\)"),
        ("front.png", "not str"),
        (None, "not NoneType"),
    ],
)
def test_other_numbers_are_refused_and_not_cut(other: Any, said: str) -> None:
    with pytest.raises(specsia.UsageError, match=said):
        given_pixels(other, "a picture")
    with pytest.raises(specsia.UsageError, match=said):
        specsia.reconstruct(other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vertices": [[0, 0, 0]]}, "vertices of a mesh are a numpy array"),
        (
            {"faces": np.zeros((3, 4), np.int32)},
            r"faces of a mesh are a numpy array \(N, 3\), not numpy.ndarray \(3, 4\)",
        ),
        ({"faces": np.zeros((3, 3), np.float32)}, "faces of a mesh are whole numbers"),
        ({"faces": np.zeros((0, 3), np.int32)}, "has no faces"),
        ({"faces": np.full((3, 3), 10**6, np.int32)}, "faces that name others"),
    ],
)
def test_arrays_that_are_no_mesh_are_said(change: dict[str, Any], said: str) -> None:
    mesh = replace(figure())
    for name, value in change.items():
        object.__setattr__(mesh, name, value)
    with pytest.raises(specsia.UsageError, match=said):
        given_mesh(mesh)


@pytest.mark.parametrize("thing", ["man.glb", None, PICTURE])
def test_what_is_no_mesh_is_said(thing: Any) -> None:
    with pytest.raises(specsia.UsageError, match=r"a mesh is a specsia\.Mesh, or what specsia\.load gives, not"):
        specsia.render(thing)
