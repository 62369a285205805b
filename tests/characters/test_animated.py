"""Characters read with what moves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from specsia_build.animation.rig import posed
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_animated, read_character

KNIGHT = ("1H_Sword_Offhand", "Rectangle_Shield", "Round_Shield", "Spike_Shield", "2H_Sword")


@pytest.mark.parametrize(
    ("path", "drop"),
    [
        ("kaykit/Knight.glb", KNIGHT),
        ("animated/cyber_character.glb", ()),
        ("animated/mech_mike.glb", ()),
        ("animated/enemy_frog.glb", ()),
        ("animated/space_astronaut_finnthefrog.glb", ()),
    ],
)
def test_a_character_at_rest_is_the_still_one(characters_dir: Path, path: str, drop: tuple[str, ...]) -> None:
    entry = Entry("a", "gltf", characters_dir / path, drop=drop)
    still, moving = read_character(entry), read_animated(entry)
    mesh = moving.character.mesh
    assert np.array_equal(mesh.vertices, still.mesh.vertices)
    assert np.array_equal(mesh.faces, still.mesh.faces)
    assert (len(moving.motions), moving.spoilt, moving.warnings) == (still.animations, (), ())
    height = float(np.ptp(mesh.vertices[:, 2]))
    at_rest = posed(mesh, moving.rig, None, 0.0)
    assert_allclose(at_rest.vertices, mesh.vertices, atol=1e-5 * height)
    assert at_rest.normals is not None
    assert mesh.normals is not None
    assert_allclose(at_rest.normals, mesh.normals, atol=1e-4)
    assert at_rest.rest is mesh.vertices


def test_the_pose_of_an_entry_is_one_of_its_motions(characters_dir: Path) -> None:
    entry = Entry("a", "gltf", characters_dir / "kaykit" / "Knight.glb", drop=KNIGHT, pose="Walking_A@7.5")
    still, moving = read_character(entry), read_animated(entry)
    assert np.array_equal(moving.character.mesh.vertices, still.mesh.vertices)
    walk = next(motion for motion in moving.motions if motion.name == "Walking_A")
    height = float(np.ptp(still.mesh.vertices[:, 2]))
    there = posed(still.mesh, moving.rig, walk, 7.5 / 24)
    assert_allclose(there.vertices, still.mesh.vertices, atol=1e-5 * height)


def test_what_has_no_rig_hangs_on_one_node(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 2 0\nf 1 2 3\n")
    moving = read_animated(Entry("a", "obj", tmp_path / "a.obj"))
    assert len(moving.rig.skeleton.names) == 1
    assert moving.motions == ()
    mesh = moving.character.mesh
    assert np.array_equal(posed(mesh, moving.rig, None, 0.0).vertices, mesh.vertices)
