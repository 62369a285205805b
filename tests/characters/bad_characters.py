"""Characters that are wrong in one way each, made of the boxes of `tests.shapes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.characters.gltf.writer import GltfWriter, png
from tests.shapes import BOX, PARTS, QUADS

Points = NDArray[np.float64]
Ints = NDArray[np.int64]

BOX_TRIANGLES = np.array([t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))])
CORNER_UV = np.array([[x, 1 - y] for x, y, _ in BOX + 0.5])


def figure() -> tuple[Points, Ints, Points, Points]:
    """Points (V, 3), triangles (F, 3), UV (V, 2) with the whole image on each front, linear colours (V, 3)."""
    points = np.concatenate([BOX * size + centre for centre, size, _ in PARTS.values()])
    faces = np.concatenate([BOX_TRIANGLES + 8 * k for k in range(len(PARTS))])
    colours = np.repeat([colour for *_, colour in PARTS.values()], 8, axis=0)
    return points, faces, np.tile(CORNER_UV, (len(PARTS), 1)), colours


def checks(size: int) -> Any:
    """A red and blue chequerboard of 8 x 8 squares, (size, size, 3) uint8."""
    y, x = np.indices((size, size)) * 8 // size
    return np.where(((x + y) % 2 == 0)[..., None], (220, 40, 40), (40, 60, 220)).astype(np.uint8)


def write_glb(
    path: Path,
    points: Any,
    faces: Any = None,
    uv: Any = None,
    colours: Any = None,
    texture: bytes | None = None,
    mode: int | None = None,
    **material: Any,
) -> None:
    """One primitive with one material; `texture` is a PNG, `material` what glTF calls its properties."""
    file, attributes = GltfWriter(), {}
    if uv is not None:
        attributes["TEXCOORD_0"] = file.accessor(uv)
    if colours is not None:
        attributes["COLOR_0"] = file.accessor(colours)
    pbr: dict[str, Any] = {}
    if texture is not None:
        pbr["baseColorTexture"] = {"index": file.add("textures", source=file.image(texture))}
    number = file.add("materials", pbrMetallicRoughness=pbr, **material)
    primitive = file.primitive(points, material=number, mode=mode)
    primitive["attributes"] |= attributes
    if faces is not None:
        primitive["indices"] = file.accessor(np.asarray(faces).reshape(-1), "u4")
    file.mesh_node(primitive)
    file.add("scenes", nodes=[0])
    file.write_glb(path)


def _with(change: Callable[[Points, Ints, Points, Points], dict[str, Any]]) -> Callable[[Path], None]:
    """A writer of the figure with vertex colours, what `change` returns replaced."""

    def write(path: Path) -> None:
        points, faces, uv, colours = figure()
        wanted: dict[str, Any] = {"points": points, "faces": faces, "colours": colours}
        wanted.update(change(points, faces, uv, colours))
        write_glb(path, **wanted)

    return write


def _textured(texture: Any, scale: float = 1.0, shift: float = 0.0, **material: Any) -> Callable[[Path], None]:
    return _with(lambda p, f, uv, c: {"uv": uv * scale + shift, "colours": None, "texture": png(texture), **material})


def _spoilt(values: NDArray[Any], where: Any, value: float) -> NDArray[Any]:
    out = values.astype(np.float64)
    out[where] = value
    return out


def _holes(faces: Ints) -> Ints:
    return np.asarray(faces[np.arange(len(faces)) % 12 != 10])


def _self_intersecting(points: Points, faces: Ints, colours: Points) -> dict[str, Any]:
    turned = points[:, [2, 1, 0]]
    return {
        "points": np.concatenate([points, turned]),
        "faces": np.concatenate([faces, faces[:, ::-1] + len(points)]),
        "colours": np.concatenate([colours, 1 - colours]),
    }


def _materials(path: Path, count: int = 100) -> None:
    points, faces, uv, _ = figure()
    file = GltfWriter()
    primitives = []
    for k in range(count):
        pbr = {"baseColorFactor": [k % 10 / 9, k // 10 / 9, 0.5, 1.0]}
        if k % 2:
            image = file.image(png(np.full((2, 2, 3), k, np.uint8)))
            pbr["baseColorTexture"] = {"index": file.add("textures", source=image)}  # type: ignore[assignment]
        number = file.add("materials", pbrMetallicRoughness=pbr)
        primitive = file.primitive(points, material=number, TEXCOORD_0=file.accessor(uv))
        primitive["indices"] = file.accessor(faces[k % len(faces) :: count].reshape(-1), "u4")
        primitives.append(primitive)
    file.mesh_node(*primitives)
    file.add("scenes", nodes=[0])
    file.write_glb(path)


def _back(points: Points, faces: Ints) -> Ints:
    """The faces of the back of each part, which look away from whom the figure faces."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    return faces[np.cross(b - a, c - a)[:, 2] < 0]


def _half_turned(faces: Ints) -> Ints:
    """Every other face wound the other way."""
    return np.where((np.arange(len(faces)) % 2 == 0)[:, None], faces, faces[:, ::-1])


def _cut_texture(path: Path) -> None:
    points, faces, uv, _ = figure()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3))
    write_glb(path, points, faces, uv, texture=png(noise)[:4000])


