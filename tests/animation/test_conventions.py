"""Joints as programs call them: each limb is found, and nothing that trims or steers it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from specsia_build.animation.figure import figure_of
from specsia_build.animation.humanoid import humanoid
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from tests.animation.test_humanoid import both, tree

LEG = ("UpperLeg", "LowerLeg", "Foot", "Toes")
ARM = ("Shoulder", "UpperArm", "LowerArm", "Hand")
SPINE = ("001", "003", "004", "006")

RIGS = {
    "ARKit": (
        """
root
  hips_joint
LIMBS
    $_upLeg_joint
      $_leg_joint
        $_foot_joint
          $_toes_joint
            $_toesEnd_joint
LIMBS
    spine_1_joint
      spine_7_joint
        neck_1_joint
          head_joint
            left_eye_joint
LIMBS
        $_shoulder_1_joint
          $_arm_joint
            $_forearm_joint
              $_hand_joint
                $_handIndexStart_joint
LIMBS
""",
        "left_upLeg_joint left_leg_joint left_foot_joint left_toes_joint",
        "left_shoulder_1_joint left_arm_joint left_forearm_joint left_hand_joint",
        "hips_joint spine_7_joint neck_1_joint head_joint",
    ),
    "SMPL": (
        """
Pelvis
LIMBS
  *_Hip
    *_Knee
      *_Ankle
        *_Foot
LIMBS
  Spine1
    Spine3
      Neck
        Head
LIMBS
      *_Collar
        *_Shoulder
          *_Elbow
            *_Wrist
              *_Hand
LIMBS
""",
        "L_Hip L_Knee L_Ankle L_Foot",
        "L_Collar L_Shoulder L_Elbow L_Wrist",
        "Pelvis Spine3 Neck Head",
    ),
    "Character Creator": (
        """
CC_Base_Hip
  CC_Base_Pelvis
LIMBS
    CC_Base_*_Thigh
      CC_Base_*_ThighTwist01
      CC_Base_*_KneeShareBone
      CC_Base_*_Calf
        CC_Base_*_Foot
          CC_Base_*_ToeBaseShareBone
          CC_Base_*_ToeBase
LIMBS
  CC_Base_Waist
    CC_Base_Spine02
      CC_Base_NeckTwist01
        CC_Base_NeckTwist02
          CC_Base_Head
LIMBS
      CC_Base_*_Clavicle
        CC_Base_*_Upperarm
          CC_Base_*_ElbowShareBone
          CC_Base_*_Forearm
            CC_Base_*_Hand
              CC_Base_*_Mid1
LIMBS
""",
        "CC_Base_L_Thigh CC_Base_L_Calf CC_Base_L_Foot CC_Base_L_ToeBase",
        "CC_Base_L_Clavicle CC_Base_L_Upperarm CC_Base_L_Forearm CC_Base_L_Hand",
        "CC_Base_Hip CC_Base_Spine02 CC_Base_NeckTwist01 CC_Base_Head",
    ),
    "Source": (
        """
ValveBiped.Bip01_Pelvis
LIMBS
  ValveBiped.Bip01_*_Thigh
    ValveBiped.Bip01_*_Calf
      ValveBiped.Bip01_*_Foot
        ValveBiped.Bip01_*_Toe0
LIMBS
  ValveBiped.Bip01_Spine
    ValveBiped.Bip01_Spine4
      ValveBiped.Bip01_Neck1
        ValveBiped.Bip01_Head1
LIMBS
      ValveBiped.Bip01_*_Clavicle
        ValveBiped.Bip01_*_UpperArm
          ValveBiped.Bip01_*_Elbow
          ValveBiped.Bip01_*_Forearm
            ValveBiped.Bip01_*_Wrist
            ValveBiped.Bip01_*_Hand
              ValveBiped.Bip01_*_Finger0
LIMBS
""",
        "L_Thigh L_Calf L_Foot L_Toe0",
        "L_Clavicle L_UpperArm L_Forearm L_Hand",
        "Pelvis Spine4 Neck1 Head1",
    ),
    "Mixamo without its colons": (
        """
mixamorig9Hips
LIMBS
  mixamorig9#UpLeg
    mixamorig9#Leg
      mixamorig9#Foot
        mixamorig9#ToeBase
LIMBS
  mixamorig9Spine
    mixamorig9Neck
      mixamorig9Head
