"""The gate, the scorer of frames and the self-test: find bad meshes and wrong frames, accept good ones."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.backends import registry, scoring
from specsia_build.backends.base import Context
from specsia_build.backends.placing import into_frame
from specsia_build.backends.scoring import better_frame, check_generated, check_mesh, small
from specsia_build.backends.selftest import ellipsoid, figure, selftest
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera, axis_names, view_cameras
from specsia_build.registration import register
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Mesh, concatenate
from tests.backends.drawings import Fake
from tests.commands import specsia
from tests.rendering.scenes import inside_out, look_at

Matrix = NDArray[np.float64]
Image = NDArray[np.uint8]
GREY = (0.5, 0.5, 0.5)

TRUTH = figure()
GOAL = small(look_at(TRUTH, size=256).color, look_at(TRUTH, size=256).mask)
RIGHT, AWAY, MIRRORED = np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])
SIDEWAYS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
LYING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
TRIPOSR = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Its files, Z up and left-handed, read as if Y were up."""


def blob(x: float = 0.0, z: float = 0.0, radius: float = 0.3) -> Mesh:
    return ellipsoid((x, 0.0, z), (radius, radius, radius), GREY, GREY)


def stretched(x: float, y: float, z: float, at: float = 0.0) -> Mesh:
    return ellipsoid((at, 0, 0), (x, y, z), GREY, GREY)


def scaled(factor: float) -> Mesh:
    return blob().with_vertices(blob().vertices * factor)


def crumbs(across: int = 8) -> Mesh:
    places = np.linspace(-0.5, 0.5, across)
    return concatenate([blob(float(x), float(z), 0.45 / across) for x in places for z in places])


UNUSABLE: dict[str, Callable[[], Mesh]] = {
    "empty": lambda: replace(blob(), faces=np.zeros((0, 3), np.int32), colors=None),
    "not finite": lambda: concatenate([blob(), scaled(np.nan)]),
    "no size": lambda: scaled(0),
    "beyond": lambda: scaled(1e8),
}
BAD: dict[str, Callable[[], Mesh]] = {
    "0.006 units large": lambda: scaled(0.01),
    "60 units large": lambda: scaled(100),
    "inside out": lambda: inside_out(blob()),
    "all crumbs": crumbs,
    "not look like the picture": lambda: stretched(0.5, 0.1, 0.08),
}


@pytest.mark.parametrize("fault", [*UNUSABLE, *BAD])
def test_gate_names_each_fault(fault: str) -> None:
    mesh = {**UNUSABLE, **BAD}[fault]()
    with pytest.raises(CharacterError, match=fault):
        check_generated(mesh, look_at(blob(), size=256).color)
    if fault in UNUSABLE:
        with pytest.raises(CharacterError, match=fault):
            check_mesh(mesh)
    else:
        check_mesh(mesh)


def test_many_small_figures_are_no_crumbs() -> None:
    sheet = crumbs(12)
    check_generated(sheet, look_at(sheet, size=256).color)


@pytest.mark.parametrize("yaw", [70.0, 260.0])
def test_expected_turn_is_not_a_fault(yaw: float) -> None:
    wide = stretched(0.5, 0.05, 0.3)
    turned = wide.rotated(Camera(yaw, 64).turn())
    check_generated(turned, look_at(wide, size=256).color, any_yaw=True)
    for mesh, any_yaw in ((turned, False), (stretched(0.1, 0.1, 0.5), True)):
        with pytest.raises(CharacterError, match="not look like the picture"):
            check_generated(mesh, look_at(wide, size=256).color, any_yaw=any_yaw)


def test_thin_lines_at_full_size() -> None:
    line = stretched(0.003, 0.003, 0.5)
    check_generated(line, look_at(line, size=768).color)
    with pytest.raises(CharacterError, match="not look like the picture"):
        check_generated(stretched(0.1, 0.1, 0.5, at=0.2), look_at(line, size=768).color)


def test_largest_piece_of_a_picture() -> None:
    image = np.zeros((64, 64, 4), np.uint8)
    image[4:34, 4:34, 3] = image[40:50, 40:60, 3] = 255
    image[0, 63, 3] = 255
    assert scoring._largest_piece(image) == pytest.approx(900 / 1100)
    assert scoring._largest_piece(0 * image) == 0


def put(matrix: Matrix) -> Mesh:
    return into_frame(TRUTH, axis_names(matrix))


