"""A face that materials or parts are named for tells the front; what is not in front of the rest tells nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.features import features_of
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.characters.survey import facts_of
from specsia_build.frame import AXES
from specsia_build.rendering.mesh import Material, Mesh
from tests.characters.gltf.writer import GltfWriter
from tests.characters.test_facing import CORNERS, JOINTS, QUADS, into_file, viewed

Box = tuple[tuple[float, float, float], tuple[float, float, float]]

TRUNK: Box = ((0, 0, 0.7), (0.6, 0.6, 1.4))
HEAD: Box = ((0, 0, 1.7), (0.5, 0.5, 0.6))
EYES: list[Box] = [((x, -0.25, 1.75), (0.08, 0.04, 0.08)) for x in (-0.1, 0.1)]
LYING: dict[str, list[Box]] = {"Body": [TRUNK, HEAD], "Eyes": EYES}
TIP: Box = ((0, 0.6, 1.75), (0.2, 0.2, 0.2))


def told(
    path: Path,
    named: dict[str, list[Box]],
    front: str = "-y",
    joints: dict[str, tuple[float, float, float]] | None = None,
    *,
    parts: bool = False,
) -> tuple[str, tuple[str, ...]]:
    """What the table says that a GLB of boxes faces, and what is said of it; its materials or its parts are named."""
    writer, turn = GltfWriter(), into_file("+y", front)
    nodes: list[int] = []
    for name, boxes in named.items():
        corners = [CORNERS * size + np.array(centre) for centre, size in boxes]
        triangles = [box[list(t)] for box in corners for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]
        colour = {"baseColorFactor": [0.2 + 0.1 * len(nodes), 0.3, 0.1, 1.0]}
        material = writer.add("materials", name="plain" if parts else name, pbrMetallicRoughness=colour)
        primitive = writer.primitive(np.concatenate(triangles) @ turn.T, material=material)
        nodes.append(writer.mesh_node(primitive, name=name if parts else f"part {len(nodes)}"))
    nodes += [
        writer.add("nodes", name=name, translation=(turn @ np.array(place)).tolist())
        for name, place in (joints or {}).items()
    ]
    writer.data |= {"scene": 0, "scenes": [{"nodes": nodes}]}
    (entry,) = open_source(str(writer.write_glb(path)), path.parent / "scratch").entries
    facts = facts_of(read_character(entry))
    return facts.faces, facts.warnings


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize("parts", [False, True], ids=["materials", "parts"])
@pytest.mark.parametrize("name", ["Eyes", "face_mat.001", "目"])
def test_what_is_named_as_a_face_tells_the_front(tmp_path: Path, name: str, parts: bool, front: str) -> None:
    faces, said = told(tmp_path / "a.glb", {"Body": [TRUNK, HEAD], name: EYES}, front, parts=parts)
    assert faces == "-y"
    assert [line.split(", not")[0] for line in said] == (
        [] if front == "-y" else [f"a.glb faces {front} by its face or eyes"]
    )


@pytest.mark.parametrize("parts", [False, True], ids=["materials", "parts"])
def test_a_beak_tells_the_front_where_eyes_look_to_both_sides(tmp_path: Path, parts: bool) -> None:
    eyes: list[Box] = [((x, 0.0, 1.75), (0.04, 0.08, 0.08)) for x in (-0.25, 0.25)]
    bird: dict[str, list[Box]] = {"Body": [TRUNK, HEAD], "Eyes": eyes, "Beak": [((0, -0.35, 1.7), (0.1, 0.2, 0.1))]}
    assert told(tmp_path / "a.glb", bird, parts=parts) == ("-y", ())
    _, (said,) = told(tmp_path / "b.glb", bird, "+x", parts=parts)
    assert said.startswith("b.glb faces +x by its mouth or nose, not -y")


@pytest.mark.parametrize(
    "named",
    [
        {"Body": [TRUNK], "Face": [HEAD]},
        {"Body": [TRUNK, HEAD], "Eyes": [*EYES, TIP]},
        {"Body": [TRUNK, HEAD, ((0.4, -1.8, 1.0), (0.3, 3.6, 0.3))], "Eyes": EYES},
        {"Eyewear": EYES, "Facet": [TRUNK, HEAD]},
        {"Eye_Body": [TRUNK, HEAD]},
    ],
    ids=["a whole head", "the tip of a tail too", "behind the middle", "other words", "everything"],
)
def test_what_is_not_ahead_of_the_rest_tells_nothing(tmp_path: Path, named: dict[str, list[Box]]) -> None:
    for front in ("-y", "+x"):
        assert told(tmp_path / "a.glb", named, front) == ("-y?", ())


def test_a_face_and_sides_together_tell_one_who_faces_away(tmp_path: Path) -> None:
    figure = {"Body": [TRUNK, HEAD], "Eyes": EYES}
    _, (said,) = told(tmp_path / "a.glb", figure, "+y", JOINTS)
    assert said.startswith("a.glb faces +y by 3 pairs of left and right joints and by its face or eyes, not -y")
    assert told(tmp_path / "b.glb", figure, "-y", viewed(JOINTS)) == ("-y", ())
    faces, (said,) = told(tmp_path / "c.glb", figure, "+x", viewed(JOINTS))
    assert faces == "-y?"
    assert said.startswith("c.glb faces along x by 3 pairs of left and right joints")


def test_where_a_beak_is_drawn_outweighs_where_its_node_has_its_origin(tmp_path: Path) -> None:
    """Every node stands at the figure's origin but one, as exporters leave them that move no part."""
    bird: dict[str, list[Box]] = {"Body": [TRUNK, HEAD], "beak": [((0, -0.35, 1.7), (0.1, 0.2, 0.1))]}
    wings = {
        "wing.L": (0.3, -0.1, 1.0),
        "wing.R": (-0.3, -0.1, 1.0),
        "leg.L": (0.1, -0.1, 0.2),
        "leg.R": (-0.1, -0.1, 0.2),
    }
    _, (said,) = told(tmp_path / "a.glb", bird, "+x", wings, parts=True)
    assert said.startswith("a.glb faces +x by 2 pairs of left and right joints and by its mouth or nose, not -y")
    hidden: dict[str, list[Box]] = {"Body": [TRUNK, HEAD], "beak": [((0, 0, 1.7), (0.1, 0.1, 0.1))]}
    _, (said,) = told(tmp_path / "b.glb", hidden, "+x", wings, parts=True)
    assert said.startswith("b.glb faces +x by 2 pairs of left and right joints, not -y")


