"""Which joints of a rig are a person's bones: by names, hierarchy, places, and what the mesh hangs on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from specsia_build.animation.figure import Figure, figure_of
from specsia_build.animation.humanoid import humanoid, part_of
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from tests.animation.people import KAYKIT, MIXAMO, QUATERNIUS, person

LEG = ("UpperLeg", "LowerLeg", "Foot", "Toes")
ARM = ("Shoulder", "UpperArm", "LowerArm", "Hand")


def sides(line: str) -> list[str]:
    """A line for each side: * is L or R, # Left or Right, ~ l or r, $ left or right; a line of no side as it is."""
    versions = [
        line.replace("*", s[0]).replace("#", s).replace("~", s[0].lower()).replace("$", s.lower())
        for s in ("Left", "Right")
    ]
    return list(dict.fromkeys(versions))


def tree(text: str) -> Skeleton:
    """A skeleton from chains of names, one a line, each beginning at a joint of an earlier line or at a root."""
    parents: dict[str, int] = {}
    for chain in (version for line in text.strip().splitlines() for version in sides(line.strip())):
        above = -1
        for name in chain.split(">"):
            parents.setdefault(name, above)
            above = list(parents).index(name)
    count = len(parents)
    return Skeleton(
        tuple(parents),
        np.array(list(parents.values()), np.int32),
        np.zeros((count, 3)),
        np.tile([0.0, 0, 0, 1], (count, 1)),
        np.ones((count, 3)),
    )


