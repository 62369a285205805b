"""What a file holds besides its one character is named with the line that drops it, and nothing is dropped unasked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from specsia_build.characters.alone import company
from specsia_build.characters.beside import coarser_levels
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.finding import Mending
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.rendering.mesh import Material, Mesh
from tests.characters.gltf.writer import GltfWriter
from tests.characters.test_facing import CORNERS, QUADS, boxes

Boxes = dict[str, list[np.ndarray]]

FIGURE: Boxes = {"Trunk": boxes()[:4], "Limbs": boxes()[4:]}
TRIANGLES = [t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> list[np.ndarray]:
    return [CORNERS * size + np.array(centre)]


def write_obj(path: Path, groups: Boxes) -> Path:
    """Boxes of the frame by group, red, Z up."""
    lines, count = [], 0
    for name, solids in groups.items():
        lines += [f"g {name}"] if name else []
        for solid in solids:
            lines += ["v {:.5f} {:.5f} {:.5f} 0.9 0.3 0.1".format(*corner) for corner in solid]
            lines += ["f " + " ".join(str(count + i + 1) for i in quad) for quad in QUADS]
            count += 8
    path.write_text("\n".join(lines))
    return path


def read(path: Path, kind: str = "obj", **more: object) -> Character:
    up = "+z" if kind == "obj" else None
    return read_character(replace(Entry("hero", kind, path, up=up, front="-y"), **more))


def told(groups: Boxes, folder: Path) -> tuple[tuple[str, ...], tuple[Mending, ...]]:
    character = read(write_obj(folder / "hero.obj", groups))
    return character.warnings, character.mendings


@pytest.mark.parametrize(
    ("others", "drop"),
    [
        (("Trunk_LOD1", "Limbs_LOD1", "Trunk_LOD2"), ("Limbs_LOD1", "Trunk_LOD1", "Trunk_LOD2")),
        (("UCX_Trunk_01", "Limbs-colonly"), ("UCX_Trunk_01", "Limbs-colonly")),
        (("HeadCollider",), ("HeadCollider",)),
    ],
)
def test_what_no_engine_shows_beside_the_rest_is_said(
    tmp_path: Path, others: tuple[str, ...], drop: tuple[str, ...]
) -> None:
    figure = {"Trunk_LOD0": FIGURE["Trunk"], "Limbs_LOD0": FIGURE["Limbs"]}
    warnings, mendings = told(figure | dict.fromkeys(others, FIGURE["Trunk"]), tmp_path)
    (mending,) = mendings
    assert (mending.key, sorted(mending.value)) == ("drop", sorted(drop))
    assert all(f'"{name}"' in warnings[0] for name in drop)


@pytest.mark.parametrize("name", ["Trunk_LOD" + "9" * 5000, "_" * 20_000 + "lod" + "_" * 20_000])
def test_a_name_of_any_length_takes_no_time_and_is_no_level(name: str) -> None:
    began = time.process_time()
    assert coarser_levels([["Trunk_LOD0"], [name]], {0, 1}) == set()
    assert time.process_time() - began < 5


@pytest.mark.parametrize("name", ["Trunk_LOD1", "Explodes", "Melody 2", "UCX", "Collier"])
def test_a_name_like_that_of_a_level_or_a_shape_is_none_alone(tmp_path: Path, name: str) -> None:
    assert told({name: FIGURE["Trunk"], "Limbs_LOD1": FIGURE["Limbs"]}, tmp_path) == ((), ())


@pytest.mark.parametrize(
    ("name", "scenery"),
    [
        ("Ground", box((0, 0, -0.01), (4, 4, 0.02))),
        ("Disc", box((0, 0.1, -0.02), (0.9, 0.9, 0.04))),
        ("Wall", box((0, 1, 1), (3, 0.02, 3))),
        ("Aside", box((-1.5, 0, 1), (0.02, 3, 3))),
        ("Room", box((0, 0, 1.9), (6, 6, 3.8))),
        ("Sweep", box((0, 1, 1.5), (3, 0.02, 3)) + box((0, 0, -0.01), (3, 2, 0.02))),
        (
            "Landscape",
            [
                CORNERS * (1, 1, 0.2) + (x, y, -0.1 + 0.3 * max(0, abs(x) - 2))
                for x in range(-4, 5)
                for y in range(-4, 5)
            ],
        ),
    ],
)
def test_scenery_is_named_and_stays_until_it_is_dropped(tmp_path: Path, name: str, scenery: list[np.ndarray]) -> None:
    character = read(write_obj(tmp_path / "hero.obj", FIGURE | {name: scenery}))
    (warning,) = character.warnings
    assert warning == (
        f"hero.obj holds '{name}' around the character, as a floor or a backdrop does: "
        f'"drop": ["{name}"] in its manifest line leaves the character alone'
    )
    assert len(character.mesh.faces) == 12 * (len(boxes()) + len(scenery))
    alone = read(tmp_path / "hero.obj", drop=(name,))
    assert (len(alone.mesh.faces), alone.warnings) == (12 * len(boxes()), ())


@pytest.mark.parametrize(
    ("plate", "said"),
    [
        (box((0, 0, -0.01), (4, 4, 0.02)), True),
        (box((0, 0.1, -0.02), (0.9, 0.9, 0.04)), True),
        (box((0.2, 0, -0.02), (0.3, 0.3, 0.04)), False),
        ([], False),
    ],
)
def test_a_plate_that_is_no_part_of_its_own_is_said(tmp_path: Path, plate: list[np.ndarray], said: bool) -> None:
    warnings, mendings = told({"Figure": boxes() + plate}, tmp_path)
    expected = "hero.obj stands on a plate that is no part of its own: take it away where it was made"
    assert (warnings, mendings) == ((expected,) if said else (), ())


def test_a_floor_and_walls_are_found_together(tmp_path: Path) -> None:
    stage = {"Floor": box((0, 0, -0.01), (5, 5, 0.02)), "Back": box((0, 2, 2), (5, 0.02, 4))}
    _, (mending,) = told(FIGURE | stage, tmp_path)
    assert (mending.key, set(mending.value)) == ("drop", {"Floor", "Back"})


def aside(groups: Boxes, x: float, prefix: str = "Other") -> Boxes:
    return {prefix + name: [solid + np.array((x, 0, 0)) for solid in solids] for name, solids in groups.items()}


def test_a_second_figure_is_named_and_the_one_at_the_origin_kept(tmp_path: Path) -> None:
    (warning,), (mending,) = told(aside(FIGURE, 2.5) | FIGURE, tmp_path)
    assert warning.startswith("hero.obj holds 2 figures side by side: ")
    assert set(mending.value) == {"OtherTrunk", "OtherLimbs"}


def test_a_floor_does_not_hide_a_second_figure(tmp_path: Path) -> None:
    warnings, mendings = told(FIGURE | aside(FIGURE, 2.5) | {"Floor": box((1, 0, -0.01), (8, 3, 0.02))}, tmp_path)
    assert len(warnings) == 2
    assert {name for mending in mendings for name in mending.value} == {"Floor", "OtherTrunk", "OtherLimbs"}


def test_a_second_figure_of_the_same_height_may_stand_higher(tmp_path: Path) -> None:
    higher = {name: [solid + np.array((0, 0, 1)) for solid in solids] for name, solids in aside(FIGURE, 2.5).items()}
    (warning,), _ = told(FIGURE | higher, tmp_path)
    assert warning.startswith("hero.obj holds 2 figures side by side: ")


def test_figures_that_share_a_part_are_said_without_a_line(tmp_path: Path) -> None:
    both = {"": [*boxes(), *(solid + np.array((2.5, 0, 0)) for solid in boxes())]}
    (warning,), mendings = told(both, tmp_path)
    assert warning == (
        "hero.obj holds 2 figures side by side, and they share parts: take them apart where they were made, one to a "
        "file"
    )
    assert mendings == ()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Shoes": box((0.16, -0.08, -0.03), (0.2, 0.42, 0.06)) + box((-0.16, -0.08, -0.03), (0.2, 0.42, 0.06))},
        {"Cape": box((0, 0.2, 1.1), (0.6, 0.02, 1.1))},
        {"Wings": box((0.5, 0.3, 1.4), (0.7, 0.02, 0.8)) + box((-0.5, 0.3, 1.4), (0.7, 0.02, 0.8))},
        {"Staff": box((1.2, 0, 1), (0.05, 0.05, 2))},
        {"Halo": box((0, 0, 2.1), (0.5, 0.5, 0.03))},
        {"Shell": box((0, 0, 0.98), (2.4, 1.6, 1.96))},
        {"Hair": box((0, 0.3, 1.25), (1.7, 0.02, 1.5))},
    ],
    ids=["nothing", "shoes", "cape", "wings", "staff", "halo", "shell", "hair"],
)
def test_what_belongs_to_a_character_is_not_doubted(tmp_path: Path, more: Boxes) -> None:
    assert told(FIGURE | more, tmp_path) == ((), ())


@pytest.mark.parametrize(("mode", "said"), [("MASK", 0), ("BLEND", 0), ("OPAQUE", 1)])
def test_cards_of_hair_are_no_wall(tmp_path: Path, mode: str, said: int) -> None:
    writer = GltfWriter()
    for name, solids, alpha in (("Head", boxes(), "OPAQUE"), ("Card", box((0, 0.14, 1), (1.8, 0.02, 2)), mode)):
        look = writer.add("materials", alphaMode=alpha, pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 0.9]})
        points = np.concatenate([solid[list(t)] for solid in solids for t in TRIANGLES])
        writer.mesh_node(writer.primitive(points[:, [0, 2, 1]] * (1, 1, -1), material=look), name=name)
    assert len(read(writer.write_glb(tmp_path / "hero.glb"), "gltf").warnings) == said


def write_glb(path: Path, props: dict[str, tuple[float, float, float]], joints: dict[str, float]) -> Path:
    """A figure with props below one hand, by size, and joints by height; Y up, facing +Z."""
    writer = GltfWriter()
    red = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 1.0]})

    def node(name: str, solids: list[np.ndarray]) -> int:
        points = np.concatenate([solid[list(t)] for solid in solids for t in TRIANGLES])
        return writer.mesh_node(writer.primitive(points[:, [0, 2, 1]] * (1, 1, -1), material=red), name=name)

    held = [node(name, box((1.0, 0, 1.35), size)) for name, size in props.items()]
    hand = writer.add("nodes", name="hand.l", children=held) if held else None
    nodes = [node("Body", boxes()), *([] if hand is None else [hand])]
    nodes += [writer.add("nodes", name=name, translation=[0, height, 0]) for name, height in joints.items()]
    writer.data |= {"scene": 0, "scenes": [{"nodes": nodes}]}
    return writer.write_glb(path)


def test_props_that_hang_from_one_hand_are_spare_but_for_the_largest(tmp_path: Path) -> None:
    props = {"Sword": (0.1, 1.2, 0.1), "Mace": (0.2, 0.8, 0.1), "Shield": (0.1, 0.7, 0.7), "Ring": (0.05, 0.05, 0.05)}
    character = read(write_glb(tmp_path / "hero.glb", props, {}), "gltf")
    (warning,), (mending,) = character.warnings, character.mendings
    assert warning == (
        'hero.glb holds several props in one hand (3 below hand.l): "drop": ["Sword", "Mace"] in its manifest line '
        "keeps the largest"
    )
    assert mending.value == ("Sword", "Mace")
    assert read(tmp_path / "hero.glb", "gltf", drop=mending.value).warnings == ()


@pytest.mark.parametrize("name", ["Sword", "Sword mesh", "hand.l"])
def test_a_part_is_named_by_its_node_its_mesh_or_what_it_hangs_below(tmp_path: Path, name: str) -> None:
    path = write_glb(tmp_path / "hero.glb", {"Sword": (0.1, 1.2, 0.1)}, {})
    character = read(path, "gltf", drop=(name,))
    assert character.warnings == ()
    assert len(character.mesh.faces) == 12 * len(boxes())
    assert read(path, "gltf", drop=("Hat",)).warnings == ("'Hat' is to be dropped but hero.glb has no such part",)


def test_a_garment_without_its_wearer(tmp_path: Path) -> None:
    joints = {"Head": 4.0, "Hand.L": 1.2, "Foot.L": -2.0, "Foot.R": -2.1}
    (warning,) = read(write_glb(tmp_path / "shirt.glb", {}, joints), "gltf").warnings
    assert warning.startswith("shirt.glb has joints for head and feet and no surface there")
    worn = write_glb(tmp_path / "hero.glb", {}, {"Head": 1.7, "Hand.L": 1.2, "Foot.L": 0.1})
    assert read(worn, "gltf").warnings == ()


@pytest.mark.parametrize(("head", "headless"), [(1.96, True), (2.1, True), (1.7, False), (3.5, False)])
def test_a_body_without_its_head(tmp_path: Path, head: float, headless: bool) -> None:
    top = max(float(box[:, 2].max()) for box in boxes())
    joints = {"Head": head * top / 2, "Hand.L": 1.2, "Foot.L": 0.1}
    said = read(write_glb(tmp_path / "hero.glb", {}, joints), "gltf").warnings
    told = "hero.glb has a joint for its head and no surface above it: it seems to be a body without its head"
    assert said == ((told,) if headless else ())


def shell(*, lid: bool) -> list[np.ndarray]:
    """The corners of quads: walls of a pair of trousers with a floor, and perhaps a lid."""
    low, high = CORNERS.min(axis=0), CORNERS.max(axis=0)
    return [CORNERS[list(q)] for q in QUADS if lid or not np.allclose(CORNERS[list(q), 2], high[2] + 0 * low[2])]


@pytest.mark.parametrize(("lid", "turned", "hollow"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_what_is_hollow_and_open_from_above(tmp_path: Path, lid: bool, turned: bool, hollow: int) -> None:
    """Faces that are wound the wrong way round show insides from everywhere, which says nothing."""
    lines = []
    for number, quad in enumerate(shell(lid=lid)):
        lines += ["v {:.3f} {:.3f} {:.3f} 0.9 0.3 0.1".format(*corner) for corner in quad * (1, 0.5, 2)]
        corners = [4 * number + k for k in ((4, 3, 2, 1) if turned else (1, 2, 3, 4))]
        lines.append("f " + " ".join(map(str, corners)))
    (tmp_path / "legs.obj").write_text("\n".join(lines))
    said = read(tmp_path / "legs.obj").warnings
    assert sum("hollow and open from above" in sentence for sentence in said) == hollow


@pytest.mark.parametrize(
    ("name", "things"),
    [
        *(("Revolver_02", 1), ("mug", 1), ("survival_Knife", 1), ("Sword Fighter", 0), ("Old Man", 0), ("iron", 0)),
        *(("Helmet1", 1), ("ShortSword", 1), ("Female_Hairstyle_1", 1), ("female2", 0), ("Male 01", 0)),
    ],
)
def test_a_thing_without_joints_that_is_called_one(tmp_path: Path, name: str, things: int) -> None:
    path = write_obj(tmp_path / f"{name}.obj", {"": box((0, 0, 0.5), (0.2, 1, 0.6))})
    assert sum("seems to be no character" in said for said in read(path).warnings) == things


@pytest.mark.parametrize(
    ("name", "joint", "things"), [("Knife", "Knife", 1), ("chair", "seat", 1), ("Barrel", "head", 0)]
)
def test_nodes_of_a_thing_are_no_joints_of_a_body(name: str, joint: str, things: int) -> None:
    (corners,) = box((0, 0, 0.5), (0.2, 1, 0.6))
    faces = np.array(TRIANGLES, np.int32)
    mesh = Mesh(corners.astype(np.float32), faces, (Material("m"),), np.zeros(len(faces), np.int32))
    found = company(f"{name}.glb", mesh, ((name,),), None, [(joint, (0.0, 0.0, 0.5))])
    assert sum("seems to be no character" in one.warning for one in found) == things


def test_the_spare_weapons_of_the_shared_characters_are_named(characters_dir: Path, tmp_path: Path) -> None:
    lines = (characters_dir / "everything.jsonl").read_text().splitlines()
    stated = {line["id"]: set(line["drop"]) for line in map(json.loads, lines) if "drop" in line}
    entries = open_source(str(characters_dir / "everything.jsonl"), tmp_path).entries
    for entry in entries:
        if entry.id in stated:
            (mending,) = read_character(replace(entry, drop=())).mendings
            # Which one of a hand stays is a matter of taste, not how many.
            assert len(mending.value) == len(stated[entry.id])
            assert read_character(entry).warnings == ()


def test_a_body_that_bears_its_face_as_a_part_is_no_backdrop(tmp_path: Path) -> None:
    body = [
        *box((0, 0.2, 1.2), (1.2, 0.2, 2.4)),
        *box((0, 0, 0.55), (1.2, 0.6, 1.1)),
        *box((0, 0, 2.25), (1.2, 0.6, 0.3)),
    ]
    body += [box((x, 0, 1.2), (0.18, 0.6, 2.4))[0] for x in (-0.51, 0.51)]
    warnings, _ = told({"Body": body, "Face": box((0, -0.05, 1.6), (0.78, 0.26, 0.78))}, tmp_path)
    assert not any("around the character" in line for line in warnings)


@pytest.mark.parametrize("rigged", [True, False])
def test_arms_that_float_beside_a_body_are_no_figures_of_their_own(rigged: bool) -> None:
    bodies = [box((x, 0, 0.5), (0.5, 0.4, 1.0))[0] for x in (-1.0, 0.0, 1.0)]
    corners = np.concatenate([body[list(t)] for body in bodies for t in TRIANGLES]).astype(np.float32)
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    mesh = Mesh(corners, faces, (Material(),), np.zeros(len(faces), np.int32))
    joints = [(f"{part}.{side}", (x, 0.0, 0.5)) for part in ("Arm", "Hand") for side, x in (("L", 1.0), ("R", -1.0))]
    found = company("robot.glb", mesh, [("A",)], None, joints if rigged else [])
    assert ["3 figures side by side" in one.warning for one in found] == ([] if rigged else [True])
