"""Which way a character faces and stands is found by its joints or its shape, or said to be unsure; never guessed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.animation.names import words_of
from specsia_build.backends.base import Context
from specsia_build.backends.mesh_dir import create
from specsia_build.characters.character import Character
from specsia_build.characters.facing import Evidence, front_by_joints, front_by_shape, front_of
from specsia_build.characters.landmarks import Landmark
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.characters.survey import facts_of
from specsia_build.characters.upright import up_by_joints, up_of
from specsia_build.frame import AXES, axis_vector, front_rotation, up_rotation
from tests.characters.gltf.writer import GltfWriter
from tests.rendering.scenes import sphere

# Centre (x, y, z) and size of boxes; Z up, facing -Y, toes ahead, mirrored left to right.
BODY = {
    "trunk": ((0, 0, 1.2), (0.5, 0.25, 0.7)),
    "belly": ((0, -0.22, 1.1), (0.4, 0.2, 0.5)),
    "head": ((0, -0.1, 1.75), (0.3, 0.3, 0.35)),
    "nose": ((0, -0.3, 1.7), (0.08, 0.12, 0.08)),
    "arm": ((0.55, 0, 1.35), (0.6, 0.15, 0.15)),
    "leg": ((0.16, 0, 0.5), (0.18, 0.2, 0.8)),
    "foot": ((0.16, -0.08, 0.05), (0.18, 0.4, 0.1)),
}
QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) / 2

JOINTS: dict[str, tuple[float, float, float]] = {
    "Hips": (0, 0, 0.9),
    "Head": (0, 0, 1.6),
    "Arm.L": (0.3, 0, 1.35),
    "Arm.R": (-0.3, 0, 1.35),
    "UpLeg.L": (0.16, 0, 0.9),
    "UpLeg.R": (-0.16, 0, 0.9),
    "Foot.L": (0.16, 0, 0.1),
    "Foot.R": (-0.16, 0, 0.1),
}


def boxes() -> list[np.ndarray]:
    found = []
    for centre, size in BODY.values():
        for side in (1, -1) if centre[0] else (1,):
            found.append(CORNERS * size + np.array(centre) * (side, 1, 1))
    return found


def write_obj(path: Path, turn: np.ndarray, solids: list[np.ndarray] | None = None) -> Path:
    """Boxes as OBJ, every point turned from the frame into the file's coordinates."""
    lines = []
    for k, box in enumerate(boxes() if solids is None else solids):
        lines += ["v {:.6f} {:.6f} {:.6f} 0.9 0.3 0.1".format(*(turn @ corner)) for corner in box]
        lines += ["f " + " ".join(str(8 * k + i + 1) for i in quad) for quad in QUADS]
    path.write_text("\n".join(lines))
    return path


def into_file(up: str, front: str) -> np.ndarray:
    """From the frame into a file whose character stands along `up` and faces `front` once that is turned to Z."""
    return np.asarray(up_rotation(up).T @ front_rotation(front).T)


def read(path: Path) -> Character:
    (entry,) = open_source(str(path), path.parent / "scratch").entries
    return read_character(entry)


def is_upright_and_ahead(character: Character) -> bool:
    """Whether the toes are at the lowest and foremost."""
    vertices = character.mesh.vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    lowest = vertices[vertices[:, 2] < low[2] + 0.01]
    return bool(high[2] - low[2] > 1.8 and -lowest[:, 1].min() > 2 * lowest[:, 1].max())


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize("up", ["+y", "+z"])
def test_an_obj_is_turned_as_its_shape_says(tmp_path: Path, up: str, front: str) -> None:
    character = read(write_obj(tmp_path / "figure.obj", into_file(up, front)))
    assert is_upright_and_ahead(character)
    said = " ".join(character.warnings)
    assert (f'"up": "{up}" in its manifest line says the same' in said) == (up != "+y")
    assert (f'"front": "{front}" in its manifest line says the same' in said) == (front != "-y")


