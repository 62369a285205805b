"""Inflate a drawing's silhouette to a closed figure, without a model.

`depth` guesses how deep the figure is; a framed figure that leaves room in its picture is drawn out along the line of
sight. The picture colours the front; the back takes the colours along the outline, led inwards. Parts that touch in the
picture are joined, and front and back have one shape but for the feet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.base import Backend, Context
from specsia_build.backends.inflate.depth import depths
from specsia_build.backends.two_sheets import Figure, extended, figure_of, sampled, surface_of, textured
from specsia_build.errors import UsageError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.rendering.mesh import Mesh

GRID = 224
"""Cells along a side of the crop in which depths are worked out."""

CELLS = 2000
"""Cells of the mesh that the silhouette covers: some 8,000 faces."""

ROOM = 0.9
"""Units of width and of height below which a framed figure's length is taken for its longest side. A tall figure that
holds a spear towards the viewer may be a little less high than it is long."""

BULK = 0.75
"""Share of a long figure's length that is as wide as the figure: the rest are a muzzle and a tail."""

COARSER = 2
"""Pixels of the picture along a side of a pixel in which the back is worked out."""

RIM = 0.008
"""Width of the band along the contour whose colours the back takes, as a share of the picture's width."""

UPRIGHT = 3.0
"""How much farther a step up or down is than one sideways in the search for the nearest rim colour: clothes and hair of
an upright figure change from the head down more than they do around it."""

ALIKE = 40.0
"""Levels (root of the summed squares over R, G, B) up to which the front counts as more of the rim's colour."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Inflate(Backend):
    """Backend that inflates the silhouette."""

    name: str = "inflate"
    version: int = 7
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    generates: bool = True
    compiles: bool = True

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A closed, textured mesh that fills the picture's silhouette, in the scale of the frontal camera."""
        figure = figure_of(image)
        nodes = round(figure.crop.figure * (CELLS / np.count_nonzero(figure.covered)) ** 0.5)
        surface = surface_of(figure, _depths(figure, context.framed), nodes)
        front, _ = extended(figure.picture)
        return textured(figure, surface, front, _back(front, figure), "inflate")


def create(argument: str | None) -> Inflate:
    """Create the backend for ``inflate``, which takes no argument."""
    if argument is not None:
        raise UsageError("inflate takes no argument")
    return Inflate()


def _depths(figure: Figure, framed: bool) -> NDArray[np.float64]:
    """Depths (`GRID`, `GRID`, 2) of front and back in lengths of the figure."""
    crop = figure.crop
    cell = crop.side / GRID
    steps = (np.arange(GRID) + 0.5) * cell
    columns, rows = np.meshgrid(crop.left + steps, crop.top + steps)
    distance = sampled(figure.distance, columns, rows) / cell
    longest = crop.figure * ORTHO_WIDTH / figure.size
    length = BULK / longest if framed and longest < ROOM else 0.0
    cells = crop.figure / cell
    return depths(distance, length * cells) / cells


def _back(front: NDArray[np.uint8], figure: Figure) -> NDArray[np.uint8]:
    """Colours (H, W, 3) of the back seen through the front: those of the rim, led inwards.

    The outline of the head is hair or a helmet as a rule, that of the body its clothes, so the rim's colours cover
    what a mirrored picture would show there: a second face. Where the front, blurred, is like the colour led inwards,
    it is kept, so that a belt or a hem goes around.
    """
    height, width = front.shape[:2]
    colours = np.asarray(Image.fromarray(front).reduce(COARSER), np.float32)
    covered = figure.covered[::COARSER, ::COARSER]
    depth = scipy.ndimage.distance_transform_edt(covered).astype(np.float32)
    band = max(2.0, RIM * figure.size / COARSER)
    # The outermost pixels may be a drawn contour, which is no colour of hair or clothes.
    along = _mean_within(colours, (depth > band) & (depth <= 2.5 * band), 0.6 * band)
    nearest = scipy.ndimage.distance_transform_edt(
        depth > band + 1.5, sampling=(UPRIGHT, 1.0), return_distances=False, return_indices=True
    )
    carried, soft = (_mean_within(layer, covered, band) for layer in (along[tuple(nearest)], colours))
    # Averaged, so that no ring of likeness is left around a feature where its edge passes through the rim's colour.
    distance = _mean_within(np.square(colours - carried).sum(axis=2, keepdims=True), covered, 2.0 * band)
    like = np.exp(-distance / ALIKE**2)
    inwards = np.clip(depth / (2.0 * band), 0.0, 1.0)[..., None]
    inwards = inwards * inwards * (3.0 - 2.0 * inwards)
    back = (1.0 - inwards) * colours + inwards * (like * soft + (1.0 - like) * carried)
    small = Image.fromarray(np.clip(np.rint(back), 0, 255).astype(np.uint8))
    whole = small.resize((small.width * COARSER, small.height * COARSER), Image.Resampling.BILINEAR)
    return np.asarray(whole)[:height, :width]


def _mean_within(colours: Floats, mask: NDArray[np.bool_], sigma: float) -> Floats:
    """Gaussian mean (h, w, C) over the pixels of a mask; `colours` itself where none is near."""
    weight = mask.astype(np.float32)
    out = colours.copy()
    total = scipy.ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3.0)
    for channel in range(colours.shape[2]):
        mean = scipy.ndimage.gaussian_filter(colours[..., channel] * weight, sigma, mode="constant", truncate=3.0)
        np.divide(mean, total, out=out[..., channel], where=total > 1e-3)
    return out
