"""Small characters with known geometry, written as files that the readers read."""

import json
import struct
from pathlib import Path

import numpy as np

BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) / 2
QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
TRIANGLES = [quad[k] for quad in QUADS for k in (0, 1, 2, 0, 2, 3)]

PARTS = {
    # name: centre (x, height, depth towards the viewer), size, colour; Y up and facing +Z as OBJ has it
    "body": ((0.0, 0.9, 0.0), (0.5, 0.8, 0.35), (0.8, 0.2, 0.2)),
    "head": ((0.0, 1.6, 0.0), (0.6, 0.6, 0.5), (0.9, 0.7, 0.5)),
    "nose": ((0.0, 1.55, 0.3), (0.12, 0.12, 0.2), (0.9, 0.3, 0.3)),
    "left_arm": ((0.5, 1.15, 0.0), (0.6, 0.2, 0.2), (0.2, 0.2, 0.9)),
    "right_arm": ((-0.45, 1.1, 0.0), (0.4, 0.25, 0.2), (0.2, 0.8, 0.2)),
    "left_leg": ((0.16, 0.25, 0.0), (0.2, 0.5, 0.25), (0.3, 0.3, 0.3)),
    "right_leg": ((-0.16, 0.25, 0.0), (0.2, 0.5, 0.25), (0.3, 0.3, 0.3)),
}
"""An asymmetric figure of boxes: its left arm is longer than its right one."""


def write_figure(path: Path, stretch: float = 1.0, tint: float = 0.0) -> Path:
    """A figure of boxes as OBJ with vertex colours, `stretch` times as tall."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, offset = [], 1
    for name, (centre, size, colour) in PARTS.items():
        lines.append(f"o {name}")
        for corner in BOX * size + centre:
            x, y, z = corner * (1.0, stretch, 1.0)
            r, g, b = ((1 - tint) * c + tint * 0.5 for c in colour)
            lines.append(f"v {x:.6f} {y:.6f} {z:.6f} {r:.4f} {g:.4f} {b:.4f}")
        lines += ["f " + " ".join(str(offset + i) for i in quad) for quad in QUADS]
        offset += 8
    path.write_text("\n".join(lines) + "\n")
    return path


def write_folder(folder: Path, count: int) -> Path:
    """Write a folder of that many different figures, with ids 0, 1, 2, ..."""
    for index in range(count):
        write_figure(folder / f"{index}.obj", 1.0 + 0.06 * index, 0.05 * index)
    return folder


def write_broken(folder: Path) -> None:
    """Write one file of each kind that cannot be built, and one whose texture is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corrupt.glb").write_bytes(b"glTF" + struct.pack("<II", 2, 4000) + b"\x00" * 100)
    (folder / "empty.obj").write_text("")
    text = write_figure(folder / "nan.obj").read_text()
    (folder / "nan.obj").write_text(text.replace("v 0.250000", "v nan", 1))
    plain = "\n".join(
        " ".join(line.split()[:4]) if line.startswith("v ") else line
        for line in write_figure(folder / "untextured.obj").read_text().splitlines()
    )
    (folder / "untextured.mtl").write_text("newmtl skin\nmap_Kd not_there.png\n")
    (folder / "untextured.obj").write_text("mtllib untextured.mtl\nusemtl skin\n" + plain)


def lines_of(path: Path) -> list[dict[str, object]]:
    """Objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
