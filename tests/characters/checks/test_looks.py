"""Limits of what is seen of a character: one colour, outline hulls and lost backs."""

from dataclasses import replace

import numpy as np
import pytest

from specsia_build.characters.checks.looks import has_colours, plain_colour, with_sides
from specsia_build.rendering.mesh import Mesh
from tests.characters.bodies import box, mesh_of


@pytest.mark.parametrize(
    ("first", "second", "share", "name"),
    [
        ((100, 100, 100), (112, 100, 100), 0.5, "grey of 102"),
        ((100, 100, 100), (113, 100, 100), 0.5, None),
        ((100, 100, 100), (0, 0, 0), 0.01, "grey of 100"),
        ((100, 100, 100), (0, 0, 0), 0.03, None),
        ((100, 100, 100), (255, 255, 255), 0.01, "grey of 100"),
        ((100, 100, 100), (255, 255, 255), 0.03, None),
        ((100, 100, 108), (100, 100, 108), 0.5, "grey of 103"),
        ((100, 100, 109), (100, 100, 109), 0.5, "colour, #64646d,"),
    ],
)
def test_one_plain_colour(
    first: tuple[int, ...], second: tuple[int, ...], share: float, name: str | None
) -> None:
    color, coverage = np.zeros((10, 100, 4), np.uint8), np.full((10, 100), 255, np.uint8)
    color[..., :3] = first
    color[:, : round(100 * share), :3] = second
    # Pixels at the edge of the figure do not count.
    color[0], coverage[0] = (9, 0, 0, 254), 254
    assert plain_colour(color, coverage) == name
    assert plain_colour(color, coverage // 2) is None


def test_colours_of_materials() -> None:
    mesh = mesh_of([box((0, 0, 1), (1, 1, 2))[0], box((0, 0, 3), (1, 1, 1))[0]], dark=1)
    for red, several in ((0.94, False), (0.96, True)):
        second = replace(mesh.materials[0], base_color=(red, 0.7, 0.5, 1.0))
        assert has_colours(replace(mesh, materials=(mesh.materials[0], second))) == several
    clear = replace(mesh.materials[0], base_color=(0.9, 0.7, 0.5, 0.2))
    assert not has_colours(replace(mesh, materials=(mesh.materials[0], clear)))
    assert not has_colours(mesh.of_faces(mesh.face_material == 0))


def hull(around: float, top: float = 1.0, inner: int = 0) -> Mesh:
    """A box, and a hull `around` it up to a share of its height; `inner` further boxes lie in the box."""
    solids = [box((0, 0, 1), (1, 1 - 0.1 * k, 2))[0] for k in range(inner + 1)]
    height = 2 * top + around * (2 if top == 1 else 1)
    outer = box((0, 0, height / 2 - around), (1 + 2 * around, 1 + 2 * around, height))[0]
    mesh = mesh_of([*solids, outer], dark=1)
    return mesh.rewound(mesh.face_material == 1)


HULLS = [
    (hull(0.02), True),
    (hull(0.07), True),
    (hull(0.2), False),
    (hull(0.02, top=0.95), True),
    (hull(0.02, top=0.8), False),
    (hull(0.02, inner=2), True),
    (hull(0.02, inner=4), False),
]


@pytest.mark.parametrize(("mesh", "is_hull"), HULLS)
@pytest.mark.parametrize("place", [(0, 0, 0), (30, -20, 10)])
def test_outline_hulls(mesh: Mesh, is_hull: bool, place: tuple[float, ...]) -> None:
    mesh = mesh.with_vertices(mesh.vertices + np.array(place, np.float32))
    sided, warnings = with_sides(mesh, None, "hero")
    assert ("outline-hull" in [warning.code for warning in warnings]) == is_hull
    assert [sided.materials[k].double_sided for k in sided.face_material[[0, -1]]] == [True, not is_hull]
    single = mesh.with_sides(double=False)
    assert "outline-hull" not in [warning.code for warning in with_sides(single, None, "hero")[1]]


@pytest.mark.parametrize(("width", "inner", "lost"), [(0.07, 0, False), (0.16, 0, True), (0.16, 3, False)])
def test_backs_that_are_lost(width: float, inner: int, lost: bool) -> None:
    """A cloth beside a box shows its back to the viewer."""
    solids = [box((0, 0, 1), (1, 1 - 0.1 * k, 2))[0] for k in range(inner + 1)]
    cloth = box((0.5 + width / 2, 0, 1), (width, 0.0, 2))[0]
    mesh = mesh_of([*solids, cloth]).with_sides(double=False)
    faces = np.arange(len(mesh.faces))
    of_cloth = faces >= 12 * len(solids)
    backs = of_cloth & (np.cross(*_edges(mesh))[:, 1] > 0)
    warnings = with_sides(mesh.of_faces(~of_cloth | backs), None, "hero")[1]
    assert [warning.code for warning in warnings] == ["backs-lost"] * lost


def _edges(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return b - a, c - a