@pytest.mark.parametrize("size", [0.3, 0.5])
@pytest.mark.parametrize("aside", [1.5, -2.0])
def test_what_floats_beside_a_figure_turns_it_nowhere(tmp_path: Path, size: float, aside: float) -> None:
    pet = CORNERS * size + (aside, 0, 2.2)
    character = read(write_obj(tmp_path / "figure.obj", into_file("+y", "-y"), [*boxes(), pet]))
    assert (character.front, character.warnings) == ("-y", ())
    assert facts_of(character).faces == "-y"


def test_what_a_manifest_states_is_not_doubted_for_a_shape_alone(tmp_path: Path) -> None:
    write_obj(tmp_path / "figure.obj", into_file("+y", "+x"))
    line = {"id": "a", "path": "figure.obj", "up": "+y", "front": "-y"}
    (tmp_path / "characters.jsonl").write_text(json.dumps(line))
    character = read(tmp_path / "characters.jsonl")
    assert character.warnings == ()
    assert not is_upright_and_ahead(character)


def test_a_reconstruction_is_not_turned(tmp_path: Path) -> None:
    write_obj(tmp_path / "figure.obj", into_file("+y", "+x"))
    mesh = create(str(tmp_path)).reconstruct(np.zeros((8, 8, 4), np.uint8), Context("figure", 1))
    assert np.ptp(mesh.vertices[:, 1]) > np.ptp(mesh.vertices[:, 0])


@pytest.mark.parametrize(
    "solids",
    [
        [CORNERS],
        [CORNERS * (1, 1, 2), CORNERS * 0.5 + (0, 0, 1.2)],
        [CORNERS, CORNERS * 0.4 + (0.5, 0.3, 0.4), CORNERS * 0.3 + (-0.1, -0.6, -0.2)],
    ],
    ids=["a cube", "a tower", "without a mirror"],
)
def test_a_shape_that_says_nothing_is_left_and_marked(tmp_path: Path, solids: list[np.ndarray]) -> None:
    path = write_obj(tmp_path / "thing.obj", into_file("+y", "-y"), solids)
    character = read(path)
    assert (character.front, character.warnings) == ("-y", ())
    (entry,) = open_source(str(path), tmp_path / "scratch").entries
    assert facts_of(read_character(entry)).faces == "-y?"


def rigged(
    path: Path,
    turn: np.ndarray,
    joints: dict[str, tuple[float, float, float]],
    solids: Sequence[np.ndarray] = (CORNERS,),
) -> Path:
    """A cube, or other boxes, and joints as GLB."""
    writer = GltfWriter()
    triangles = np.array(
        [box[list(t)] for box in solids for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]
    ).reshape(-1, 3)
    red = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 1.0]})
    nodes = [writer.mesh_node(writer.primitive(triangles @ turn.T, material=red))]
    nodes += [writer.add("nodes", name=name, translation=(turn @ np.array(p)).tolist()) for name, p in joints.items()]
    writer.data |= {"scene": 0, "scenes": [{"nodes": nodes}]}
    return writer.write_glb(path)


def test_a_gltf_is_not_turned_but_told(tmp_path: Path) -> None:
    character = read(rigged(tmp_path / "a.glb", into_file("+y", "+x"), JOINTS))
    (said,) = character.warnings
    assert said.startswith("a.glb faces +x by 3 pairs of left and right joints, not -y as its format has it")
    assert said.endswith('"front": "+x" in its manifest line turns it')
    assert character.front == "-y"
    line = {"id": "a", "path": "a.glb", "front": "auto"}
    (tmp_path / "characters.jsonl").write_text(json.dumps(line))
    assert read(tmp_path / "characters.jsonl").front == "+x"


def stated(folder: Path, **axes: str) -> Character:
    (folder / "stated.jsonl").write_text(json.dumps({"id": "a", "path": "a.glb", **axes}))
    return read(folder / "stated.jsonl")


def test_what_a_manifest_states_is_kept_and_told_where_joints_say_otherwise(tmp_path: Path) -> None:
    rigged(tmp_path / "a.glb", into_file("+y", "-y"), JOINTS)
    laid = stated(tmp_path, up="+x", front="+y")
    assert (laid.up, laid.front) == ("+x", "+y")
    assert laid.warnings == (
        "a.glb stands along +y, as its feet lie at the -y end, not +x as its manifest line states: "
        '"up": "+y" there sets it upright',
    )
    turned = stated(tmp_path, front="+x")
    assert turned.front == "+x"
    assert turned.warnings == (
        "a.glb faces -y by 3 pairs of left and right joints, not +x as its manifest line states: "
        '"front": "-y" there turns it',
    )
    assert stated(tmp_path, up="+y", front="-y").warnings == ()