RIGS = {
    "CMU": (
        """Hips>*HipJoint>#UpLeg>#Leg>#Foot>#ToeBase
        Hips>LowerBack>Spine>Spine1>Neck>Neck1>Head
        Spine1>#Shoulder>#Arm>#ForeArm>#Hand>*Thumb""",
        "LeftUpLeg,LeftLeg,LeftFoot,LeftToeBase",
        "LeftShoulder,LeftArm,LeftForeArm,LeftHand",
        "Hips,Spine1,Neck,Head",
    ),
    "MakeHuman": (
        """hip>~buttock>~hip>~knee>~foot>toe1-1.~
        hip>abdomen>chest>neck>head>__jaw
        chest>~collar>~shoulder>~elbow>~hand""",
        "lhip,lknee,lfoot,toe1-1.l",
        "lcollar,lshoulder,lelbow,lhand",
        "hip,chest,neck,head",
    ),
    "Advanced Skeleton": (
        """Group>Root_M>Hip_*>Knee_*>Ankle_*>Toes_*
        Root_M>Spine1_M>Chest_M>Neck_M>Head_M>HeadEnd_M
        Chest_M>Scapula_*>Shoulder_*>Elbow_*>Wrist_*
        Chest_M>jnt_shoulder_*""",
        "Hip_L,Knee_L,Ankle_L,Toes_L",
        "Scapula_L,Shoulder_L,Elbow_L,Wrist_L",
        "Root_M,Chest_M,Neck_M,Head_M",
    ),
    "joints by what bends": (
        """Hips>*HipJoint>#Hip>#Knee>#Ankle>#Toe
        Hips>Chest>Chest2>Neck>Head
        Chest2>#Collar>#Shoulder>#Elbow>#Wrist""",
        "LeftHip,LeftKnee,LeftAnkle,LeftToe",
        "LeftCollar,LeftShoulder,LeftElbow,LeftWrist",
        "Hips,Chest2,Neck,Head",
    ),
    "Unreal": (
        """root>pelvis>thigh_~>thigh_twist_01_~
        thigh_~>calf_~>foot_~>ball_~
        pelvis>spine_01>spine_02>spine_03>neck_01>head
        spine_03>clavicle_~>upperarm_~>lowerarm_~>hand_~>index_01_~>index_02_~>index_03_~""",
        "thigh_l,calf_l,foot_l,ball_l",
        "clavicle_l,upperarm_l,lowerarm_l,hand_l",
        "pelvis,spine_03,neck_01,head",
    ),
    "3ds Max": (
        """Bip01>Bip01 Pelvis>Bip01 Spine>Bip01 * Thigh>Bip01 * Calf>Bip01 * Foot>Bip01 * Toe0
        Bip01 Spine>Bip01 Spine1>Bip01 Neck>Bip01 Head
        Bip01 Neck>Bip01 * Clavicle>Bip01 * UpperArm>Bip01 * Forearm""",
        "Bip01 L Thigh,Bip01 L Calf,Bip01 L Foot,Bip01 L Toe0",
        "Bip01 L Clavicle,Bip01 L UpperArm,Bip01 L Forearm,-",
        "Bip01 Spine,Bip01 Spine1,Bip01 Neck,Bip01 Head",
    ),
    "Rigify": (
        """DEF-spine>DEF-thigh.*>DEF-thigh.*.001>DEF-shin.*>DEF-shin.*.001>DEF-foot.*>DEF-toe.*
        DEF-spine>DEF-spine.001>DEF-spine.002>DEF-neck>DEF-head
        DEF-spine.002>DEF-shoulder.*>DEF-upper_arm.*>DEF-upper_arm.*.001>DEF-forearm.*>DEF-hand.*""",
        "DEF-thigh.L,DEF-shin.L,DEF-foot.L,DEF-toe.L",
        "DEF-shoulder.L,DEF-upper_arm.L,DEF-forearm.L,DEF-hand.L",
        "DEF-spine,DEF-spine.002,DEF-neck,DEF-head",
    ),
    "Rigify, numbered up to the head": (
        """rig>DEF-spine>DEF-thigh.*>DEF-shin.*>DEF-foot.*
        DEF-spine>DEF-spine.001>DEF-spine.002>DEF-spine.003>DEF-spine.004>DEF-spine.005>DEF-spine.006>DEF-bang.001
        DEF-spine.003>DEF-shoulder.*>DEF-upper_arm.*>DEF-forearm.*""",
        "DEF-thigh.L,DEF-shin.L,DEF-foot.L,-",
        "DEF-shoulder.L,DEF-upper_arm.L,DEF-forearm.L,-",
        "DEF-spine,DEF-spine.003,DEF-spine.004,DEF-spine.006",
    ),
    "Daz": (
        """Genesis8Female>hip>pelvis>~ThighBend>~ThighTwist>~Shin>~Foot>~Toe
        hip>abdomenLower>chestLower>neckLower>neckUpper>head
        chestLower>~Collar>~ShldrBend>~ShldrTwist>~ForearmBend>~ForearmTwist>~Hand""",
        "lThighBend,lShin,lFoot,lToe",
        "lCollar,lShldrBend,lForearmBend,lHand",
        "hip,chestLower,neckLower,head",
    ),
    "OptiTrack": (
        """Hip>*Thigh>*Shin>*Foot>*Toe
        Hip>Ab>Chest>Neck>Head
        Chest>*Shoulder>*UArm>*FArm>*Hand""",
        "LThigh,LShin,LFoot,LToe",
        "LShoulder,LUArm,LFArm,LHand",
        "Hip,Chest,Neck,Head",
    ),
    "Auto-Rig Pro": (
        """root.x>thigh_stretch.~>leg_stretch.~>foot.~>toes_01.~
        root.x>spine_01.x>spine_02.x>neck.x>head.x
        spine_02.x>shoulder.~>arm_stretch.~>forearm_stretch.~>hand.~""",
        "thigh_stretch.l,leg_stretch.l,foot.l,toes_01.l",
        "shoulder.l,arm_stretch.l,forearm_stretch.l,hand.l",
        "root.x,spine_02.x,neck.x,head.x",
    ),
    "Acclaim": (
        """hips>~hipjoint>~femur>~tibia>~foot>~toes
        hips>lowerback>thorax>neck>head
        thorax>~clavicle>~humerus>~radius>~wrist""",
        "lfemur,ltibia,lfoot,ltoes",
        "lclavicle,lhumerus,lradius,lwrist",
        "hips,thorax,neck,head",
    ),
    "joints of Maya": (
        """AVATAR>*_legUpper0001_bind_JNT>*_legLower0001_bind_JNT>*_foot0001_bind_JNT
        AVATAR>C_spine0001_bind_JNT>C_spine0006_bind_JNT>C_neck0001_bind_JNT>C_head0001_bind_JNT
        C_spine0006_bind_JNT>*_clavicle_bind_JNT>*_armUpper0001_bind_JNT>*_armLower0001_bind_JNT>*_hand0001_bind_JNT""",
        "L_legUpper0001_bind_JNT,L_legLower0001_bind_JNT,L_foot0001_bind_JNT,-",
        "L_clavicle_bind_JNT,L_armUpper0001_bind_JNT,L_armLower0001_bind_JNT,L_hand0001_bind_JNT",
        "AVATAR,C_spine0006_bind_JNT,C_neck0001_bind_JNT,C_head0001_bind_JNT",
    ),
    "in small letters": (
        """hips>$upleg>$leg>$foot
        hips>spine>spine1>neck>head
        spine1>$shoulder>$arm>$forearm""",
        "leftupleg,leftleg,leftfoot,-",
        "leftshoulder,leftarm,leftforearm,-",
        "hips,spine1,neck,head",
    ),
    "feet that steer the legs": (
        """Root>Body>Hips>Abdomen>Torso>Neck>Head
        Torso>Shoulder.*>UpperArm.*>LowerArm.*
        Body>UpperLeg.*>LowerLeg.*
        Body>FootIK.*""",
        "UpperLeg.L,LowerLeg.L,FootIK.L,-",
        "Shoulder.L,UpperArm.L,LowerArm.L,-",
        "Body,Torso,Neck,Head",
    ),
    "feet beside the legs, hips that carry no legs": (
        """Root>Body>Hips>Abdomen>Torso>Neck>Head
        Torso>Shoulder.*>UpperArm.*>LowerArm.*>Fist.*
        Body>UpperLeg.*>LowerLeg.*
        Body>Foot.*
        Body>PT.*
        Casual_Head""",
        "UpperLeg.L,LowerLeg.L,Foot.L,-",
        "Shoulder.L,UpperArm.L,LowerArm.L,Fist.L",
        "Body,Torso,Neck,Head",
    ),
    "ARKit": (
        """root>hips_joint>$_upLeg_joint>$_leg_joint>$_foot_joint>$_toes_joint>$_toesEnd_joint
        hips_joint>spine_1_joint>spine_7_joint>neck_1_joint>head_joint>left_eye_joint
        spine_7_joint>$_shoulder_1_joint>$_arm_joint>$_forearm_joint>$_hand_joint>$_handIndexStart_joint""",
        "left_upLeg_joint,left_leg_joint,left_foot_joint,left_toes_joint",
        "left_shoulder_1_joint,left_arm_joint,left_forearm_joint,left_hand_joint",
        "hips_joint,spine_7_joint,neck_1_joint,head_joint",
    ),
    "SMPL": (
        """Pelvis>*_Hip>*_Knee>*_Ankle>*_Foot
        Pelvis>Spine1>Spine3>Neck>Head
        Spine3>*_Collar>*_Shoulder>*_Elbow>*_Wrist>*_Hand""",
        "L_Hip,L_Knee,L_Ankle,L_Foot",
        "L_Collar,L_Shoulder,L_Elbow,L_Wrist",
        "Pelvis,Spine3,Neck,Head",
    ),
    "Character Creator": (
        """CC_Base_Hip>CC_Base_Pelvis>CC_Base_*_Thigh>CC_Base_*_ThighTwist01
        CC_Base_*_Thigh>CC_Base_*_KneeShareBone
        CC_Base_*_Thigh>CC_Base_*_Calf>CC_Base_*_Foot>CC_Base_*_ToeBaseShareBone
        CC_Base_*_Foot>CC_Base_*_ToeBase
        CC_Base_Hip>CC_Base_Waist>CC_Base_Spine02>CC_Base_NeckTwist01>CC_Base_NeckTwist02>CC_Base_Head
        CC_Base_Spine02>CC_Base_*_Clavicle>CC_Base_*_Upperarm>CC_Base_*_ElbowShareBone
        CC_Base_*_Upperarm>CC_Base_*_Forearm>CC_Base_*_Hand>CC_Base_*_Mid1""",
        "CC_Base_L_Thigh,CC_Base_L_Calf,CC_Base_L_Foot,CC_Base_L_ToeBase",
        "CC_Base_L_Clavicle,CC_Base_L_Upperarm,CC_Base_L_Forearm,CC_Base_L_Hand",
        "CC_Base_Hip,CC_Base_Spine02,CC_Base_NeckTwist01,CC_Base_Head",
    ),
    "Source": (
        """ValveBiped.Bip01_Pelvis>ValveBiped.Bip01_*_Thigh>ValveBiped.Bip01_*_Calf>ValveBiped.Bip01_*_Foot
        ValveBiped.Bip01_*_Foot>ValveBiped.Bip01_*_Toe0
        ValveBiped.Bip01_Pelvis>ValveBiped.Bip01_Spine>ValveBiped.Bip01_Spine4>ValveBiped.Bip01_Neck1
        ValveBiped.Bip01_Neck1>ValveBiped.Bip01_Head1
        ValveBiped.Bip01_Spine4>ValveBiped.Bip01_*_Clavicle>ValveBiped.Bip01_*_UpperArm>ValveBiped.Bip01_*_Elbow
        ValveBiped.Bip01_*_UpperArm>ValveBiped.Bip01_*_Forearm>ValveBiped.Bip01_*_Wrist
        ValveBiped.Bip01_*_Forearm>ValveBiped.Bip01_*_Hand>ValveBiped.Bip01_*_Finger0""",
        "L_Thigh,L_Calf,L_Foot,L_Toe0",
        "L_Clavicle,L_UpperArm,L_Forearm,L_Hand",
        "Pelvis,Spine4,Neck1,Head1",
    ),
    "Mixamo without its colons": (
        """mixamorig9Hips>mixamorig9#UpLeg>mixamorig9#Leg>mixamorig9#Foot>mixamorig9#ToeBase
        mixamorig9Hips>mixamorig9Spine>mixamorig9Neck>mixamorig9Head
        mixamorig9Spine>mixamorig9#Shoulder>mixamorig9#Arm>mixamorig9#ForeArm>mixamorig9#Hand""",
        "9LeftUpLeg,9LeftLeg,9LeftFoot,9LeftToeBase",
        "9LeftShoulder,9LeftArm,9LeftForeArm,9LeftHand",
        "9Hips,9Spine,9Neck,9Head",
    ),
    "a namespace that says a side": (
        """L_ctrl:Hips>L_ctrl:#UpLeg>L_ctrl:#Leg>L_ctrl:#Foot>L_ctrl:#ToeBase
        L_ctrl:Hips>L_ctrl:Spine>L_ctrl:Neck>L_ctrl:Head
        L_ctrl:Spine>L_ctrl:#Shoulder>L_ctrl:#Arm>L_ctrl:#ForeArm>L_ctrl:#Hand""",
        ":LeftUpLeg,:LeftLeg,:LeftFoot,:LeftToeBase",
        ":LeftShoulder,:LeftArm,:LeftForeArm,:LeftHand",
        ":Hips,:Spine,:Neck,:Head",
    ),
    "legs numbered down to the foot": (
        """torso_joint_1>torso_joint_2>torso_joint_3>neck_joint_1>head_joint
        torso_joint_3>arm_joint_*__4_>arm_joint_*__3_>hand_joint_*
        torso_joint_1>leg_joint_*_1>leg_joint_*_2>leg_joint_*_3>leg_joint_*_5""",
        "leg_joint_L_1,leg_joint_L_2,leg_joint_L_3,-",
        "-,arm_joint_L__4_,arm_joint_L__3_,hand_joint_L",
        "torso_joint_1,torso_joint_3,neck_joint_1,head_joint",
    ),
}
"""By program: chains of joints, and the left leg, left arm, and hips, chest, neck and head (`-` for none) by the ends
of their names."""


