"""The character's own frontal drawing, laid onto its frontal silhouette."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError
from specsia_build.rendering.layers import HALF_COVERED

MASK_NAMES = ("mask512.png", "mask.png")
"""Files beside a drawing that hold its silhouette."""

PAPER = 235
"""Level from which all channels of an opaque drawing count as paper."""


def drawing_files(drawing: Path) -> tuple[Path, ...]:
    """Files that `drawn_frontal` may read for a drawing, whether they exist or not."""
    return (drawing, *(drawing.parent / name for name in MASK_NAMES))


def _silhouette(path: Path, root: Path, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if (pixels[..., 3] < 255).any():
        return pixels[..., 3]
    _, *beside = drawing_files(path)
    others = []
    for one in (mask for mask in beside if mask.is_file()):
        mask = load_texture(one, one.name, root)[..., 0]
        if mask.shape == pixels.shape[:2]:
            return mask
        others.append(one.name)
    if others:
        height, width = pixels.shape[:2]
        raise CharacterError(f"{' and '.join(others)} beside {path.name} must have its {width} x {height} pixels")
    return np.where((pixels[..., :3] >= PAPER).all(axis=2), 0, 255).astype(np.uint8)


def _box(mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    rows, columns = (np.flatnonzero((mask >= HALF_COVERED).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def drawn_frontal(entry: Entry, front: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawing as the frontal view: scaled and shifted so that its figure's box has the render's height and centre.

    Args:
        entry: names the drawing. Its silhouette is its alpha, a mask beside it, or what is not paper.
        front: (H, W, 4) uint8, the frontal render.

    Returns:
        (H, W, 4) uint8 sRGB, straight alpha.

    Raises:
        CharacterError: if there is no drawing, or it shows no figure, or one that paper cannot be told from.
    """
    if entry.drawing is None:
        raise CharacterError(f"{entry.id} has no drawing: name one in the manifest, or build with `frontal: render`")
    pixels = load_texture(entry.drawing, entry.drawing.name, entry.within, upright=True)
    pixels[..., 3] = _silhouette(entry.drawing, entry.within, pixels)
    pixels[pixels[..., 3] == 0] = 0
    box, target = _box(pixels[..., 3]), _box(front[..., 3])
    if box is None or target is None:
        raise CharacterError(f"the drawing of {entry.id} shows no figure: give it an alpha channel or white paper")
    if (pixels[[0, 0, -1, -1], [0, -1, 0, -1], 3] >= HALF_COVERED).all():
        raise CharacterError(
            f"the drawing of {entry.id} cannot be told from its paper: give it an alpha channel, white paper, or its "
            f"silhouette as {MASK_NAMES[-1]} beside it"
        )
    scale = (target[3] - target[1]) / (box[3] - box[1])
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    goal_x, goal_y = (target[0] + target[2]) / 2, (target[1] + target[3]) / 2
    affine = (1 / scale, 0, centre_x - goal_x / scale, 0, 1 / scale, centre_y - goal_y / scale)
    # Premultiplied, so that paper does not bleed into the rim when pixels are averaged.
    image = Image.fromarray(pixels, "RGBA").convert("RGBa")
    moved = image.transform(front.shape[1::-1], Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(moved.convert("RGBA"))