def test_a_line_that_states_what_the_format_has_leaves_it_so_without_a_word(tmp_path: Path) -> None:
    rigged(tmp_path / "a.glb", into_file("+y", "+x"), JOINTS)
    assert stated(tmp_path, front="-y").warnings == ()
    assert stated(tmp_path, front="+x").warnings == ()


def test_a_gltf_that_lies_is_told(tmp_path: Path) -> None:
    character = read(rigged(tmp_path / "a.glb", into_file("+z", "-y"), JOINTS))
    assert any('"up": "+z" in its manifest line sets it upright' in said for said in character.warnings)


def test_a_gltf_that_lies_is_told_by_its_shape_where_it_has_no_joints(tmp_path: Path) -> None:
    lying = read(rigged(tmp_path / "a.glb", into_file("+z", "-y"), {}, boxes()))
    assert lying.up == "+y"
    assert any(
        "a.glb stands along +z, as it has feet below and a head above that way, not +y as" in said
        for said in lying.warnings
    )
    # No program has -z for up: what stands so is shaped so.
    for up in ("+y", "-z"):
        other = read(rigged(tmp_path / f"{up}.glb", into_file(up, "-y"), {}, boxes()))
        assert not any("stands along" in said for said in other.warnings)


def test_a_gltf_as_it_should_be_is_not_doubted(tmp_path: Path) -> None:
    assert read(rigged(tmp_path / "a.glb", into_file("+y", "-y"), JOINTS)).warnings == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mixamorig:LeftUpLeg", ["left", "up", "leg"]),
        ("mixamorig9LeftUpLeg", ["mixamorig9", "left", "up", "leg"]),
        ("Spine:1", ["spine", "1"]),
        ("texture_4K", ["texture", "4k"]),
        ("足ＩＫ.L", ["足", "ik", "l"]),
        ("Bip01 L UpperArm", ["bip01", "l", "upper", "arm"]),
        ("J_Bip_R_Hand", ["j", "bip", "r", "hand"]),
        ("handslot.l", ["handslot", "l"]),
        ("arm-left", ["arm", "left"]),
        ("FootL", ["foot", "l"]),
        ("LArm", ["l", "arm"]),
        ("左腕", ["left", "腕"]),
        ("...", []),
    ],
)
def test_names_are_read_word_by_word(name: str, words: list[str]) -> None:
    assert words_of(name) == tuple(words)


@given(st.floats(-180, 180), st.floats(1e-3, 1e3))
def test_joints_say_the_nearest_axis_or_nothing(degrees: float, scale: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) * scale
    found = front_by_joints([(name, tuple((turn @ np.array(p)).tolist())) for name, p in JOINTS.items()])
    ahead = turn @ np.array([0, -1, 0]) / scale
    nearest = max(AXES[:4], key=lambda axis: float(axis_vector(axis) @ ahead))
    away = np.degrees(np.arccos(min(1.0, float(axis_vector(nearest) @ ahead))))
    if abs(away - 30) > 1e-6:
        assert found.axis == (nearest if away < 30 else None)


def test_joints_that_contradict_each_other_say_nothing() -> None:
    crossed: list[Landmark] = [*JOINTS.items()]
    crossed[2], crossed[3] = ("Arm.R", JOINTS["Arm.L"]), ("Arm.L", JOINTS["Arm.R"])
    assert front_by_joints(crossed).axis is None
    assert front_by_joints([("Arm.L", (1.0, 0, 0)), ("Arm.R", (-1.0, 0, 0))]).axis is None
    broken: list[Landmark] = [(name, (float("nan"), 0.0, 0.0)) for name in JOINTS]
    assert front_by_joints(broken).axis is None
    assert up_by_joints(broken).axis is None
    assert up_by_joints([("Head", (0, 0, 1))]).axis is None


