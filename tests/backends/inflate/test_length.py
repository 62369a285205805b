"""How long a figure is along the line of sight, where one picture tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.backends.base import Context
from specsia_build.backends.inflate.backend import create
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.frame import ORTHO_WIDTH, view_cameras
from specsia_build.registration import iou, register
from specsia_build.rendering.fast.renderer import FastRenderer, silhouettes
from specsia_build.stages.render import in_frame
from tests.backends.drawings import Field, disc, figure, limb, painted

SIZE = 192
VIEWS = 10


def depth(distance: Field, framed: bool = True) -> float:
    """Units that the reconstruction takes along the line of sight."""
    mesh = create(None).reconstruct(painted(distance), Context("x", 0, framed=framed))
    return float(np.ptp(mesh.vertices[:, 1]))


def stag() -> Field:
    """A tall animal that looks at the viewer: horns, a head before its neck, a wide body, and two of its four legs."""
    horns = [limb(SIZE, (0.5, 0.3), (x, 0.13), 0.012) for x in (0.38, 0.62)]
    legs = [limb(SIZE, (x, 0.6), (x, 0.86), 0.02) for x in (0.45, 0.55)]
    head, neck = disc(SIZE, 0.5, 0.3, 0.05), limb(SIZE, (0.5, 0.3), (0.5, 0.5), 0.03)
    parts = [head, neck, limb(SIZE, (0.5, 0.52), (0.5, 0.55), 0.1), *horns, *legs]
    return np.asarray(np.maximum.reduce(parts))


def test_a_figure_that_leaves_room_in_the_frame_is_long() -> None:
    small = disc(SIZE, 0.5, 0.5, 0.5 * 0.5 / ORTHO_WIDTH)
    assert depth(small) > 0.7
    assert depth(small, framed=False) == pytest.approx(0.5, abs=0.1)
    assert depth(disc(SIZE, 0.5, 0.5, 0.5 / ORTHO_WIDTH)) == pytest.approx(1.0, abs=0.15)


def test_a_long_figure_carries_its_head_before_its_body() -> None:
    small = limb(SIZE, (0.5, 0.35), (0.5, 0.65), 0.06)
    mesh = create(None).reconstruct(painted(small), Context("x", 0, framed=True))
    top = mesh.vertices[:, 2] > 0.2
    assert mesh.vertices[top, 1].mean() < mesh.vertices[~top, 1].mean() - 0.1


def test_a_figure_on_four_legs_is_longer_than_wide() -> None:
    assert depth(stag(), framed=False) > 0.4
    assert depth(figure(SIZE)[0], framed=False) < 0.4


def quality(entry: Entry) -> float:
    """Mean IoU of the reconstruction over all views."""
    truth, _ = in_frame(read_character(entry), BuildConfig(size=SIZE, views=VIEWS))
    cameras = view_cameras(VIEWS, SIZE)
    front = next(iter(FastRenderer().render(truth, cameras[:1]))).color
    mesh = create(None).reconstruct(front, Context(entry.id, 0, framed=True))
    targets = silhouettes(truth, cameras)
    found = silhouettes(register(mesh, targets, cameras, with_yaw=False).similarity.apply_to(mesh), cameras)
    return float(np.mean([iou(z, y) for z, y in zip(found, targets, strict=True)]))


@pytest.mark.parametrize("name", ["animal_fox", "animal_stag", "dino_velociraptor"])
def test_real_animals_are_met_by_half(name: str, characters_dir: Path) -> None:
    (entry,) = open_source(str(characters_dir / "animated" / f"{name}.glb"), characters_dir).entries
    assert quality(entry) > 0.5
