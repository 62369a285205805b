"""OBJ files: all face syntaxes, materials as exporters write them, misplaced textures, polygons."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.obj import read_obj
from specsia_build.characters.polygons import triangulate
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Texture

pytestmark = pytest.mark.filterwarnings("error")

POINTS = "v 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 1 0\n"
SQUARE = POINTS + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
TRIANGLES = SQUARE + "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def read(folder: Path, text: str | bytes, name: str = "hero.obj", drop: tuple[str, ...] = ()) -> RawMesh:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_obj(Entry("a", "obj", path, drop=drop))


def paint(path: Path, colour: tuple[int, ...], size: tuple[int, int] = (2, 2)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(path)
    return path


def colour_of(raw: RawMesh, material: int = 0) -> list[int]:
    texture = raw.mesh.materials[material].texture
    assert isinstance(texture, Texture)
    pixel: list[int] = texture.pixels[0, 0, :3].tolist()
    return pixel


FACES = {
    "plain": "f 1 2 3\nf 1 3 4\n",
    "uv": "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n",
    "normals": "f 1//1 2//1 3//1\nf 1//1 3//1 4//1\n",
    "all": "f 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n",
    "negative": "f -4/-4/-1 -3/-3/-1 -2/-2/-1\nf -4/-4/-1 -2/-2/-1 -1/-1/-1\n",
    "mixed": "f 1 2/2 3//1\nf 1/1/1 3 4/4\n",
    "open": "f 1/ 2/ 3/\nf 1// 3// 4//\n",
    "spaces": "f   1\t2  3  \n  f 1 3 4 # back\n",
    "windows": "f 1 2 3\r\nf 1 3 4\r\n",
    "old mac": "f 1 2 3\rf 1 3 4",
    "no newline": "f 1 2 3\nf 1 3 4",
    "many digits": f"f {1:018} 2 3\nf 1 3 4\n",
    "continued": "# a\\\nf 1 2 \\\n 3\nf 1 \\  \r\n3 4\\\n\ng a\\b\\\n",
    "continued inside of a corner": "g \\\n  a b\nf 1 2 3\\\n//1 \nf 1//1 \\\n\\\n3//1 4//1\n",
}


@pytest.mark.parametrize("faces", FACES.values(), ids=FACES.keys())
def test_all_face_syntaxes_agree(tmp_path: Path, faces: str) -> None:
    raw = read(tmp_path, SQUARE + "vn 0 0 1\n" + faces)
    assert (raw.up, raw.front, raw.warnings) == ("+y", "-y", ())
    assert_array_equal(raw.mesh.faces, [[0, 1, 2], [0, 2, 3]])
    assert (raw.mesh.normals is None) == (re.search("/-?[0-9]*/-?[0-9]", faces) is None)
    if raw.mesh.normals is not None:
        assert_allclose(raw.mesh.normals, np.broadcast_to([0, 0, 1], (2, 3, 3)))


@pytest.mark.parametrize(("full", "half"), [(1, 0.214), (2, 0.214), (2.1, 2e-4), (255, 2e-4)])
def test_vertex_colours_are_srgb(tmp_path: Path, full: float, half: float) -> None:
    """Levels are of 1, or of 255 where one is above 2."""
    raw = read(tmp_path, f"v 0 0 0 {full} 0 0\nv 1 0 0 0.5 0.5 0.5\nv 0 1 0 {full} 0 0\nf 1 2 3\n")
    assert raw.mesh.colors is not None
    assert_allclose(raw.mesh.colors[0, 1], [half, half, half, 1], atol=1e-3)
    assert_allclose(raw.mesh.colors[0, ::2, 0], 1.0 if full != 2.1 else 6e-4, atol=1e-3)


@pytest.mark.parametrize("more", ["1", "1 1"])
def test_vertices_of_four_or_five_numbers_have_no_colours(tmp_path: Path, more: str) -> None:
    raw = read(tmp_path, re.sub("(?m)^(v .*)$", rf"\1 {more}", POINTS) + "f 1 2 3\n")
    assert raw.mesh.colors is None and len(raw.mesh.vertices) == 4


@pytest.mark.parametrize(
    ("tails", "white"),
    [
        ((" 1 0 0", "", " 1 0 0", " 1 0 0"), [1]),
        (("", " 1 0 0", " 1 0 0", " 1 0 0"), [0]),
        ((" 1 0 0", " 1 0 x", " 1 0 0", " 1 0 0"), [0, 1, 2, 3]),
    ],
)
def test_colours_of_some_vertices(tmp_path: Path, tails: tuple[str, ...], white: list[int]) -> None:
    lines = (line + tail for line, tail in zip(POINTS.splitlines(), tails, strict=True))
    raw = read(tmp_path, "\n".join(lines) + "\nf 1 2 3\nf 1 3 4\n")
    assert raw.mesh.colors is not None
    expected = np.where(np.isin(raw.mesh.faces, white)[..., None], [1, 1, 1, 1], [1, 0, 0, 1])
    assert_allclose(raw.mesh.colors, expected, atol=1e-6)
    assert [(warning.code, warning.subject) for warning in raw.warnings] == [("unusable", "hero.obj")]


def test_comment_is_no_colour(tmp_path: Path) -> None:
    raw = read(tmp_path, re.sub("(?m)^(v .*)$", r"\1 # of the left hand", POINTS) + "f 1 2 3\n")
    assert (raw.mesh.colors, raw.warnings) == (None, ())


def test_normals_unit_and_filled(tmp_path: Path) -> None:
    raw = read(tmp_path, SQUARE + "vn 0 3 4\nvn 0 0 0\nf 1/1/1 2//2 3\n")
    assert raw.mesh.normals is not None
    assert_allclose(raw.mesh.normals[0], np.array([[0, 0.6, 0.8], [0, 0, 1], [0, 0, 1]]), atol=1e-6)


PARTS = POINTS + "o Body part\nf 1 2 3\ng hat\nf 1 3 4\no Sword\nusemtl x\nf 2 3 4\n"


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        (("Sword",), [[0, 1, 2], [0, 2, 3]]),
        (("hat",), [[0, 1, 2], [1, 2, 3]]),
        (("Body part",), [[1, 2, 3]]),
        (("nothing",), [[0, 1, 2], [0, 2, 3], [1, 2, 3]]),
    ],
)
def test_dropped_parts(tmp_path: Path, drop: tuple[str, ...], left: list[list[int]]) -> None:
    raw = read(tmp_path, "f 1 2 4\n" + PARTS, drop=drop)
    assert_array_equal(raw.mesh.faces, [[0, 1, 3], *left])
    assert (raw.parts, raw.skinned) == (("Body part", "hat", "Sword"), False)


def test_material_faces(tmp_path: Path) -> None:
    (tmp_path / "my lib.mtl").write_text("newmtl skin one\nKd 1 0.5 0\nnewmtl glow\nKd 0 0 0\nd 0.25\n")
    faces = "usemtl glow\nf 1 2 3\nusemtl skin one\nf 1 3 4\nusemtl glow\nf 2 3 4\n"
    raw = read(tmp_path, "mtllib my lib.mtl\n" + POINTS + faces)
    assert [m.name for m in raw.mesh.materials] == ["glow", "skin one"]
    assert_array_equal(raw.mesh.face_material, [0, 1, 0])
    glow, skin = raw.mesh.materials
    assert_allclose(skin.base_color, (1, 0.2140411, 0, 1), atol=1e-6)
    assert (glow.alpha_mode, glow.base_color[3]) == ("blend", 0.25)
    assert (skin.alpha_mode, skin.double_sided) == ("opaque", True)
    assert raw.warnings == ()
    assert tmp_path / "my lib.mtl" in raw.files


def test_values_beyond_their_range(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl skin\nKd 1 1 0\nKd -1 2 .5e1 0\nKd 0 0\nd 7\n")
    raw = read(tmp_path, "f 1 2 3\nusemtl skin\nf 1 3 4\nmtllib a.mtl\n" + SQUARE)
    assert raw.mesh.uv is None
    assert [m.base_color for m in raw.mesh.materials] == [(1, 1, 1, 1), (0, 1, 1, 1)]
    assert raw.mesh.face_material.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("other", "seen"),
    [
        ("d 0", [1.0, 1.0]),
        ("d 0.5", [0.0, 0.5]),
        ("d\nTr", [0.0, 1.0]),
        ("Tr 0.3", [0.0, 0.7]),
        ("Tr 1", [0.0, 1.0]),
        ("Tr -3", [0.0, 1.0]),
        ("d -1", [1.0, 1.0]),
    ],
)
def test_full_transparency_is_ignored(tmp_path: Path, other: str, seen: list[float]) -> None:
    (tmp_path / "a.mtl").write_text(f"newmtl skin\nd 0.0\nnewmtl other\n{other}\n")
    raw = read(tmp_path, "mtllib a.mtl\n" + POINTS + "usemtl skin\nf 1 2 3\nusemtl other\nf 1 3 4\n")
    assert [m.base_color for m in raw.mesh.materials] == [(1.0, 1.0, 1.0, alpha) for alpha in seen]
    assert len(raw.warnings) == (seen == [1.0, 1.0])


def textured(folder: Path, statement: str, tail: str = "", text: str = TRIANGLES) -> RawMesh:
    (folder / "hero.mtl").write_text(f"newmtl m\nKd 0.2 0.2 0.2\n{statement}\n{tail}")
    return read(folder, "mtllib hero.mtl\nusemtl m\n" + text)


def test_texture_replaces_colours(tmp_path: Path) -> None:
    paint(tmp_path / "skin colour.png", GREEN)
    raw = textured(tmp_path, "map_Kd skin colour.png", text=re.sub("(?m)^(v .*)$", r"\1 1 0 0", TRIANGLES))
    assert colour_of(raw) == [*GREEN]
    assert raw.mesh.colors is not None and (raw.mesh.colors == 1.0).all()
    assert raw.mesh.materials[0].base_color == (1, 1, 1, 1)
    assert raw.warnings == ()


def test_textures_lie_beside_their_library(tmp_path: Path) -> None:
    """Each library's own image, and not that of another library or beside the mesh."""
    paint(tmp_path / "skin.png", RED)
    for folder, colour in (("head", GREEN), ("body", BLUE)):
        paint(tmp_path / folder / "skin.png", colour)
        (tmp_path / folder / "own.mtl").write_text(f"newmtl {folder}\nmap_Kd skin.png\n")
    faces = "usemtl head\nf 1/1 2/2 3/3\nusemtl body\nf 1/1 3/3 4/4\n"
    raw = read(tmp_path, "mtllib head/own.mtl\nmtllib body/own.mtl\n" + SQUARE + faces)
    assert [colour_of(raw, k) for k in (0, 1)] == [[*GREEN], [*BLUE]]
    assert raw.warnings == ()