@pytest.mark.parametrize(("degrees", "between"), [(38, "-y and +x"), (-52, "-x and -y"), (140, "+y and +x")])
def test_between_which_axes_a_turned_character_faces_is_said(degrees: float, between: str) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = [(name, (c * x - s * y, s * x + c * y, z)) for name, (x, y, z) in JOINTS.items()]
    assert front_by_joints(turned) == Evidence(None, f"by its joints it faces between {between}")


def test_an_animal_whose_hind_feet_alone_are_named_so_is_not_laid_on_its_head() -> None:
    def fox(front: str) -> list[Landmark]:
        feet: list[Landmark] = [("LeftFoot", (0.1, 1.0, 0.0)), ("RightFoot", (-0.1, 1.0, 0.0))]
        legs: list[Landmark] = [("LeftLeg", (0.1, 0.9, 0.5)), ("RightLeg", (-0.1, 0.9, 0.5))]
        fore: list[Landmark] = [(f"Left{front}", (0.1, -1.0, 0.0)), (f"Right{front}", (-0.1, -1.0, 0.0))]
        return [*feet, *legs, *fore, ("Spine", (0.0, -0.5, 0.6)), ("Head", (0.0, -1.2, 0.6))]

    assert up_by_joints(fox("Hand")).axis is None
    assert up_by_joints(fox("Paw")).axis == "+z"


def test_controls_that_wait_in_one_place_have_no_say_in_which_way_is_up() -> None:
    feet: list[Landmark] = [("Foot.L", (0.5, -1.0, 0.0)), ("Foot.R", (-0.5, -1.0, 0.0))]
    body: list[Landmark] = [("Leg.L", (0.5, -0.9, 0.5)), ("Leg.R", (-0.5, -0.9, 0.5)), ("Head", (0.0, -1.2, 1.5))]
    controls: list[Landmark] = [(f"ctrl{k}", (0.0, 0.0, 0.0)) for k in range(300)]
    assert [up_by_joints([*feet, *body, *more]).axis for more in ([], controls)] == ["+z", "+z"]


@pytest.mark.parametrize(("turn", "up"), [((0, 1, 2), "+z"), ((0, 2, 1), "+y")])
def test_an_animal_without_named_feet_stands_on_the_ends_of_its_legs(turn: tuple[int, int, int], up: str) -> None:
    legs: list[Landmark] = [
        (f"{end}{name}.{side}{rest}", (0.3 * sign, y, z))
        for end, y in (("Front", -0.9), ("Back", 0.8))
        for side, sign in (("L", 1), ("R", -1))
        for name, rest, z in (("UpperLeg", "", 1.4), ("LowerLeg", "", 0.9), ("LowerLeg", "_end", 0.2))
    ]
    fox: list[Landmark] = [*legs, ("Torso", (0, 0, 1.9)), ("Head_end", (0, -2.5, 2.0)), ("Tail4_end", (0, 2.8, 2.2))]
    found = up_by_joints([(name, (place[turn[0]], place[turn[1]], place[turn[2]])) for name, place in fox])
    assert (found.axis, found.why) == (up, f"its feet lie at the -{up[1]} end")


def test_a_bird_in_flight_is_not_stood_upon_the_feet_that_trail_behind_it() -> None:
    def bird(tail: float) -> list[Landmark]:
        sides: list[Landmark] = [
            (f"{name}_{side}", (sign * x, y, z))
            for side, sign in (("L", 1), ("R", -1))
            for name, x, y, z in (("UpperLeg", 0.02, 0.14, 0.44), ("LowerLeg", 0.1, 0.3, 0.4), ("Foot", 0.1, 0.54, 0.2))
        ]
        middle: list[Landmark] = [("hips", (0, 0.08, 0.5)), ("head", (0, -0.7, 0.5)), ("tail_tip", (0, tail, 0.54))]
        return [*sides, *middle]

    assert up_by_joints(bird(0.4)).axis == "-y"
    assert up_by_joints(bird(0.8)).axis is None
    assert up_by_joints(bird(0.8)).why == "its tail lies beyond its feet"


