"""Cut a drawing out and scale it to the frame as a render, with and without its contour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageColor

from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Pixels
from specsia_build.characters.character import safe_id
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.characters.survey import one_colour
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import EXTENT, ORTHO_WIDTH, Camera, view_cameras
from specsia_build.pictures.masks import PixelBox, box_around, resampled
from specsia_build.rendering.contour import MOST_DRAWN, MOST_THICKNESS, draw_contour
from specsia_build.rendering.drawn_contour import Contour, find_contour, ink_around
from specsia_build.rendering.fast.renderer import FastRenderer, silhouettes
from specsia_build.rendering.ink import Ink
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing.cutting import cut
from specsia_build.repairing.facing import choose_facing
from specsia_build.repairing.files import load_drawing
from specsia_build.repairing.pixel_art import outline_of, outlined, scale_whole, without_outline
from specsia_build.stages.clips.actor import in_frame
from specsia_build.stages.render import outline
from specsia_build.warning import Warning

FACES = {"front": "-y", "left": "-x", "right": "+x", "back": "+y"}
"""Axis that the reconstruction of a drawing faces, by the side that the drawing shows."""

PROFILES = ("left", "right")  # What a drawing shows of a character that is drawn from its side
KEEP, NO_OUTLINE = "keep", "none"  # Outlines of `DrawingSettings` that are no colours
OWN_WIDTH = 2.0  # Width of a contour in a 512 px frame where neither the drawing nor the user gives one
_FINEST = 1536  # Most pixels on a side of the frame in which a drawing's contour is looked for

_VIEWS = 10  # Silhouettes of a character that its reconstruction is registered to, as in a build


@dataclass(frozen=True)
class DrawingSettings:
    """How a drawing is read.

    Attributes:
        size: pixels on a side of a frame.
        outline: `keep`, `none`, or a new contour's colour and width in pixels of a 512 px frame: `#204080:3`.
        mask: file of a black-and-white picture of the drawing's size that gives its silhouette.
        figure: number of the only figure to take, from 1 and in reading order; all of them by default.
        facing: side of the character that is drawn: `front`, `left`, `right` or `back`; found by default.
        pixel: whether it is pixel art, which is scaled by whole numbers and not repaired by the network.
    """

    size: int = 512
    outline: str = "keep"
    mask: Path | None = None
    figure: int | None = None
    facing: str | None = None
    pixel: bool = False


@dataclass(frozen=True)
class FramePlace:
    """Where the frame lies in the picture that a drawing was read from.

    Attributes:
        size: width and height of the picture in pixels.
        box: left, top, right and bottom of the frame in its pixels; it may reach beyond.
        cut: sides of the picture at which the figure is cut, see `Cutout`.
    """

    size: tuple[int, int]
    box: PixelBox
    cut: tuple[str, ...] = ()

    def in_frame(self, pixels: Doubles, side: int) -> Doubles:
        """Columns and rows (N, 2) of the picture in a frame of so many pixels on a side."""
        return (pixels - self.box[:2]) * side / (self.box[2] - self.box[0])

    def in_picture(self, pixels: Doubles, side: int) -> Doubles:
        """Columns and rows (N, 2) of a frame of so many pixels on a side in the picture."""
        return pixels * (self.box[2] - self.box[0]) / side + self.box[:2]

    def scaled(self, step: int) -> FramePlace:
        """The same in a picture `step` times as large."""
        width, height = self.size
        left, top, right, bottom = self.box
        box = (left * step, top * step, right * step, bottom * step)
        return FramePlace((width * step, height * step), box)

    def widened(self, factor: float) -> FramePlace:
        """The place of a frame that shows `factor` times as much around the same middle."""
        left, top, right, bottom = self.box
        more = (right - left) * (factor - 1) / 2
        return replace(self, box=(left - more, top - more, right + more, bottom + more))


@dataclass(frozen=True, eq=False)
class Frontal:
    """A character from the front, in the frame of a build.

    Attributes:
        image: (S, S, 4) uint8, the drawing with its contour, straight alpha: what Y* is in a dataset.
        masks: (V, S, S) uint8, silhouettes without contour from V evenly spaced views; V is 1 for a drawing.
        mesh, rig: the character's own mesh and rig in the frame; None for a drawing.
        own: the character as read from its file; None for a drawing.
        bare: (S, S, 4) uint8, the drawing without its contour. An outline of pixel art, or a line along a
            part of the silhouette, is not removed but has the colours inside of it. By default the image
            inside of the silhouette.
        facing: side of the character that the drawing shows, see `DrawingSettings`.
        ink: the contour that all frames get; None without one.
        contour: what was decided about a drawing's contour, for the record of a repair; None for a character.
        warnings: on what may be wrong with the drawing, or with the character's file.
        place: where the frame lies in the drawing's file; None for a character.
        pitch: side of a pixel of pixel art in pixels of the frame.
    """

    name: str
    image: Pixels
    masks: Pixels
    mesh: Mesh | None = None
    rig: Rig | None = None
    own: AnimatedCharacter | None = None
    bare: Pixels | None = None
    facing: str = "front"
    ink: Ink | None = None
    contour: Mapping[str, Any] | None = None
    warnings: tuple[Warning, ...] = ()
    place: FramePlace | None = None
    pitch: float = 1.0

    @property
    def is_profile(self) -> bool:
        """Whether it is drawn from its side, so that the far side mirrors the near one."""
        return self.facing in PROFILES

    @property
    def mask(self) -> Pixels:
        """(S, S) uint8, its silhouette from the front."""
        mask: Pixels = self.masks[0]
        return mask

    @property
    def color(self) -> Pixels:
        """(S, S, 4) uint8, the drawing without its contour, as a backend sees it."""
        if self.bare is not None:
            return self.bare
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
        frame = (size, size)
        masks = np.stack([resampled(mask, box, frame) for mask in self.masks])
        ink = None if self.ink is None else self.ink.scaled(factor)
        bare = None if self.bare is None else resampled(self.bare, box, frame)
        place = None if self.place is None else self.place.widened(1 / factor)
        image = resampled(self.image, box, frame)
        pitch = max(1.0, self.pitch * factor)
        front = replace(self, image=image, masks=masks, bare=bare, ink=ink, place=place, pitch=pitch)
        if self.mesh is None or self.rig is None:
            return front
        mesh = self.mesh.with_vertices(self.mesh.vertices * np.float32(factor))
        return replace(front, mesh=mesh, rig=self.rig.placed(np.diag([factor, factor, factor, 1.0])))


def read_drawing(path: Path, reading: DrawingSettings) -> Frontal:
    """Read a drawing and put it into the frame by `frame_drawing`; raises `UsageError` if unreadable."""
    picture, missing = load_drawing(path)
    front = frame_drawing(picture, reading, safe_id(path.stem))
    return replace(front, warnings=(*missing, *front.warnings))


def frame_drawing(picture: Pixels, reading: DrawingSettings, name: str = "drawing") -> Frontal:
    """Cut a picture (h, w, 4) uint8 of any size out, as `cut` does, and put it into the frame.

    Raises `UsageError` if the file of its mask cannot be read, or as `cut`.
    """
    mask = None if reading.mask is None else load_drawing(reading.mask)[0]
    cutout = cut(picture, mask, reading.figure, pixel=reading.pixel)
    facing, warnings = (reading.facing, ()) if reading.facing else choose_facing(cutout.picture)
    front = frame_figure(cutout.picture, reading, name, cutout.step)
    place = None if front.place is None else replace(front.place, cut=cutout.cut)
    return replace(front, facing=facing, warnings=(*cutout.warnings, *warnings), place=place)


def parse_outline(text: str) -> tuple[tuple[int, int, int], float | None]:
    """Colour and width, in pixels of a 512 px frame, of `COLOUR[:WIDTH]`; raises `UsageError` if neither."""
    name, _, number = text.partition(":")
    try:
        red, green, blue, *alpha = ImageColor.getrgb(name)
        width = float(number) if number else None
    except ValueError:
        alpha = [0]
    if alpha not in ([], [255]) or not (width is None or 0 < width <= MOST_THICKNESS):
        raise UsageError(
            f"--outline {text}: give {KEEP}, {NO_OUTLINE}, or a colour and a width in pixels, at most "
            f"{MOST_THICKNESS:.0f}, such as #204080:3"
        )
    return (red, green, blue), width


def frame_figure(figure: Pixels, reading: DrawingSettings, name: str = "drawing", step: int = 1) -> Frontal:
    """Put a figure (h, w, 4) uint8 on transparency into a frame.

    Its box, without its contour, is in the middle, and its longer side is `EXTENT` units, or for pixel art
    the largest whole number of times its own. A pixel of it is `step` pixels of the drawing on a side.
    """
    if reading.pixel:
        return _frame_art(figure, reading, name, step)
    size = reading.size
    # A thin line is seen best in the drawing's own pixels.
    fine = max(size, min(_FINEST, round(_longest(figure) * ORTHO_WIDTH / EXTENT)))
    width = 0.0
    # The figure is a little larger if a line around it does not count.
    for _ in range(2):
        framed, box = _framed(figure, fine, width)
        contour = find_contour(framed)
        width = contour.ink.width if contour.kept else 0.0
        if width == 0:
            break
    bare = contour.filled() if contour.is_partial else contour.bare()
    if not (bare[..., 3] >= HALF_COVERED).any():
        bare, contour = framed, replace(contour, score=0.0)
    whole = (0.0, 0.0, float(fine), float(fine))
    image, bare = (resampled(picture, whole, (size, size)) for picture in (framed, bare))
    mask = bare[..., 3].copy()
    width = min(contour.ink.width * size / fine, MOST_DRAWN * size / 512)
    drawn = replace(contour.ink, width=width) if contour.kept else None
    ink = _outline(reading, drawn)
    if reading.outline != KEEP:
        image = bare if ink is None else draw_contour(bare, mask, ink.width, ink.around(bare))
    record = _record(contour, image, mask, 512 / fine)
    place = FramePlace((figure.shape[1], figure.shape[0]), box).scaled(step)
    return Frontal(name, image, mask[None], bare=bare, ink=ink, contour=record, place=place)


def _frame_art(figure: Pixels, reading: DrawingSettings, name: str, step: int) -> Frontal:
    """Put pixel art into a frame; its outline stays a part of the silhouette."""
    image, box = _tiled(figure, reading.size)
    pitch = max(1.0, reading.size / (box[2] - box[0]))
    filled = without_outline(figure)
    contour = outline_of(figure, filled)
    drawn = contour.ink.scaled(pitch) if contour.kept else None
    ink = _outline(reading, drawn)
    if reading.outline != KEEP:
        of_art = None if ink is None else ink.scaled(1 / pitch)
        image, _ = _tiled(outlined(filled, of_art), reading.size)
    bare, mask = _tiled(filled, reading.size)[0], image[..., 3].copy()
    record = _record(contour, image, mask, 512 / reading.size * pitch)
    place = FramePlace((figure.shape[1], figure.shape[0]), box).scaled(step)
    return Frontal(name, image, mask[None], bare=bare, ink=ink, contour=record, place=place, pitch=pitch)


def _outline(reading: DrawingSettings, drawn: Ink | None) -> Ink | None:
    """The contour of all frames: as drawn, none, or the one that was asked for."""
    if reading.outline == KEEP:
        return drawn
    if reading.outline == NO_OUTLINE:
        return None
    colour, width = parse_outline(reading.outline)
    scale = reading.size / 512
    if width is None:
        width = OWN_WIDTH if drawn is None else drawn.width / scale
    return Ink.of_one(width * scale, colour)


def _record(contour: Contour, image: Pixels, mask: Pixels, scale: float) -> dict[str, Any]:
    """What was decided about a contour, for the record of a repair; its width is that in a 512 px frame."""
    whole = image[..., 3] >= HALF_COVERED
    hidden = whole & (mask < HALF_COVERED)
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in contour.ink.colours.tolist()]
    return {
        "kept": contour.kept,
        "share": round(float(hidden.sum() / max(1, whole.sum())), 4) if contour.kept else 0.0,
        "width": round(contour.ink.width * scale, 2) if contour.kept else 0.0,
        "colours": colours if contour.kept else [],
        "score": round(contour.score, 3),
    }


def render_front(own: AnimatedCharacter, size: int) -> Frontal:
    """Render the front of a character as a build does, with contour; raises `CharacterError` if empty."""
    config = BuildConfig(views=_VIEWS, size=size)
    entry, (mesh, rig) = own.character.entry, in_frame(own, config)
    layers = next(FastRenderer().render(mesh, [Camera(0.0, size)]))
    if not (layers.mask >= HALF_COVERED).any():
        raise CharacterError(f"{entry.path.name} shows nothing from the front")
    image = outline(config.seed, entry.id).draw(layers)
    masks = silhouettes(mesh, view_cameras(_VIEWS, size))
    warnings = (*own.character.warnings, *one_colour(own.character, layers.color, layers.coverage))
    ink = ink_around(image, layers.mask)
    return Frontal(entry.id, image, masks, mesh, rig, own, ink=ink, warnings=warnings)


def _longest(figure: Pixels) -> int:
    """The longer side of the box of a figure (h, w, 4) in pixels."""
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


def _tiled(figure: Pixels, size: int) -> tuple[Pixels, PixelBox]:
    """Put pixel art (h, w, 4) into the middle of a frame, scaled by a whole number, and return its box."""
    tiles = scale_whole(figure, size * EXTENT / ORTHO_WIDTH)
    height, width = tiles.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    out = np.zeros((size, size, 4), np.uint8)
    out[top : top + height, left : left + width] = tiles
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    pitch = (rows.stop - rows.start) / height
    first, upper = columns.start - left * pitch, rows.start - top * pitch
    return out, (first, upper, first + size * pitch, upper + size * pitch)


def _framed(figure: Pixels, size: int, contour: float) -> tuple[Pixels, PixelBox]:
    """Scale a figure (h, w, 4) so that its longer side is `EXTENT`, besides a contour of so many pixels.

    Returned are the frame and its box in pixels of the figure's picture.
    """
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    longest = size * EXTENT / ORTHO_WIDTH + 2 * contour
    half = _longest(figure) * size / longest / 2
    middle_x, middle_y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    box = middle_x - half, middle_y - half, middle_x + half, middle_y + half
    return resampled(figure, box, (size, size)), box