ELSEWHERE = [r"C:\Users\artist\project\skin.png", "/home/artist/skin.png", "../../elsewhere/skin.png"]


@pytest.mark.parametrize("name", [*ELSEWHERE, r"tex\skin.png", '"tex/skin.png"', "SKIN.PNG"])
def test_textures_below_the_folder(tmp_path: Path, name: str) -> None:
    paint(tmp_path / "tex" / "skin.png", GREEN)
    raw = textured(tmp_path, f"map_Kd {name}")
    assert colour_of(raw) == [*GREEN]
    assert raw.warnings == ()


@pytest.mark.parametrize(("name", "encoding"), [("peau é.png", "utf-8"), ("peau é.png", "cp1252")])
def test_names_in_other_spellings(tmp_path: Path, name: str, encoding: str) -> None:
    paint(tmp_path / unicodedata.normalize("NFD", name), GREEN)
    (tmp_path / "hero.mtl").write_bytes(f"newmtl {name}\nmap_Kd C:\\art\\{name}\n".encode(encoding))
    raw = read(tmp_path, f"mtllib hero.mtl\nusemtl {name}\n".encode(encoding) + TRIANGLES.encode())
    assert (colour_of(raw), raw.warnings) == ([*GREEN], ())


def test_missing_texture_is_replaced(tmp_path: Path) -> None:
    paint(tmp_path / "hero.png", BLUE)
    raw = textured(tmp_path, "map_Kd gone.png")
    (material,) = raw.mesh.materials
    assert material.texture is None and len(raw.warnings) == 1
    assert material.base_color == pytest.approx((0.0331, 0.0331, 0.0331, 1.0), abs=1e-4)
    entry = Entry("a", "obj", tmp_path / "hero.obj", texture=tmp_path / "hero.png")
    raw = read_obj(entry)
    assert colour_of(raw) == [*BLUE] and entry.texture in raw.files