def test_the_shared_characters_are_found_or_unsure(characters_dir: Path) -> None:
    fronts = {"-y": 0, None: 0}
    for entry in open_source(str(characters_dir / "animated.jsonl"), characters_dir).entries:
        if "astronaut" in entry.id:
            continue
        character = read_character(entry)
        assert character.warnings == ()
        fronts[front_by_shape(character.mesh).axis] += 1
    assert fronts["-y"] >= 20


def test_a_pair_of_joints_that_is_named_the_wrong_way_round_does_not_hide_the_others() -> None:
    hands = {"Hand.L": (0.6, 0.0, 1.35), "Hand.R": (-0.6, 0.0, 1.35)}
    thumbs = {"Thumb.L": (-0.65, -0.02, 1.35), "Thumb.R": (0.65, -0.02, 1.35)}
    assert front_by_joints(list((JOINTS | hands | thumbs).items())).axis == "-y"
    half = {"Arm.L": (-0.3, 0.0, 1.35), "Arm.R": (0.3, 0.0, 1.35)}
    assert front_by_joints(list((JOINTS | half | hands | thumbs).items())).axis is None


EYES: dict[str, tuple[float, float, float]] = {"Eyes": (0, -0.2, 1.7)}
TOES: dict[str, tuple[float, float, float]] = {"Toe.L": (0.16, -0.2, 0.05), "Toe.R": (-0.16, -0.2, 0.05)}


def viewed(joints: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, float, float]]:
    """The joints with their sides named as a viewer sees them."""
    return {name.translate({76: "R", 82: "L"}) if name[-2:] in (".L", ".R") else name: p for name, p in joints.items()}


def fronts(path: Path, joints: dict[str, tuple[float, float, float]], front: str = "-y") -> tuple[str, tuple[str, ...]]:
    """What the table says that a GLB of a sphere upon legs faces, and what is said of it; only its joints can tell."""
    writer = GltfWriter()
    turn = into_file("+y", front)
    solids = [CORNERS * (0.5, 0.5, 0.9) + (0, 0, 1.3), CORNERS * (0.2, 0.2, 0.9) + (0, 0, 0.45)]
    triangles = [solid[list(t)] for solid in solids for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]
    red = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 1.0]})
    nodes = [writer.mesh_node(writer.primitive(np.concatenate(triangles) @ turn.T, material=red))]
    nodes += [writer.add("nodes", name=name, translation=(turn @ np.array(p)).tolist()) for name, p in joints.items()]
    writer.data |= {"scene": 0, "scenes": [{"nodes": nodes}]}
    (entry,) = open_source(str(writer.write_glb(path)), path.parent / "scratch").entries
    facts = facts_of(read_character(entry))
    return facts.faces, facts.warnings


@pytest.mark.parametrize("more", [EYES, TOES, EYES | TOES])
def test_eyes_and_toes_outweigh_sides_that_are_named_as_a_viewer_sees_them(
    tmp_path: Path, more: dict[str, tuple[float, float, float]]
) -> None:
    assert fronts(tmp_path / "a.glb", viewed(JOINTS | more)) == ("-y", ())
    assert fronts(tmp_path / "b.glb", JOINTS | more) == ("-y", ())


def test_a_skeleton_that_nothing_hangs_on_says_nothing(tmp_path: Path) -> None:
    """Exports of one figure of many carry the skeletons of the others along."""

    def faces(*own: str) -> str:
        writer = GltfWriter()
        triangles = np.array([CORNERS[list(t)] for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]).reshape(-1, 3)
        turn, count = into_file("+y", "-y"), len(triangles)
        nodes = {
            name: writer.add("nodes", name=name, translation=(turn @ np.array(place)).tolist())
            for name, place in ({"Bone": (0.0, 0.0, 0.0)} | JOINTS).items()
        }
        zeros, ones = np.zeros((count, 4)), np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
        binds: dict[str, Any] = {"JOINTS_0": writer.accessor(zeros, "u1"), "WEIGHTS_0": writer.accessor(ones)}
        skin = writer.add("skins", joints=[nodes["Bone"], *(nodes[name] for name in own)])
        body = writer.mesh_node(writer.primitive(triangles @ turn.T, **binds), skin=skin)
        writer.data |= {"scene": 0, "scenes": [{"nodes": [*nodes.values(), body]}]}
        (entry,) = open_source(str(writer.write_glb(tmp_path / "a.glb")), tmp_path / "scratch").entries
        return facts_of(read_character(entry)).faces

    assert faces(*JOINTS) == "-y"
    assert faces() == "-y?"