LIMBS
    mixamorig9#Shoulder
      mixamorig9#Arm
        mixamorig9#ForeArm
          mixamorig9#Hand
LIMBS
""",
        "mixamorig9LeftUpLeg mixamorig9LeftLeg mixamorig9LeftFoot mixamorig9LeftToeBase",
        "mixamorig9LeftShoulder mixamorig9LeftArm mixamorig9LeftForeArm mixamorig9LeftHand",
        "mixamorig9Hips mixamorig9Spine mixamorig9Neck mixamorig9Head",
    ),
    "a namespace that says a side": (
        """
L_ctrl:Hips
LIMBS
  L_ctrl:#UpLeg
    L_ctrl:#Leg
      L_ctrl:#Foot
        L_ctrl:#ToeBase
LIMBS
  L_ctrl:Spine
    L_ctrl:Neck
      L_ctrl:Head
LIMBS
    L_ctrl:#Shoulder
      L_ctrl:#Arm
        L_ctrl:#ForeArm
          L_ctrl:#Hand
LIMBS
""",
        "LeftUpLeg LeftLeg LeftFoot LeftToeBase",
        "LeftShoulder LeftArm LeftForeArm LeftHand",
        "Hips Spine Neck Head",
    ),
    "legs numbered down to the foot": (
        """
torso_joint_1
  torso_joint_2
    torso_joint_3
      neck_joint_1
        head_joint
LIMBS
      arm_joint_*__4_
        arm_joint_*__3_
          hand_joint_*
LIMBS
LIMBS
  leg_joint_*_1
    leg_joint_*_2
      leg_joint_*_3
        leg_joint_*_5
LIMBS
""",
        "leg_joint_L_1 leg_joint_L_2 leg_joint_L_3 -",
        "- arm_joint_L__4_ arm_joint_L__3_ hand_joint_L",
        "torso_joint_1 torso_joint_3 neck_joint_1 head_joint",
    ),
}


def limbs(text: str) -> str:
    """The lines between each pair of LIMBS, once for each side; see `both`."""
    return re.sub("LIMBS.*?LIMBS", lambda found: both(found.group()), text, flags=re.DOTALL)


@pytest.mark.parametrize("rig", RIGS)
def test_limbs_are_found_as_a_program_calls_them(rig: str) -> None:
    text, leg, arm, trunk = RIGS[rig]
    skeleton = tree(limbs(text))
    human = humanoid(skeleton)
    names = {bone: skeleton.names[node] for bone, node in human.bones.items()}
    assert human.missing == ()
    for bones, told in ((LEG, leg), (ARM, arm)):
        for bone, name in zip(bones, told.split(), strict=True):
            assert names.get("left" + bone, "-").endswith(name)
            assert ("right" + bone in names) == (name != "-")
    found = (names["hips"], skeleton.names[human.spine[-1]], names["neck"], names["head"])
    assert [name.endswith(end) for name, end in zip(found, trunk.split(), strict=True)] == [True] * 4


def held(skeleton: Skeleton, *names: str) -> Rig:
    """A rig with a vertex on each joint of some names, all joints in the skin."""
    nodes = [skeleton.names.index(name) for name in names]
    joints = replace(skeleton, joints=frozenset(range(len(skeleton.names))))
    return Rig(
        joints,
        np.zeros((len(nodes), 3), np.float32),
        np.arange(len(nodes), dtype=np.int32)[:, None],
        np.ones((len(nodes), 1), np.float32),
        np.array(nodes, np.int32),
        np.tile(np.eye(4), (len(nodes), 1, 1)),
        np.eye(4),
    )


def test_joints_that_hold_the_mesh_come_before_those_that_only_steer_them() -> None:
    skeleton = tree(
        limbs("""
センター
  下半身
LIMBS
    足.*
      ひざ.*
        足首.*
          つま先.*
    足D.*
      ひざD.*
        足首D.*
          足先EX.*
LIMBS
  上半身
    首
      頭
LIMBS
    肩.*
      腕.*
        ひじ.*
LIMBS
LIMBS
  足ＩＫ.*