def test_map_options(tmp_path: Path) -> None:
    paint(tmp_path / "my skin.png", GREEN)
    options = "-clamp on -blendu off -s 2 3 1 -o 0.5 0.25 -mm 0 1"
    raw = textured(tmp_path, f"map_Kd {options} my skin.png", "map_Ke -s 9 9 glow.png")
    assert (colour_of(raw), raw.warnings) == ([*GREEN], ())
    texture = raw.mesh.materials[0].texture
    assert texture is not None and texture.wrap == ("clamp", "clamp")
    # v is counted from above: 1 - (3 v + 0.25).
    assert raw.mesh.uv is not None
    assert_allclose(raw.mesh.uv[0], [[0.5, 0.75], [2.5, 0.75], [2.5, -2.25]])
    # One number is that of u.
    raw = textured(tmp_path, "map_Kd -clamp off -s 2 -o 0.5 my skin.png", "map_d -s 9 9 gone.png")
    assert raw.mesh.uv is not None
    assert_allclose(raw.mesh.uv[0], [[0.5, 1], [2.5, 1], [2.5, 0]])
    texture = raw.mesh.materials[0].texture
    assert texture is not None and texture.wrap == ("repeat", "repeat")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("Kd 0 0 0", "map_Ke skin.png"), GREEN),
        (("Kd 0 0 0", "Ke 0 0 0", "map_Ke skin.png"), GREEN),
        (("Kd 0 0 0", "Ke 0 0 1"), BLUE),
        (("newmtl m", "Ke 0 \\", "0 1"), BLUE),
        (("newmtl m", "map_Ke gone.png"), (255, 255, 255)),
        (("newmtl m", "map_emissive skin.png"), GREEN),
        (("Kd 1 0 0", "Ke 0 0 1", "map_Ke skin.png"), RED),
        (("Kd 0 0 0", "map_Kd dark.png", "map_Ke skin.png"), GREEN),
        (("Kd 0 0 0", "map_Ke skin.png", "map_Kd red.png"), RED),
        (("Kd 0 0 0", "map_Kd faint.png", "map_Ke skin.png"), (1, 1, 1)),
        (("Kd 0 0 .00391", "Ke 0 0 1"), BLUE),
        (("newmtl m", f"Kd 0 0 {1 / 255!r}", "Ke 0 1 0"), (0, 0, 1 / 12.92)),
    ],
)
def test_emission_is_the_colour_of_what_is_black(tmp_path: Path, lines: Any, expected: Any) -> None:
    for name, colour in (("skin", GREEN), ("dark", (0, 0, 0)), ("faint", (1, 1, 1)), ("red", RED)):
        paint(tmp_path / f"{name}.png", colour)
    (material,) = textured(tmp_path, "\n".join(lines)).mesh.materials
    shown = np.array(material.base_color[:3])
    if material.texture is not None:
        shown = shown * material.texture.pixels[0, 0, :3] / 255
    assert (shown * 255).tolist() == pytest.approx([*expected])


