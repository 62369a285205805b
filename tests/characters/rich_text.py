"""OBJ and PLY files with many features at once, whose every number `test_shared` compares."""

import struct

import numpy as np

from tests.characters.gltf.writer import png
from tests.hostile.sound import Files

PICTURES: Files = {
    "paint.png": png(np.arange(48).reshape(4, 4, 3) * 5),
    "mask.png": png(np.arange(60)[::-1].reshape(3, 5, 4) * 4),
}

LIBRARY = (
    "# {wide}",
    "newmtl cloth; Kd .9 -0.7 5e-1 0.3; Tr 0.25",
    "newmtl skin; Kd 0.2 0.3 0.4; map_Kd -s 2 -3e-1 -o -0.5 0.25 paint.png; map_d -s 9 9 mask.png",
    "newmtl lace; Kd 0.5 0.25 1; map_d -clamp on -blendu on -s 0.5 -o 0.1 -.2 mask.png",
    "newmtl glow; Kd 0 0 0; Ke 0.2 0.4e0 0.6",
    "newmtl lamp; Kd 0 0 0; map_Ke -o 0 0.125 paint.png",
    "newmtl lost; Kd 0.1 0.6 0.3; map_Kd gone.png; ",
)

OBJ = (
    "mtllib a.mtl",
    "v 0 0 0 1 0 0; v 1 0 .1 0 1 .5; v 1 2 0 .25 0 1; f 1 2 3 # 9 9 9",
    "vt 0.1 0.9; vn 0 0 2; g; f 1/1 3//1 2",
    "o Body; usemtl cloth; v 0 2.5 .5 1 1 0; f -4/-1/-1 -3 -2//-1 -1; g Body; f 1 3 4",
    "o Hat; vt 0.75 -0.5; vt 1.5 0.25; vn 3 0 4",
    "v -.005 1 .3 1 1 1; v 0 1.005 .3 0 0 .5; v .005 1 .3 0 .5 0; v 0 1.055 .3 .5 0 0",
    "usemtl skin; f 5/1/1 6/2/2 7/3/1 8/1/2",
    "v .1 1 .3 1 1 1; v .2 1 .3 1 1 1; v .3 1 .3 1 1 1; v .2 1.2 .3 1 1 1",
    "g brim; usemtl lace; f 9/1 10/2 11/3 12/2; usemtl glow; f 12 11 10 9 5",
    "usemtl lamp; f 1/3 9/2 10/1 3; f 4/1/2 10/2/1 2/3 9/1 1/2/2 12/3",
    "usemtl Lost # none; f 9/1 12/2 4/3; usemtl nowhere; f 1/2 2/3 3/1; ",
)


def text(*lines: str) -> str:
    """Lines, or several in one with semicolons."""
    return "\n".join(lines).replace("; ", "\n")


def properties(names: str) -> str:
    """Properties of a PLY file, by type and name."""
    return "\n".join(f"property {name}" for name in names.split(", "))


def rich_obj(name: str) -> Files:
    """All kinds of materials, attributes that corners lack or name before they are there, odd polygons."""
    library = text(*LIBRARY).format(wide="\u3000" * 40).encode("utf-16-le")
    return {f"{name}.obj": text(*OBJ).encode(), "a.mtl": library, **PICTURES}


def rich_ply(name: str) -> Files:
    """A binary file of lists that differ, with coordinates of corners, and colours of faces in 16 bits."""
    vertex = "double x, short nx, double y, double z, short ny, short nz, uchar red, uchar green, uchar blue"
    face = "list ushort uint vertex_indices, ushort r, ushort g, list uchar float texcoord, ushort b"
    head = text(
        *("ply; format binary_big_endian 1.0; element vertex 6", properties(vertex)),
        *("element edge 2", properties("list int8 uint16 ends, float sharp")),
        *("element face 3", properties(f"{face}, ushort alpha"), "end_header; "),
    )
    points = [(0, 0, 0), (1, 0, 0.1), (1, 0, 2), (0, 0.2, 2), (0.5, 1, 1), (0.4, -1, 0.9)]
    rows = [struct.pack(">dhddhh3B", x, 1, y, z, k, -2, 7, 8, 9) for k, (x, y, z) in enumerate(points)]
    rows += [struct.pack(">bHf", 1, 4, 0.5), struct.pack(">bHHf", 2, 4, 5, 0.5)]
    for k, corners in enumerate(([0, 1, 2, 3], [0, 1, 4], [5, 1, 2, 4, 3])):
        rows.append(struct.pack(f">H{len(corners)}IHH", len(corners), *corners, 9999 * k, 30000))
        uv = np.arange(2 * len(corners)) / 7 + k
        rows.append(struct.pack(f">B{len(uv)}fHH", len(uv), *uv, 7000 - k, 65535 - 9999 * k))
    return {f"{name}.ply": head.encode() + b"".join(rows)}


def rich_strips(name: str) -> Files:
    """Strips of triangles as text; colours of several names, not all of which are whole, and normals."""
    names = "x y z nx ny nz texture_s texture_t aux_green aux_blue red blue specular_r specular_g specular_b"
    vertex = ", ".join(f"int {word}" for word in f"{names} diffuse_r diffuse_g diffuse_b a".split())
    vertices = np.arange(8)[:, None] * np.arange(31, 69, 2) % 251 + 1
    head = text(
        *("ply; format ascii 1.0; comment TextureFile; element vertex 8", properties(vertex)),
        *("element face 0", properties("list uchar int vertex_indices")),
        *("element tristrips 3", properties("list int int vertex_indices"), "end_header"),
    )
    rows = [" ".join(map(str, row)) for row in vertices]
    return {f"{name}.ply": text(head, *rows, "0; 9 0 1 2 3 -1 4 5 6 6; 9 7 6 7 5 0 1 1 2 3").encode()}