@pytest.mark.parametrize("rig", RIGS)
def test_bones_are_found_whatever_program_named_them(rig: str) -> None:
    text, leg, arm, trunk = RIGS[rig]
    skeleton = tree(text)
    human = humanoid(skeleton)
    names = {bone: skeleton.names[node] for bone, node in human.bones.items()}
    assert human.missing == ()
    assert names["spine"] == skeleton.names[human.spine[0]]
    for bones, expected in ((LEG, leg), (ARM, arm)):
        for bone, name in zip(bones, expected.split(","), strict=True):
            assert names.get("left" + bone, "-").endswith(name), bone
            assert ("right" + bone in names) == (name != "-"), bone
    body = (names["hips"], skeleton.names[human.spine[-1]], names["neck"], names["head"])
    assert all(name.endswith(end) for name, end in zip(body, trunk.split(","), strict=True)), body


def test_a_mesh_named_like_a_joint_is_no_bone_where_a_skin_lists_joints() -> None:
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
    human = humanoid(both)
    assert {bone: human.bones[bone] - 3 for bone in bones} == bones
    shared = Figure(both, figure.turn, {}).unique()
    assert {name: node - 3 for name, node in shared.items()} == figure.unique()


@pytest.mark.parametrize("names", [MIXAMO, KAYKIT, QUATERNIUS])
def test_every_bone_of_a_known_rig_is_found(names: dict[str, str]) -> None:
    figure, bones = person(names)
    assert {b: node for b, node in humanoid(figure.skeleton).bones.items() if b in names} == bones