@pytest.mark.parametrize(("more", "warnings"), [(0, []), (1, ["unusable"])])
def test_libraries_of_up_to_16_mebibytes(tmp_path: Path, more: int, warnings: list[str]) -> None:
    textured(tmp_path, f"# {'x' * (2**24 + more)}"[: 2**24 + more - len("newmtl m\nKd 0.2 0.2 0.2\n\n")])
    assert (tmp_path / "hero.mtl").stat().st_size == 2**24 + more
    raw = read(tmp_path, (tmp_path / "hero.obj").read_bytes())
    assert [warning.code for warning in raw.warnings] == warnings


LIBRARY_LINES = [
    *("mtllib hero.mtl other one.mtl", "mtllib hero.mtl # by hand", "mtllib hero.mtl\nmtllib other one.mtl"),
    *("mtllib HERO.MTL", "MTLLIB \\\nhero.mtl"),
]


@pytest.mark.parametrize("library", LIBRARY_LINES)
@pytest.mark.parametrize("used", ["Skin", "SKIN", "Skin # mine"])
def test_names_of_libraries_and_materials(tmp_path: Path, library: str, used: str) -> None:
    paint(tmp_path / "skin.1001.png", GREEN)
    (tmp_path / "hero.mtl").write_text("newmtl Skin # a\nmap_Kd skin.<UDIM>.png # b\n")
    (tmp_path / "other one.mtl").write_text("newmtl hat\n")
    raw = read(tmp_path, f"{library}\nUseMtl {used}\n{TRIANGLES}")
    assert (colour_of(raw), raw.warnings) == ([*GREEN], ())


