"""Read what belongs to a drawing from the front: a side, and a model sheet of front, side and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.backends.base import SideDrawing
from specsia_build.backends.sides import ALIKE, UNLIKE, matched
from specsia_build.characters.character import safe_id
from specsia_build.errors import UsageError
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED, iou
from specsia_build.repairing.cutting import cut
from specsia_build.repairing.drawing import DrawingSettings, Frontal, frame_figure
from specsia_build.repairing.facing import DRAWN_SIDES, even_chances
from specsia_build.repairing.files import load_drawing
from specsia_build.warning import Warning

ROLES = ("front", "side", "left", "right", "back", "skip")  # What an order says of a sheet's figures

_MOST_SIZE = 2048  # Pixels on a side of the frame that a side is read in, at most
# Probability of left and right together from which a figure is drawn from its side, and below which it is not
_PROFILE, _NO_PROFILE = 0.5, 0.25
_OPPOSITE = 0.9  # Probability of another view from which that is mentioned
_FIRST = 1.0  # Added to the logarithm where the front is left of the back, as on most sheets
_MIRRORED = 12.0  # Weight of the silhouettes' IoU where a back is the front's mirror image
_SHAPE = 64  # Pixels on a side of silhouettes that are compared
_TALLER = 1.15  # Ratio of heights up to which two figures of a sheet are the same


class DrawnSide(NamedTuple):
    """Where a side is drawn: the character's own side that is shown, and a file or a picture (h, w, 4)."""

    shows: Literal["left", "right"]
    picture: Path | Pixels

    @property
    def spelled(self) -> str:
        """``left:NAME`` of a file, without its folder."""
        return f"{self.shows}:{self.picture.name if isinstance(self.picture, Path) else 'picture'}"


@dataclass(frozen=True, eq=False)
class SideView:
    """A side in the rows of the front, with sentences on what may be wrong with it."""

    side: SideDrawing
    warnings: tuple[Warning, ...] = ()


@dataclass(frozen=True, eq=False)
class DrawnSheet:
    """The drawings of a sheet.

    Attributes:
        roles: those of `ROLES` of its figures from left to right, without ``side``.
    """

    roles: tuple[str, ...]
    front: Frontal
    side: SideView | None
    back: Frontal | None


def parse_side(text: str) -> DrawnSide:
    """The side of ``left:FILE`` or ``right:FILE``; raises `UsageError` if it is neither."""
    shows, _, name = text.partition(":")
    if shows == "left" and name:
        return DrawnSide("left", Path(name))
    if shows == "right" and name:
        return DrawnSide("right", Path(name))
    raise UsageError(
        f"--side {text}: give left:FILE or right:FILE, the character's own side that the file shows; with "
        "left it looks to the left of the picture"
    )


def parse_order(text: str) -> tuple[str, ...]:
    """The roles of ``front,side,back``; raises `UsageError` unless there is one front, and a side or a
    back."""
    roles = tuple(word.strip() for word in text.split(","))
    sides = sum(role in ("side", "left", "right") for role in roles)
    backs = roles.count("back")
    known = all(role in ROLES for role in roles)
    if not known or roles.count("front") != 1 or sides > 1 or backs > 1 or sides + backs == 0:
        raise UsageError(
            f"--order {text}: name each figure from left to right, one front and a side (or left, or right), "
            "a back or both, and skip for others, such as front,side,back"
        )
    return roles


def read_side(drawn: DrawnSide, front: Frontal, reading: DrawingSettings) -> SideView:
    """Cut a drawn side out, take its contour off, and match it to the rows of a front; see `fit_side`."""
    picture = load_drawing(drawn.picture)[0] if isinstance(drawn.picture, Path) else drawn.picture
    cutout = cut(picture)
    side = fit_side(cutout.picture, drawn.shows, front, reading)
    of_cut = [warning.about("the side") for warning in cutout.warnings]
    return replace(side, warnings=(*of_cut, *side.warnings))


def fit_side(
    figure: Pixels, shows: Literal["left", "right"], front: Frontal, reading: DrawingSettings
) -> SideView:
    """Take the contour off a figure (h, w, 4) from its side, and match it to the rows of a front.

    Raises `UsageError` if it is another figure, or the front is none.
    """
    if front.facing != "front":
        raise UsageError(
            f"a drawn side goes with a drawing from the front, and this one shows the {front.facing}: give "
            "--facing front if that is wrong"
        )
    # A side that is longer than high is enlarged again, so it is read in a larger frame.
    fine = DrawingSettings(min(2 * reading.size, _MOST_SIZE))
    bare = frame_figure(figure, fine).color
    picture, difference = matched(bare, front.color)
    if difference > UNLIKE:
        raise UsageError(
            "the side does not show the drawing's figure: widths and colours from head to foot do not match; "
            "draw the same figure in the same pose, as high as in the drawing"
        )
    warnings = []
    if difference > ALIKE:
        sentence = "the side may show another figure or another pose: its rows hardly match the front's"
        warnings.append(Warning("side-unsure", sentence, "side"))
    other = "right" if shows == "left" else "left"
    chances = dict(zip(DRAWN_SIDES, even_chances(figure), strict=True))
    if chances["left"] + chances["right"] < _NO_PROFILE:
        sentence = "the side seems to be drawn from the front or from behind, not from the side"
        warnings.append(Warning("side-unsure", sentence, "side"))
    if chances[other] > _OPPOSITE:
        sentence = (
            f"the side seems to show the character's {other} side, looking to the {other} of the picture: if "
            f"so, give --side {other}:FILE instead of {shows}"
        )
        warnings.append(Warning("side-unsure", sentence, "side"))
    return SideView(SideDrawing(picture, shows), tuple(warnings))


