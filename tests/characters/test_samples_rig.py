"""Rigs of procedural samples: stored beside their OBJs, complete, and fit for six motions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.motion import poses
from specsia_build.characters.bicar import RIG, bicar_entry
from specsia_build.characters.character import Entry
from specsia_build.characters.read import AnimatedCharacter, read_animated, read_character
from specsia_build.characters.samples.write import FILES, write_sample
from specsia_build.errors import CharacterError

SEED = 42
INDICES = (21, 23, 33)
"""A robe, a wide body in trousers, a tail."""

MOTIONS = ("idle", "walk", "run", "jump", "wave", "turn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("samples")
    for index in INDICES:
        write_sample(target, index, SEED)
    return target


@pytest.fixture(scope="module", params=INDICES)
def animated(folder: Path, request: pytest.FixtureRequest) -> AnimatedCharacter:
    return read_animated(bicar_entry(folder / str(request.param), str(request.param)))


def over(animated: AnimatedCharacter, name: str, frames: int = 16) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Vertices (T, V, 3) and joints' places (T, J, 3) over a motion, in the mesh's coordinates."""
    motion = next(motion for motion in animated.motions if motion.name == name)
    posed = poses(animated.rig.skeleton, motion, np.linspace(0, motion.end, frames, endpoint=False))
    joints = posed.worlds[..., :3, 3] @ animated.rig.placement[:3, :3].T
    return np.stack([animated.rig.vertices(posed, k) for k in range(frames)]), joints


def test_a_sample_has_a_rig_and_six_motions(animated: AnimatedCharacter) -> None:
    still = read_character(animated.character.entry)
    assert np.array_equal(animated.character.mesh.vertices, still.mesh.vertices)
    assert tuple(motion.name for motion in animated.motions) == MOTIONS
    assert animated.spoilt == ()
    assert {"hips", "head", "leftUpperArm", "rightFoot"} <= set(animated.humanoid)
    assert len(animated.rig.weights) == len(still.mesh.vertices)
    assert_allclose(animated.rig.weights.sum(axis=1), 1, atol=1e-6)
    assert animated.rig.weights.min() >= 0
    at_rest = poses(animated.rig.skeleton, None, np.zeros(1))
    assert_allclose(animated.rig.vertices(at_rest, 0), still.mesh.vertices, atol=1e-5)


@pytest.mark.parametrize("name", MOTIONS)
def test_nothing_tears_or_leaves_the_ground_that_it_stands_on(animated: AnimatedCharacter, name: str) -> None:
    mesh, (moved, _) = animated.character.mesh, over(animated, name)
    height = float(np.ptp(mesh.vertices[:, 2]))
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    lengths = np.linalg.norm(moved[:, edges[:, 0]] - moved[:, edges[:, 1]], axis=2)
    at_rest = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    assert (lengths - at_rest).max() < 0.2 * height
    ground = mesh.vertices[:, 2].min()
    lowest = (moved[..., 2].min(axis=1) - ground) / height
    assert lowest.min() > -0.05
    if name == "jump":
        assert lowest.max() > 0.04
    elif name != "run":
        assert lowest.max() < 0.01


SPOILT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "fewer vertices": lambda rig: rig["skins"]["m"].pop(),
    "a cycle": lambda rig: rig["joints"][1].__setitem__(1, 5),
    "a joint that is not there": lambda rig: rig["skins"]["m"].__setitem__(0, [99, 10_000]),
    "too many weights": lambda rig: rig["skins"]["m"].__setitem__(0, [0, 10_000] + [0, 0] * 100_000),
    "not finite": lambda rig: rig["joints"][3].__setitem__(2, float("nan")),
    "too large": lambda rig: rig["skins"]["m"].__setitem__(0, [10**30, 10_000]),
    "empty": lambda rig: rig.clear(),
}


def _with_rig(folder: Path, place: Path, change: Callable[[Any], None]) -> Entry:
    """A copy of the first sample whose rig is changed."""
    (place / "tpose").mkdir(parents=True)
    for name in FILES:
        if name.startswith("tpose"):
            (place / name).write_bytes((folder / "21" / name).read_bytes())
    rig = json.loads((place / RIG).read_text())
    change(rig)
    (place / RIG).write_text(json.dumps(rig))
    return bicar_entry(place, place.name)


@pytest.mark.parametrize("name", SPOILT)
def test_a_damaged_rig_is_an_error_and_the_still_character_is_read(folder: Path, tmp_path: Path, name: str) -> None:
    entry = _with_rig(folder, tmp_path / "7", SPOILT[name])
    with pytest.raises(CharacterError, match=r"rig\.json"):
        read_animated(entry)
    assert len(read_character(entry).mesh.faces) > 1000


def test_a_rig_of_no_humanoid_has_no_motions(folder: Path, tmp_path: Path) -> None:
    def rename(rig: Any) -> None:
        for joint in rig["joints"]:
            joint[0] = "bone"

    animated = read_animated(_with_rig(folder, tmp_path / "7", rename))
    assert animated.motions == () and len(animated.warnings) == 1