@pytest.mark.parametrize(("level", "mode"), [(0, "mask"), (1, "blend"), (254, "blend"), (255, "opaque")])
def test_cutout_from_luminance(tmp_path: Path, level: int, mode: str) -> None:
    paint(tmp_path / "skin.png", GREEN, (4, 4))
    mask = Image.new("L", (4, 4), 255)
    mask.putpixel((3, 0), level)
    mask.save(tmp_path / "mask.png")
    raw = textured(tmp_path, "map_Kd skin.png", "map_d mask.png")
    material = raw.mesh.materials[0]
    assert material.alpha_mode == mode and material.texture is not None
    assert material.texture.pixels[0, 3].tolist() == [*GREEN, level]
    assert material.texture.pixels[3, 3].tolist() == [*GREEN, 255]
    (material,) = textured(tmp_path, "map_d mask.png").mesh.materials
    assert material.base_color == pytest.approx((0.0331, 0.0331, 0.0331, 1.0), abs=1e-4)
    assert material.texture is not None and material.texture.pixels[3, 3].tolist() == [255] * 4


def test_one_image_beats_the_library(tmp_path: Path) -> None:
    paint(tmp_path / "wrong.png", RED)
    textured(tmp_path, "map_Kd wrong.png")
    right = paint(tmp_path / "right.png", GREEN)
    raw = read_obj(Entry("a", "obj", tmp_path / "hero.obj", texture=right), plain=True)
    assert colour_of(raw) == [*GREEN]
    assert len(raw.mesh.materials) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("v 0 0 0\nv 1 x 0\nf 1 1 1\n", "v 0 0\nf 1 1 1\n", POINTS),
        *(
            POINTS + f"f {face}\n"
            for face in ("1 2", "0 1 2", "-5 1 2", "1 2 c", "1/- 2 3", "1 2 -", "1\v2\v3", "1/1/1/1 2 3")
        ),
        *(POINTS + f"f {face}\n" for face in ("1 2 3\nf 1 2 5", "1 2 3\nf 1 /2 3", f"1 2 {'9' * 20}")),
    ],
)
def test_damaged_geometry_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(CharacterError, match=r"^hero\.obj [^\n]+$"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "lacks"),
    [
        ("f 1//1 2//-9 3//7\n", True),
        ("vn 0 0 2\nf 1//1 2//-9 3//7\n", True),
        ("vn 0 x 2\nvn 1\nf 1//1 2//2 3//2\n", False),
        ("f 1/1 2/-9 3/7\n", True),
        ("vt 0\nvt\nvt 0 x\nf 1/1 2/2 3/3\n", False),
    ],
)
def test_attribute_faults_cost_themselves(tmp_path: Path, lines: str, lacks: bool) -> None:
    raw = read(tmp_path, POINTS + lines)
    assert [warning.code for warning in raw.warnings] == ["uv-missing"] * lacks
    mesh = raw.mesh
    assert_array_equal(mesh.faces, [[0, 1, 2]])
    assert_array_equal(mesh.vertices, read(tmp_path, POINTS + "f 1 2 3\n").mesh.vertices)


