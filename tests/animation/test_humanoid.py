"""Find a person's bones among joints, by names, hierarchy, places and skin weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specsia_build.animation.figure import Figure, figure_of
from specsia_build.animation.humanoid import humanoid
from specsia_build.animation.joint_names import part_of
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from tests.animation.people import KAYKIT, MIXAMO, QUATERNIUS, person, skeleton_of

LEG = ("UpperLeg", "LowerLeg", "Foot", "Toes")
ARM = ("Shoulder", "UpperArm", "LowerArm", "Hand")


def sides(line: str) -> list[str]:
    """A line for each side: * is L or R, ^ Left or Right, ~ l or r, $ left or right; others stay."""
    versions: list[dict[str, str | int | None]] = [
        {"*": s[0], "^": s, "~": s[0].lower(), "$": s.lower()} for s in ("Left", "Right")
    ]
    return list(dict.fromkeys(line.translate(str.maketrans(version)) for version in versions))


def tree(text: str) -> Skeleton:
    """A skeleton from chains of names, one a line, each from a joint of an earlier line or a root."""
    parents: dict[str, int] = {}
    for chain in (version for line in text.strip().splitlines() for version in sides(line.strip())):
        above = -1
        for name in chain.split(">"):
            parents.setdefault(name, above)
            above = list(parents).index(name)
    return skeleton_of(parents, list(parents.values()))


RIGS = [block.splitlines() for block in (Path(__file__).parent / "rigs.txt").read_text().split("\n\n")[1:]]


@pytest.mark.parametrize("rig", RIGS, ids=lambda rig: rig[0])
def test_bones_across_naming_schemes(rig: list[str]) -> None:
    _, leg, arm, trunk, *chains = rig
    skeleton = tree("\n".join(chains))
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


def test_mesh_names_are_not_bones_in_a_skin() -> None:
    figure, bones = person(QUATERNIUS)
    skeleton, count = figure.skeleton, len(bones)
    meshes = [QUATERNIUS[bone] for bone in ("leftFoot", "rightLowerLeg", "head")]
    parents = np.where(skeleton.parents < 0, -1, skeleton.parents + 3)
    both = Skeleton(
        (*meshes, *skeleton.names),
        np.concatenate([[-1, -1, -1], parents]).astype(np.int32),
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
def test_all_bones_of_a_known_rig(names: dict[str, str]) -> None:
    figure, bones = person(names)
    assert {b: node for b, node in humanoid(figure.skeleton).bones.items() if b in names} == bones


def test_stated_bones_beat_names() -> None:
    figure, _ = person(MIXAMO)
    thumb = {"leftThumbProximal": 2, "leftThumbIntermediate": 3, "leftThumbDistal": 4}
    stated = {"hips": 1, **thumb, "spine": 99}
    bones = humanoid(figure.skeleton, stated).bones
    assert bones == {"hips": 1, "leftThumbMetacarpal": 2, "leftThumbProximal": 3, "leftThumbDistal": 4}


def test_no_bones_for_animals_and_objects() -> None:
    fox = tree("""Body>Back>Torso>Neck1>Head
        Torso>FrontUpperLeg.*>FrontLowerLeg.*
        Back>BackUpperLeg.*>BackLowerLeg.*""")
    assert "leftUpperLeg" in humanoid(fox).missing
    assert len(humanoid(tree("Cube")).missing) == 8


@pytest.mark.parametrize(
    "name", ["IK-foot.l", "PoleTarget.L", "handslot.l", "LeftUpLegTwist", "Weapon", "kneeIK.l"]
)
def test_controls_are_not_bones(name: str) -> None:
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


def test_deforming_joints_beat_controls() -> None:
    skeleton = tree("""センター>下半身>足.*>ひざ.*>足首.*>つま先.*
        下半身>足D.*>ひざD.*>足首D.*>足先EX.*
        センター>上半身>首>頭
        上半身>肩.*>腕.*>ひじ.*
        センター>足ＩＫ.*""")
    for ankle, leg in (("足首", ["足.L", "ひざ.L", "足首.L"]), ("足首D", ["足D.L", "ひざD.L", "足首D.L"])):
        rig = held(skeleton, "頭", *(part + side for part in (ankle, "ひじ") for side in (".L", ".R")))
        bones = figure_of(rig, {}).human.bones
        assert [skeleton.names[bones["left" + part]] for part in LEG[:3]] == leg


def test_armless_upper_spine_is_neck() -> None:
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
    asked = ("hips", "neck", "head", "leftShoulder", "leftUpperArm")
    bones = [skeleton.names[human.bones[bone]] for bone in asked]
    assert bones == ["rig", "DEF-spine.004", "DEF-spine.006", "DEF-shoulder.L", "DEF-upper_arm.L"]
    assert skeleton.names[human.spine[-1]] == "DEF-spine.003"


def chains(stem: str, *ends: object) -> list[str]:
    return [f"{stem}{end}" for end in ends]


BIPED = [chains(f"Bip001 L Finger{k}", "", 1, 2) for k in range(5)]
XSENS = [
    chains(f"LeftFinger{k}", "Metacarpal", "Proximal", *(["Medial"] if k > 1 else []), "Distal", "Tip")
    for k in range(1, 6)
]
MIXED = [chains("LeftHandThumb", 1, 2), chains("LeftHandPinky", "", 1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("fingers", "thumb", "little"),
    [(BIPED, BIPED[0], BIPED[4]), (XSENS, XSENS[0][:3], XSENS[4][1:4]), (MIXED, MIXED[0], MIXED[1][1:4])],
)
def test_numbered_fingers(fingers: list[list[str]], thumb: list[str], little: list[str]) -> None:
    arm = ["LeftArm", "LeftForeArm", "LeftHand"]
    skeleton = tree("\n".join(">".join([*arm, *finger]) for finger in fingers))
    bones = {bone: skeleton.names[node] for bone, node in humanoid(skeleton).bones.items()}
    for finger, expected in (("Thumb", thumb), ("Little", little)):
        assert [name for bone, name in bones.items() if bone.startswith(f"left{finger}")] == expected
