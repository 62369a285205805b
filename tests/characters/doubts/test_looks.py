"""A view 0 of one colour, hulls and lost backs are told, with what would mend them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Character, Entry
from specsia_build.characters.doubts.looks import plain_colour
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts
from specsia_build.frame import Camera, normalise
from specsia_build.pipeline.survey import surveyed
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, concatenate
from tests.characters.gltf.writer import GltfWriter
from tests.rendering.scenes import RED, box, cape, inside_out, sphere

TETRAHEDRON = (
    "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
    "usemtl skin\nf 1/1 2/2 3/3\nf 1/1 3/3 4/2\nf 1/1 4/2 2/3\nf 2/1 3/2 4/3\n"
)


def facts(folder: Path, mtl: str = "", text: str = TETRAHEDRON) -> CharacterFacts:
    (folder / "a.mtl").write_text(f"newmtl skin\n{mtl}\n")
    (folder / "hero.obj").write_text(("mtllib a.mtl\n" if mtl else "") + text)
    return surveyed(Entry("hero", "obj", folder / "hero.obj", sides="both"), pictured=False)[0]


@pytest.mark.parametrize("mtl", ["", "Kd 1 1 1", "Kd 0.2 0.8 0.1"], ids=["no material", "white", "one green"])
def test_one_colour_without_an_image_is_told(tmp_path: Path, mtl: str) -> None:
    found = facts(tmp_path, mtl)
    assert [fix for fix in found.fixes if fix.key == "texture"] == []
    assert sum("one plain" in warning for warning in found.warnings) == 1


@pytest.mark.parametrize("name", ["Hero_diffuse.png", "textures/hero.png"])
def test_an_image_of_its_name_is_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), (200, 60, 20)).save(tmp_path / name)
    Image.new("RGB", (8, 8)).save(tmp_path / "ground.png")
    found = facts(tmp_path, "Kd 0.8 0.8 0.8")
    assert [(fix.key, fix.value) for fix in found.fixes if fix.key == "texture"] == [("texture", name)]


def test_a_plain_picture_is_one_of_covered_pixels_alone() -> None:
    color, coverage = np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20), np.uint8)
    assert plain_colour(color, coverage) is None
    color[5:15, 5:15], coverage[5:15, 5:15] = (203, 203, 203, 255), 255
    assert plain_colour(color, coverage) == "grey of 203"
    color[5:15, 5:15, 0] = 90
    assert plain_colour(color, coverage) == "colour, #5acbcb,"
    color[5:8, 5:15] = 0
    assert plain_colour(color, coverage) is None


SIZE = 64


def figure(more: float = 0.0) -> Mesh:
    """A head on a trunk and two legs, Z up, each thicker by so much on all sides."""
    legs = [box((x, 0, -0.3), (0.06 + more, 0.06 + more, 0.2 + more)) for x in (0.1, -0.1)]
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


def read(path: Path, sides: str | None = None) -> Character:
    return read_character(Entry("a", "gltf", path, sides=sides))


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
def test_an_outline_hull_is_a_rim(tmp_path: Path, said: bool, thickness: float) -> None:
    hull = inside_out(figure(thickness))
    # A hull may lack its flag, as in formats that have no sides.
    path = written(tmp_path / "a.glb", ("skin", figure(), RED, True), ("Outline", hull, BLACK, said))
    drawn, left = read(path), read(path, sides="both")
    assert seen(drawn)[1] > 0.8
    assert seen(left)[1] < 0.1
    new = set(drawn.warnings) - set(left.warnings)
    assert len(new) == int(said)
    assert all("'Outline'" in warning and '"sides": "both"' in warning for warning in new)
    assert [m.double_sided for m in drawn.mesh.materials if m.name == "skin"] == [True]


def test_a_figure_turned_inside_out_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.glb", ("skin", inside_out(figure()), RED, False))
    (warning,) = read(path).warnings
    assert "wound inwards" in warning
    assert '"sides": "both" in its manifest line' in warning
    assert read(path, sides="both").warnings == ()
    # Double-sided, it looks as it should.
    assert read(written(tmp_path / "b.glb", ("skin", inside_out(figure()), RED, True))).warnings == ()


def test_a_cape_that_vanishes_from_behind_is_said(tmp_path: Path) -> None:
    cloth = cape(figure().materials[0])
    path = written(tmp_path / "a.glb", ("skin", figure(), RED, True), ("cape", inside_out(cloth), BLACK, False))
    (warning,) = read(path).warnings
    assert "backs of single-sided faces would be" in warning
    assert "wound inwards" not in warning
    assert read(path, sides="both").warnings == ()
