"""Which way a figure without joints faces is told by its face, where that shows far more than the back of its head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.characters import looks
from specsia_build.characters.facing import Evidence, front_of
from specsia_build.characters.images import as_texture
from specsia_build.characters.looks import detail, front_by_looks
from specsia_build.frame import front_rotation
from specsia_build.rendering.mesh import Material, Mesh
from tests.shapes import BOX, QUADS

Box = tuple[tuple[float, float, float], tuple[float, float, float], bool]

# Centre, size and whether it is dark, of boxes: as deep as wide, so that no shape says where the front is.
TRUNK: Box = ((0, 0, 0.5), (0.5, 0.5, 1.0), False)
HEAD: Box = ((0, 0, 1.2), (0.4, 0.4, 0.4), False)
EYES: tuple[Box, ...] = (((0.1, -0.2, 1.25), (0.08, 0.01, 0.1), True), ((-0.1, -0.2, 1.25), (0.08, 0.01, 0.1), True))
MOUTH: Box = ((0, -0.2, 1.1), (0.16, 0.01, 0.03), True)
NAPE: Box = ((0, 0.2, 1.2), (0.2, 0.01, 0.2), True)
EARRING: Box = ((0.2, 0, 1.2), (0.01, 0.2, 0.2), True)


def figure(*more: Box, boxes: tuple[Box, ...] = (TRUNK, HEAD, *EYES, MOUTH)) -> Mesh:
    """Boxes, pale or dark, Z up, facing -Y."""
    solids = [*boxes, *more]
    vertices = np.concatenate([BOX * size + np.array(centre) for centre, size, _ in solids])
    sides = np.array([(a, b, c) for q in QUADS for a, b, c in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))], np.int32)
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=np.concatenate([sides + 8 * k for k in range(len(solids))]),
        materials=(Material("pale", (0.9, 0.7, 0.5, 1.0)), Material("dark", (0.02, 0.02, 0.02, 1.0))),
        face_material=np.repeat([int(dark) for _, _, dark in solids], len(sides)).astype(np.int32),
    )


def cut_out(mesh: Mesh, opacity: int) -> Mesh:
    """The mesh with materials that may be cut out, at texels of an opacity."""
    texture = as_texture(np.full((2, 2, 4), (255, 255, 255, opacity), np.uint8))
    materials = tuple(replace(m, alpha_mode="mask", texture=texture) for m in mesh.materials)
    return replace(mesh, materials=materials, uv=np.zeros((len(mesh.faces), 3, 2), np.float32))


@pytest.mark.parametrize("axis", ["-y", "+x", "+y", "-x"])
def test_a_figure_faces_where_its_face_is(axis: str) -> None:
    turned = figure().rotated(front_rotation(axis).T)
    assert front_by_looks(turned) == axis
    assert front_of(turned, ()) == Evidence(axis, "by the details of its face", strong=True)


@pytest.mark.parametrize("axis", ["-y", "+x", "+y", "-x"])
@pytest.mark.parametrize("taken", ["-y", "+x", "+y", "-x"])
def test_what_is_taken_for_the_front_is_not_asked_for(axis: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counted(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> tuple[float, float]:
        drawn.append(1)
        return detail(color, coverage)

    monkeypatch.setattr(looks, "detail", counted)
    turned = figure().rotated(front_rotation(axis).T)
    assert front_by_looks(turned, taken) == (None if taken == axis else axis)
    assert taken != axis or len(drawn) < 4


@pytest.mark.parametrize(
    "mesh",
    [
        cut_out(figure(), 100),
        figure(boxes=(TRUNK, HEAD)),
        figure(NAPE),
        figure(EARRING),
        figure().with_vertices(figure().vertices * np.array((1, 3, 0.5), np.float32)),
    ],
    ids=["leaves", "no face", "as much behind", "another on one side", "long and low"],
)
def test_where_a_face_does_not_tell_nothing_is_sure(mesh: Mesh) -> None:
    assert front_by_looks(mesh) is None
    assert not any(front_by_looks(mesh, taken) for taken in ("-y", "+x", "+y", "-x"))


def test_what_may_be_cut_out_and_is_not_has_a_face() -> None:
    assert front_by_looks(cut_out(figure(), 255)) == "-y"


@pytest.mark.parametrize("axis", ["-y", "+x", "+y", "-x"])
def test_a_ghost_faces_where_the_face_on_its_body_is(axis: str) -> None:
    face = [((x, -0.25, 0.5), (0.12, 0.01, 0.2), True) for x in (-0.12, 0.12)]
    ghost = figure(boxes=(TRUNK, *face)).rotated(front_rotation(axis).T)
    assert front_by_looks(ghost) == axis
    assert front_by_looks(ghost, axis) is None


def test_a_blaze_on_a_body_is_no_face_where_a_head_has_one() -> None:
    blaze: Box = ((0, 0.25, 0.5), (0.12, 0.01, 0.2), True)
    assert front_by_looks(figure(blaze)) == "-y"


SIDES = (
    ("arm.l", (0.3, 0.0, 0.8)),
    ("arm.r", (-0.3, 0.0, 0.8)),
    ("leg.l", (0.1, 0.0, 0.1)),
    ("leg.r", (-0.1, 0.0, 0.1)),
)


def test_a_face_that_shows_a_little_more_than_what_is_behind_it_confirms_what_sides_say() -> None:
    spotted = figure(((0, 0.2, 1.2), (0.16, 0.01, 0.16), True))
    assert front_by_looks(spotted) is None
    assert front_of(spotted, SIDES, usual="+y") == Evidence(
        "-y", "by 2 pairs of left and right joints and by the details of its face", strong=True
    )
    viewed = tuple((name, (-x, y, z)) for name, (x, y, z) in SIDES)
    assert front_of(spotted, viewed, usual="-y").axis is None
    assert front_of(figure(NAPE), SIDES, usual="+y").axis is None


def test_detail_is_that_within_the_figure() -> None:
    color, coverage = np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40), np.uint8)
    assert detail(color, coverage) == (0.0, 0.0)
    color[10:30, 10:30], coverage[10:30, 10:30] = (200, 200, 200, 255), 255
    assert detail(color, coverage) == (0.0, 0.0)
    color[20:25, 15:20, :3] = 0
    head, whole = detail(color, coverage)
    assert head == 0.0
    assert whole > 0.0


@pytest.mark.filterwarnings("error")
def test_what_has_no_surface_has_no_looks() -> None:
    mesh = figure()
    clear = tuple(replace(material, alpha_mode="blend") for material in mesh.materials)
    line = mesh.vertices * np.array([0, 0, 1], np.float32)
    assert front_by_looks(replace(mesh, vertices=line, materials=clear)) is None
