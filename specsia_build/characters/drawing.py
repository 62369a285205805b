"""A character's own drawing as its frontal view, in the place of the frontal render."""

from pathlib import Path

import numpy as np
from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.characters.character import Entry
from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError
from specsia_build.rendering.layers import HALF_COVERED

MASK_NAMES = ("mask512.png", "mask.png")  # Files beside a drawing that may hold its silhouette
_PAPER = 235  # Level from which all channels of an opaque drawing count as paper


def drawing_files(drawing: Path) -> tuple[Path, ...]:
    """Files that `drawn_frontal` reads if they exist."""
    return (drawing, *(drawing.parent / name for name in MASK_NAMES))


def _silhouette(path: Path, root: Path, pixels: Pixels) -> Pixels:
    if (pixels[..., 3] < 255).any():
        return pixels[..., 3]
    _, *beside = drawing_files(path)
    others = []
    for file in (mask for mask in beside if mask.is_file()):
        mask = load_texture(file, file.name, root)[..., 0]
        if mask.shape == pixels.shape[:2]:
            return mask
        others.append(file.name)
    if others:
        height, width = pixels.shape[:2]
        problem = f"{' and '.join(others)} beside {path.name} must have its {width} x {height} pixels"
        raise CharacterError(problem)
    return np.where((pixels[..., :3] >= _PAPER).all(axis=2), 0, 255).astype(np.uint8)


def drawn_frontal(entry: Entry, front: Pixels) -> Pixels:
    """The drawing as the frontal view, scaled and shifted to give its figure the render's height and centre.

    Its silhouette is its alpha, a mask file beside it, or all but paper. CharacterError without a figure. The
    render `front` and the result are (H, W, 4) uint8 sRGB, straight alpha.
    """
    if entry.drawing is None:
        problem = f"{entry.id} has no drawing: name one in the manifest, or build with `frontal: render`"
        raise CharacterError(problem)
    pixels = load_texture(entry.drawing, entry.drawing.name, entry.within, drawn=True)
    pixels[..., 3] = _silhouette(entry.drawing, entry.within, pixels)
    pixels[pixels[..., 3] == 0] = 0
    box, target = (Image.fromarray(of[..., 3] >= HALF_COVERED).getbbox() for of in (pixels, front))
    if box is None or target is None:
        problem = f"the drawing of {entry.id} shows no figure: give it an alpha channel or white paper"
        raise CharacterError(problem)
    if (pixels[[0, 0, -1, -1], [0, -1, 0, -1], 3] >= HALF_COVERED).all():
        raise CharacterError(
            f"the drawing of {entry.id} does not differ from its paper: give it an alpha channel, white "
            f"paper, or its silhouette as {MASK_NAMES[-1]} beside it"
        )
    scale = (target[3] - target[1]) / (box[3] - box[1])
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    goal_x, goal_y = (target[0] + target[2]) / 2, (target[1] + target[3]) / 2
    affine = (1 / scale, 0, centre_x - goal_x / scale, 0, 1 / scale, centre_y - goal_y / scale)
    # Premultiplied, so that paper does not bleed into the edge when pixels are averaged.
    image = Image.fromarray(pixels, "RGBA").convert("RGBa")
    moved = image.transform(front.shape[1::-1], Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(moved.convert("RGBA"))
