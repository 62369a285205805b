"""The default backend: a small network predicts the depth and the back's colours of a figure in a picture.

The network sees a crop of 128 px. Front and back become two sheets that meet on the silhouette's contour. The
picture colours the front; each pixel of the back takes one of the picture's colours or the front pixel's own.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.backends.base import Backend, Context, SideDrawing
from specsia_build.backends.relief import net
from specsia_build.backends.relief.baking import Turnaround, baked, centred
from specsia_build.backends.relief.colouring import DrawnFront, back_of, paper_of_lines, with_sides
from specsia_build.backends.relief.net import CROP_ROUNDS, CROP_SAMPLES, inputs, kept_on_white
from specsia_build.backends.relief.sheets import (
    FULLY_COVERED,
    SIZE,
    FigureCut,
    extended,
    figure_of,
    surface_of,
    textured,
)
from specsia_build.backends.relief.solid import solid_of
from specsia_build.errors import UsageError
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.pictures.masks import box_around, continued
from specsia_build.pictures.palettes import COLOURS, palette_of
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh

# Units that a framed figure's width and height must stay below for its length to be its longest side
_ROOM = 0.93
_AROUND = 8  # Pixels of a crop around the figure that its colours are computed in


class Relief(Backend):
    """Backend that predicts the depth of front and back with a small network; see docs/backends.md."""

    name = "relief"
    version = 11
    keeps_frame = True
    compiles = True
    sees_back = True
    sees_side = True
    sees_profile = True

    def settings(self) -> Mapping[str, Any]:
        return {"weights": _digest()}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A closed, textured mesh that fills the picture's silhouette, in the scale of the frontal camera.

        Raises CharacterError if the picture is not square or too small, or shows nothing.
        """
        figure = figure_of(image)
        picture, crop = figure.picture, figure.crop
        front, trusted = extended(picture)
        small = crop.resized(kept_on_white(picture))
        inside = small[..., 3] >= HALF_COVERED
        opaque = np.asarray(crop.nearest(trusted & (picture[..., 3] >= FULLY_COVERED))) & inside
        opaque = opaque if opaque.any() else inside
        labels = np.full((SIZE, SIZE), COLOURS)
        # The lines of a render are colours of its character.
        paper = None if context.framed else paper_of_lines(picture, crop.figure)
        if paper is None:
            _, labels[opaque] = palette_of(small[opaque, :3], CROP_SAMPLES, CROP_ROUNDS)
        else:
            labels[opaque] = 0
        length = min(crop.figure * ORTHO_WIDTH / figure.size, 1.0) if context.framed else 0.0
        depth, logits = _predict(small, labels, length)
        if length:
            # The frame gives the length of the figure's longest side; seen from the front it may be less.
            middle = depth[inside].mean()
            factor = 1 / (length * float(depth[inside, 0].max() - depth[inside, 1].min()))
            depth = np.asarray(
                middle + (depth - middle) * np.float32(factor if length < _ROOM else min(factor, 1.0))
            )
        if context.is_profile:
            half = (depth[..., 0] - depth[..., 1]) / 2
            depth = np.stack([half, -half], axis=-1)
        known = np.where(inside, continued(labels, opaque), COLOURS)
        part = _part(inside)
        colours = crop.resized(front) if paper is None else np.full((SIZE, SIZE, 3), paper)
        drawn = DrawnFront(front, colours[part], known[part], crop, part)
        if context.back is not None:
            behind = extended(np.ascontiguousarray(context.back[:, ::-1][figure.window]))[0]
        elif context.is_profile:
            behind = front
        else:
            behind = back_of(drawn, logits[part])
        if context.side is not None:
            mesh, cut = solid_of(figure, depth, inside, context.side.from_left)
            drawings = _drawings(figure, (front, behind), context.side, round(cut.middle))
            return baked(mesh, drawings, Camera(0.0, figure.size).pixels_per_unit)
        # The network was trained on renders, and knows no spears, whiskers and strands of drawings.
        surface = surface_of(figure, depth, known=context.framed, profile=context.is_profile)
        return textured(figure, surface, with_sides(drawn, figure, depth), behind)


def _part(inside: Mask) -> tuple[slice, slice]:
    """Rows and columns of a crop (S, S) around its figure, with the same middle as the crop."""
    margins = [min(side.start, SIZE - side.stop) for side in box_around(inside, _AROUND)]
    return slice(margins[0], SIZE - margins[0]), slice(margins[1], SIZE - margins[1])


def _drawings(figure: FigureCut, sheets: tuple[Pixels, Pixels], side: SideDrawing, middle: int) -> Turnaround:
    """Front, side and back in squares that hold all of them.

    `sheets` are front and back (H, W, 3) of the figure's window, as seen from the front, and `middle` is the
    column of the side in the middle of the figure.
    """
    picture, (rows, columns) = side.from_left, figure.window
    size = max(figure.size, 2 * max(middle, picture.shape[1] - middle))
    size += (size - figure.size) % 2
    border = (size - figure.size) // 2
    front, back = (centred(sheet, size, rows.start + border, columns.start + border) for sheet in sheets)
    left = centred(extended(picture)[0], size, border, size // 2 - middle)
    return Turnaround(front, left, np.ascontiguousarray(back[:, ::-1]))


def create(argument: str | None) -> Relief:
    """Create the backend for ``relief``, which takes no argument."""
    if argument is not None:
        raise UsageError("relief takes no argument")
    return Relief()


@cache
def _digest() -> str:
    return hashlib.sha256(net.WEIGHTS_FILE.read_bytes()).hexdigest()


def _predict(small: NDArray[np.uint8], labels: NDArray[np.intp], length: float) -> tuple[Floats, Floats]:
    """Depths and logits of `net.decode`: the mean over a crop and its mirror image, continued outwards."""
    layers = net.layers_of(net.WEIGHTS_FILE)
    straight = net.decode(*net.forward(inputs(small, length), layers), labels, length)
    mirrored = net.decode(*net.forward(inputs(small[:, ::-1], length), layers), labels[:, ::-1], length)
    inside = (
        small[..., 3] >= FULLY_COVERED
        if (small[..., 3] >= FULLY_COVERED).any()
        else small[..., 3] >= HALF_COVERED
    )
    sides = zip(straight, mirrored, strict=True)
    depth, logits = (continued((a + b[:, ::-1]) / np.float32(2), inside) for a, b in sides)
    return depth, logits
