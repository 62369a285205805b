"""Up and front by joints, shape and looks; foreign content; suspicious looks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.characters.character import Advice, Character, Entry
from specsia_build.characters.checks.axes import front_of, up_of
from specsia_build.characters.checks.joints import turned
from specsia_build.characters.checks.probe import Probe, probe_of
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, facts_of, survey
from specsia_build.frame import AXES, Camera, front_rotation, normalise, up_rotation
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.warning import Warning
from tests.characters.bodies import (
    FIGURE,
    JOINTS,
    Boxes,
    box,
    boxes,
    character_of,
    into_file,
    mesh_of,
    write_obj,
)
from tests.characters.gltf.writer import GltfWriter
from tests.rendering import scenes
from tests.rendering.scenes import RED, cape, inside_out, sphere
from tests.shapes import BOX

RIG = tuple(JOINTS.items())
TOES = tuple((f"Toe.{side}", (x, -0.2, 0.05)) for side, x in (("L", 0.16), ("R", -0.16)))


def probe(solids: list[np.ndarray], front: str = "-y", dark: int = 0, **more: object) -> Probe:
    mesh = mesh_of(solids, dark).rotated(front_rotation(front).T)
    return probe_of(mesh, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize("up", ["+y", "+z"])
def test_obj_is_turned_by_shape(tmp_path: Path, up: str, front: str) -> None:
    character = character_of(write_obj(tmp_path / "figure.obj", {"": boxes()}, into_file(up, front)))
    vertices = character.mesh.vertices
    assert np.ptp(vertices[:, 2]) > 1.8
    # The toes are at the lowest and foremost.
    lowest = vertices[vertices[:, 2] < vertices[:, 2].min() + 0.01, 1]
    assert -lowest.min() > 2 * lowest.max()
    fixes = {fix.key: fix.value for fix in character.fixes}
    stated = (("up", up, "+y"), ("front", front, "-y"))
    assert fixes == {key: axis for key, axis, own in stated if axis != own}
    assert all("so it was turned" in warning.sentence for warning in character.warnings)
    assert facts_of(character).faces == character.front


@pytest.mark.parametrize(
    "solids",
    [
        [BOX],
        [BOX * (1, 1, 2), BOX * 0.5 + (0, 0, 1.2)],
        [BOX, BOX * 0.4 + (0.5, 0.3, 0.4), BOX * 0.3 + (-0.1, -0.6, -0.2)],
        [BOX * (1, 0.001, 2)],
    ],
    ids=["a cube", "a tower", "without a mirror", "flat"],
)
def test_no_front_stays_and_warns(tmp_path: Path, solids: list[np.ndarray]) -> None:
    character = character_of(write_obj(tmp_path / "thing.obj", {"": solids}, into_file("+y", "-y")))
    assert (character.front, facts_of(character).faces) == ("-y", "unsure")
    assert character.unsure and "front-unsure" in codes(character)


@given(st.sampled_from(AXES[:4]), st.sampled_from([(), TOES]))
def test_sides_named_from_the_viewer(front: str, toes: tuple) -> None:  # type: ignore[type-arg]
    viewed = tuple((name, (-x, y, z)) for name, (x, y, z) in (*RIG, *toes))
    joints = turned(viewed, front_rotation(front).T)
    assert front_of(probe([BOX], landmarks=joints), usual=front).axis in (None, front)
    sound = turned((*RIG, *TOES), front_rotation(front).T)
    opposite = front.translate(str.maketrans("+-", "-+"))
    assert front_of(probe([BOX], landmarks=sound), usual=opposite).axis == front


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize(
    "name", ["kaykit/Mage", "animated/animal_alpaca", "animated/man_punk", "animated/woman_scifi"]
)
def test_real_fronts_without_joints(characters_dir: Path, name: str, front: str) -> None:
    mesh = character_of(characters_dir / f"{name}.glb").mesh.rotated(front_rotation(front).T)
    assert [front_of(probe_of(mesh)).axis for _ in range(2)] == [front, front]


@pytest.mark.parametrize("front", ["-y", "+x"])
def test_faceless_sideways_shape_warns(tmp_path: Path, front: str) -> None:
    barrel = [BOX * (0.4, 1.2, 0.5), BOX * (0.3, 1.0, 0.3) + (0, 0, -0.4)]
    character = character_of(write_obj(tmp_path / "barrel.obj", {"": barrel}, into_file("+y", front)))
    (warning,) = character.warnings
    assert (character.front, warning.code) == ("-y", "front-unsure")
    assert ("sideways" in warning.sentence) == (front == "+x")
    ends = '"+x" if it looks to the right in view 0, "-x" to the left'
    assert (ends in warning.sentence, '"+y" away' in warning.sentence) == (True, front == "-y")


@pytest.mark.parametrize("up", ["+y", "+z", "-z"])
def test_up_by_feet_and_head(up: str) -> None:
    lying = mesh_of(boxes()).rotated(up_rotation(up).T)
    assert up_of(probe_of(lying), "+y").axis == up
    assert up_of(probe_of(mesh_of([BOX * (1, 2, 3)])), "+y").axis is None


def read(path: Path, kind: str = "obj", **more: object) -> Character:
    up = "+z" if kind == "obj" else None
    return read_character(Entry("hero", kind, path, up=up, front="-y", **more))  # type: ignore[arg-type]


def warnings_of(groups: Boxes, folder: Path) -> tuple[Warning, ...]:
    return read(write_obj(folder / "hero.obj", groups)).warnings


def codes(character: Character) -> list[str]:
    return [warning.code for warning in character.warnings]


def test_only_joints_contradict_a_manifest(tmp_path: Path, characters_dir: Path) -> None:
    figure = write_obj(tmp_path / "figure.obj", {"": boxes()})
    assert codes(read_character(Entry("a", "obj", figure, up="+z", front="+x"))) == []
    mage = Entry("a", "gltf", characters_dir / "kaykit" / "Mage.glb", front="+x")
    assert "front-axis" in codes(read_character(mage))


def test_scenery_is_named_and_kept(tmp_path: Path) -> None:
    path = write_obj(tmp_path / "hero.obj", FIGURE | {"Floor": box((0, 0, -0.02), (4, 4, 0.04))})
    character, bare = read(path), read(path, drop=("Floor",))
    (warning,) = character.warnings
    assert (warning.code, warning.subject) == ("scenery", "'Floor'") and not isinstance(warning, Advice)
    assert len(character.mesh.faces) > len(bare.mesh.faces) and bare.warnings == ()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Cape": box((0, 0.3, 1.0), (0.8, 0.04, 1.2))},
        {"Hoverboard": box((0, 0, -0.02), (0.7, 1.2, 0.04))},
        {"Wings": box((0, 0.25, 1.4), (2.4, 0.05, 0.8))},
        {"Halo": box((0, 0, 2.2), (0.4, 0.4, 0.02))},
        {"Arm_L": box((0.9, 0, 1.35), (0.3, 0.1, 0.1)), "Arm_R": box((-0.9, 0, 1.35), (0.3, 0.1, 0.1))},
    ],
    ids=lambda more: next(iter(more), "alone"),
)
def test_belongings_are_sound(tmp_path: Path, more: Boxes) -> None:
    assert warnings_of(FIGURE | more, tmp_path) == ()


@pytest.mark.parametrize(
    ("first", "second", "warned", "advised"),
    [
        ("Hair_01", "Hair_02", True, []),
        ("Hair", "Hair_Alt", True, ["Hair_Alt"]),
        ("Coat_Option_A", "Coat_Option_B", True, ["Coat_Option_B"]),
        ("Eyes_Open", "Eyes_Closed", True, ["Eyes_Closed"]),
        ("Coat", "Shirt", False, []),
        ("Alt", "Old", False, []),
        ("Cube.001", "Cube.002", False, []),
    ],
)
def test_overlapping_parts_of_one_name(
    tmp_path: Path, first: str, second: str, warned: bool, advised: list[str]
) -> None:
    hair = box((0, -0.1, 1.95), (0.4, 0.4, 0.2))
    again = [solid * (1.01, 1.01, 1.001) for solid in hair]
    character = read(write_obj(tmp_path / "hero.obj", FIGURE | {first: hair, second: again}))
    assert codes(character) == ["alternatives"] * warned
    assert [name for fix in character.fixes for name in fix.value] == advised
    apart = [solid + np.array((0, 0, 0.3)) for solid in hair]
    assert warnings_of(FIGURE | {first: hair, second: apart}, tmp_path) == ()


TETRAHEDRON = (
    "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
    "usemtl skin\nf 1/1 2/2 3/3\nf 1/1 3/3 4/2\nf 1/1 4/2 2/3\nf 2/1 3/2 4/3\n"
)


def facts(folder: Path, mtl: str = "", text: str = TETRAHEDRON) -> CharacterFacts:
    (folder / "a.mtl").write_text(f"newmtl skin\n{mtl}\n")
    (folder / "hero.obj").write_text(("mtllib a.mtl\n" if mtl else "") + text)
    return survey(Entry("hero", "obj", folder / "hero.obj", sides="both"), pictured=False)[0]


@pytest.mark.parametrize("mtl", ["", "Kd 1 1 1", "Kd 0.2 0.8 0.1"], ids=["no material", "white", "one green"])
def test_one_colour_warns(tmp_path: Path, mtl: str) -> None:
    character = facts(tmp_path, mtl)
    assert [fix for fix in character.fixes if fix.key == "texture"] == []
    assert [warning.code for warning in character.warnings].count("one-colour") == 1


SIZE = 64


def figure(more: float = 0.0) -> Mesh:
    """A head on a trunk and two legs, Z up, each thicker by so much on all sides."""
    legs = [scenes.box((x, 0, -0.3), (0.06 + more, 0.06 + more, 0.2 + more)) for x in (0.1, -0.1)]
    return concatenate([sphere(0.16 + more, 12, 16, (0, 0, 0.34)), sphere(0.2 + more, 12, 16), *legs])


def written(path: Path, *parts: tuple[str, Mesh, tuple[float, ...], bool]) -> Path:
    """A .glb file of named parts with their colour and whether they are double-sided; Y up, facing +Z."""
    writer = GltfWriter()
    for name, mesh, color, double_sided in parts:
        points = mesh.vertices[:, [0, 2, 1]] * np.array([1, 1, -1], np.float32)
        look = {"pbrMetallicRoughness": {"baseColorFactor": list(color)}, "doubleSided": double_sided}
        material = writer.add("materials", name=name, **look)
        writer.mesh_node(writer.primitive(points, mesh.faces, material), name=name)
    return writer.write_glb(path)


def seen(character: Character) -> tuple[float, float]:
    """Shares of the frontal view that are covered and that are red, the latter of the covered."""
    camera = Camera(0.0, SIZE)
    mesh = character.mesh
    placed = normalise(mesh.vertices, [camera], 2)
    (layers,) = FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), [camera])
    covered = layers.coverage == 255
    return float(covered.mean()), float((layers.color[covered, 0] > 200).mean())


BLACK = (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("thickness", [0.004, 0.012])
@pytest.mark.parametrize("said", [False, True])
def test_outline_hull_is_a_rim(tmp_path: Path, said: bool, thickness: float) -> None:
    hull = inside_out(figure(thickness))
    # A hull may lack its flag, as in formats that have no sides.
    path = written(tmp_path / "a.glb", ("skin", figure(), RED, True), ("Outline", hull, BLACK, said))
    drawn, left = read(path, "gltf"), read(path, "gltf", sides="both")
    assert seen(drawn)[1] > 0.8 and seen(left)[1] < 0.1
    new = set(drawn.warnings) - set(left.warnings)
    assert len(new) == int(said)
    assert all((warning.code, warning.subject) == ("outline-hull", "Outline") for warning in new)
    assert [m.double_sided for m in drawn.mesh.materials if m.name == "skin"] == [True]


def test_inside_out_figure_warns(tmp_path: Path) -> None:
    path = written(tmp_path / "a.glb", ("skin", inside_out(figure()), RED, False))
    (warning,) = read(path, "gltf").warnings
    assert warning.code == "backs-lost" and "wound inwards" in warning.sentence
    assert isinstance(warning, Advice) and warning.fix.value == "both"
    assert read(path, "gltf", sides="both").warnings == ()
    # Double-sided, it looks as it should.
    assert read(written(tmp_path / "b.glb", ("skin", inside_out(figure()), RED, True)), "gltf").warnings == ()


def test_lost_cape_back_warns(tmp_path: Path) -> None:
    cloth = cape(figure().materials[0])
    parts = ("skin", figure(), RED, True), ("cape", inside_out(cloth), BLACK, False)
    path = written(tmp_path / "a.glb", *parts)
    (warning,) = read(path, "gltf").warnings
    assert warning.code == "backs-lost" and "wound inwards" not in warning.sentence
    assert read(path, "gltf", sides="both").warnings == ()
