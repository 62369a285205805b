"""A character that nobody coloured is said, with the image that may have been meant; one that somebody did is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.colour import (
    blackened,
    images_by_name,
    opaque_glass,
    plain_materials,
    plain_picture,
    see_through,
)
from specsia_build.characters.read import read_character
from specsia_build.cli.main import main
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from specsia_build.stages.first_view import surveyed
from tests.characters.gltf.writer import GltfWriter

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/2\nf 1/1 4/2 2/3\nf 2/1 3/2 4/3\n"


def write_image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (200, 30, 30)).save(path)
    return path


def write_obj(path: Path, material: str = "", faces: str = FACES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    use = ""
    if material:
        path.with_name("colours.mtl").write_text(material)
        use = "mtllib colours.mtl\nusemtl skin\n"
    path.write_text(TETRAHEDRON + use + faces)
    return path


def plain_warnings(path: Path, kind: str = "obj", root: Path | None = None) -> list[str]:
    character = read_character(Entry("hero", kind, path, up="+y", front="-y", root=root))
    return [sentence for sentence in character.warnings if "plain grey" in sentence]


@pytest.mark.parametrize("place", ["hero.png", "textures/Hero_diffuse.png", "../textures/hero.jpg", "../Maps/HERO.png"])
def test_an_image_that_is_called_like_the_character_is_offered(tmp_path: Path, place: str) -> None:
    mesh = write_obj(tmp_path / "meshes" / "hero.obj", "newmtl skin\nKd 0.8 0.8 0.8\n")
    image = write_image(tmp_path / "meshes" / place)
    relative = image.resolve().relative_to(tmp_path)
    if place == "hero.png":
        # Where a library colours the file, nothing stands in for it.
        assert images_by_name(mesh, ()) == (image,)
    (warning,) = plain_warnings(mesh, root=tmp_path)
    assert warning == (
        "hero.obj is one plain grey: material 'skin' has no image and no colour (it names no image); "
        f'"texture": "{relative}" in its manifest line would colour it'
    )
    (tmp_path / "m.jsonl").write_text(
        json.dumps({"id": "hero", "path": "meshes/hero.obj", "texture": relative.as_posix()})
    )
    told = CliRunner().invoke(main, ["characters", str(tmp_path / "m.jsonl")]).output
    assert "4x4" in told
    assert "plain grey" not in told


def test_images_that_are_called_like_several_materials_are_told_as_theirs(tmp_path: Path) -> None:
    grey = "Kd 0.8 0.8 0.8\n"
    faces = FACES.replace("f 2/1", "usemtl PROPS_MAT\nf 2/1")
    mesh = write_obj(tmp_path / "Character.obj", f"newmtl skin\n{grey}newmtl PROPS_MAT\n{grey}", faces)
    for name in ("Color Maps/SKIN_CM", "Color Maps/props_CM", "Normal Maps/SKIN_NM", "Color Maps/SKIN_NM", "Old/skin"):
        write_image(tmp_path / f"{name}.png")
    (warning,) = plain_warnings(mesh)
    assert warning == (
        "Character.obj is one plain grey: materials 'skin', 'PROPS_MAT' have no image and no colour (it names no "
        "image), but images near it are called like its materials (\"Color Maps/SKIN_CM.png\" like 'skin', "
        '"Color Maps/props_CM.png" like \'PROPS_MAT\'): a "texture" would colour all alike, so give each its own '
        "where they were made"
    )


def test_what_was_looked_for_is_said_where_nothing_fits(tmp_path: Path) -> None:
    mesh = write_obj(tmp_path / "hero.obj", "newmtl skin\nmap_Kd gone.png\n")
    write_image(tmp_path / "hero_normal.png")
    write_image(tmp_path / "villain.png")
    (warning,) = plain_warnings(mesh)
    assert "(looked for gone.png" in warning
    assert "none near it is called like it" in warning


def test_without_texture_coordinates_no_image_is_offered(tmp_path: Path) -> None:
    write_image(tmp_path / "textures" / "hero.png")
    mesh = write_obj(tmp_path / "hero.obj", faces="f 1 2 3\nf 1 3 4\nf 1 4 2\n")
    (warning,) = plain_warnings(mesh)
    assert "without texture coordinates no image can colour it" in warning
    assert "hero.png" not in warning


def test_a_glb_and_a_ply_are_told_alike(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.mesh_node(writer.primitive([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [0, 1, 2]))
    assert len(plain_warnings(writer.write_glb(tmp_path / "hero.glb"), "gltf")) == 1
    (tmp_path / "hero.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n3 0 0\n0 2 1\n3 0 1 2\n"
    )
    assert len(plain_warnings(tmp_path / "hero.ply", "ply")) == 1


def mesh_of(*materials: Material, colors: np.ndarray | None = None) -> Mesh:
    count = len(materials)
    return Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32),
        faces=np.tile(np.array([0, 1, 2], np.int32), (count, 1)),
        materials=materials,
        face_material=np.arange(count, dtype=np.int32),
        colors=colors,
    )


def grey(level: float, **more: object) -> Material:
    return replace(Material("skin", (level, level, level, 1.0)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "mesh",
    [
        mesh_of(grey(0.8)),
        mesh_of(grey(1.0), replace(grey(1.0), name="skin")),
        mesh_of(grey(0.8), colors=np.full((1, 3, 4), 0.9, np.float32)),
        mesh_of(grey(0.214)),
        mesh_of(grey(0.8), replace(grey(1.0), name="skin")),
    ],
)
def test_one_default_grey_is_plain(mesh: Mesh) -> None:
    assert plain_materials(mesh) == ("skin",)


@pytest.mark.parametrize(
    "mesh",
    [
        mesh_of(grey(0.8), grey(0.02)),
        mesh_of(Material("slime", (0.8, 0.1, 0.1, 1.0))),
        mesh_of(grey(0.8, texture=Texture(np.full((1, 1, 4), 200, np.uint8)))),
        mesh_of(grey(0.8, emissive=(0.2, 0.0, 0.0))),
        mesh_of(grey(0.8), colors=np.linspace(0.2, 1, 12, dtype=np.float32).reshape(1, 3, 4)),
        mesh_of(grey(0.03)),
    ],
    ids=["shades", "colour", "texture", "glow", "vertex colours", "dark"],
)
def test_what_somebody_coloured_is_not(mesh: Mesh) -> None:
    assert plain_materials(mesh) is None


@pytest.mark.parametrize(("share", "plain"), [(0.01, ("skin",)), (0.05, None)])
def test_colours_of_vertices_count_by_the_surface_that_has_them(share: float, plain: tuple[str, ...] | None) -> None:
    """Two triangles of one base line, of which the dark one has that share of their area, and as many corners."""
    white = mesh_of(grey(0.8), colors=np.ones((1, 3, 4), np.float32))
    height = 2 * share / (1 - share)
    dark = replace(
        white,
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 0, -height]], np.float32),
        colors=np.zeros((1, 3, 4), np.float32),
    )
    light = replace(white, vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 0, 2]], np.float32))
    assert plain_materials(concatenate([light, dark])) == plain


def test_a_plain_picture_is_told_from_one_with_a_second_shade() -> None:
    coverage = np.zeros((64, 64), np.uint8)
    coverage[8:56, 8:56] = 255
    color = np.full((64, 64, 4), 203, np.uint8)
    color[0, 0] = (255, 0, 0, 0)
    assert plain_picture(color, coverage) == "grey of 203"
    eyes = color.copy()
    eyes[20:28, 20:32, :3] = 20
    assert plain_picture(eyes, coverage) is None
    rosy = color.copy()
    rosy[..., 0] = 230
    assert plain_picture(rosy, coverage) == "colour, #e6cbcb,"
    rosy[20:28, 20:32, :3] = (230, 160, 160)
    assert plain_picture(rosy, coverage) is None
    assert plain_picture(color, np.zeros((64, 64), np.uint8)) is None


@pytest.mark.parametrize(("second", "plain"), [("0.4 0.1 0.1", False), ("0.9 0.6 0.6", True)])
def test_a_pig_whose_hooves_another_view_shows_is_not_told_to_be_plain(
    tmp_path: Path, second: str, plain: bool
) -> None:
    """Two colours without an image were chosen; one colour under two names says nothing."""
    materials = f"newmtl skin\nKd 0.9 0.6 0.6\nnewmtl hoof\nKd {second}\n"
    write_obj(tmp_path / "in" / "pig.obj", materials, FACES.replace("f 2/1", "usemtl hoof\nf 2/1"))
    entry = Entry("pig", "obj", tmp_path / "in" / "pig.obj", up="+z", front="-y")
    facts, _ = surveyed(entry, pictured=False)
    assert any("shows a plain colour" in sentence for sentence in facts.warnings) == plain


def test_a_build_names_the_picture_of_a_plain_result(tmp_path: Path) -> None:
    """A grey image passes for a texture; what comes of it is looked at too."""
    mesh = write_obj(tmp_path / "in" / "hero.obj", "newmtl skin\nmap_Kd hero.png\n")
    Image.new("RGB", (4, 4), (203, 203, 203)).save(mesh.with_suffix(".png"))
    flags = ["--views", "2", "--size", "64", "--stage", "render", "--workers", "1"]
    ran = CliRunner().invoke(main, ["build", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *flags])
    assert "  warnings  hero: gt_00.png shows a plain grey of 203 and nothing else" in ran.stderr


@pytest.mark.parametrize(("colour", "said"), [((203, 203, 203), "grey of 203"), ((200, 60, 20), "colour, #c83c14,")])
def test_characters_are_told_to_show_one_plain_colour(tmp_path: Path, colour: tuple[int, int, int], said: str) -> None:
    mesh = write_obj(tmp_path / "in" / "hero.obj", "newmtl skin\nmap_Kd hero.png\n")
    Image.new("RGB", (4, 4), colour).save(mesh.with_suffix(".png"))
    ran = CliRunner().invoke(main, ["characters", str(tmp_path / "in"), "--workers", "1"])
    assert ran.exit_code == 0
    assert f"hero.obj shows a plain {said} in view 0 and nothing else" in ran.output


@pytest.mark.parametrize(("opacity", "said"), [(0.2, True), (0.8, False)])
def test_a_character_as_faint_as_glass_is_said(tmp_path: Path, opacity: float, said: bool) -> None:
    write_obj(tmp_path / "hero.obj", f"newmtl skin\nKd 0.1 0.5 0.1\nd {opacity}\n")
    character = read_character(Entry("hero", "obj", tmp_path / "hero.obj", up="+y", front="-y"))
    assert any("hero.obj is mostly see-through: its material 'skin'" in one for one in character.warnings) == said


@pytest.mark.parametrize(
    ("mode", "alpha", "said"),
    [("blend", 25, "an opacity of 10% by its image"), ("blend", 200, ""), ("mask", 25, "an opacity of 0%")],
)
def test_a_character_whose_image_hides_it_is_said(mode: Literal["blend", "mask"], alpha: int, said: str) -> None:
    """Some programs keep another map, as of smoothness, where a texture has its opacity."""
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = alpha
    mesh = mesh_of(Material("skin", texture=Texture(pixels), alpha_mode=mode))
    mesh = replace(mesh, uv=np.full((1, 3, 2), 0.5, np.float32))
    found = " ".join(one.warning for one in see_through(Entry("a", "gltf", Path("a.glb")), mesh))
    assert bool(found) == bool(said)
    assert not said or f"a.glb is mostly see-through: its material 'skin' has {said}" in found


def test_a_character_whose_vertices_hide_it_is_said() -> None:
    mesh = replace(mesh_of(Material("skin", alpha_mode="blend")), colors=np.full((1, 3, 4), 0.1, np.float32))
    (found,) = see_through(Entry("a", "gltf", Path("a.glb")), mesh)
    assert "its material 'skin' has an opacity of 10% by colours of vertices" in found.warning


@pytest.mark.parametrize(
    ("factor", "vertices", "image", "glow", "said"),
    [
        (0.0, 1.0, 200, 0.0, "make its base colour white"),
        (1.0, 0.0, 200, 0.0, "make the colours of its vertices white"),
        (0.1, 1.0, 200, 0.0, ""),
        (0.0, 1.0, 20, 0.0, ""),
        (0.0, 1.0, 200, 1.0, ""),
    ],
)
def test_an_image_that_is_multiplied_by_black_is_said(
    factor: float, vertices: float, image: int, glow: float, said: str
) -> None:
    texture = Texture(np.full((4, 4, 4), image, np.uint8))
    mesh = mesh_of(Material("skin", (factor, factor, factor, 1.0), texture=texture, emissive=(glow, glow, glow)))
    colors = np.full((1, 3, 4), vertices, np.float32)
    mesh = replace(mesh, uv=np.full((1, 3, 2), 0.5, np.float32), colors=colors)
    found = " ".join(one.warning for one in blackened(Entry("a", "gltf", Path("a.glb")), mesh))
    assert bool(found) == bool(said)
    assert said in found


def test_a_net_that_is_repeated_over_a_surface_makes_no_character_faint() -> None:
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[1:, 1:, 3] = 0
    net = mesh_of(Material("net", texture=Texture(pixels), alpha_mode="mask"))
    net = replace(net, uv=np.array([[[0.5, 0.5], [30.5, 0.5], [0.5, 30.5]]], np.float32))
    assert see_through(Entry("a", "gltf", Path("a.glb")), net) == ()


def test_cards_of_hair_make_no_character_faint() -> None:
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[:3, :, 3] = 0
    mesh = mesh_of(*(Material("hair", texture=Texture(pixels), alpha_mode="mask") for _ in range(4)))
    uv = np.array([[[0.5, row / 4 + 0.1]] * 3 for row in range(4)], np.float32)
    mesh = replace(mesh, uv=uv, materials=mesh.materials[:1], face_material=np.zeros(4, np.int32))
    assert see_through(Entry("a", "gltf", Path("a.glb")), mesh) == ()


def test_a_shell_that_nobody_sees_makes_no_character_faint() -> None:
    def said(opacity: float, shell: float) -> tuple[str, ...]:
        skin, around = (Material("m", (0.2, 0.6, 0.2, a), alpha_mode="blend") for a in (opacity, shell))
        body = mesh_of(skin)
        box = replace(mesh_of(around), vertices=body.vertices * 3)
        return tuple(one.warning for one in see_through(Entry("a", "gltf", Path("a.glb")), concatenate([body, box])))

    assert said(1.0, 0.0) == ()
    assert "has an opacity of 20%" in said(1.0, 0.2)[0]
    assert "has an opacity of 20%" in said(0.2, 0.0)[0]


def test_glass_that_hides_what_it_should_show_is_said() -> None:
    def said(name: str, mode: Literal["opaque", "blend"], size: float) -> tuple[str, ...]:
        skin, glass = Material("skin", (0.2, 0.6, 0.2, 1.0)), Material(name, (0.8, 0.8, 0.8, 1.0), alpha_mode=mode)
        body, around = mesh_of(skin), mesh_of(glass)
        whole = concatenate(
            [body, replace(around, vertices=around.vertices * size - np.array([0, 0.2, 0], np.float32))]
        )
        return tuple(one.warning for one in opaque_glass(Entry("a", "fbx", Path("a.fbx")), whole))

    assert "a.fbx: the material 'Glass.001' is opaque in the file and hides what" in said("Glass.001", "opaque", 3)[0]
    assert said("Glass", "blend", 3) == said("Glasses", "opaque", 3) == said("Glass", "opaque", 0.1) == ()