def test_sides_alone_do_not_outweigh_the_front_of_a_format_but_make_it_unsure(tmp_path: Path) -> None:
    assert fronts(tmp_path / "a.glb", viewed(JOINTS)) == ("-y?", ())


@pytest.mark.parametrize(("more", "why"), [(EYES, "3 {} eyes"), (EYES | TOES, "4 {} eyes and toes")])
def test_a_gltf_that_faces_away_is_told_by_more_than_the_names_of_its_sides(
    tmp_path: Path, more: dict[str, tuple[float, float, float]], why: str
) -> None:
    faces, (said,) = fronts(tmp_path / "a.glb", JOINTS | more, "+y")
    why = why.format("pairs of left and right joints and by its")
    assert said.startswith(f"a.glb faces +y by {why}, not -y as its format has it")
    assert faces == "-y"


def test_feet_beside_a_body_that_rests_on_the_ground_do_not_lay_it_down(tmp_path: Path) -> None:
    """A robot whose only joints called feet are those of its hind legs."""
    joints = {"Gun": (0, -9.0, 1.0), "Body": (0, 0, 1.0), "RearFoot.L": (0.3, 1.4, 0.8), "RearFoot.R": (-0.3, 1.4, 0.8)}
    assert fronts(tmp_path / "a.glb", joints)[1] == ()


TAIL: dict[str, tuple[float, float, float]] = {"Head": (0, -0.9, 1.2), "Tail1": (0, 0.5, 1.0), "Tail2": (0, 1.0, 1.0)}


def test_a_ball_of_hair_is_no_toe(tmp_path: Path) -> None:
    hair = {"HairBall_L": (0.2, 1.0, 1.6), "HairBall_R": (-0.2, 1.0, 1.6)}
    _, (said,) = fronts(tmp_path / "a.glb", JOINTS | hair, "+x")
    assert said.startswith("a.glb faces +x by 4 pairs of left and right joints, not -y")


def test_eyes_make_a_front_unsure_that_sides_and_the_format_say(tmp_path: Path) -> None:
    assert fronts(tmp_path / "a.glb", viewed(JOINTS | EYES), "+y") == ("-y?", ())


@pytest.mark.parametrize("stated", ["+x", "-x", "+y"])
def test_a_stated_front_across_the_way_of_the_sides_is_told_though_its_end_is_unsure(
    tmp_path: Path, stated: str
) -> None:
    fronts(tmp_path / "a.glb", viewed(JOINTS | EYES), "+y")
    (tmp_path / "m.jsonl").write_text(json.dumps({"id": "a", "path": "a.glb", "front": stated}))
    (entry,) = open_source(str(tmp_path / "m.jsonl"), tmp_path / "scratch").entries
    character = read_character(entry)
    assert (character.front, character.unsure) == (stated, None)
    said = [line for line in character.warnings if "a.glb faces along y by " in line]
    assert len(said) == (stated[1] == "x")
    assert all('"+y"' in line and '"-y"' in line for line in said)


@pytest.mark.parametrize("front", AXES[:4])
def test_a_tail_tells_the_front_where_no_sides_are_named(tmp_path: Path, front: str) -> None:
    faces, said = fronts(tmp_path / "a.glb", TAIL, front)
    assert faces == "-y"
    assert [line.split(", not")[0] for line in said] == ([] if front == "-y" else [f"a.glb faces {front} by its tail"])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"Tail": (0, 0.6, 0.9)}, "tail"),
        ({"LowerLeg.L": (0.16, -0.1, 0.5), "LowerLeg.R": (-0.16, -0.1, 0.5)}, "knees"),
        ({"Head": (0, -0.9, 1.4)}, "head"),
    ],
)
def test_who_faces_away_is_told_by_what_has_no_side(
    tmp_path: Path, more: dict[str, tuple[float, float, float]], why: str
) -> None:
    faces, (said,) = fronts(tmp_path / "a.glb", JOINTS | more, "+y")
    assert faces == "-y"
    assert said.startswith("a.glb faces +y by") and f"joints and by its {why}, not -y" in said