def test_one_who_lies_on_the_back_does_not_face_where_the_top_of_the_head_points(tmp_path: Path) -> None:
    laid: dict[str, list[Box]] = {
        name: [((x, z, -y), (w, h, d)) for (x, y, z), (w, d, h) in boxes] for name, boxes in LYING.items()
    }
    assert told(tmp_path / "a.glb", laid, "-y")[1] == told(tmp_path / "b.glb", laid, "+x")[1] == ()


def test_features_of_a_mesh_are_its_materials_and_its_parts() -> None:
    vertices = np.zeros((3, 3), np.float32)
    faces = np.array([[0, 1, 2]] * 4, np.int32)
    materials = (Material(name="Skin"), Material(name="Pupil2"))
    mesh = Mesh(vertices, faces, materials, np.array([0, 1, 0, 0], np.int32))
    found = features_of(mesh, (("Body",), ("Jaw", "UpperTeeth")), np.array([0, 0, 0, 1], np.int32))
    assert {kind: chosen.tolist() for kind, chosen in found.items()} == {
        "face or eyes": [False, True, False, False],
        "mouth or nose": [False, False, False, True],
    }


def test_what_a_face_shows_settles_what_sides_and_the_tail_of_a_scarf_leave_unsure(tmp_path: Path) -> None:
    snowman: dict[str, list[Box]] = {"Body": [TRUNK, HEAD], "Eyes": EYES, "Nose": [((0, -0.3, 1.65), (0.1, 0.2, 0.1))]}
    scarf = viewed(JOINTS) | {"ScarfTail": (0.1, -0.4, 1.2)}
    for front in AXES[:4]:
        faces, said = told(tmp_path / "a.glb", snowman, front, scarf)
        assert faces == "-y"
        assert [line.split(", not")[0] for line in said] == (
            [] if front == "-y" else [f"a.glb faces {front} by the details of its face"]
        )
