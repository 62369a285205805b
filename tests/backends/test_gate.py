"""Each way in which a generated mesh can be unusable is refused under its own name, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.backends.gate import check_generated, check_mesh, closed_volume, share_of_parts
from specsia_build.backends.selftest import ellipsoid
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.rendering.topology import topology

GREY = (0.5, 0.5, 0.5)
Image = NDArray[np.uint8]


def picture(mesh: Mesh) -> Image:
    return next(FastRenderer().render(mesh, [Camera(0.0, 256)])).color


def blob(x: float = 0.0, z: float = 0.0, radius: float = 0.3) -> Mesh:
    return ellipsoid((x, 0.0, z), (radius, radius, radius), GREY, GREY)


def inside_out(mesh: Mesh) -> Mesh:
    assert mesh.colors is not None
    return replace(mesh, faces=mesh.faces[:, ::-1].copy(), colors=mesh.colors[:, ::-1].copy())


def with_nan(mesh: Mesh) -> Mesh:
    vertices = mesh.vertices.copy()
    vertices[5, 1] = np.nan
    return mesh.with_vertices(vertices)


def crumbs() -> Mesh:
    places = np.linspace(-0.5, 0.5, 8)
    return concatenate([blob(float(x), float(z), 0.06) for x in places for z in places])


REFUSED: dict[str, tuple[Callable[[], Mesh], str]] = {
    "empty": (lambda: replace(blob(), faces=np.zeros((0, 3), np.int32), colors=None), "empty"),
    "not finite": (lambda: with_nan(blob()), "not finite"),
    "one point": (lambda: blob().with_vertices(np.zeros_like(blob().vertices)), "no size"),
    "a speck": (lambda: blob().with_vertices(blob().vertices * 0.01), "units large"),
    "a giant": (lambda: blob().with_vertices(blob().vertices * 100), "units large"),
    "inside out": (lambda: inside_out(blob()), "inside out"),
    "crumbs": (crumbs, "all crumbs"),
    "something else": (lambda: ellipsoid((0, 0, 0), (0.5, 0.1, 0.08), GREY, GREY), "not look like the picture"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_fault_is_named(case: str) -> None:
    make, reason = REFUSED[case]
    with pytest.raises(CharacterError, match=reason):
        check_generated(make(), picture(blob()))


@pytest.mark.parametrize("yaw", [70.0, 100.0, 260.0])
def test_a_turn_is_no_fault_where_registration_looks_for_one(yaw: float) -> None:
    wide = ellipsoid((0, 0, 0), (0.5, 0.05, 0.3), GREY, GREY)
    turned = wide.rotated(Camera(yaw, 64).turn())
    with pytest.raises(CharacterError, match="not look like the picture"):
        check_generated(turned, picture(wide))
    check_generated(turned, picture(wide), any_yaw=True)
    with pytest.raises(CharacterError, match="not look like the picture"):
        check_generated(ellipsoid((0, 0, 0), (0.1, 0.1, 0.5), GREY, GREY), picture(wide), any_yaw=True)


def test_thin_lines_are_compared_in_the_pictures_own_pixels() -> None:
    line = ellipsoid((0, 0, 0), (0.003, 0.003, 0.5), GREY, GREY)
    image = next(FastRenderer().render(line, [Camera(0.0, 768)])).color
    check_generated(line, image)
    with pytest.raises(CharacterError, match="not look like the picture"):
        check_generated(ellipsoid((0.2, 0, 0), (0.1, 0.1, 0.5), GREY, GREY), image)


def test_volume_and_share_of_known_shapes() -> None:
    three = concatenate([blob(-0.4, 0, 0.2), blob(0.3, 0, 0.1), blob(0, 0.4, 0.04)])
    found = topology(three)
    assert closed_volume(found) == pytest.approx(4 / 3 * np.pi * (0.2**3 + 0.1**3 + 0.04**3), rel=0.02)
    assert share_of_parts(found) == pytest.approx(0.05 / 0.0516, abs=0.001)
    # A hollow shell holds a smaller one that faces inwards.
    shell = concatenate([blob(radius=0.3), inside_out(blob(radius=0.2))])
    volume = closed_volume(topology(shell))
    assert volume is not None
    assert 0 < volume < 4 / 3 * np.pi * 0.3**3


def test_meshes_that_are_read_need_not_look_like_the_picture() -> None:
    check_mesh(crumbs())
    for make in (REFUSED["empty"][0], REFUSED["not finite"][0], REFUSED["one point"][0]):
        with pytest.raises(CharacterError):
            check_mesh(make())
    with pytest.raises(CharacterError, match="beyond"):
        check_mesh(blob().with_vertices(blob().vertices * 1e8))
