"""A picture that bears a model's name is taken for its texture, and doubted where it looks like one of the model."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.obj.read import read_obj
from specsia_build.characters.ply.read import read_ply
from tests.listings import noted_listings

SIDE = 8


def corners(low: float, high: float) -> list[tuple[float, float, float, float]]:
    """x, z, u and v of a square wall's grid points, whose UV go from low to high."""
    steps = np.linspace(0, 1, SIDE + 1)
    return [(x, z, low + x * (high - low), low + z * (high - low)) for z in steps for x in steps]


def quads() -> list[tuple[int, int, int, int]]:
    row = SIDE + 1
    return [(k, k + 1, k + row + 1, k + row) for z in range(SIDE) for k in range(z * row, z * row + SIDE)]


def write_obj(path: Path, low: float, high: float, more: str = "") -> Path:
    lines = [f"v {x} 0 {z}\nvt {u} {v}" for x, z, u, v in corners(low, high)]
    faces = ["f " + " ".join(f"{k + 1}/{k + 1}" for k in quad) for quad in quads()]
    path.write_text("\n".join([more, *lines, *faces, ""]))
    return path


def write_ply(path: Path, low: float, high: float, more: str = "") -> Path:
    found = corners(low, high)
    names = "".join(f"property float {name}\n" for name in ("x", "y", "z", "s", "t"))
    head = f"ply\nformat ascii 1.0\n{more}element vertex {len(found)}\n{names}element face {len(quads())}\n"
    points = [f"{x} 0 {z} {u} {v}" for x, z, u, v in found]
    faces = ["4 " + " ".join(map(str, quad)) for quad in quads()]
    path.write_text("\n".join([f"{head}property list uchar int vertex_indices\nend_header", *points, *faces, ""]))
    return path


def picture(ground: tuple[int, ...], shown: tuple[int, ...] = (200, 40, 40, 255)) -> Image.Image:
    """A square of a quarter of the area on a plain ground."""
    pixels = np.full((SIDE, SIDE, 4), ground, np.uint8)
    pixels[2:6, 2:6] = shown
    return Image.fromarray(pixels)


def doubts(path: Path) -> list[str]:
    read = read_obj if path.suffix == ".obj" else read_ply
    return [one for one in read(path).warnings if "by its name" in one]


@pytest.mark.parametrize("ground", [(255, 255, 255, 255), (0, 0, 0, 255), (90, 90, 200, 0)])
def test_a_picture_of_the_model_is_doubted(ground: tuple[int, ...], tmp_path: Path) -> None:
    picture(ground).save(tmp_path / "cow.png")
    for path in (write_obj(tmp_path / "cow.obj", 0, 1), write_ply(tmp_path / "cow.ply", 0, 1)):
        (said,) = doubts(path)
        assert said.startswith(
            "cow.png is taken for the texture by its name, but 75% of the surface falls on the plain"
        )


def test_a_texture_is_not(tmp_path: Path) -> None:
    # Its surface keeps to what is painted.
    picture((255, 255, 255, 255)).save(tmp_path / "in.png")
    assert not doubts(write_obj(tmp_path / "in.obj", 0.25, 0.75))
    # The ground is a colour of the character, or nothing but it is there.
    picture((30, 120, 60, 255)).save(tmp_path / "green.png")
    assert not doubts(write_obj(tmp_path / "green.obj", 0, 1))
    picture((255, 255, 255, 255), (255, 255, 255, 255)).save(tmp_path / "snow.png")
    assert not doubts(write_obj(tmp_path / "snow.obj", 0, 1))
    framed = np.asarray(picture((255, 255, 255, 255))).copy()
    framed[0, 3] = (10, 20, 30, 255)
    Image.fromarray(framed).save(tmp_path / "busy.png")
    assert not doubts(write_obj(tmp_path / "busy.obj", 0, 1))


def test_what_the_file_itself_names_is_not(tmp_path: Path) -> None:
    picture((255, 255, 255, 255)).save(tmp_path / "cow.png")
    (tmp_path / "cow.mtl").write_text("newmtl skin\nmap_Kd cow.png\n")
    assert not doubts(write_obj(tmp_path / "cow.obj", 0, 1, "mtllib cow.mtl\nusemtl skin"))


def test_a_picture_in_place_of_a_texture_that_is_missing_is_doubted(tmp_path: Path) -> None:
    picture((255, 255, 255, 255)).save(tmp_path / "cow.png")
    path = write_ply(tmp_path / "cow.ply", 0, 1, "comment TextureFile hide.png\n")
    assert len(doubts(path)) == 1
    Image.new("RGB", (2, 2)).save(tmp_path / "hide.png")
    assert not doubts(path)


def test_a_folder_of_many_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_ply(tmp_path / f"{index}.ply", 0, 1) for index in range(20)]
    os.utime(tmp_path, (1, 1))
    listed = noted_listings(monkeypatch)
    for path in paths:
        read_ply(path)
    assert listed.count(tmp_path) == 1