def test_bones_that_a_file_states_come_before_names() -> None:
    figure, _ = person(MIXAMO)
    stated = {"hips": 1, "leftThumbProximal": 2, "leftThumbIntermediate": 3, "leftThumbDistal": 4, "spine": 99}
    bones = humanoid(figure.skeleton, stated).bones
    assert bones == {"hips": 1, "leftThumbMetacarpal": 2, "leftThumbProximal": 3, "leftThumbDistal": 4}


def test_animals_and_things_are_no_humanoids() -> None:
    fox = tree("""Body>Back>Torso>Neck1>Head
        Torso>FrontUpperLeg.*>FrontLowerLeg.*
        Back>BackUpperLeg.*>BackLowerLeg.*""")
    assert "leftUpperLeg" in humanoid(fox).missing
    assert len(humanoid(tree("Cube")).missing) == 8


@pytest.mark.parametrize("name", ["IK-foot.l", "PoleTarget.L", "handslot.l", "LeftUpLegTwist", "Weapon", "kneeIK.l"])
def test_controls_are_no_bones(name: str) -> None:
    assert part_of(name) is None


def held(skeleton: Skeleton, *names: str) -> Rig:
    """A rig with a vertex on each joint of some names, all joints in the skin."""
    nodes = [skeleton.names.index(name) for name in names]
    return Rig(
        replace(skeleton, joints=frozenset(range(len(skeleton.names)))),
        np.zeros((len(nodes), 3), np.float32),
        np.arange(len(nodes), dtype=np.int32)[:, None],
        np.ones((len(nodes), 1), np.float32),
        np.array(nodes, np.int32),
        np.tile(np.eye(4), (len(nodes), 1, 1)),
        np.eye(4),
    )