def test_hind_knees_that_bend_backwards_turn_nobody(tmp_path: Path) -> None:
    knees = {"LowerLeg.L": (0.16, 0.1, 0.5), "LowerLeg.R": (-0.16, 0.1, 0.5)}
    assert fronts(tmp_path / "a.glb", JOINTS | knees) == ("-y", ())
    assert fronts(tmp_path / "b.glb", JOINTS | knees, "+y") == ("-y?", ())


def bulks(*sizes: tuple[float, float]) -> list[np.ndarray]:
    """A body of boxes one behind the other, half a unit long each, from its head on: their widths and heights."""
    return [CORNERS * (x, 0.5, z) + (0, k / 2, 0) for k, (x, z) in enumerate(sizes)]


FISH = bulks((0.3, 0.4), (0.8, 1.0), (0.9, 1.1), (0.7, 0.9), (0.3, 0.3), (0.15, 0.2), (0.1, 0.5))
TOUCHING = [
    CORNERS * (0.7, 0.3, 1.4) + (0, 0, 1.0),
    CORNERS * (0.4, 0.4, 0.4) + (0, 0, 1.9),
    CORNERS * (0.6, 0.3, 0.4) + (0, 0, 0.2),
    CORNERS * (0.6, 0.6, 0.1) + (0, -0.15, 0.05),
]


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize(("solids", "why"), [(FISH, "bulk"), (TOUCHING, "soles")], ids=["a fish", "feet that touch"])
def test_a_shape_without_feet_apart_is_turned_by(
    tmp_path: Path, solids: list[np.ndarray], why: str, front: str
) -> None:
    character = read(write_obj(tmp_path / "figure.obj", into_file("+y", front), solids))
    assert character.front == front
    assert facts_of(read_character(character.entry)).faces == front
    assert (f"by its mirrored shape and its {why}" in " ".join(character.warnings)) == (front != "-y")


def test_fins_that_hang_behind_the_bulk_of_a_fish_are_no_feet(tmp_path: Path) -> None:
    fins = [CORNERS * (0.1, 0.4, 0.2) + (x, 1 + 0.15 * k, -0.5 - 0.1 * k) for x in (-0.3, 0.3) for k in range(5)]
    character = read(write_obj(tmp_path / "piranha.obj", into_file("+y", "-y"), FISH + fins))
    assert (character.front, character.warnings) == ("-y", ())
    assert facts_of(character).faces == "-y?"


def test_one_who_lies_is_not_taken_for_a_fish(tmp_path: Path) -> None:
    laid = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    narrow = [box * (0.5, 1, 1) for box in boxes()] + [CORNERS * (0.5, 0.6, 0.6) + (0, -0.05, 1.7)]
    write_obj(tmp_path / "figure.obj", into_file("+y", "-y"), [box @ laid for box in narrow])
    (tmp_path / "characters.jsonl").write_text(json.dumps({"id": "a", "path": "figure.obj", "up": "+y"}))
    (entry,) = open_source(str(tmp_path / "characters.jsonl"), tmp_path / "scratch").entries
    assert facts_of(read_character(entry)).faces == "-y?"


def test_a_ray_is_not_stood_upon_its_horns(tmp_path: Path) -> None:
    ray = [CORNERS * (2.0, 1.2, 0.2), CORNERS * (0.06, 1.2, 0.06) + (0, 1.1, 0)]
    ray += [CORNERS * (0.2, 0.4, 0.2) + (x, -0.75, 0) for x in (-0.3, 0.3)]
    ray += [CORNERS * (1.0, 0.8, 0.4) + (0, 0, 0.2)]
    character = read(write_obj(tmp_path / "ray.obj", into_file("+y", "-y"), ray))
    assert not any("stands along" in line for line in character.warnings)


