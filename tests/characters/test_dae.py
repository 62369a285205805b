"""COLLADA files, by hand and by trimesh: places, skins, materials, UVs, damage."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose
from PIL import Image

from specsia_build.animation.motion import Poses
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.gltf.converted import read_converted
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError
from tests.characters.dae import MOTIONS, PLAIN, SKINNED, SQUARE, WHITE, square

QUARTER = "<transparency><float>0.25</float></transparency>"


def read(folder: Path, text: str, *, moving: bool = False) -> RawMesh:
    (folder / "hero.dae").write_text(text)
    Image.new("RGB", (2, 2), "red").save(folder / "paint file.png")
    return read_converted(Entry("a", "dae", folder / "hero.dae"), moving=moving)


@pytest.mark.parametrize(
    ("up", "rows"),
    [
        ("Y_UP", ((1, 0, 0), (0, 0, -1), (0, 1, 0))),
        ("Z_UP", ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        ("X_UP", ((0, -1, 0), (0, 0, -1), (1, 0, 0))),
    ],
)
def test_axes_and_units(tmp_path: Path, up: str, rows: tuple[tuple[int, ...], ...]) -> None:
    raw = read(tmp_path, square(up=up, unit="0.01"))
    assert_allclose(raw.mesh.vertices, 0.01 * np.add(SQUARE, (0, 0, 3)) @ np.array(rows).T, atol=1e-7)
    assert len(raw.mesh.faces) == 2 and (raw.up, raw.front) == ("+z", "-y")


def test_skin_rests_as_bound(tmp_path: Path) -> None:
    """Neither its node moves a skin, nor the pose of its joints in the file; one vertex has no weight."""
    raw = read(tmp_path, square(SKINNED), moving=True)
    assert_allclose(raw.mesh.vertices, [(1, 0, 0), (2, 0, 0), (2, 0, 2), (1, 0, 2)], atol=1e-6)
    assert raw.skinned and raw.moving is not None
    assert_allclose(dict(raw.landmarks)["high"], (0, 0, 2), atol=1e-6)
    rig = raw.moving.rig
    worlds = rig.skeleton.rest_worlds.copy()
    worlds[rig.skeleton.names.index("high"), 2, 3] += 1
    moved = rig.vertices(Poses(worlds[None], {}), 0)
    assert_allclose(moved, [(1, 0, 0), (2, 0, 0), (2, -1, 2), (1, -0.5, 2)], atol=1e-6)


def test_a_part_of_a_library_is_shown_again(tmp_path: Path) -> None:
    """As SketchUp writes the instances of a component."""
    geometry = '<instance_geometry url="#g"/>'
    library = f'<library_nodes><node id="part">{geometry}</node></library_nodes>'
    moved = '<node><translate>4 0 0</translate><instance_node url="#part"/></node>'
    raw = read(tmp_path, square('<instance_node url="#part"/>' + moved, motions=library))
    assert_allclose(raw.mesh.bounds(), [(0, -3, 0), (5, -3, 2)])


def test_texture_by_its_own_uvs(tmp_path: Path) -> None:
    raw = read(tmp_path, square(image="file:///C:/paint%20file.png"))
    (material,) = raw.mesh.materials
    assert material.name == "cloth" and material.texture is not None
    assert tuple(material.texture.pixels[0, 0]) == (255, 0, 0, 255)
    assert raw.mesh.uv is not None
    corners = raw.mesh.vertices[raw.mesh.faces][..., [0, 2]] / (1, 2)
    assert_allclose(raw.mesh.uv, corners * (1, -1) + (0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("look", "opacity"),
    [
        (WHITE, 1.0),
        (WHITE + '<transparent opaque="A_ONE"><color>1 1 1 0.5</color></transparent>', 0.5),
        (WHITE + "<transparent><color>0 0 0 1</color></transparent>" + QUARTER, 0.25),
        (WHITE + '<transparent opaque="RGB_ZERO"><color>1 1 1 1</color></transparent>' + QUARTER, 0.75),
        (WHITE + "<transparent><color>0 0 0 0</color></transparent>", 1.0),
    ],
)
def test_opacity(tmp_path: Path, look: str, opacity: float) -> None:
    (material,) = read(tmp_path, square(look=look)).mesh.materials
    assert material.base_color[3] == pytest.approx(opacity)


def test_colours_are_those_of_a_display(tmp_path: Path) -> None:
    """A colour of a material, or of vertices under a white one."""
    half = "0.5 0.5 1 1"
    stated = read(tmp_path, square(look=f"<diffuse><color>{half}</color></diffuse>", colour="1 0 0 1"))
    assert_allclose(stated.mesh.materials[0].base_color, (0.214, 0.214, 1, 1), atol=1e-3)
    assert stated.mesh.colors is None
    bare = read(tmp_path, square(look=WHITE, colour="0.5 0.5 1 0.5")).mesh
    assert bare.colors is not None and bare.materials[0].alpha_mode == "opaque"
    assert_allclose(bare.colors, np.broadcast_to((0.214, 0.214, 1, 0.5), bare.colors.shape), atol=1e-3)
    glow = read(tmp_path, square(look=f"<emission><color>{half}</color></emission>"))
    assert_allclose(glow.mesh.materials[0].emissive, (0.214, 0.214, 1), atol=1e-3)
    assert_allclose(glow.mesh.materials[0].base_color, (0.6, 0.6, 0.6, 1))


def test_file_of_another_program(tmp_path: Path) -> None:
    """Trimesh, whose files pycollada writes, and a box that it writes as OBJ, too."""
    box = trimesh.creation.box((1, 2, 3))
    (tmp_path / "box.dae").write_bytes(trimesh.exchange.dae.export_collada(box))
    box.export(tmp_path / "box.obj")
    places = [
        read_character(Entry("a", kind, tmp_path / f"box.{kind}", up="own", front="own")).mesh
        for kind in ("dae", "obj")
    ]
    corners = [np.unique(mesh.vertices[mesh.faces].reshape(-1, 9).round(5), axis=0) for mesh in places]
    assert len(corners[0]) == 12
    assert_allclose(corners[0], corners[1])


def test_motions_are_named(tmp_path: Path) -> None:
    warnings = read(tmp_path, square(SKINNED, WHITE, motions=MOTIONS)).warnings
    assert [warning.code for warning in warnings] == ["not-read"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "XML Parsing Error"),
        (square()[:900], "XML Parsing Error"),
        (square().replace("<scene>", "<!--").replace("</scene>", "-->"), "it has no scene"),
        (square(SKINNED, arm="wing"), "a skin names the joint 'wing'"),
        (
            square().replace("?>", '?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>', 1),
            "document type",
        ),
        ("<a><b/></a>", "has no scene|is damaged"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(
        CharacterError, match=rf"^hero\.dae could not be read \([^\n]*{problem}[^\n]*: export"
    ):
        read(tmp_path, text)


def test_what_is_lost_is_named(tmp_path: Path) -> None:
    """What is not there is left out with a warning: an image with its material, a geometry as a whole."""
    raw = read(tmp_path, square().replace('<image id="i">', '<image id="other">'))
    assert len(raw.mesh.faces) == 2 and [warning.code for warning in raw.warnings] == ["not-read"]
    lost = '<instance_geometry url="#none"/>'
    raw = read(tmp_path, square(PLAIN + lost, WHITE))
    assert len(raw.mesh.faces) == 2 and [warning.code for warning in raw.warnings] == ["not-read"]
    with pytest.raises(CharacterError, match=r"^hero\.dae could not be read \(.*none"):
        read(tmp_path, square(lost, WHITE))
