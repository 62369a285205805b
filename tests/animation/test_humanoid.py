"""Joints of people's rigs are told by words and hierarchy, whoever named them."""

from __future__ import annotations

import numpy as np
import pytest

from specsia_build.animation.figure import Figure
from specsia_build.animation.humanoid import Humanoid, humanoid, part_of
from specsia_build.animation.skeleton import Skeleton
from tests.animation.people import KAYKIT, MIXAMO, QUATERNIUS, person


def tree(text: str) -> Skeleton:
    """A skeleton of names, a joint a line, what hangs on it indented below it."""
    names: list[str] = []
    parents: list[int] = []
    path: list[tuple[int, int]] = []
    for line in filter(str.strip, text.splitlines()):
        depth = len(line) - len(line.lstrip())
        path = [(d, node) for d, node in path if d < depth]
        parents.append(path[-1][1] if path else -1)
        path.append((depth, len(names)))
        names.append(line.strip())
    count = len(names)
    return Skeleton(
        tuple(names),
        np.array(parents, np.int32),
        np.zeros((count, 3)),
        np.tile([0.0, 0, 0, 1], (count, 1)),
        np.ones((count, 3)),
    )


def both(text: str) -> str:
    """The lines between LIMBS, once for each side: * is L or R, # Left or Right, ~ l or r, $ left or right."""
    head, limbs, tail = text.split("LIMBS")
    sides = [
        limbs.replace("*", s[0]).replace("#", s).replace("~", s[0].lower()).replace("$", s.lower())
        for s in ("Left", "Right")
    ]
    return head.rstrip(" ") + "".join(sides) + tail


def names_of(skeleton: Skeleton) -> tuple[dict[str, str], list[str], Humanoid]:
    found = humanoid(skeleton)
    return {b: skeleton.names[n] for b, n in found.bones.items()}, [skeleton.names[n] for n in found.spine], found


