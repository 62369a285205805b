"""PLY files: text and binary, colours, textures, polygons of mixed sizes."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.ply import read_ply
from specsia_build.errors import CharacterError

pytestmark = pytest.mark.filterwarnings("error")

HEAD = "ply\nformat ascii 1.0\ncomment made by hand\n"
XYZ = "property float x\nproperty float y\nproperty float z\n"
RGB = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
LIST = "property list uchar int vertex_indices\n"
SQUARE = ["0 0 0", "2 0 0", "2 0 1", "0 0 1"]


def text_ply(
    vertices: list[str], faces: list[str], vertex: str = XYZ, face: str = LIST, head: str = HEAD
) -> str:
    header = f"{head}element vertex {len(vertices)}\n{vertex}element face {len(faces)}\n{face}end_header\n"
    return header + "\n".join([*vertices, *faces]) + "\n"


def read(folder: Path, data: str | bytes) -> RawMesh:
    path = folder / "hero.ply"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_ply(Entry("a", "ply", path))


@pytest.mark.parametrize("encoding", ["binary", "ascii"])
def test_agrees_with_trimesh(tmp_path: Path, encoding: str) -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    rgba = np.random.default_rng(3).integers(0, 256, (len(ball.vertices), 4)).astype(np.uint8)
    ball.visual.vertex_colors = rgba
    raw = read(tmp_path, ball.export(file_type="ply", encoding=encoding))
    assert (raw.up, raw.front, raw.warnings) == ("+z", "-y", ())
    assert_allclose(raw.mesh.vertices, ball.vertices, atol=1e-6)
    assert_array_equal(raw.mesh.faces, ball.faces)
    assert raw.mesh.colors is not None
    assert_allclose(raw.mesh.colors[..., 3], rgba[ball.faces][..., 3] / 255, atol=1e-6)


COLOURS = [
    *(
        f"property {kind} {a}\nproperty {kind} {b}\nproperty {kind} {c}\n"
        for kind, a, b, c in (
            ("uchar", "r", "g", "b"),
            ("ushort", "Red", "Green", "Blue"),
            ("float", "diffuse_red", "diffuse_green", "diffuse_blue"),
            ("uint", "color_r", "color_g", "color_b"),
            ("char", "red", "green", "blue"),
            ("float", "red", "green", "blue"),
        )
    ),
    "property list uchar uchar rgb\n",
    "property list uchar float RGBA\n",
    "property uchar ambient_red\nproperty uchar ambient_green\nproperty uchar ambient_blue\n" + RGB,
]
"""Properties of colours of any name and width."""

FULL = [
    "255 0 51",
    "65535 0 13107",
    "1 0 0.2",
    "4294967295 0 858993459",
    "-1 0 51",
    "255 0 51",
    "3 255 0 51",
    "4 1 0 0.2 1",
    "9 9 9 255 0 51",
]


@pytest.mark.parametrize(("names", "values"), [*zip(COLOURS, FULL, strict=True)])
@pytest.mark.parametrize("of_faces", [False, True])
def test_colours_by_meaning(tmp_path: Path, names: str, values: str, of_faces: bool) -> None:
    rows = SQUARE if of_faces else [f"{row} {values}" for row in SQUARE]
    faces = [f"3 0 1 2 {values}", f"3 0 2 3 {values}"] if of_faces else ["4 0 1 2 3"]
    face, vertex = (LIST + names, XYZ) if of_faces else (LIST, XYZ + names)
    raw = read(tmp_path, text_ply(rows, faces, vertex=vertex, face=face))
    assert raw.mesh.colors is not None and raw.mesh.colors.shape == (2, 3, 4)
    assert_allclose(raw.mesh.colors, np.broadcast_to(np.array([1, 0, 0.0331, 1]), (2, 3, 4)), atol=1e-4)


@pytest.mark.parametrize(("stated", "opacity"), [(0.3, 0.3), (-0.5, 0.0), (1.5, 1.0)])
def test_opacity_beside_colours_of_another_name(tmp_path: Path, stated: float, opacity: float) -> None:
    names = RGB.replace("uchar ", "float diffuse_") + "property float opacity\n"
    rows = [f"{row} 1 1 1 {stated}" for row in SQUARE]
    raw = read(tmp_path, text_ply(rows, ["4 0 1 2 3"], vertex=XYZ + names))
    assert raw.mesh.colors is not None
    assert_allclose(raw.mesh.colors, np.broadcast_to([1, 1, 1, opacity], (2, 3, 4)), atol=1e-6)


def test_each_face_has_its_colour(tmp_path: Path) -> None:
    """Quads count twice; colours of faces beat those of vertices that are all alike."""
    rgba = RGB + "property uchar alpha\n"
    rows = ["4 0 1 2 3 255 0 0 255", "3 0 1 2 0 255 0 51"]
    even = [f"{row} 0 0 255" for row in SQUARE]
    raw = read(tmp_path, text_ply(even, rows, vertex=XYZ + RGB, face=LIST + rgba))
    assert raw.mesh.colors is not None
    assert_allclose(raw.mesh.colors[:, 0], np.array([[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 0, 0.2]]), atol=1e-6)
    rows[1] = "3 0 1 2 255 0 0 255"
    shaded = [*even[:3], SQUARE[3] + " 0 0 0"]
    raw = read(tmp_path, text_ply(shaded, rows, vertex=XYZ + RGB, face=LIST + rgba))
    assert raw.mesh.colors is not None and raw.mesh.colors[0, 0].tolist() == [0, 0, 1, 1]


def test_colours_that_are_no_numbers_are_white(tmp_path: Path) -> None:
    rows = [f"{row} nan 0 255" for row in SQUARE]
    raw = read(tmp_path, text_ply(rows, ["4 0 1 2 3"], vertex=XYZ + RGB.replace("uchar", "uint")))
    assert raw.mesh.colors is not None and (raw.mesh.colors[..., :3] == (1, 0, 1)).all()


@pytest.mark.parametrize(
    "strips",
    [["12 0 1 3 2 -1 0 1 2 2 3 -1 1"], ["4 0 1 3 2", "5 0 1 2 2 3"], ["4 0 1 3 2", "0", "5 0 1 2 2 3", "0"]],
)
def test_triangle_strips(tmp_path: Path, strips: list[str]) -> None:
    text = text_ply(SQUARE, strips, face=LIST.replace("uchar", "int"))
    text = text.replace("element face", "element tristrips")
    faces = [[0, 1, 3], [1, 2, 3], [0, 1, 2]]
    assert_array_equal(read(tmp_path, text).mesh.faces, faces)
    with pytest.raises(CharacterError, match="vertices it does not have"):
        read(tmp_path, text.replace("0 1 3 2", "0 1 9 2"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_mixed_binary_polygons(tmp_path: Path, order: str) -> None:
    name = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = HEAD.replace("ascii", name)
    face = f"property uchar flag\n{LIST}property float q\n"
    header = f"{head}element vertex 5\n{XYZ}element face 3\n{face}end_header\n"
    points = [(0, 0, 0), (2, 0, 0), (2, 0, 1), (0, 0, 1), (-1, 0, 0.5)]
    body = b"".join(struct.pack(order + "3f", *p) for p in points)
    for polygon in ([0, 1, 2], [0, 1, 2, 3, 4], [0, 1, 2, 3]):
        body += struct.pack(f"{order}BB{len(polygon)}if", 7, len(polygon), *polygon, 0.5)
    raw = read(tmp_path, header.encode() + body)
    assert_array_equal(raw.mesh.vertices, np.array(points, np.float32))
    assert_array_equal(raw.mesh.faces, [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("names", [("s", "t"), ("u", "v"), ("texture_u", "texture_v")])
def test_vertex_uv_and_texture(tmp_path: Path, names: tuple[str, str]) -> None:
    Image.new("RGB", (2, 2), (0, 255, 0)).save(tmp_path / "skin.png")
    rows = ["0 0 0 0 0 255 0 0 51", "2 0 0 1 0 9 9 9 51", "2 0 1 1 0.75 0 0 0 51"]
    head = HEAD + "comment TextureFile C:\\art\\skin.png\n"
    vertex = XYZ + "".join(f"property float {n}\n" for n in names) + RGB + "property uchar alpha\n"
    raw = read(tmp_path, text_ply(rows, ["3 0 1 2"], vertex=vertex, head=head))
    assert raw.mesh.uv is not None
    assert_allclose(raw.mesh.uv[0], np.array([[0, 1], [1, 1], [1, 0.25]]))
    texture = raw.mesh.materials[0].texture
    assert texture is not None and texture.pixels[0, 0].tolist() == [0, 255, 0, 255]
    assert raw.mesh.colors is not None
    assert_allclose(raw.mesh.colors, np.broadcast_to((1, 1, 1, 0.2), (1, 3, 4)))
    assert tmp_path / "skin.png" in raw.files


def test_corner_uv_and_textures(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), (0, 255, 0)).save(tmp_path / "a.png")
    head = HEAD + "comment TextureFile a.png\ncomment TextureFile ../b.png\n"
    rows = ["3 0 1 2 6 0 0 1 0 1 1", "3 0 2 3 6 0 0 1 1 0 1"]
    face = LIST + "property list uchar float texcoord\n"
    raw = read(tmp_path, text_ply(SQUARE, rows, face=face, head=head))
    assert raw.mesh.uv is not None
    assert_allclose(raw.mesh.uv[1], [[0, 1], [1, 0], [0, 0]])
    (material,) = raw.mesh.materials
    assert material.texture is not None and len(raw.warnings) == 1


DAMAGED = [
    text_ply(SQUARE, []),
    text_ply(["7"], [], "property uint packed_position\n"),
    text_ply([], []),
    "solid thing\n",
    text_ply(SQUARE, ["3 0 1 4"]),
    text_ply(SQUARE, ["2 0 1"]),
    text_ply(SQUARE, ["3 0 1"]),
    text_ply(SQUARE, ["3 0 1 2"]).replace("vertex 4", "vertex 4000000000"),
    text_ply(SQUARE, []).replace("float x", "quux x"),
    text_ply(SQUARE, []).replace("format ascii 1.0\n", ""),
    text_ply(SQUARE, ["3 0 1 x"]),
    text_ply(SQUARE, ["3 0 1 2"]).replace("vertex 4", "vertex many"),
    text_ply(SQUARE, ["3 0 1 2"]).replace("ply\n", "plx\n"),
    text_ply(SQUARE, ["3 0 1 2"]).replace("comment", f"comment {'x' * 2**20}"),
    text_ply(SQUARE, ["3 0 1 -1"]),
    text_ply(SQUARE, ["3 0 1 nan"]),
    text_ply(SQUARE, ["3 0 1 2", "2.5 0 1 2"]),
    text_ply(SQUARE, ["3 0 1 2", "-1"]),
    text_ply(SQUARE, ["3 0 1 2", "4 0 1 2"]),
]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CharacterError, match=r"^hero\.ply [^\n]+$") as caught:
        read(tmp_path, text)
    # What NumPy and Python say of it means nothing to a user.
    assert not re.search("literal|unmatched|quux", str(caught.value))


@pytest.mark.parametrize("binary", [False, True])
def test_carriage_returns(tmp_path: Path, binary: bool) -> None:
    text = text_ply(SQUARE, ["4 0 1 2 3"])
    data = text.replace("\n", "\r").encode()
    if binary:
        header = data[: data.index(b"end_header\r") + 11].replace(b"ascii", b"binary_little_endian")
        points = np.array([list(map(float, line.split())) for line in SQUARE], "<f4").tobytes()
        data = header + points + struct.pack("<B4i", 4, 0, 1, 2, 3)
    raw = read(tmp_path, data)
    assert_array_equal(raw.mesh.vertices, [[0, 0, 0], [2, 0, 0], [2, 0, 1], [0, 0, 1]])
    assert len(raw.mesh.faces) == 2


EDGE = "property int vertex1\nproperty int vertex2\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("end_header", f"element tristrips 0\n{LIST}end_header"),
        ("end_header", f"element edge 9\n{EDGE}end_header"),
        ("element face", f"element edge -9\n{EDGE}element face"),
        ("element face", f"element edge 0\n{LIST}{EDGE}element face"),
        ("comment", f"comment {'x' * (2**20 - 400)}"),
        ("comment", "comment TextureFile\ncomment"),
        ("float x", "float64 x"),
    ],
)
def test_unused_faults_cost_nothing(tmp_path: Path, before: str, after: str) -> None:
    whole = text_ply(SQUARE, ["4 0 1 2 3", "3 0 1 3"])
    found, sound = read(tmp_path, whole.replace(before, after)), read(tmp_path, whole)
    assert_array_equal(found.mesh.vertices[found.mesh.faces], sound.mesh.vertices[sound.mesh.faces])
    assert found.warnings == ()
