"""Figures of boxes, Z up and facing -Y, and GLB files of one, Y up, with a fault each that must not show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.character import Character
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.rendering.mesh import Material, Mesh
from tests.characters.gltf.writer import GltfWriter
from tests.shapes import BOX, PARTS, QUADS, TRIANGLES

BOX_TRIANGLES = np.reshape(TRIANGLES, (-1, 3))

Boxes = dict[str, list[np.ndarray]]

# Centre (x, y, z) and size; what lies aside is there twice.
_BODY = {
    "trunk": ((0, 0, 1.2), (0.5, 0.25, 0.7)),
    "belly": ((0, -0.22, 1.1), (0.4, 0.2, 0.5)),
    "head": ((0, -0.1, 1.75), (0.3, 0.3, 0.35)),
    "nose": ((0, -0.3, 1.7), (0.08, 0.12, 0.08)),
    "arm": ((0.55, 0, 1.35), (0.6, 0.15, 0.15)),
    "leg": ((0.16, 0, 0.5), (0.18, 0.2, 0.8)),
    "foot": ((0.16, -0.08, 0.05), (0.18, 0.4, 0.1)),
}

JOINTS: dict[str, tuple[float, float, float]] = {
    "Hips": (0, 0, 0.9),
    "Head": (0, 0, 1.6),
    "Arm.L": (0.3, 0, 1.35),
    "Arm.R": (-0.3, 0, 1.35),
    "UpLeg.L": (0.16, 0, 0.9),
    "UpLeg.R": (-0.16, 0, 0.9),
    "Foot.L": (0.16, 0, 0.1),
    "Foot.R": (-0.16, 0, 0.1),
}


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> list[np.ndarray]:
    return [BOX * size + np.array(centre)]


def boxes() -> list[np.ndarray]:
    """The corners (8, 3) of each box of a figure."""
    return [
        BOX * size + np.array(centre) * (side, 1, 1)
        for centre, size in _BODY.values()
        for side in ((1, -1) if centre[0] else (1,))
    ]


FIGURE: Boxes = {"Trunk": boxes()[:4], "Limbs": boxes()[4:]}


def mesh_of(solids: list[np.ndarray], dark: int = 0) -> Mesh:
    """A mesh of boxes, the last `dark` of them dark and the others pale."""
    faces = BOX_TRIANGLES.astype(np.int32)
    return Mesh(
        vertices=np.concatenate(solids).astype(np.float32),
        faces=np.concatenate([faces + 8 * k for k in range(len(solids))]),
        materials=(Material("pale", (0.9, 0.7, 0.5, 1.0)), Material("dark", (0.02, 0.02, 0.02, 1.0))),
        face_material=np.repeat([0] * (len(solids) - dark) + [1] * dark, len(faces)).astype(np.int32),
    )


def into_file(up: str, front: str) -> np.ndarray:
    """Rotation from the frame into a file that stands along `up` and faces `front` once that is Z."""
    return np.asarray(up_rotation(up).T @ front_rotation(front).T)


def write_obj(path: Path, groups: Boxes, turn: np.ndarray | None = None) -> Path:
    """Boxes of the frame by group, red; Z up unless they are turned into the file's coordinates."""
    lines, count = [], 0
    for name, solids in groups.items():
        lines += [f"g {name}"] if name else []
        for solid in solids:
            placed = solid if turn is None else solid @ turn.T
            lines += ["v {:.6f} {:.6f} {:.6f} 0.9 0.3 0.1".format(*corner) for corner in placed]
            lines += ["f " + " ".join(str(count + i + 1) for i in quad) for quad in QUADS]
            count += 8
    path.write_text("\n".join(lines))
    return path


def write_glb(path: Path) -> Path:
    """A red figure, Y up, facing +Z."""
    writer = GltfWriter()
    red = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 1.0]})
    points = np.concatenate([solid[t] for solid in boxes() for t in BOX_TRIANGLES])
    writer.mesh_node(writer.primitive(points[:, [0, 2, 1]] * (1, 1, -1), material=red), name="Body")
    return writer.write_glb(path)


def character_of(path: Path) -> Character:
    """The one character of a source."""
    (entry,) = open_source(str(path), path.parent / "scratch").entries
    return read_character(entry)


Points = NDArray[np.float64]
Ints = NDArray[np.int64]

CORNER_UV = np.array([[x, 1 - y] for x, y, _ in BOX + 0.5])


def figure() -> tuple[Points, Ints, Points, Points]:
    """Points (V, 3), triangles (F, 3), UV (V, 2), the whole image on each front, linear colours (V, 3)."""
    points = np.concatenate([BOX * size + centre for centre, size, _ in PARTS.values()])
    faces = np.concatenate([BOX_TRIANGLES + 8 * k for k in range(len(PARTS))])
    colours = np.repeat([colour for *_, colour in PARTS.values()], 8, axis=0)
    return points, faces, np.tile(CORNER_UV, (len(PARTS), 1)), colours


def checks(size: int) -> Any:
    """A red and blue chequerboard of 8 x 8 squares, (size, size, 3) uint8."""
    y, x = np.indices((size, size)) * 8 // size
    return np.where(((x + y) % 2 == 0)[..., None], (220, 40, 40), (40, 60, 220)).astype(np.uint8)


Change = Callable[[Points, Ints, Points], tuple[Any, Any, Any]]
"""From points, faces and colours of the figure to those that are written."""


DRAWN: dict[str, Change] = {
    "plain": lambda p, f, c: (p, f, c),
    "degenerate": lambda p, f, c: (p, np.concatenate([f, f[:, [0, 0, 1]], f[:, [2, 2, 2]]]), c),
    "zero_area": lambda p, f, c: (
        np.concatenate([p, p[f[:, 0]] / 2 + p[f[:, 1]] / 2]),
        np.concatenate([f, np.c_[f[:, :2], len(p) + np.arange(len(f))]]),
        np.concatenate([c, c[f[:, 0]]]),
    ),
    "duplicate_faces": lambda p, f, c: (p, np.concatenate([f, f, f[:, [1, 2, 0]]]), c),
    "doubled_inside_out": lambda p, f, c: (p, np.concatenate([f, f[:, ::-1]]), c),
    "inside_out": lambda p, f, c: (p, f[:, ::-1], c),
    "half_inside_out": lambda p, f, c: (p, np.where(np.indices(f.shape)[0] % 2 == 0, f, f[:, ::-1]), c),
    "holes": lambda p, f, c: (p, f[np.arange(len(f)) % 12 != 10], c),
    "soup": lambda p, f, c: (p[f].reshape(-1, 3), None, c[f].reshape(-1, 3)),
    "huge": lambda p, f, c: (p * 1e30, f, c),
    "tiny": lambda p, f, c: (p * 1e-30, f, c),
    "hugest": lambda p, f, c: ((p - (0, 0.95, 0)) * 3e38, f, c),
    "far": lambda p, f, c: (p + 1000.0, f, c),
    "unused_nan": lambda p, f, c: (np.r_[p, np.full((1, 3), np.nan)], f, np.r_[c, np.ones((1, 3))]),
}


def write_drawn(name: str, path: Path) -> None:
    """Write one of `DRAWN` as a GLB file of one double-sided primitive."""
    points, faces, _, colours = figure()
    points, faces, colours = DRAWN[name](points, faces, colours)
    file = GltfWriter()
    material = file.add("materials", doubleSided=True)
    file.mesh_node(file.primitive(points, faces, material, COLOR_0=file.accessor(colours)))
    file.write_glb(path)
