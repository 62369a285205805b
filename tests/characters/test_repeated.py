"""Vertex colours beside a texture: left out where they repeat it, kept where they tint it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.obj import read_obj
from specsia_build.characters.ply import read_ply
from specsia_build.characters.read import read_character
from specsia_build.rendering.mesh import Material

LEVELS = ((200, 40, 40), (40, 120, 60), (60, 60, 180), (120, 100, 20))
PLACES = ((0, 0), (1, 0), (1, 1), (0, 1))


def square(folder: Path, kind: str, levels: tuple[tuple[int, int, int], ...]) -> RawMesh:
    """A square of four colours by its image, and of `levels` by its corners."""
    pixels = np.array([[LEVELS[3], LEVELS[2]], [LEVELS[0], LEVELS[1]]], np.uint8)
    Image.fromarray(pixels).save(folder / "skin.png")
    path = folder / f"hero.{kind}"
    if kind == "obj":
        (folder / "hero.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
        lines = ["mtllib hero.mtl", "usemtl skin"]
        lines += [f"v {x} {y} 0 {r} {g} {b}" for (x, y), (r, g, b) in zip(PLACES, levels, strict=True)]
        lines += [f"vt {0.1 + 0.8 * x} {0.1 + 0.8 * y}" for x, y in PLACES]
        path.write_text("\n".join([*lines, "f 1/1 2/2 3/3 4/4", ""]))
        return read_obj(path)
    names = ("float x", "float y", "float z", "float s", "float t", "uchar red", "uchar green", "uchar blue")
    head = ["ply", "format ascii 1.0", "comment TextureFile skin.png", "element vertex 4"]
    head += [*(f"property {name}" for name in names), "element face 1", "property list uchar int vertex_indices"]
    rows = [
        f"{x} {y} 0 {0.1 + 0.8 * x} {0.1 + 0.8 * y} {r} {g} {b}"
        for (x, y), (r, g, b) in zip(PLACES, levels, strict=True)
    ]
    path.write_text("\n".join([*head, "end_header", *rows, "4 0 1 2 3", ""]))
    return read_ply(path)


@pytest.mark.parametrize("kind", ["obj", "ply"])
@pytest.mark.parametrize("levels", [LEVELS, ((0, 0, 0),) * 4, ((192, 192, 192),) * 4])
def test_colours_that_repeat_the_texture_or_are_one_grey_are_left_out(
    tmp_path: Path, kind: str, levels: tuple[tuple[int, int, int], ...]
) -> None:
    """Scanners and MeshLab write grey where they have no colours of vertices."""
    raw = square(tmp_path, kind, levels)
    assert raw.mesh.colors is not None
    assert (raw.mesh.colors == 1.0).all()
    assert len(raw.warnings) == 1


@pytest.mark.parametrize("kind", ["obj", "ply"])
@pytest.mark.parametrize("levels", [((255, 255, 255),) * 4, ((255, 128, 128),) * 4])
def test_colours_of_their_own_are_kept(tmp_path: Path, kind: str, levels: tuple[tuple[int, int, int], ...]) -> None:
    raw = square(tmp_path, kind, levels)
    assert raw.mesh.colors is not None
    assert raw.mesh.colors[0, 0, 0] == 1.0
    assert (raw.mesh.colors[..., 1] < 1.0).all() == (levels[0][1] < 255)
    assert raw.warnings == ()


def lit_square(folder: Path, library: str) -> Material:
    """The material of a square with two images, `skin.png` and `lamp.png`, read as a character's."""
    square(folder, "obj", ((255, 255, 255),) * 4)
    Image.new("RGB", (2, 2), (40, 40, 0)).save(folder / "lamp.png")
    (folder / "hero.mtl").write_text(f"newmtl skin\n{library}\n")
    (material,) = read_character(Entry("hero", "obj", folder / "hero.obj")).mesh.materials
    return material


def test_light_that_is_the_image_again_is_shown_once_and_another_added(tmp_path: Path) -> None:
    material = lit_square(tmp_path, "map_Kd skin.png\nmap_Ke skin.png")
    assert material.texture is not None
    assert (material.emissive_texture, material.emissive) == (None, (0.0, 0.0, 0.0))
    assert (material.base_color, material.unlit) == ((1.0, 1.0, 1.0, 1.0), True)
    material = lit_square(tmp_path, "map_Kd skin.png\nmap_Ke lamp.png")
    assert material.emissive_texture is not material.texture is not None
    assert (material.emissive, material.unlit) == ((1.0, 1.0, 1.0), False)