DRAWN: dict[str, Callable[[Path], None]] = {
    "plain": _with(lambda p, f, uv, c: {}),
    "degenerate": _with(lambda p, f, uv, c: {"faces": np.concatenate([f, f[:, [0, 0, 1]], f[:, [2, 2, 2]]])}),
    "zero_area": _with(
        lambda p, f, uv, c: {
            "points": np.concatenate([p, p[f[:, 0]] / 2 + p[f[:, 1]] / 2]),
            "colours": np.concatenate([c, c[f[:, 0]]]),
            "faces": np.concatenate([f, np.c_[f[:, :2], len(p) + np.arange(len(f))]]),
        }
    ),
    "duplicate_faces": _with(lambda p, f, uv, c: {"faces": np.concatenate([f, f, f[:, [1, 2, 0]]])}),
    "doubled_inside_out": _with(lambda p, f, uv, c: {"faces": np.concatenate([f, f[:, ::-1]])}),
    "inside_out": _with(lambda p, f, uv, c: {"faces": f[:, ::-1], "doubleSided": True}),
    "half_inside_out": _with(lambda p, f, uv, c: {"faces": _half_turned(f), "doubleSided": True}),
    "half_gone": _with(lambda p, f, uv, c: {"faces": _half_turned(f)}),
    "non_manifold": _with(lambda p, f, uv, c: {"faces": np.concatenate([f, np.c_[f[:, :2], np.roll(f[:, 2], 12)]])}),
    "self_intersecting": _with(lambda p, f, uv, c: _self_intersecting(p, f, c)),
    "holes": _with(lambda p, f, uv, c: {"faces": _holes(f)}),
    "holes_two_sided": _with(lambda p, f, uv, c: {"faces": _holes(f), "doubleSided": True}),
    "soup": _with(lambda p, f, uv, c: {"points": p[f].reshape(-1, 3), "colours": c[f].reshape(-1, 3), "faces": None}),
    "huge": _with(lambda p, f, uv, c: {"points": p * 1e30}),
    "tiny": _with(lambda p, f, uv, c: {"points": p * 1e-30}),
    "hugest": _with(lambda p, f, uv, c: {"points": (p - (0, 0.95, 0)) * 3e38}),
    "far": _with(lambda p, f, uv, c: {"points": p + 1000.0}),
    "far_away": _with(lambda p, f, uv, c: {"points": p + 1e9}),
    "unused_nan": _with(
        lambda p, f, uv, c: {"points": np.r_[p, np.full((1, 3), np.nan)], "colours": np.r_[c, np.ones((1, 3))]}
    ),
    "nan_uv": _with(lambda p, f, uv, c: {"uv": _spoilt(uv, 3, np.nan), "colours": None, "texture": png(checks(64))}),
    "inf_uv": _with(lambda p, f, uv, c: {"uv": _spoilt(uv, 3, np.inf), "colours": None, "texture": png(checks(64))}),
    "nan_colours": _with(lambda p, f, uv, c: {"colours": _spoilt(c, 3, np.nan)}),
    "colours_beyond_1": _with(lambda p, f, uv, c: {"colours": c * 1e20 - 1}),
    "texture_1": _textured(np.full((1, 1, 3), (40, 180, 90))),
    "texture_1_wide": _textured(checks(64)[:1]),
    "texture_1_tall": _textured(checks(64)[:, :1]),
    "uv_far": _textured(checks(64), 1.0, 1000.0),
    "uv_far_1e9": _textured(checks(64), 1.0, 1e9),
    "uv_wild": _textured(checks(64), 1e6, -1e5),
    "uv_1e30": _textured(checks(64), 1e30),
    "clear_opaque": _textured(np.dstack([checks(64), np.zeros((64, 64))])),
    "materials_100": _materials,
    "cut_texture": _cut_texture,
}
"""Writers of GLB files that build: given a path, they write there."""


def _text(content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content

    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def _cut(share: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        DRAWN["nan_uv"](path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return write


REFUSED: dict[str, Callable[[Path], None]] = {
    "nan_vertex": _with(lambda p, f, uv, c: {"points": _spoilt(p, 3, np.nan)}),
    "inf_vertex": _with(lambda p, f, uv, c: {"points": _spoilt(p, 3, np.inf)}),
    "one_point": _with(lambda p, f, uv, c: {"points": p * 0 + 1}),
    "points_only": _with(lambda p, f, uv, c: {"faces": None, "mode": 0}),
    "lines_only": _with(lambda p, f, uv, c: {"faces": None, "mode": 1}),
    "no_faces": _with(lambda p, f, uv, c: {"faces": np.empty((0, 3))}),
    "index_beyond": _with(lambda p, f, uv, c: {"faces": _spoilt(f, (5, 1), 4_000_000_000).astype(np.uint32)}),
    "line_of_triangles": _with(lambda p, f, uv, c: {"points": p * (0, 1, 0)}),
    "clear_mask": _textured(np.dstack([checks(64), np.zeros((64, 64))]), alphaMode="MASK"),
    "clear_blend": _textured(np.dstack([checks(64), np.zeros((64, 64))]), alphaMode="BLEND"),
    "card": _with(lambda p, f, uv, c: {"points": p * (1, 1, 0), "doubleSided": True}),
    "turned_away": _with(lambda p, f, uv, c: {"faces": _back(p, f)}),
    "one_triangle": _with(lambda p, f, uv, c: {"faces": f[:1]}),
    "stray_vertex": _with(lambda p, f, uv, c: {"points": _spoilt(p, 3, 1e6)}),
    "zero_bytes": _text(b""),
    "text": _text("this is no model"),
    "cut_header": _cut(0.001),
    "cut_10": _cut(0.1),
    "cut_half": _cut(0.5),
    "cut_99": _cut(0.99),
}
"""Writers of GLB files of which nothing can be drawn that is worth a place in a dataset."""
