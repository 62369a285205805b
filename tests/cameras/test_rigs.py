"""Rigs by name: where their cameras stand, how they look, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from specsia_build.cameras.records import cameras_json
from specsia_build.cameras.rigs import _KINDS, _LIMITS, CameraRig, parse_rig
from specsia_build.errors import UsageError, printable
from specsia_build.frame import Camera, view_cameras
from tests import commands

SPECS = ("ring:10", "orbit:8", "sphere:9", "random:5@seed=3", "wonder3d", "zero123plus", "mv-adapter")


def directions(rig: CameraRig) -> list[tuple[float, ...]]:
    """Azimuth and elevation in degrees of where cameras stand, by their positions."""
    x, y, z = np.transpose([camera.position() for camera in rig.cameras(64)])
    degrees = np.rad2deg([np.arctan2(x, -y), np.arctan2(z, np.hypot(x, y))]).round(6)
    return [*zip(degrees[0] % 360, degrees[1], strict=True)]


@pytest.mark.parametrize("views", [1, 10, 16])
def test_a_ring_is_that_of_the_dataset(views: int) -> None:
    rig = parse_rig(f"ring:{views}")
    assert rig.cameras(512, "anybody", 7) == view_cameras(views, 512)
    assert not rig.perspective


def test_named_rigs_stand_where_their_trainers_have_them() -> None:
    zero = parse_rig("zero123plus")
    azimuths, elevations = range(30, 360, 60), [20, -10] * 3
    assert directions(zero) == [(0, 0), *zip(azimuths, elevations, strict=True)]
    assert {camera.fov_deg for camera in zero.cameras(320)} == {30}
    assert zero.perspective
    wonder = parse_rig("wonder3d")
    assert wonder.names == ("front", "front_right", "right", "back", "left", "front_left")
    assert directions(wonder) == [(azimuth, 0) for azimuth in (0, 45, 90, 180, 270, 315)]
    assert not wonder.perspective
    adapter = parse_rig("mv-adapter")
    assert directions(adapter)[:8] == [(azimuth, 0) for azimuth in (0, 90, 180, 270, 45, 315, 135, 225)]
    above, below = (camera.position() for camera in adapter.cameras(64)[8:])
    assert_allclose([above, below], [[0, 0, 1.8], [0, 0, -1.8]], atol=1e-9)
    assert {camera.width for camera in adapter.cameras(64)} == {1.1}


def test_a_sphere_is_covered_evenly() -> None:
    cameras = parse_rig("sphere:200").cameras(64)
    away = np.array([-camera.basis()[2] for camera in cameras])
    assert_allclose(away.mean(axis=0), 0, atol=0.01)
    nearest = np.sort(away @ away.T, axis=1)[:, -2]
    apart = np.rad2deg(np.arccos(nearest))
    # Neighbours on an even grid of 200 are about 14 degrees apart.
    assert 10 < apart.min() <= apart.max() < 16
    upper = parse_rig("sphere:50@elevation=10..60").cameras(64)
    assert 10 < min(c.elevation_deg for c in upper) < max(c.elevation_deg for c in upper) < 60


def test_random_cameras_depend_on_character_and_seed() -> None:
    rig = parse_rig("random:400@elevation=-20..60,roll=-5..5,fov=30..50,radius=1.9..2.6")
    cameras = rig.cameras(64, "somebody", 1)
    assert cameras == rig.cameras(64, "somebody", 1)
    for other in (rig.cameras(64, "somebody else", 1), rig.cameras(64, "somebody", 2)):
        assert not set(cameras) & set(other)
    for name, (low, high) in {"elevation_deg": (-20, 60), "roll_deg": (-5, 5), "fov_deg": (30, 50)}.items():
        shares = np.array([(getattr(camera, name) - low) / (high - low) for camera in cameras])
        assert 0 <= shares.min() < 0.05 and 0.95 < shares.max() <= 1
    assert all(1.9 <= camera.radius <= 2.6 for camera in cameras)
    # The first cameras of a longer rig are those of a shorter one.
    options = rig.name.partition("@")[2]
    assert parse_rig(f"random:3@{options}").cameras(64, "somebody", 1) == cameras[:3]
    seeded = parse_rig("random:3@seed=5")
    assert seeded.cameras(64, "a", 1) == seeded.cameras(64, "a", 2) != seeded.cameras(64, "b", 1)


def test_options() -> None:
    (camera,) = parse_rig("ring:1@elevation=20,roll=5,fov=40,radius=2.5,rows=96,centre=30:40").cameras(64)
    turned = Camera(0.0, 64, elevation_deg=20, roll_deg=5)
    assert camera == replace(turned, fov_deg=40, radius=2.5, rows=96, centre=(30, 40))
    (flat,) = parse_rig("orbit:1@width=1.2").cameras(64)
    assert (flat.fov_deg, flat.width) == (None, 1.2)
    # Without a radius, the ball that fits the orthographic picture fits the perspective one.
    (near,) = parse_rig("ring:1@fov=60").cameras(64)
    assert near.radius * np.sin(np.deg2rad(30)) == pytest.approx(1.35 / 2)


@pytest.mark.parametrize("spec", SPECS)
def test_rigs_are_read_again_from_their_file(spec: str, tmp_path: Path) -> None:
    rig, path = parse_rig(spec), tmp_path / "cameras.json"
    cameras = rig.cameras(96, "somebody")
    path.write_bytes(cameras_json(cameras, rig.names))
    again = parse_rig(str(path))
    assert again.names == rig.names and again.cameras(512) == cameras
    assert again.perspective == rig.perspective


REFUSED = {
    "'ring'": ["rign:10"],
    "--cameras takes": [""],
    "names no number": ["ring"],
    "1 to 1,000": ["ring:0", "ring:1001", "ring:-3", "ring:1e2", "ring:²"],
    "without ':6'": ["wonder3d:6"],
    "from 1 to 175": ["ring:4@fov=180", "ring:4@fov=0.5", "ring:4@fov=nan"],
    "from 0.01 to 1000": ["ring:4@fov=40,radius=inf"],
    "inside the figure": ["ring:4@fov=40,radius=0.3", "random:4@radius=0.5..3", "zero123plus@radius=0.1"],
    "'elevation'": ["ring:4@elevaton=3"],
    "NUMBER, once": ["ring:4@elevation", "ring:4@elevation=1,elevation=2"],
    "a number from": ["ring:4@elevation=1..2"],
    "seed": ["ring:4@seed=1"],
    "name one of them": ["ring:4@fov=40,width=1"],
    "a whole number": ["ring:4@rows=64.5"],
    "COLUMN:ROW": ["ring:4@centre=3"],
    "cannot be read": ["missing.json"],
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words: str) -> None:
    for spec in REFUSED[words]:
        with pytest.raises(UsageError) as refusal:
            parse_rig(spec)
        assert words in str(refusal.value) and len(str(refusal.value)) < 300


SIGNS = (":", "@", ",", "=", "..", "3", "40", "-1", "1e999", "nan", "²", "\x1b[2J", "\0", ".json", "/")
parts = st.sampled_from([*_KINDS, *_LIMITS, *SIGNS])


@given(st.lists(parts, max_size=9).map("".join) | st.text(max_size=30))
def test_any_text_is_a_rig_or_refused_in_a_sentence(text: str) -> None:
    try:
        rig = parse_rig(text)
    except UsageError as error:
        assert str(error) == printable(str(error))
        assert len(str(error)) < 400
    else:
        assert len(rig.cameras(64, "x")) == len(rig.names) > 0


def test_the_command_refuses(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = commands.specsia("build", tmp_path, "--out", out, "--cameras", "ring:4@fov=180", code=2)
    assert "fov is a number from 1 to 175" in ran.stderr and not out.exists()
