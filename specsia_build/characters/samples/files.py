"""The files of one character in the layout of 3DBiCar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.bicar_rig import RIG

FILES = (
    "tpose/m.obj", "tpose/m.mtl", "tpose/m.bmp", "tpose/e.obj", "tpose/e.mtl", "tpose/e.bmp", RIG,
    "image/image_reshape512.jpeg", "image/mask512.png", "metadata.json",
)  # fmt: skip
"""Every file of a complete character, relative to its folder."""

MARK = "# specsia procedural sample"
"""First line of an OBJ that this package wrote."""


def _lines(template: str, values: NDArray[np.floating] | NDArray[np.int64]) -> str:
    return (template * len(values)) % tuple(values.ravel().tolist())


def obj_text(
    name: str,
    vertices: NDArray[np.float64],
    normals: NDArray[np.float64],
    quads: NDArray[np.int64],
    uv: NDArray[np.float64],
) -> str:
    """An OBJ of quads with one texture coordinate per place, not per corner.

    Args:
        name: of the material and of its library.
        vertices: (V, 3), Y up, facing +Z.
        normals: (V, 3).
        quads: (Q, 4).
        uv: (Q, 4, 2), 0-1, v up.
    """
    rounded = np.rint(uv.reshape(-1, 2) * 1e6).astype(np.int64)
    _, first, back = np.unique(rounded[:, 0] * 2_000_003 + rounded[:, 1], return_index=True, return_inverse=True)
    corners = quads.ravel() + 1
    faces = np.stack([corners, back.reshape(-1) + 1, corners], axis=1).reshape(-1, 12)
    corner = "%d/%d/%d"
    return "".join(
        (
            f"{MARK}\nmtllib {name}.mtl\no {name}\n",
            _lines("v %.5f %.5f %.5f\n", vertices),
            _lines("vt %.6f %.6f\n", uv.reshape(-1, 2)[first]),
            _lines("vn %.4f %.4f %.4f\n", normals),
            f"usemtl {name}\n",
            _lines(f"f {corner} {corner} {corner} {corner}\n", faces),
        )
    )


def mtl_text(name: str) -> str:
    """The material of an OBJ: its texture, unlit."""
    return f"newmtl {name}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd {name}.bmp\n"


def write_mesh(
    folder: Path,
    name: str,
    vertices: NDArray[np.float64],
    normals: NDArray[np.float64],
    quads: NDArray[np.int64],
    uv: NDArray[np.float64],
    image: NDArray[np.uint8],
) -> None:
    """`{name}.obj`, `.mtl` and `.bmp` in `folder`; `image` is (S, S, 3), row 0 at the top."""
    text = obj_text(name, vertices, normals, quads, uv)
    (folder / f"{name}.obj").write_text(text, encoding="ascii", newline="\n")
    (folder / f"{name}.mtl").write_text(mtl_text(name), encoding="ascii", newline="\n")
    Image.fromarray(image).save(folder / f"{name}.bmp")
