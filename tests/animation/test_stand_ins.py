"""Who has neither knees, ankles nor a back follows those who have, by the joints that are there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from specsia_build.animation.figure import Figure, figure_of
from specsia_build.animation.motion import TRANSLATION, poses
from specsia_build.animation.retarget import follows_by_name, retargeted
from specsia_build.animation.rig import Rig
from specsia_build.animation.stand_ins import with_stand_ins
from specsia_build.errors import CharacterError
from tests.animation.people import BODY, KAYKIT, person, turning

SIDES = ("left", "right")
ANKLES = [side + part for side in SIDES for part in ("Foot", "Toes")]
KNEES = [side + "LowerLeg" for side in SIDES]
BACK = ["spine", "chest", *(side + "Shoulder" for side in SIDES)]


def clothed(figure: Figure, bones: dict[str, int], *, legs: bool = True) -> Rig:
    """A rig whose legs reach from the hip down to the ground, each point on the lowest joint above it, and a head."""
    skeleton = figure.skeleton
    points, nodes = [BODY["head"][1]], [bones["head"]]
    for side in SIDES if legs else ():
        x, y, top = BODY[side + "UpperLeg"][1]
        for z in np.linspace(0.0, top, 20):
            holding = [side + part for part in ("UpperLeg", "LowerLeg", "Foot") if side + part in bones]
            points.append((x, y, z))
            nodes.append(bones[next((b for b in reversed(holding) if BODY[b][1][2] >= z), holding[0])])
    stored = (np.array(points) @ figure.turn).astype(np.float32)
    slots = np.arange(len(nodes), dtype=np.int32)[:, None]
    placement = np.eye(4)
    placement[:3, :3] = figure.turn
    return Rig(
        skeleton,
        stored,
        slots,
        np.ones((len(nodes), 1), np.float32),
        np.array(nodes, np.int32),
        np.asarray(np.linalg.inv(skeleton.rest_worlds[nodes]), np.float64),
        placement,
    )


def lacking(bones: Collection[str], **options: object) -> tuple[Figure, dict[str, int]]:
    return person({bone: bone for bone in BODY if bone not in bones}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", (None, 3))
@pytest.mark.parametrize("up", ("+z", "+y"))
@pytest.mark.parametrize(
    ("bones", "said"),
    (
        (ANKLES, "left foot, right foot"),
        (KNEES, "left lower leg, right lower leg"),
        (KNEES + ANKLES, "left lower leg, left foot, right lower leg, right foot"),
        (BACK, "spine"),
    ),
    ids=("ankles", "knees", "both", "back"),
)
def test_joints_that_are_there_turn_as_the_motions_do_and_soles_stay_on_the_ground(
    bones: list[str], said: str, up: str, seed: int | None
) -> None:
    source, theirs = person(KAYKIT)
    target, own = lacking(bones, up=up, seed=seed)
    rig = clothed(target, own)
    motion = turning(source, theirs["leftUpperLeg"], [(0.0, 0.0, 0.0), (-30.0, 0.0, 0.0)])
    with pytest.raises(CharacterError, match="has no joints for"):
        retargeted(motion, source, target)

    whole = with_stand_ins(figure_of(rig, {}), rig)
    assert not whole.human.missing
    found = retargeted(motion, source, whole)
    assert any(said in note for note in found.notes)
    assert {track.node for track in found.motion.tracks} <= set(own.values())
    assert {track.node for track in found.motion.tracks if track.path == TRANSLATION} <= {own["hips"]}

    worlds = poses(rig.skeleton, found.motion, np.array([0.0, 1.0])).worlds
    turns = worlds[:, own["leftUpperLeg"], :3, :3]
    turned = target.turn @ turns[1] @ np.linalg.inv(turns[0]) @ target.turn.T
    assert_allclose(np.degrees(Rotation.from_matrix(turned).as_rotvec()), (-30, 0, 0), atol=1e-6)
    # The other leg stands, on a ground that is where it was.
    for k in range(2):
        heights = rig.vertices(poses(rig.skeleton, found.motion, np.array([float(k)])), 0)[:, 2]
        assert_allclose(heights.min(), 0.0, atol=0.02)


def test_of_whom_more_lacks_or_whose_legs_end_nowhere_nothing_is_made_up() -> None:
    figure, bones = lacking([*ANKLES, "leftUpperLeg", "leftLowerLeg"])
    assert with_stand_ins(figure, clothed(figure, bones, legs=False)) is figure
    figure, bones = lacking(ANKLES)
    assert with_stand_ins(figure, clothed(figure, bones, legs=False)) is figure
    whole, bones = person()
    assert with_stand_ins(whole, clothed(whole, bones)) is whole


def test_a_motion_of_the_same_joints_is_followed_by_their_names() -> None:
    source, theirs = person()
    target, _ = lacking(ANKLES)
    motion = turning(source, theirs["leftUpperLeg"], [(0.0, 0.0, 0.0), (-30.0, 0.0, 0.0)])
    assert follows_by_name(motion, source, target)
    renamed = replace(target, skeleton=replace(target.skeleton, names=tuple(f"{n}.001" for n in target.skeleton.names)))
    assert not follows_by_name(motion, source, renamed)
