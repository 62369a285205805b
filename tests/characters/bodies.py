"""Figures of boxes for tests of what a character looks like: Z up, facing -Y, mirrored left to right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from specsia_build.characters.character import Character
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.rendering.mesh import Material, Mesh
from tests.characters.bad_characters import BOX_TRIANGLES
from tests.characters.gltf.writer import GltfWriter
from tests.shapes import BOX, QUADS

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
    """Rotation from the frame into a file that stands along `up` and faces `front` once that is turned to Z."""
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


def write_glb(path: Path, props: dict[str, tuple[float, float, float]], joints: dict[str, float]) -> Path:
    """A figure with props of a size below its left hand, and joints at a height; Y up, facing +Z."""
    writer = GltfWriter()
    red = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": [0.9, 0.3, 0.1, 1.0]})

    def node(name: str, solids: list[np.ndarray]) -> int:
        points = np.concatenate([solid[t] for solid in solids for t in BOX_TRIANGLES])
        return writer.mesh_node(writer.primitive(points[:, [0, 2, 1]] * (1, 1, -1), material=red), name=name)

    held = [node(name, box((1.0, 0, 1.35), size)) for name, size in props.items()]
    hand = writer.add("nodes", name="hand.l", children=held) if held else None
    nodes = [node("Body", boxes()), *([] if hand is None else [hand])]
    nodes += [writer.add("nodes", name=name, translation=[0, height, 0]) for name, height in joints.items()]
    writer.data |= {"scene": 0, "scenes": [{"nodes": nodes}]}
    return writer.write_glb(path)


def read(path: Path) -> Character:
    """The one character of a source."""
    (entry,) = open_source(str(path), path.parent / "scratch").entries
    return read_character(entry)