RIGS = {
    "CMU": """
Hips
LIMBS
  *HipJoint
    #UpLeg
      #Leg
        #Foot
          #ToeBase
LIMBS
  LowerBack
    Spine
      Spine1
        Neck
          Neck1
            Head
        LeftShoulder
          LeftArm
            LeftForeArm
              LeftHand
                LThumb
        RightShoulder
          RightArm
            RightForeArm
""",
    "MakeHuman": """
hip
LIMBS
  ~buttock
    ~hip
      ~knee
        ~foot
          toe1-1.~
LIMBS
  abdomen
    chest
      neck
        head
          __jaw
      lcollar
        lshoulder
          lelbow
            lhand
      rcollar
        rshoulder
          relbow
            rhand
""",
    "Advanced Skeleton": """
Group
  Root_M
LIMBS
    Hip_*
      Knee_*
        Ankle_*
          Toes_*
LIMBS
    Spine1_M
      Chest_M
        Neck_M
          Head_M
            HeadEnd_M
        Scapula_L
          Shoulder_L
            Elbow_L
              Wrist_L
          jnt_shoulder_L
        Scapula_R
          Shoulder_R
            Elbow_R
          jnt_shoulder_R
""",
    "joints by what bends": """
Hips
LIMBS
  *HipJoint
    #Hip
      #Knee
        #Ankle
          #Toe
LIMBS
  Chest
    Chest2
      Neck
        Head
      LeftCollar
        LeftShoulder
          LeftElbow
            LeftWrist
      RightCollar
        RightShoulder
          RightElbow
""",
    "Unreal": """
root
  pelvis
LIMBS
    thigh_~
      thigh_twist_01_~
      calf_~
        foot_~
          ball_~
LIMBS
    spine_01
      spine_02
        spine_03
          neck_01
            head
          clavicle_l
            upperarm_l
              lowerarm_l
                hand_l
                  index_01_l
                    index_02_l
                      index_03_l
          clavicle_r
            upperarm_r
              lowerarm_r
""",
    "3ds Max": """
Bip01
  Bip01 Pelvis
    Bip01 Spine
LIMBS
      Bip01 * Thigh
        Bip01 * Calf
          Bip01 * Foot
            Bip01 * Toe0
LIMBS
      Bip01 Spine1
        Bip01 Neck
          Bip01 Head
          Bip01 L Clavicle
            Bip01 L UpperArm
              Bip01 L Forearm
          Bip01 R Clavicle
            Bip01 R UpperArm
              Bip01 R Forearm
""",
    "Rigify": """
DEF-spine
LIMBS
  DEF-thigh.*
    DEF-thigh.*.001
      DEF-shin.*
        DEF-shin.*.001
          DEF-foot.*
            DEF-toe.*
LIMBS
  DEF-spine.001
    DEF-spine.002
      DEF-neck
        DEF-head
      DEF-shoulder.L
        DEF-upper_arm.L
          DEF-upper_arm.L.001
            DEF-forearm.L
              DEF-hand.L
      DEF-shoulder.R
        DEF-upper_arm.R
          DEF-forearm.R
""",
    "Daz": """
Genesis8Female
  hip
    pelvis
LIMBS
      ~ThighBend
        ~ThighTwist
          ~Shin
            ~Foot
              ~Toe
LIMBS
    abdomenLower
      chestLower
        neckLower
          neckUpper
            head
        lCollar
          lShldrBend
            lShldrTwist
              lForearmBend
                lForearmTwist
                  lHand
        rCollar
          rShldrBend
            rForearmBend
""",
    "OptiTrack": """
Hip
LIMBS
  *Thigh
    *Shin
      *Foot
        *Toe
LIMBS
  Ab
    Chest
      Neck
        Head
      LShoulder
        LUArm
          LFArm
            LHand
      RShoulder
        RUArm
          RFArm
""",
    "Auto-Rig Pro": """
root.x
LIMBS
  thigh_stretch.~
    leg_stretch.~
      foot.~
        toes_01.~
LIMBS
  spine_01.x
    spine_02.x
      neck.x
        head.x
      shoulder.l
        arm_stretch.l
          forearm_stretch.l
            hand.l
      shoulder.r
        arm_stretch.r
          forearm_stretch.r
""",
    "Acclaim": """
hips
LIMBS
  ~hipjoint
    ~femur
      ~tibia
        ~foot
          ~toes
LIMBS
  lowerback
    thorax
      neck
        head
      lclavicle
        lhumerus
          lradius
            lwrist
      rclavicle
        rhumerus
          rradius
""",
    "joints of Maya": """
AVATAR
LIMBS
  *_legUpper0001_bind_JNT
    *_legLower0001_bind_JNT
      *_foot0001_bind_JNT
LIMBS
  C_spine0001_bind_JNT
    C_spine0006_bind_JNT
      C_neck0001_bind_JNT
        C_head0001_bind_JNT
      L_clavicle_bind_JNT
        L_armUpper0001_bind_JNT
          L_armLower0001_bind_JNT
            L_hand0001_bind_JNT
      R_clavicle_bind_JNT
        R_armUpper0001_bind_JNT
          R_armLower0001_bind_JNT
""",
    "in small letters": """
hips
LIMBS
  $upleg
    $leg
      $foot
LIMBS
  spine
    spine1
      neck
        head
      leftshoulder
        leftarm
          leftforearm
      rightshoulder
        rightarm
          rightforearm
""",
    "Rigify, numbered up to the head": """
rig
  DEF-spine
LIMBS
    DEF-thigh.*
      DEF-shin.*
        DEF-foot.*
LIMBS
    DEF-spine.001
      DEF-spine.002
        DEF-spine.003
          DEF-spine.004
            DEF-spine.005
              DEF-spine.006
                DEF-bang.001
          DEF-shoulder.L
            DEF-upper_arm.L
              DEF-forearm.L
          DEF-shoulder.R
            DEF-upper_arm.R
              DEF-forearm.R
""",
    "feet that steer the legs": """
Root
  Body
    Hips
      Abdomen
        Torso
          Neck
            Head
          Shoulder.L
            UpperArm.L
              LowerArm.L
          Shoulder.R
            UpperArm.R
              LowerArm.R
LIMBS
    UpperLeg.*
      LowerLeg.*
    FootIK.*
LIMBS
""",
    "feet beside the legs, hips that carry no legs": """
Root
  Body
    Hips
      Abdomen
        Torso
          Neck
            Head
          Shoulder.L
            UpperArm.L
              LowerArm.L
                Fist.L
          Shoulder.R
            UpperArm.R
              LowerArm.R
LIMBS
    UpperLeg.*
      LowerLeg.*
    Foot.*
    PT.*
LIMBS
Casual_Head
""",
}


