"""The published pictures of a view turned into this project's: straight alpha, RGB 0 where alpha is 0.

Rows and tree hold the same pictures in other forms. In the tree Z and its positions have their alpha, and Y*
is there as RGBA. Rows lost that of Z: its silhouette is where `color` or `pos` is not black, and its rim is
hard. In rows Y* lies on grey; `mask` says where it has any opacity.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.errors import ByShape
from specsia_build.published.places import Turn

PICTURE_COLUMNS = ("color", "pos", "edge", "mask", "gt")
"""Pictures of a view, by the names of the rows' columns."""

ROW_CHANNELS: Mapping[str, int] = {"color": 3, "pos": 3, "edge": 3, "mask": 1, "gt": 3}
TREE_CHANNELS: Mapping[str, int] = {"color": 4, "pos": 4, "edge": 1, "mask": 1, "gt": 4}
"""Channels of each picture in rows and in the tree; `gt` of the tree is its `texture.png`."""

Y_GROUND = 240  # Level of the ground that Y* is composited on in rows
Z_GROUND = 2  # Highest level of the black ground of Z, which Blender dithers
MOST_OFF_GROUND = 0.002  # Largest share of a picture that differs from its ground where there must be ground
_FEW_RIM_PIXELS = 20  # Fewest pixels of a rim to tell its opacity
_LEAST_CONTRAST = 10.0  # Least distance in levels of a contour's colour from the grey to tell its opacity
_MOST_OFF_RAY = 3.0  # Largest distance in levels of mixes of contour and grey from the line between both
_LEAST_ON_RAY = 0.6  # Least share of a rim that lies on that line
_OPAQUE = 0.985  # Share of the contour's colour from which a pixel counts as opaque


@dataclass(frozen=True, eq=False, repr=False)
class Planes(ByShape):
    """Pictures of one view in this project's form, but positions as published."""

    # color, gt: (H, W, 4) uint8, Z and Y*
    color: Pixels
    pos: Pixels  # (H, W, 3) uint8, published positions, 0 outside of Z
    gt: Pixels
    edge: Pixels | None = None  # (H, W) uint8

    @property
    def silhouette(self) -> NDArray[np.bool_]:
        """Where Z has any opacity, (H, W)."""
        return np.asarray(self.color[..., 3] > 0)

    def pictures(self, turn: Turn | None) -> dict[str, Pixels]:
        """Pictures by the names of this project's columns; positions as they are without a `turn`."""
        alpha = self.color[..., 3]
        pos = self.pos if turn is None else turn.apply(self.pos)
        pos = np.dstack([np.where(self.silhouette[..., None], pos, np.uint8(0)), alpha])
        pictures = {"color": self.color, "mask": alpha, "pos": pos, "gt": self.gt}
        return pictures if self.edge is None else {**pictures, "edge": self.edge}


def decode(row: Mapping[str, bytes], channels: Mapping[str, int]) -> dict[str, Pixels]:
    """Decode the pictures of a row by their `channels`, which are `ROW_CHANNELS` or `TREE_CHANNELS`

    Raises ValueError with the rest of a sentence about the row if one is missing, has another mode, or
    another size than the others.
    """
    images = {}
    for name, count in channels.items():
        if name not in row:
            continue
        if not row[name]:
            raise ValueError(f"it has no {name}")
        try:
            images[name] = png.decode(row[name], count)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    sizes = {image.shape[1::-1] for image in images.values()}
    if len(sizes) > 1:
        raise ValueError(f"its images differ in size: {sorted(sizes)}")
    return images


def planes(images: Mapping[str, Pixels]) -> Planes:
    """Pictures in this project's form, from decoded ones with `color`, `pos`, `mask` and `gt`.

    Raises ValueError with the rest of a sentence about the row if a picture has another ground.
    """
    color, pos = z_of(images)
    gt, edge = images["gt"], images.get("edge")
    gt = straight(gt, images["mask"]) if gt.shape[2] == 3 else np.where(gt[..., 3:] > 0, gt, np.uint8(0))
    return Planes(color, pos, gt, edge[..., 0] if edge is not None and edge.ndim == 3 else edge)