LIMBS
""")
    )
    controls = held(skeleton, "頭", *(part + side for part in ("足首", "ひじ") for side in (".L", ".R")))
    deforming = held(skeleton, "頭", *(part + side for part in ("足首D", "ひじ") for side in (".L", ".R")))
    for rig, told in ((controls, ["足.L", "ひざ.L", "足首.L"]), (deforming, ["足D.L", "ひざD.L", "足首D.L"])):
        bones = figure_of(rig, {}).human.bones
        assert [skeleton.names[bones["left" + part]] for part in LEG[:3]] == told


def test_a_spine_that_no_arm_hangs_on_is_a_neck_from_the_arms_up() -> None:
    """As Blender exports the joints of Rigify that deform a mesh, alone."""
    skeleton = tree(
        limbs("""
rig
  DEF-spine
    DEF-spine.001
      DEF-spine.003
        DEF-spine.004
          DEF-spine.006
LIMBS
  DEF-thigh.*
    DEF-shin.*
      DEF-foot.*
  DEF-shoulder.*
  DEF-upper_arm.*
    DEF-forearm.*
LIMBS
  WGT-head
""")
    )
    heights = dict(zip(("DEF-spine", *(f"DEF-spine.{k}" for k in SPINE)), (1.0, 1.1, 1.3, 1.5, 1.6), strict=True))
    heights |= {f"DEF-upper_arm.{side}": 1.45 for side in "LR"}
    height = np.array([heights.get(name, 0.0) for name in skeleton.names])
    above = np.where(skeleton.parents < 0, 0.0, height[skeleton.parents])
    skeleton = replace(
        skeleton,
        translations=np.stack([0 * height, 0 * height, height - above], axis=1),
        joints=frozenset(node for node, name in enumerate(skeleton.names) if name.startswith("DEF")),
    )
    human = humanoid(skeleton)
    assert human.missing == ()
    bones = [skeleton.names[human.bones[bone]] for bone in ("hips", "neck", "head", "leftShoulder", "leftUpperArm")]
    assert bones == ["rig", "DEF-spine.004", "DEF-spine.006", "DEF-shoulder.L", "DEF-upper_arm.L"]
    assert skeleton.names[human.spine[-1]] == "DEF-spine.003"


@pytest.mark.parametrize(
    ("hand", "thumb", "little"),
    [
        (
            [f"Bip001 L Finger{k}{j}" for k in range(5) for j in ("", "1", "2")],
            ["Bip001 L Finger0", "Bip001 L Finger01", "Bip001 L Finger02"],
            ["Bip001 L Finger4", "Bip001 L Finger41", "Bip001 L Finger42"],
        ),
        (
            [f"finger{k}-{j}.L" for k in range(1, 6) for j in (1, 2, 3)],
            ["finger1-1.L", "finger1-2.L", "finger1-3.L"],
            ["finger5-1.L", "finger5-2.L", "finger5-3.L"],
        ),
        (
            [
                f"LeftFinger{k}{part}"
                for k in range(1, 6)
                for part in ("Metacarpal", "Proximal", *(("Medial",) if k > 1 else ()), "Distal", "Tip")
            ],
            ["LeftFinger1Metacarpal", "LeftFinger1Proximal", "LeftFinger1Distal"],
            ["LeftFinger5Proximal", "LeftFinger5Medial", "LeftFinger5Distal"],
        ),
        (
            ["LeftThumbMetacarpal", "LeftThumbProximal", "LeftThumbDistal"]
            + [f"LeftLittle{part}" for part in ("Metacarpal", "Proximal", "Intermediate", "Distal")],
            ["LeftThumbMetacarpal", "LeftThumbProximal", "LeftThumbDistal"],
            ["LeftLittleProximal", "LeftLittleIntermediate", "LeftLittleDistal"],
        ),
    ],
)
def test_fingers_are_told_by_numbers_and_by_their_bones(hand: list[str], thumb: list[str], little: list[str]) -> None:
    lines, path = ["LeftArm", " LeftForeArm", "  LeftHand"], ""
    for name in hand:
        begins = name.endswith(("Finger0", "Finger1", "Finger2", "Finger3", "Finger4", "-1.L", "Metacarpal"))
        path = "   " if begins else path + " "
        lines.append(path + name)
    skeleton = tree("\n".join(lines))
    bones = {bone: skeleton.names[node] for bone, node in humanoid(skeleton).bones.items()}
    for finger, told in (("Thumb", thumb), ("Little", little)):
        assert [name for bone, name in bones.items() if bone.startswith(f"left{finger}")] == told
