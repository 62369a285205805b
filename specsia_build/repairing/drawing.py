"""Cut a drawing out and scale it to the frame as a render, with and without its contour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from specsia_build.animation.rig import Rig
from specsia_build.characters.character import safe_id
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.config import BuildConfig
from specsia_build.dravie.drawing import MOST_WIDTH, contour_style, without_contour
from specsia_build.errors import CharacterError
from specsia_build.frame import EXTENT, ORTHO_WIDTH, Camera, view_cameras
from specsia_build.pictures.films import Pixels
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.drawn_contour import find_contour
from specsia_build.rendering.fast.renderer import FastRenderer, silhouettes
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing.cutting import cut
from specsia_build.repairing.facing import choose_facing
from specsia_build.repairing.files import load_drawing
from specsia_build.stages.clips.actor import in_frame
from specsia_build.stages.render import outline

VIEWS = 10  # Silhouettes of a character that its reconstruction is registered to, as in a build


@dataclass(frozen=True)
class Reading:
    """How a drawing is read.

    Attributes:
        size: pixels on a side of a frame.
        outline: `keep`, `none`, or the colour of a new contour and its width in pixels of a 512 px frame: `#204080:3`.
        mask: file of a black-and-white picture of the drawing's size that gives its silhouette.
        figure: number of the only figure to take, from 1 and from left to right; all of them by default.
        facing: side of the character that the drawing shows: `front`, `left`, `right` or `back`; found by default.
        pixel: whether it is pixel art, which is scaled by whole numbers and not repaired by the network.
    """

    size: int = 512
    outline: str = "keep"
    mask: Path | None = None
    figure: int | None = None
    facing: str | None = None
    pixel: bool = False


@dataclass(frozen=True, eq=False)
class Frontal:
    """A character from the front, in the frame of a build.

    Attributes:
        image: (S, S, 4) uint8, the drawing with its contour, straight alpha: what Y* is in a dataset.
        masks: (V, S, S) uint8, its silhouettes without the contour from V evenly spaced views; V is 1 for a drawing.
        mesh, rig: the character's own mesh and rig in the frame; None for a drawing.
        own: the character as read from its file; None for a drawing.
        facing: side of the character that the drawing shows, see `Reading`.
        contour: what was decided about the drawing's contour, for the record of a repair; None for a character.
        warnings: sentences on what may be wrong with the drawing.
    """

    name: str
    image: Pixels
    masks: Pixels
    mesh: Mesh | None = None
    rig: Rig | None = None
    own: AnimatedCharacter | None = None
    facing: str = "front"
    contour: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def mask(self) -> Pixels:
        """(S, S) uint8, its silhouette from the front."""
        mask: Pixels = self.masks[0]
        return mask

    @property
    def color(self) -> Pixels:
        """(S, S, 4) uint8, the drawing without its contour, as a backend sees it."""
        out = self.image.copy()
        np.minimum(out[..., 3], self.mask, out=out[..., 3])
        out[out[..., 3] == 0] = 0
        return out

    def shrunk(self, factor: float) -> Frontal:
        """Scale it about the middle of the frame by a factor of at most 1."""
        if factor >= 1:
            return self
        size, span = len(self.image), len(self.image) / factor
        box = ((size - span) / 2, (size - span) / 2, (size + span) / 2, (size + span) / 2)
        masks = np.stack([np.asarray(_crop(Image.fromarray(mask), box, size)) for mask in self.masks])
        front = replace(self, image=_rgba(self.image, box, size), masks=masks)
        if self.mesh is None or self.rig is None:
            return front
        mesh = self.mesh.with_vertices(self.mesh.vertices * np.float32(factor))
        return replace(front, mesh=mesh, rig=self.rig.placed(np.diag([factor, factor, factor, 1.0])))


def read_drawing(path: Path, reading: Reading) -> Frontal:
    """Read a drawing, cut it out as `cut` does, and put it into the frame.

    Raises `UsageError` if its file or that of its mask cannot be read, or as `cut`.
    """
    mask = None if reading.mask is None else load_drawing(reading.mask)[0]
    picture, missing = load_drawing(path)
    cutout = cut(picture, mask, reading.figure, pixel=reading.pixel)
    front = frame_figure(cutout.picture, reading.size, safe_id(path.stem))
    facing, doubts = (reading.facing, ()) if reading.facing else choose_facing(cutout.picture)
    return replace(front, facing=facing, warnings=(*missing, *cutout.warnings, *doubts))


def frame_drawing(picture: Pixels, size: int, name: str = "drawing") -> Frontal:
    """Cut a picture (h, w, 4) uint8 of any size out and put it into the frame; raises `UsageError` as `cut`."""
    cutout = cut(picture)
    return replace(frame_figure(cutout.picture, size, name), warnings=cutout.warnings)


def frame_figure(figure: Pixels, size: int, name: str = "drawing") -> Frontal:
    """Put a figure (h, w, 4) uint8 on transparency into a frame of `size` pixels.

    Its box, without its contour, is in the middle, and its longer side is `EXTENT` units.
    """
    width = 0.0
    for _ in range(2):
        image = _framed(figure, size, width)
        contour, style = find_contour(image), None
        if contour is not None and not contour.is_separable:
            contour = None
        if contour is None or (contour.start == 0 and contour.end <= MOST_WIDTH + 0.5):
            style = contour_style(image)
        width = float(style[0]) if style is not None else contour.end if contour is not None else 0.0
    if style is not None or contour is None:
        mask = without_contour(image)
        return Frontal(name, image, (mask if mask.any() else image[..., 3])[None])
    bare = image.copy()
    bare[contour.pixels] = 0
    # Models know no other thickness.
    thickness = min(MOST_WIDTH, max(1, round(contour.width)))
    return Frontal(name, draw_contour(bare, bare[..., 3].copy(), thickness, contour.grey), bare[None, ..., 3])


def render_front(own: AnimatedCharacter, size: int) -> Frontal:
    """Render the front of a character as a build does, with its contour; raises `CharacterError` if that is empty."""
    config = BuildConfig(views=VIEWS, size=size)
    entry, (mesh, rig) = own.character.entry, in_frame(own, config)
    layers = next(FastRenderer().render(mesh, [Camera(0.0, size)]))
    if not (layers.mask >= HALF_COVERED).any():
        raise CharacterError(f"{entry.path.name} shows nothing from the front")
    thickness, grey = outline(config.seed, entry.id)
    image = draw_contour(layers.color, layers.coverage, thickness, grey)
    return Frontal(entry.id, image, silhouettes(mesh, view_cameras(VIEWS, size)), mesh, rig, own)


def _framed(figure: Pixels, size: int, contour: float) -> Pixels:
    """Scale a figure (h, w, 4) so that its longer side is `EXTENT`, besides a contour of so many pixels."""
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    longest = size * EXTENT / ORTHO_WIDTH + 2 * contour
    half = max(rows.stop - rows.start, columns.stop - columns.start) * size / longest / 2
    middle_x, middle_y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    return _rgba(figure, (middle_x - half, middle_y - half, middle_x + half, middle_y + half), size)


_Box = tuple[float, float, float, float]


def _rgba(picture: Pixels, box: _Box, size: int) -> Pixels:
    """Crop and scale a picture (h, w, 4) to (size, size, 4), colours weighed by alpha; the box may reach beyond it."""
    out = np.array(_crop(Image.fromarray(picture).convert("RGBa"), box, size).convert("RGBA"))
    out[out[..., 3] == 0] = 0
    return out


def _crop(image: Image.Image, box: _Box, size: int) -> Image.Image:
    """Crop and scale an image to (size, size), averaged where it gets smaller."""
    margin = int(max(0.0, -min(box), box[2] - image.width, box[3] - image.height)) + 2
    wide = Image.new(image.mode, (image.width + 2 * margin, image.height + 2 * margin))
    wide.paste(image, (margin, margin))
    left, top, right, bottom = (edge + margin for edge in box)
    return wide.resize((size, size), Image.Resampling.HAMMING, box=(left, top, right, bottom))