def test_corners_without_texture_coordinates_lie_at_the_origin(tmp_path: Path) -> None:
    mesh = read(tmp_path, POINTS + "vt 1 0\nusemtl bare\nf 1/1 2 3\n").mesh
    assert mesh.uv is not None and mesh.uv.tolist() == [[[1, 1], [0, 1], [0, 1]]]
    assert mesh.materials[0].name == "bare"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    name = f"peau é{45 * chr(0x3000)}肌"
    (tmp_path / "hero.mtl").write_bytes(f"newmtl {name}\nKd 1 0 0\n#{60 * '-'}\n".encode(encoding))
    raw = read(tmp_path, f"mtllib hero.mtl\nusemtl {name}\n{TRIANGLES}".encode(encoding))
    assert len(raw.mesh.faces) == 2
    assert raw.mesh.materials[0].base_color == (1.0, 0.0, 0.0, 1.0)


coordinates = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@st.composite
def surfaces(draw: st.DrawFn) -> tuple[list[list[float]], list[list[int]]]:
    points = draw(st.lists(st.lists(coordinates, min_size=3, max_size=3), min_size=3, max_size=12))
    index = st.integers(0, len(points) - 1)
    return points, draw(st.lists(st.lists(index, min_size=3, max_size=3), min_size=1, max_size=12))


FORMS = ("{p}", "{p}/{p}", "{p}//{p}", "{p}/{p}/{p}", "{n}", "{n}/{p}", "{n}//{n}")


