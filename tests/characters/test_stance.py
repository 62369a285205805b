"""How arms are held, by joints of any naming."""

from __future__ import annotations

import numpy as np
import pytest

from specsia_build.characters.landmarks import Landmark
from specsia_build.characters.stance import stance

NAMES = {
    "Blender": ("UpperArm.{}", "LowerArm.{}", "Hand.{}", "L", "R"),
    "Mixamo": ("mixamorig:{}Arm", "mixamorig:{}ForeArm", "mixamorig:{}Hand", "Left", "Right"),
    "VRoid": ("J_Bip_{}_UpperArm", "J_Bip_{}_LowerArm", "J_Bip_{}_Hand", "L", "R"),
    "3ds Max": ("Bip01 {} UpperArm", "Bip01 {} Forearm", "Bip01 {} Hand", "L", "R"),
    "Unreal": ("upperarm_{}", "lowerarm_{}", "hand_{}", "l", "r"),
    "MMD": ("{}腕", "{}ひじ", "{}手首", "左", "右"),
}


def joints(
    below: float, ahead: float = 0.0, bent: float = 0.0, other: float = 0.0, kind: str = "Blender"
) -> list[Landmark]:
    """Arms so many degrees below the horizontal, ahead and bent; the right one is `other` degrees lower."""
    *names, left, right = NAMES[kind]
    found: list[Landmark] = [("Hips", (0.0, 0.0, 1.0))]
    for side, sign, lower in ((left, 1, 0.0), (right, -1, other)):
        place = np.array([0.2 * sign, 0.0, 1.5])
        for joint, degrees in zip(names, (0.0, bent, 0.0), strict=True):
            found.append((joint.format(side), (float(place[0]), float(place[1]), float(place[2]))))
            down, forth = np.radians(below + lower), np.radians(ahead + (degrees if joint != names[0] else 0.0))
            way = np.array([sign * np.cos(down) * np.cos(forth), -np.cos(down) * np.sin(forth), -np.sin(down)])
            place = place + 0.3 * way
    return found


def test_a_sleeve_is_no_joint() -> None:
    assert stance([("Sleeve_ArmLeft", (0.0, 0.0, 0.0)), *joints(45)]) == "A-pose"


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("below", "name"), [(0, "T-pose"), (15, "T-pose"), (45, "A-pose"), (80, "arms down")])
def test_arms_of_any_naming(kind: str, below: float, name: str) -> None:
    assert stance(joints(below, kind=kind)) == name


@pytest.mark.parametrize(
    "held",
    [
        joints(-60),
        joints(0, ahead=80),
        joints(0, other=70),
        joints(10, ahead=40),
        joints(0, bent=100),
        joints(130, ahead=10),
    ],
)
def test_arms_held_otherwise_are_a_pose(held: list[Landmark]) -> None:
    assert stance(held) == "posed"


@pytest.mark.parametrize(
    "held",
    [
        [],
        [("Mug", (0.0, 0.0, 0.0)), ("Handle", (0.1, 0.0, 0.0))],
        [("FrontShoulder.L", (0.1, 0.0, 1.0)), ("FrontShoulder.R", (-0.1, 0.0, 1.0))],
        [joint for joint in joints(0) if not joint[0].endswith("R")],
        [(name, (0.0, 0.0, 0.0)) for name, _ in joints(0)],
        [(name, (float("nan"), 0.0, 0.0)) for name, _ in joints(0)],
    ],
)
def test_nothing_is_said_without_joints_of_both_arms(held: list[Landmark]) -> None:
    assert stance(held) == ""