@pytest.mark.parametrize("rig", RIGS)
def test_bones_are_found_whoever_named_them(rig: str) -> None:
    names, spine, found = names_of(tree(both(RIGS[rig])))
    assert found.missing == ()
    for side, letters in (("left", ("L", "Left", "l")), ("right", ("R", "Right", "r"))):
        for part in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm"):
            assert any(letter in names[side + part] for letter in letters)
    assert spine[0] == names["spine"]
    expected = {
        "CMU": ("Hips", "LeftUpLeg", "LeftLeg", "LeftShoulder", "LeftArm", "Spine1", "Head"),
        "joints by what bends": ("Hips", "LeftHip", "LeftKnee", "LeftCollar", "LeftShoulder", "Chest2", "Head"),
        "MakeHuman": ("hip", "lhip", "lknee", "lcollar", "lshoulder", "chest", "head"),
        "Advanced Skeleton": ("Root_M", "Hip_L", "Knee_L", "Scapula_L", "Shoulder_L", "Chest_M", "Head_M"),
        "Unreal": ("pelvis", "thigh_l", "calf_l", "clavicle_l", "upperarm_l", "spine_03", "head"),
        "3ds Max": (
            "Bip01 Spine",
            "Bip01 L Thigh",
            "Bip01 L Calf",
            "Bip01 L Clavicle",
            "Bip01 L UpperArm",
            "Bip01 Spine1",
            "Bip01 Head",
        ),
        "Rigify": (
            "DEF-spine",
            "DEF-thigh.L",
            "DEF-shin.L",
            "DEF-shoulder.L",
            "DEF-upper_arm.L",
            "DEF-spine.002",
            "DEF-head",
        ),
        "Rigify, numbered up to the head": (
            "DEF-spine",
            "DEF-thigh.L",
            "DEF-shin.L",
            "DEF-shoulder.L",
            "DEF-upper_arm.L",
            "DEF-spine.003",
            "DEF-spine.006",
        ),
        "Daz": ("hip", "lThighBend", "lShin", "lCollar", "lShldrBend", "chestLower", "head"),
        "OptiTrack": ("Hip", "LThigh", "LShin", "LShoulder", "LUArm", "Chest", "Head"),
        "Auto-Rig Pro": (
            "root.x",
            "thigh_stretch.l",
            "leg_stretch.l",
            "shoulder.l",
            "arm_stretch.l",
            "spine_02.x",
            "head.x",
        ),
        "Acclaim": ("hips", "lfemur", "ltibia", "lclavicle", "lhumerus", "thorax", "head"),
        "joints of Maya": (
            "AVATAR",
            "L_legUpper0001_bind_JNT",
            "L_legLower0001_bind_JNT",
            "L_clavicle_bind_JNT",
            "L_armUpper0001_bind_JNT",
            "C_spine0006_bind_JNT",
            "C_head0001_bind_JNT",
        ),
        "in small letters": ("hips", "leftupleg", "leftleg", "leftshoulder", "leftarm", "spine1", "head"),
    }.get(rig, ("Body", "UpperLeg.L", "LowerLeg.L", "Shoulder.L", "UpperArm.L", "Torso", "Head"))
    told = ("hips", "leftUpperLeg", "leftLowerLeg", "leftShoulder", "leftUpperArm")
    assert (*(names[bone] for bone in told), spine[-1], names["head"]) == expected


def test_a_mesh_that_is_called_as_a_joint_is_none_where_a_skin_says() -> None:
    figure, bones = person(QUATERNIUS)
    skeleton, count = figure.skeleton, len(bones)
    meshes = [QUATERNIUS[bone] for bone in ("leftFoot", "rightLowerLeg", "head")]
    both = Skeleton(
        (*meshes, *skeleton.names),
        np.concatenate([[-1, -1, -1], np.where(skeleton.parents < 0, -1, skeleton.parents + 3)]).astype(np.int32),
        np.concatenate([np.zeros((3, 3)), skeleton.translations]),
        np.concatenate([np.tile([0.0, 0, 0, 1], (3, 1)), skeleton.rotations]),
        np.ones((count + 3, 3)),
        joints=frozenset(range(3, count + 3)),
    )
    found = humanoid(both)
    assert {bone: found.bones[bone] - 3 for bone in bones} == bones
    shared = Figure(both, figure.turn, {}).unique()
    assert {name: node - 3 for name, node in shared.items()} == figure.unique()


@pytest.mark.parametrize("names", [MIXAMO, KAYKIT, QUATERNIUS])
def test_every_bone_of_a_known_rig_is_found(names: dict[str, str]) -> None:
    figure, bones = person(names)
    found = humanoid(figure.skeleton)
    assert {bone: node for bone, node in found.bones.items() if bone in names} == bones


def test_what_the_file_states_is_not_asked_of_names() -> None:
    figure, _ = person(MIXAMO)
    stated = {"hips": 1, "leftThumbProximal": 2, "leftThumbIntermediate": 3, "leftThumbDistal": 4, "spine": 99}
    found = humanoid(figure.skeleton, stated).bones
    assert found == {"hips": 1, "leftThumbMetacarpal": 2, "leftThumbProximal": 3, "leftThumbDistal": 4}


def test_animals_and_things_are_no_humanoids() -> None:
    fox = tree("""
Body
  Back
    Torso
      Neck1
        Head
      FrontUpperLeg.L
        FrontLowerLeg.L
      FrontUpperLeg.R
        FrontLowerLeg.R
    BackUpperLeg.L
      BackLowerLeg.L
    BackUpperLeg.R
      BackLowerLeg.R
""")
    assert "leftUpperLeg" in humanoid(fox).missing
    assert len(humanoid(tree("Cube")).missing) == 8


def test_fingers_begin_outside_the_palm() -> None:
    names, _, _ = names_of(
        tree("""
LeftArm
  LeftForeArm
    LeftHand
      LeftHandIndex
        LeftHandIndex1
          LeftHandIndex2
            LeftHandIndex3
              LeftHandIndex4
      LeftHandThumb1
        LeftHandThumb2
""")
    )
    fingers = ("leftIndexProximal", "leftIndexIntermediate", "leftIndexDistal", "leftThumbMetacarpal")
    assert [names[bone] for bone in fingers] == [
        "LeftHandIndex1",
        "LeftHandIndex2",
        "LeftHandIndex3",
        "LeftHandThumb1",
    ]


@pytest.mark.parametrize("name", ["IK-foot.l", "PoleTarget.L", "handslot.l", "LeftUpLegTwist", "Weapon", "kneeIK.l"])
def test_what_steers_is_no_bone(name: str) -> None:
    assert part_of(name) is None