def test_joints_that_hold_the_mesh_come_before_those_that_only_steer_them() -> None:
    skeleton = tree("""センター>下半身>足.*>ひざ.*>足首.*>つま先.*
        下半身>足D.*>ひざD.*>足首D.*>足先EX.*
        センター>上半身>首>頭
        上半身>肩.*>腕.*>ひじ.*
        センター>足ＩＫ.*""")
    for ankle, leg in (("足首", ["足.L", "ひざ.L", "足首.L"]), ("足首D", ["足D.L", "ひざD.L", "足首D.L"])):
        rig = held(skeleton, "頭", *(part + side for part in (ankle, "ひじ") for side in (".L", ".R")))
        bones = figure_of(rig, {}).human.bones
        assert [skeleton.names[bones["left" + part]] for part in LEG[:3]] == leg


def test_a_spine_that_carries_no_arm_is_a_neck_from_the_arms_up() -> None:
    """As Blender exports the joints of Rigify that deform a mesh, alone."""
    skeleton = tree("""rig>DEF-spine>DEF-spine.001>DEF-spine.003>DEF-spine.004>DEF-spine.006
        rig>DEF-thigh.*>DEF-shin.*>DEF-foot.*
        rig>DEF-shoulder.*
        rig>DEF-upper_arm.*>DEF-forearm.*
        rig>WGT-head""")
    spine = ("DEF-spine", "DEF-spine.001", "DEF-spine.003", "DEF-spine.004", "DEF-spine.006")
    heights = dict(zip(spine, (1.0, 1.1, 1.3, 1.5, 1.6), strict=True))
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


