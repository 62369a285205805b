"""The backend `fusion`: close to the truth at strength 0, more damage with more strength."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy import ndimage

from specsia_build.backends.base import Context
from specsia_build.backends.fusion.backend import create
from specsia_build.backends.scoring import check_generated, closed_volume
from specsia_build.backends.selftest import ellipsoid, figure
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera, normalise, view_cameras
from specsia_build.registration import iou, register
from specsia_build.rendering.fast.renderer import FastRenderer, silhouettes
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.rendering.topology import topology
from tests.rendering.scenes import real_mesh

SIZE = 256
CAMERAS = view_cameras(10, SIZE)
GREY, RED = (0.5, 0.5, 0.5), (0.8, 0.2, 0.2)


def in_frame(parts: list[Mesh]) -> Mesh:
    truth = concatenate(parts)
    return truth.with_vertices(normalise(truth.vertices, CAMERAS, 4).apply(truth.vertices))


class Result(NamedTuple):
    """IoU and interior damage of each view, (10,), and the mesh."""

    ious: NDArray[np.float64]
    damage: NDArray[np.float64]
    mesh: Mesh


def front_of(truth: Mesh, size: int = SIZE) -> NDArray[np.uint8]:
    return next(FastRenderer().render(truth, [Camera(0.0, size)])).color


def reconstructed(truth: Mesh, argument: str | None = None, seed: int = 7) -> Mesh:
    return create(argument).reconstruct(front_of(truth), Context("x", seed, lambda: truth))


def compared(truth: Mesh, argument: str | None = None) -> Result:
    mesh = reconstructed(truth, argument)
    goals = list(FastRenderer().render(truth, CAMERAS))
    placed = register(mesh, np.stack([goal.mask for goal in goals]), CAMERAS).similarity.apply_to(mesh)
    ious, damage = [], []
    for goal, layers in zip(goals, FastRenderer().render(placed, CAMERAS), strict=True):
        inside = ndimage.binary_erosion((goal.mask == 255) & (layers.mask == 255), iterations=2)
        apart = np.abs(goal.color[..., :3].astype(float) - layers.color[..., :3])
        ious.append(iou(layers.mask, goal.mask))
        damage.append(apart[inside].mean() / 255)
    return Result(np.array(ious), np.array(damage), mesh)


@pytest.mark.parametrize("shape", [(SIZE, SIZE, 4), (SIZE, 100, 4)])
def test_empty_or_not_square_picture(shape: tuple[int, int, int]) -> None:
    with pytest.raises(CharacterError):
        create("0").reconstruct(np.zeros(shape, np.uint8), Context("x", 1, figure))


def test_seed_decides_all_bytes() -> None:
    one, two, other = (reconstructed(figure(), None, seed) for seed in (2**64 - 1, 2**64 - 1, 8))
    for name in ("vertices", "faces", "colors"):
        assert_array_equal(getattr(one, name), getattr(two, name))
    assert len(other.faces) != len(one.faces) or not np.array_equal(other.vertices, one.vertices)


@pytest.mark.parametrize(
    ("strength", "least_iou", "damage"),
    [("0", 0.95, (0, 0.03)), ("1", 0.90, (0.035, 0.15)), ("2", 0.5, (0.04, 0.5))],
)
def test_damage_grows_with_strength(strength: str, least_iou: float, damage: tuple[float, float]) -> None:
    truth = figure()
    result = compared(truth, strength)
    assert result.ious[1:].mean() >= least_iou
    assert damage[0] <= result.damage[1:].mean() < damage[1]
    mesh = result.mesh
    assert 40_000 <= len(mesh.faces) <= 62_000
    assert mesh.colors is not None and mesh.colors.shape == (len(mesh.faces), 3, 4)
    assert 0 <= mesh.colors.min() <= mesh.colors.max() <= 1
    assert (closed_volume(topology(mesh)) or 0) > 0
    check_generated(mesh, front_of(truth))


def test_legs_fuse_and_thin_parts_vanish() -> None:
    legs = [ellipsoid((x, 0, -0.2), (0.06, 0.06, 0.3), GREY, GREY) for x in (-0.064, 0.064)]
    body = ellipsoid((0, 0, 0.25), (0.15, 0.12, 0.2), RED, RED)
    blade = ellipsoid((0.3, 0, 0.3), (0.2, 0.0016, 0.0016), GREY, GREY)
    truth = in_frame([*legs, body, blade])
    one, strong = reconstructed(truth, "0"), reconstructed(truth, "1.5")

    def covered(mesh: Mesh, box: tuple[slice, slice]) -> float:
        return float((next(FastRenderer().render(mesh, [Camera(0.0, 512)])).mask[box] >= 128).mean())

    gt = next(FastRenderer().render(truth, [Camera(0.0, 512)])).mask >= 128
    middle = int(np.flatnonzero(gt[430]).mean())
    gap = slice(300, 420), slice(middle - 1, middle + 2)
    assert covered(strong, gap) > covered(one, gap)
    assert strong.vertices[:, 0].max() < truth.vertices[:, 0].max() - 0.1


def winged() -> Mesh:
    """A body with wings as thin as paper, wide in front and behind, and less than a pixel from the side."""
    body = ellipsoid((0, 0, 0), (0.12, 0.12, 0.35), RED, RED)
    return in_frame([body, *(ellipsoid((x, 0.1, 0.1), (0.2, 0.002, 0.15), GREY, GREY) for x in (-0.3, 0.3))])


def jointed() -> Mesh:
    """A body with arms and legs in separate pieces, each far smaller than the body."""
    body = ellipsoid((0, 0, 0.15), (0.2, 0.15, 0.2), RED, RED)
    arms = [ellipsoid((x, 0, z), (0.025, 0.025, 0.07), GREY, GREY) for x in (-0.28, 0.28) for z in (0.18, 0)]
    legs = [ellipsoid((x, 0, z), (0.03, 0.03, 0.07), GREY, GREY) for x in (-0.1, 0.1) for z in (-0.2, -0.38)]
    return in_frame([body, *arms, *legs])


@pytest.mark.parametrize("truth", [winged(), jointed()], ids=["wings", "pieces"])
@pytest.mark.parametrize("argument", ["0", "1"])
def test_visible_surface_is_kept(truth: Mesh, argument: str) -> None:
    mesh = reconstructed(truth, argument)
    goals, masks = silhouettes(truth, CAMERAS) >= 128, silhouettes(mesh, CAMERAS) >= 128
    recall = (goals & masks).sum(axis=(1, 2)) / goals.sum(axis=(1, 2))
    assert recall.min() > 0.9
    assert len(mesh.faces) < 62_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kaykit_barbarian", "kaykit_knight", "kaykit_mage", "kenney_character"])
def test_real_silhouettes_are_kept(characters_dir: Path, name: str) -> None:
    truth = real_mesh(characters_dir, name, CAMERAS)
    result = compared(truth)
    assert result.ious[1:].mean() >= 0.90
    assert 0.04 < result.damage[1:].mean() < 0.12
    check_generated(result.mesh, front_of(truth))