def looked_at(mesh: Mesh) -> tuple[Image, Image]:
    front, behind = (look_at(mesh, yaw, size=256).color for yaw in (0.0, 180.0))
    return small(front, front[..., 3]), small(behind, behind[..., 3])


@pytest.mark.parametrize("views", [True, False])
def test_framed_mesh_stays(views: bool) -> None:
    front, behind = looked_at(TRUTH)
    as_is, turned = better_frame(TRUTH, TRUTH, front, behind if views else None, GOAL, "unlit")
    assert turned is None
    assert (as_is.iou, as_is.colour_difference, as_is.pale) == (1.0, 0.0, False)


@pytest.mark.parametrize(
    ("matrix", "seems"),
    [
        (AWAY, "face away"),
        (MIRRORED, "be mirrored"),
        (AWAY @ MIRRORED, "be mirrored and turned"),
        (SIDEWAYS, "face sideways"),
        (LYING, "lie or stand on its head"),
        (TRIPOSR, "be mirrored and not upright"),
    ],
)
def test_other_frame_is_undone(matrix: Matrix, seems: str) -> None:
    mesh = put(matrix)
    _, turned = better_frame(mesh, mesh, *looked_at(mesh), GOAL, "unlit")
    assert turned is not None
    assert turned.seems == seems
    np.testing.assert_array_equal(turned.matrix @ matrix, RIGHT)


def test_mirror_found_by_thin_part() -> None:
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

    def better(matrix: Matrix) -> scoring.Turned | None:
        mesh = into_frame(truth, axis_names(matrix))
        placed = register(mesh, masks, cameras).similarity.apply_to(mesh)
        return better_frame(mesh, placed, *looked_at(placed), goal, "unlit")[1]

    assert better(RIGHT) is None
    mirrored = better(MIRRORED)
    assert mirrored is not None and mirrored.seems == "be mirrored"


def test_colours_encoded_twice() -> None:
    mesh = put(AWAY)
    assert mesh.colors is not None
    encoded = np.concatenate([linear_to_srgb(mesh.colors[..., :3]), mesh.colors[..., 3:]], axis=-1)
    pale = replace(mesh, colors=encoded.astype(np.float32))
    as_is, turned = better_frame(pale, pale, *looked_at(pale), GOAL, "unlit")
    assert turned is not None and turned.seems == "face away"
    assert turned.likeness.pale
    assert as_is.colour_difference > turned.likeness.colour_difference


def changed(change: Callable[[Mesh], Mesh]) -> Fake:
    """A backend that gives the truth, changed."""

    def make(context: Context) -> Mesh:
        assert context.ground_truth is not None
        return change(context.ground_truth())

    return Fake(make, sees_ground_truth=True)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_self_test_finds_every_frame(quarters: int, mirrored: bool) -> None:
    matrix = np.linalg.matrix_power(SIDEWAYS, quarters) @ (MIRRORED if mirrored else RIGHT)
    result = selftest(changed(lambda m: into_frame(m, axis_names(matrix))))
    assert result.ok == (quarters == 0 and not mirrored)
    assert len({axis_names(c.matrix) for c in result.candidates}) == 48
    assert result.candidates[0].likeness.score == pytest.approx(1, abs=0.01)
    assert result.candidates[1].likeness.score < 0.85
    assert result.candidates[0].mirrored == mirrored
    np.testing.assert_array_equal(result.candidates[0].matrix @ matrix, RIGHT)


@pytest.mark.parametrize(
    "change", [lambda m: replace(m, colors=np.ones_like(m.colors)), lambda m: stretched(0.3, 0.3, 0.4)]
)
def test_no_unique_frame_fails(change: Callable[[Mesh], Mesh]) -> None:
    assert not selftest(changed(change)).ok


@pytest.mark.parametrize("name", ["fusion", "fusion:2"])
def test_own_backends_pass(name: str) -> None:
    result = selftest(registry.load_backend(name))
    assert result.ok
    assert result.margin > 0.02
    assert result.volume is None or result.volume > 0


def test_command_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(specsia("backends", "selftest", "relief", "--json").stdout)
    assert (document["ok"], document["backend"]) == (True, "relief")
    assert len(document["candidates"]) == 48
    assert document["candidates"][0]["axes"] == ["+x", "+y", "+z"]
    wrong = changed(lambda m: into_frame(m, ("-y", "+x", "+z")))
    monkeypatch.setattr(registry, "load_backend", lambda name: wrong)
    ran = specsia("backends", "selftest", "wrong", code=1)
    assert wrong.closed == 1
    assert 'axes: ["+y", "-x", "+z"]' in ran.output