_FIRST, _LAST = ("Proximal", "Intermediate", "Distal"), ("Proximal", "Medial", "Distal")


@pytest.mark.parametrize(
    ("fingers", "thumb", "little"),
    [
        (
            [[f"Bip001 L Finger{k}{j}" for j in ("", "1", "2")] for k in range(5)],
            ["Bip001 L Finger0", "Bip001 L Finger01", "Bip001 L Finger02"],
            ["Bip001 L Finger4", "Bip001 L Finger41", "Bip001 L Finger42"],
        ),
        (
            [[f"finger{k}-{j}.L" for j in (1, 2, 3)] for k in range(1, 6)],
            ["finger1-1.L", "finger1-2.L", "finger1-3.L"],
            ["finger5-1.L", "finger5-2.L", "finger5-3.L"],
        ),
        (
            [
                [f"LeftFinger{k}{p}" for p in ("Metacarpal", *_LAST, "Tip") if k > 1 or p != "Medial"]
                for k in range(1, 6)
            ],
            [f"LeftFinger1{part}" for part in ("Metacarpal", "Proximal", "Distal")],
            [f"LeftFinger5{part}" for part in _LAST],
        ),
        (
            [
                [f"LeftThumb{part}" for part in ("Metacarpal", "Proximal", "Distal")],
                [f"LeftLittle{part}" for part in ("Metacarpal", *_FIRST)],
            ],
            [f"LeftThumb{part}" for part in ("Metacarpal", "Proximal", "Distal")],
            [f"LeftLittle{part}" for part in _FIRST],
        ),
        (
            [["LeftHandThumb1", "LeftHandThumb2"], ["LeftHandPinky", *(f"LeftHandPinky{k}" for k in (1, 2, 3, 4))]],
            ["LeftHandThumb1", "LeftHandThumb2"],
            ["LeftHandPinky1", "LeftHandPinky2", "LeftHandPinky3"],
        ),
    ],
)
def test_fingers_by_numbers_and_by_their_bones(fingers: list[list[str]], thumb: list[str], little: list[str]) -> None:
    skeleton = tree("\n".join(">".join(["LeftArm", "LeftForeArm", "LeftHand", *finger]) for finger in fingers))
    bones = {bone: skeleton.names[node] for bone, node in humanoid(skeleton).bones.items()}
    for finger, expected in (("Thumb", thumb), ("Little", little)):
        assert [name for bone, name in bones.items() if bone.startswith(f"left{finger}")] == expected