def z_of(images: Mapping[str, Pixels]) -> tuple[Pixels, Pixels]:
    """Z (H, W, 4) and its published positions (H, W, 3); raises ValueError if either is not on black."""
    color, pos = images["color"], images["pos"]
    for name, image in (("color", color), ("pos", pos)):
        check_black(name, image)
    if color.shape[2] == 3:
        alpha = np.where(coloured(color) | coloured(pos), np.uint8(255), np.uint8(0))
        color = np.dstack([color, alpha])
    shown = color[..., 3] > 0
    pos = np.where(shown[..., None], pos[..., :3], np.uint8(0))
    return np.where(shown[..., None], color, np.uint8(0)), _filled(pos, shown)


def coloured(image: Pixels) -> NDArray[np.bool_]:
    """Where an image (H, W, C) is not black, (H, W)."""
    return _any_channel(image[..., :3] > Z_GROUND)


def _any_channel(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any of three channels (H, W, 3) is true; numpy takes ten times as long along a short axis."""
    return np.asarray(flags[..., 0] | flags[..., 1] | flags[..., 2])


def _filled(pos: Pixels, shown: NDArray[np.bool_]) -> Pixels:
    """Positions (H, W, 3), taken from the nearest pixel where a shown one has none."""
    known = coloured(pos)
    bare = shown & ~known
    if not bare.any() or not known.any():
        return pos
    rows, columns = scipy.ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = pos.copy()
    filled[bare] = pos[rows[bare], columns[bare]]
    return filled


def check_black(name: str, image: Pixels) -> None:
    """Raise ValueError unless most of an image's border is black, or clear in an RGBA image."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    black = (border[:, :3] <= Z_GROUND).all(axis=1)
    if 2 * np.count_nonzero(black) < len(border):
        ground = tuple(int(level) for level in np.median(border[:, :3], axis=0))
        raise ValueError(f"{name} lies on {ground}, not on black as in the published schema")


def check_grey(gt: Pixels, mask: Pixels) -> None:
    """Raise ValueError unless Y* (H, W, 3) lies on grey where `mask` (H, W) is 0, but for a few pixels."""
    outside = mask == 0
    off = outside & _any_channel(gt != Y_GROUND)
    if not outside.any() or np.count_nonzero(off) > MOST_OFF_GROUND * mask.size:
        levels = tuple(int(level) for level in np.median(gt[outside], axis=0)) if outside.any() else ()
        where = f"{levels or 'no ground'} where mask is 0"
        raise ValueError(f"gt lies on {where}, not on grey ({Y_GROUND}) as in the published schema")


def straight(gt: Pixels, mask: Pixels) -> Pixels:
    """Undo the compositing of Y* (H, W, 3) on grey within a mask (H, W): (H, W, 4) with straight alpha.

    Pixels are opaque, but for the outermost ones, which mix the contour with the ground: if these are mixes
    of one colour with the grey, they get that colour, and their share of it as alpha. Raises ValueError if
    `gt` has another ground.
    """
    check_grey(gt, mask)
    inside = mask > 0
    alpha = np.where(inside, np.uint8(255), np.uint8(0))
    out = np.dstack([np.where(inside[..., None], gt, np.uint8(0)), alpha])
    rim = inside & ~scipy.ndimage.binary_erosion(inside)
    towards = Y_GROUND - gt[rim].astype(np.float64)
    lengths = np.linalg.norm(towards, axis=1)
    clear = lengths > _LEAST_CONTRAST
    if np.count_nonzero(clear) < _FEW_RIM_PIXELS:
        return out
    ray = np.median(towards[clear] / lengths[clear, None], axis=0)
    ray /= max(float(np.linalg.norm(ray)), 1e-9)
    share = towards @ ray
    on_ray = np.abs(towards - share[:, None] * ray).max(axis=1) <= _MOST_OFF_RAY
    contrast = float(np.percentile(share[on_ray], 97)) if on_ray.any() else 0.0
    if np.mean(on_ray) < _LEAST_ON_RAY or contrast < _LEAST_CONTRAST:
        return out
    mixed = on_ray & (share < _OPAQUE * contrast)
    colour = np.clip(np.rint(Y_GROUND - contrast * ray), 0, 255)
    opacity = np.clip(np.rint(share / contrast * 255), 1, 255)
    values = out[rim]
    values[mixed] = np.concatenate([np.tile(colour, (len(share), 1)), opacity[:, None]], axis=1)[mixed]
    out[rim] = values
    return out
