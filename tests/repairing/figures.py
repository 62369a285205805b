"""A figure of boxes as a drawing, and as meshes of other tools: in any axes and scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.repairing.drawing import Frontal, render_front
from specsia_build.repairing.placing import read_one
from tests.shapes import write_figure


def front_of_figure(folder: Path, size: int = 128) -> Frontal:
    """The front of the figure of boxes."""
    return render_front(read_one(write_figure(folder / "figure.obj")), size)


def write_drawing(folder: Path, name: str = "drawing.png", *, size: int = 128, ground: object = None) -> Path:
    """The front of the figure as a picture, transparent or on a ground: a colour, or pixels (H, W, 3)."""
    image = Image.fromarray(front_of_figure(folder, size).image)
    if ground is not None:
        paper = np.broadcast_to(np.asarray(ground, np.uint8), (size, size, 3))
        behind = Image.fromarray(np.ascontiguousarray(paper))
        behind.paste(image, (0, 0), image)
        image = behind
    image.save(folder / name)
    return folder / name


def write_turned(
    path: Path, matrix: NDArray[np.floating], scale: float = 1.0, shift: float = 0.0, *, painted: bool = False
) -> Path:
    """The figure as OBJ, its coordinates moved by a (3, 3) matrix, a scale and a shift; its front may be painted."""
    lines = []
    for line in write_figure(path).read_text().splitlines():
        kind, *words = line.split()
        if kind == "v":
            if painted and float(words[2]) > 0:
                words[3:] = ["0.9", "0.9", "0.1"]
            place = scale * (matrix @ np.array(words[:3], float)) + shift
            line = " ".join(["v", *(f"{value:.6f}" for value in place), *words[3:]])
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")
    return path
