"""Areas of a drawing that have one colour, and the materials that they are of: hair, skin, a shirt.

A shaded sleeve is one material of several shades, and an eye lies inside of a face.
"""

from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.arrays import Mask
from specsia_build.pictures.masks import continued
from specsia_build.pictures.palettes import COLOURS

# See Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", 2004.
_SCALE = 100.0  # Preference for large areas
_SMOOTHING, _LEAST_AREA = 0.6, 10  # Smoothing and least area in pixels

SURROUNDED = 0.35  # Share of an area's border that lies on one larger area if it lies inside of it
MIXED = 0.25  # Least share of the rarer of two shades that lies in areas of the other
# Greatest difference of two shades, by the median deviation of pixels from their colour of the palette
SHADES = 6.0
# Grain from which a drawing begins to count as painted; renders, which the network knows, have less
_FLATTEST = 1.0
EXPOSED = 0.1  # Share of an area's border on the silhouette from which it is no part of its neighbour


@dataclass(frozen=True, eq=False)
class Regions:
    """Areas of a drawing (S, T), and the materials in them. Materials are numbers below `COLOURS`."""

    of_colour: NDArray[np.intp]  # (COLOURS,) intp, the material of each colour of the drawing's palette
    present: NDArray[np.intp]  # (M,) intp, the materials that have pixels, ascending
    material: NDArray[np.intp]  # (S, T) intp, that of each pixel; `COLOURS` outside of the figure
    # (S, T) intp, the same where what lies inside of another area is filled from around it
    around: NDArray[np.intp]
    # Median difference of pixels from the median of their neighbours, in levels: at most 1 in drawings of
    # flat or shaded areas, 2 and more in painted or coloured-in ones
    grain: float

    @property
    def painterly(self) -> np.float32:
        """How much the drawing counts as painted, 0 to 1, and not as one of flat or evenly shaded areas."""
        return np.float32(np.clip(self.grain - _FLATTEST, 0, 1))


def regions_of(colours: NDArray[np.uint8], labels: NDArray[np.intp], palette: NDArray[np.float32]) -> Regions:
    """Divide the figure of a picture (S, T, 3) uint8 by its colours' labels (S, T), `COLOURS` outside."""
    inside = labels < COLOURS
    filled = continued(colours, inside)
    areas = skimage.segmentation.felzenszwalb(filled / 255, _SCALE, _SMOOTHING, _LEAST_AREA)
    whole = _numbered(np.where(inside, areas, -1))
    spread = np.median(np.abs(colours[inside] - palette[labels[inside]]).max(axis=1))
    alike = scipy.spatial.distance.cdist(palette, palette) <= SHADES * spread
    of_colour = _materials(whole[inside], labels[inside], alike)
    material = np.where(inside, of_colour[np.minimum(labels, COLOURS - 1)], COLOURS)
    area = np.where(inside, _surrounding(_borders(whole))[whole], -1)
    around = np.where(inside, continued(material, inside & (area == whole)), COLOURS)
    return Regions(of_colour, np.unique(material[inside]), material, around, _grain(filled, inside))


def _materials(areas: NDArray[np.intp], labels: NDArray[np.intp], alike: Mask) -> NDArray[np.intp]:
    """Join colours (N,) that are alike and in the same areas (N,), as shades do; see `Regions.of_colour`."""
    counts = np.zeros((areas.max() + 1, COLOURS))
    np.add.at(counts, (areas, labels), 1)
    mixed = counts.T @ (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    rarer = np.minimum.outer(counts.sum(axis=0), counts.sum(axis=0))
    shades = alike & (mixed >= MIXED * np.maximum(rarer, 1))
    return np.asarray(scipy.sparse.csgraph.connected_components(shades, directed=False)[1], np.intp)


def _grain(colours: NDArray[np.uint8], inside: Mask) -> float:
    """See `Regions.grain`."""
    middle = scipy.ndimage.median_filter(colours, (3, 3, 1)).astype(np.int16)
    return float(np.median(np.abs(colours - middle).max(axis=2)[inside]))


def _numbered(areas: NDArray[np.intp]) -> NDArray[np.intp]:
    """Connected areas (S, T), numbered from 0; negative ones become -1."""
    return np.asarray(skimage.measure.label(areas, background=-1, connectivity=1), np.intp) - 1


def _borders(areas: NDArray[np.intp]) -> NDArray[np.int64]:
    """Lengths (A + 1, A + 1) in pixels of the borders between areas; the last one is what lies outside."""
    count = areas.max() + 2
    padded = np.pad(np.where(areas < 0, count - 1, areas), 1, constant_values=count - 1)
    out = np.zeros((count, count), np.int64)
    for first, second in ((padded[:-1], padded[1:]), (padded[:, :-1], padded[:, 1:])):
        np.add.at(out, (first.ravel(), second.ravel()), 1)
    out += out.T
    np.fill_diagonal(out, 0)
    return out


def _surrounding(borders: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each area (A,) the largest one that it lies inside of, itself if there is none."""
    lengths = borders[:-1].sum(axis=1)
    outer = np.arange(len(lengths))
    # Shorter borders first, so that an eye in a face in hair ends in the hair.
    for number in np.argsort(lengths, kind="stable"):
        most = int(borders[number, :-1].argmax())
        share = borders[number, most] / max(1, lengths[number])
        if (
            borders[number, -1] < EXPOSED * lengths[number]
            and share >= SURROUNDED
            and lengths[most] > lengths[number]
        ):
            outer[number] = most
    while (outer[outer] != outer).any():
        outer = outer[outer]
    return outer
