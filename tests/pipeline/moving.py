"""GLB files of moving figures of boxes, with known nodes, clips and faults."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.characters.gltf.writer import GltfWriter
from tests.clips import add_motion
from tests.shapes import BOX, PARTS, TRIANGLES

SECONDS = 0.5


def _turn_about_x(degrees: float) -> list[float]:
    half = np.deg2rad(degrees) / 2
    return [float(np.sin(half)), 0.0, 0.0, float(np.cos(half))]


def write_moving_figure(path: Path, spoilt: bool = False, names: Sequence[str] = ("wave", "go")) -> Path:
    """A figure that waves its left arm, and one that travels three of its heights to its own right.

    Args:
        path: of the file.
        spoilt: also a clip of NaNs, one named like a path, one of no length.
        names: of the two clips, or of the one that waves.
    """
    writer = GltfWriter()
    nodes = []
    for name, (centre, size, colour) in PARTS.items():
        material = writer.add(
            "materials", pbrMetallicRoughness={"baseColorFactor": [*(float(c) ** 2.2 for c in colour), 1.0]}
        )
        part = writer.primitive(BOX * np.array(size), TRIANGLES, material)
        nodes.append(writer.mesh_node(part, name=name, translation=[float(c) for c in centre]))
    root = writer.add("nodes", name="hips", children=nodes)
    writer.add("scenes", nodes=[root])
    writer.data["scene"] = 0
    arm = nodes[list(PARTS).index("left_arm")]

    def clip(name: str, node: int, way: str, values: Any, times: Any = (0.0, SECONDS / 2, SECONDS)) -> None:
        add_motion(writer, name, node, way, times, values)

    clip(names[0], arm, "rotation", [_turn_about_x(0), _turn_about_x(70), _turn_about_x(0)])
    if len(names) > 1:
        clip(names[1], root, "translation", [[0.0, 0, 0], [-2.0, 0, 0], [-4.0, 0, 0]])
    if spoilt:
        clip("nothing", arm, "rotation", [[np.nan] * 4] * 3)
        clip("../../etc/passwd", arm, "rotation", [_turn_about_x(0), _turn_about_x(20), _turn_about_x(0)])
        clip("still", arm, "rotation", [_turn_about_x(45)], (0.25,))
    path.parent.mkdir(parents=True, exist_ok=True)
    return writer.write_glb(path)