def read_sheet(path: Path, reading: DrawingSettings, order: Sequence[str] | None = None) -> DrawnSheet:
    """Split a model sheet into its figures, say which is which, and frame them as single drawings.

    Raises `UsageError` if it cannot be read or cut out, shows one figure, or none from the front, `order` has
    another number of figures, or they differ, see `fit_side`.
    """
    picture, missing = load_drawing(path)
    mask = None if reading.mask is None else load_drawing(reading.mask)[0]
    cutouts = [cut(picture, mask, 1)]
    count = len(cutouts[0].boxes)
    if count < 2:
        raise UsageError(
            f"{path.name} shows one figure, and a model sheet shows two or more beside each other: leave "
            "ground between them, or give it as DRAWING"
        )
    cutouts += [cut(picture, mask, number) for number in range(2, count + 1)]
    figures = [cutout.picture for cutout in cutouts]
    if order is not None and len(order) != count:
        raise UsageError(f"--order names {len(order)} figures, and {path.name} shows {count}")
    heights = [bottom - top for _, top, _, bottom in cutouts[0].boxes]
    roles = sheet_roles(figures, heights) if order is None else _with_facings(figures, order)
    at = {role: number for number, role in enumerate(roles)}
    _check_heights(path.name, heights, at)
    front = frame_figure(figures[at["front"]], reading, safe_id(path.stem), cutouts[0].step)
    front = replace(front, warnings=(*missing, *cutouts[at["front"]].warnings))
    side = None
    for shows in ("left", "right"):
        if shows in at:
            side = fit_side(figures[at[shows]], shows, front, reading)
    back = frame_figure(figures[at["back"]], reading) if "back" in at else None
    return DrawnSheet(roles, front, side, back)


def sheet_roles(figures: Sequence[Pixels], heights: Sequence[int]) -> tuple[str, ...]:
    """Roles of figures (h, w, 4) of some heights in pixels, from left to right, without ``side``.

    The figure that is most like a profile is the side. The silhouettes of front and back are mirror images of
    each other; the network and their places decide which is which. Raises `UsageError` if none is frontal.
    """
    chances = np.stack([even_chances(figure) for figure in figures])
    usual = float(np.median(heights))
    same = np.array([max(height / usual, usual / height) <= _TALLER for height in heights])
    profile = np.where(same, chances[:, 1] + chances[:, 3], 0.0)
    roles = ["skip"] * len(figures)
    if profile.max() >= _PROFILE:
        side = int(profile.argmax())
        roles[side] = "left" if chances[side, 1] >= chances[side, 3] else "right"
    rest = [number for number in range(len(figures)) if same[number] and profile[number] < _PROFILE]
    if not rest:
        raise UsageError(
            "no figure of the sheet seems to be drawn from the front: give --order front,side,back"
        )
    logs = np.log(np.maximum(chances, 1e-9))
    shapes = [_shape(figure) for figure in figures]
    pairs = {(rest[0], rest[0]): -np.inf} if len(rest) == 1 else {}
    for front in rest:
        for back in rest:
            if front != back:
                likeness = iou(shapes[front], np.ascontiguousarray(shapes[back][:, ::-1]))
                order = _FIRST if front < back else 0.0
                pairs[front, back] = logs[front, 0] + logs[back, 2] + order + _MIRRORED * likeness
    front, back = max(pairs, key=pairs.__getitem__)
    roles[back] = "back"
    roles[front] = "front"
    return tuple(roles)


def _shape(figure: Pixels) -> Pixels:
    """The silhouette (s, s) of a figure (h, w, 4), stretched to a square."""
    alpha = figure[..., 3]
    box = box_around(alpha >= HALF_COVERED)
    return np.asarray(Image.fromarray(alpha[box]).resize((_SHAPE, _SHAPE), Image.Resampling.BOX))


def _with_facings(figures: Sequence[Pixels], order: Sequence[str]) -> tuple[str, ...]:
    """An order with left or right in place of side."""
    roles = []
    for figure, role in zip(figures, order, strict=True):
        chances = even_chances(figure)
        facing = "left" if chances[1] >= chances[3] else "right"
        roles.append(facing if role == "side" else role)
    return tuple(roles)


def _check_heights(name: str, heights: Sequence[int], at: dict[str, int]) -> None:
    """Raise `UsageError` if a figure of a sheet is much higher or lower than its front."""
    front = heights[at["front"]]
    for role, number in at.items():
        ratio = heights[number] / front
        if role != "skip" and max(ratio, 1 / ratio) > _TALLER:
            raise UsageError(
                f"{name}: figure {number + 1}, the {role}, is {ratio:.2f} times as high as the front: draw "
                "the same figure as high, or name it skip in --order"
            )