@given(surfaces(), st.sampled_from(FORMS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_written_file_is_read(tmp_path: Path, surface: Any, form: str) -> None:
    points, faces = surface
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in points]
    lines += [f"vt {x!r} {y!r}" for x, y, _ in points] + ["vn 0 0 1"] * len(points)
    lines += ["f " + " ".join(form.format(p=k + 1, n=k - len(points)) for k in face) for face in faces]
    raw = read(tmp_path, "\n".join(lines))
    assert_array_equal(raw.mesh.vertices, np.array(points, np.float32))
    assert_array_equal(raw.mesh.faces, faces)
    if "/{p}" in form.replace("//", "#"):
        assert raw.mesh.uv is not None
        # v is up in an OBJ and down here.
        u, v, _ = np.array(points, np.float32)[np.array(faces)].transpose(2, 0, 1)
        assert_allclose(raw.mesh.uv, np.stack([u, 1 - v], axis=2))


ARROW = [(0, 0), (4, 0), (4, 4), (3, 1), (1, 1), (0, 4)]
"""Concave at two corners, none of which sees all others."""


def cut(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Triangles of one polygon (N, 3)."""
    count = len(points)
    triangles, polygon = triangulate(points, np.arange(count), np.array([0, count]), np.ones(1, bool))
    assert (polygon == 0).all() and len(triangles) == len(polygon)
    return triangles


def areas(points: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """(T, 3): vectors along the normals, as long as the areas."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) / 2


def turned(flat: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(np.column_stack([flat, np.zeros(len(flat))]) @ turn.T)


@settings(max_examples=80, deadline=None)
@given(st.integers(4, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_polygon_is_covered_once(count: int, seed: int, back: bool) -> None:
    random = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    flat = random.uniform(0.2, 1.0, (count, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
    points = turned(flat[::-1] if back else flat, seed)
    whole = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0) / 2
    found = areas(points, cut(points))
    size = float(np.linalg.norm(whole))
    assert float(np.linalg.norm(found, axis=1).sum()) == pytest.approx(size, rel=1e-3)
    assert (found @ whole > -1e-3 * size**2).all()


def test_polygon_far_away_is_cut_as_a_near_one() -> None:
    arrow = np.column_stack([np.array(ARROW, float), np.zeros(len(ARROW))])
    assert_array_equal(cut(arrow + 2.0**40), cut(arrow))


@pytest.mark.parametrize("start", range(4))
def test_concave_quad_diagonal(start: int) -> None:
    dart = np.roll(turned(np.array([(-1, 0), (0, 1), (1, 0), (0, 11)]), 3), start, axis=0)
    assert float(np.linalg.norm(areas(dart, cut(dart)), axis=1).sum()) == pytest.approx(10.0)


@pytest.mark.parametrize(("height", "kept"), [(0.5, [1, 3]), (2.0, [0, 2])])
def test_quads_are_cut_along_their_shorter_diagonal(tmp_path: Path, height: float, kept: list[int]) -> None:
    kite = f"v -1 0 0\nv 0 -{height} 0\nv 1 0 0\nv 0 {height} 0\nf 1 2 3 4\n"
    first, second = (set(face) for face in read(tmp_path, kite).mesh.faces.tolist())
    assert first & second == set(kept)


@pytest.mark.parametrize(("notch", "is_fan"), [(1.9e-4, True), (2.1e-4, False)])
def test_shallow_notches_are_rounding(notch: float, is_fan: bool) -> None:
    square = turned(np.array([(0, 0), (0.5, notch), (1, 0), (1, 1), (0, 1)]), 5)
    fan = [[0, k, k + 1] for k in range(1, 4)]
    assert (cut(square).tolist() == fan) == is_fan


@pytest.mark.parametrize(("count", "is_fan"), [(4096, False), (4097, True)])
def test_polygons_of_very_many_corners_are_fans(count: int, is_fan: bool) -> None:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    star = np.column_stack([np.cos(angle), np.sin(angle)]) * (1 + 0.5 * (np.arange(count) % 2))[:, None]
    fan = np.stack([np.zeros(count - 2), np.arange(count - 2) + 1, np.arange(count - 2) + 2], axis=1)
    assert np.array_equal(cut(turned(star, 4)), fan) == is_fan


def test_repeated_corners_make_no_triangles() -> None:
    """Beside an arrow, whose triangles stay its own."""
    flag = [(0, 0), (4, 0), (4, 0), (4, 4), (1, 1), (0, 4)]
    points = np.column_stack([np.array([*flag, *ARROW], float), np.zeros(12)])
    triangles, polygon = triangulate(points, np.arange(12), np.array([0, 6, 12]), np.ones(2, bool))
    assert polygon.tolist() == [0] * 3 + [1] * 4
    assert (triangles // 6 == polygon[:, None]).all()
    assert float(areas(points, triangles)[:, 2].sum()) == pytest.approx(10.0 + 7.0)


def test_polygons_keep_order() -> None:
    flag = np.array([(0, 0, -1), (4, 0, -1), (1, 1, -1), (4, 4, -1), (0, 4, -1)], float)
    arrows = np.column_stack([np.array(ARROW * 3, float), np.repeat([0.0, 1.0, 2.0], len(ARROW))])
    straight = np.array([(0, 0, 3), (2, 0, 3), (4, 0, 3), (4, 4, 3), (1, 1, 3), (0, 4, 3)], float)
    points, first = np.vstack([flag, arrows, straight]), np.array([0, 5, 11, 17, 23, 29])
    triangles, polygon = triangulate(points, np.arange(29), first, np.array([True, True, False, True, True]))
    assert np.unique(polygon).tolist() == [0, 1, 3, 4] and (np.diff(polygon) >= 0).all()
    assert (np.searchsorted(first, triangles, side="right") - 1 == polygon[:, None]).all()
    for index, size in ((0, 10.0), (1, 7.0), (3, 7.0), (4, 10.0)):
        found = areas(points, triangles[polygon == index])[:, 2]
        assert float(found.sum()) == pytest.approx(size) and found.min() > 0