@pytest.mark.parametrize("more", [EYES, TOES, {"Tail": (0, 0.6, 0.9)}])
def test_one_sign_against_sides_makes_the_front_unsure_where_the_format_says_neither(
    tmp_path: Path, more: dict[str, tuple[float, float, float]]
) -> None:
    taken, said = fronts(tmp_path / "a.glb", viewed(JOINTS | more), "+x")
    assert (taken, len(said)) == ("-y?", 1)
    assert said[0].startswith("a.glb faces along x by ")
    assert "pairs of left and right joints, so that view 0 shows its side, and nothing says which end is" in said[0]
    assert fronts(tmp_path / "b.glb", viewed(JOINTS | more), "+y")[1] == ()


def test_two_signs_outweigh_sides_whatever_the_format_says(tmp_path: Path) -> None:
    _, (said,) = fronts(tmp_path / "a.glb", viewed(JOINTS | EYES | TOES), "+x")
    assert said.startswith(
        "a.glb faces +x by its eyes and toes, though its sides are named the other way round, not -y"
    )


def test_sides_and_a_shape_that_contradict_each_other_are_unsure(tmp_path: Path) -> None:
    mesh = read(write_obj(tmp_path / "figure.obj", into_file("+y", "-y"))).mesh
    found = front_of(mesh, list(viewed(JOINTS).items()), "-y")
    assert (found.axis, found.why) == (None, "its sides and its shape do not agree")
    assert front_of(mesh, list(JOINTS.items()), "+y").axis == "-y"


def test_legs_that_spread_to_all_sides_have_no_toes(tmp_path: Path) -> None:
    body = [CORNERS * (0.5, 1.0, 0.25) + (0, 0, 0.5), CORNERS * (0.2, 0.2, 0.2) + (0, 0.5, 0.7)]
    legs = [CORNERS * (0.1, 0.3, 0.5) + (x, y, 0.3) for x in (-0.4, 0.4) for y in (-0.3, 0.3)]
    feet = [CORNERS * (0.1, 0.3, 0.06) + (x, y, 0.03) for x in (-0.45, 0.45) for y in (0.35, 0.0)]
    for front in ("-y", "+x"):
        path = write_obj(tmp_path / "scorpion.obj", into_file("+y", front), body + legs + feet)
        (entry,) = open_source(str(path), tmp_path / "scratch").entries
        assert facts_of(read_character(entry)).faces == "-y?"


def test_one_pair_of_a_rig_that_names_little_else_leaves_up_to_the_shape(tmp_path: Path) -> None:
    """A rig of joints without names but for two shins, as hand-made ones are."""
    upright = read(write_obj(tmp_path / "a.obj", into_file("+y", "-y"))).mesh
    shins: list[Landmark] = [("Bone.001", (0.0, 0.0, 0.0)), ("shin_L", (0.2, 0.0, 0.0)), ("shin_R", (-0.2, 0.0, 0.0))]
    assert up_of(upright, shins, "+y", settled=True).axis == "+z"
    arms: list[Landmark] = [("arm_L", (0.4, 0.0, 0.1)), ("arm_R", (-0.4, 0.0, 0.1))]
    hovering = upright.with_vertices(upright.vertices + np.array([0, 0, 0.5], np.float32))
    assert up_of(hovering, shins, "+y", settled=True).axis == "+z"
    assert up_of(hovering, [*shins, *arms], "+y", settled=True).axis is None


@pytest.mark.parametrize(("usual", "axis"), [("+y", "+z"), ("+z", "+y")])
def test_what_rests_upon_its_origin_stands_that_way_where_nothing_else_says_it(usual: str, axis: str) -> None:
    """A ball: it has no feet, and is mirrored across every plane."""
    mesh = sphere(1.0)
    ahead, other = (axis_vector(one).astype(np.float32) for one in (axis, usual))
    assert up_of(mesh.with_vertices(mesh.vertices + ahead), [], usual).axis == axis
    # Not where it hangs from its origin, hovers, or rests upon it as its format has it or along both.
    for shift in (-ahead, 0 * ahead, 1.5 * ahead, other, ahead + other, ahead - other, ahead + 0.7 * other):
        assert up_of(mesh.with_vertices(mesh.vertices + shift), [], usual).axis in (None, usual)
