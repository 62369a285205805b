"""A drawing laid onto the frontal view by its silhouette, so that it can stand for Y*."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.dravie.config import HALF_COVERED
from specsia_build.errors import SpecsiaError

LEAST_IOU = 0.8
"""IoU of the silhouettes below which a drawing shows another pose, or another character."""

PAPER_TOLERANCE = 12
"""Levels by which the background of a drawing without transparency may differ from the colour of its corners."""

PAPER_BORDER = 0.5
"""Share of a drawing's border that must be background where nothing is transparent: a figure that runs off the paper
takes less than the rest."""

FIT_SIZE = 160
"""Pixels on a side at which the similarity is searched."""

LINES = (0, 1, 2, 3, 4)
"""Thicknesses of the contour that are tried, in pixels of a frame of up to 512, in proportion in a larger one."""

TURNS = (-8.0, 0.0, 8.0)
"""Degrees from which the search starts."""

DARK = 64
"""Level below which all channels of a background lie that may be of the contour's colour."""

BARE_WITHIN = 0.01
"""By how much less a drawing may fit as one without a contour to be taken for that. Of 18 sound ones it was 0.02 and
more, of nine whose contours were of the background's colour 0.008 at most."""

INSIDE = 3
"""Pixels from where either picture ends, within which no colours are compared: there is Y*'s contour."""

FOREIGN = 0.15
"""Mean difference of colours, 0…1, from which a drawing and the view that it is laid onto show different things. Of 12
sound ones it was 0.06 at most, of backs and figures upside down 0.08 to 0.35."""

FLIPPED, FLIPPED_BY = 1.25, 0.01
"""How many times, and by how much, nearer in colour a drawing must be when it is mirrored to be taken for flipped."""


GREY, COLOURED = 4.0, 16.0
"""Levels by which channels lie apart in the mean, below which a picture is grey, and from which it is coloured: 41 at
least in the frontal views of nine built-in characters."""

FEW = 64
"""Pixels below which positions say nothing of the side that is seen."""

SURELY, UNLIKE = 0.98, 0.9
"""Correlation of positions with places in the picture from which one follows the other, as under a level camera, and
below which it does not."""


class Placed(NamedTuple):
    """A drawing in the frame of the frontal view: (H, W, 4) uint8 with straight alpha, and the IoU it reaches."""

    image: NDArray[np.uint8]
    iou: float


def _ground(drawing: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The colour of the corners where nothing is transparent."""
    if (drawing[..., 3] < HALF_COVERED).any():
        return None
    corners: NDArray[np.float64] = np.median(drawing[[0, 0, -1, -1], [0, -1, 0, -1], :3], axis=0)
    return corners


def cut_out(drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawing (H, W, 4) uint8 without its background, which is taken away where nothing of it is transparent.

    Raises:
        SpecsiaError: if nothing or everything of it is background, or that is not of one colour.
    """
    out, ground = drawing.copy(), _ground(drawing)
    if ground is not None:
        paper = np.abs(out[..., :3].astype(np.int16) - ground).max(axis=2) <= PAPER_TOLERANCE
        regions, _ = scipy.ndimage.label(paper)
        border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        if np.count_nonzero(border) < PAPER_BORDER * len(border):
            other = 1 - np.count_nonzero(border) / len(border)
            raise SpecsiaError(
                f"the drawing's background is not of one colour: {other:.0%} of its border differs from its corners; "
                "make the background transparent, or plain"
            )
        out[np.isin(regions, border[border > 0]), 3] = 0
    share = float((out[..., 3] >= HALF_COVERED).mean())
    if not 0.001 < share < 0.999:
        raise SpecsiaError("the drawing shows no character on a plain or transparent background")
    return out


def _small(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = mask.shape
    scale = FIT_SIZE / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: NDArray[np.float32] = np.asarray(Image.fromarray(mask).resize(shape, Image.Resampling.BOX), np.float32)
    return small / np.float32(255)


def _moments(mask: NDArray[np.float32]) -> tuple[float, float, float]:
    """Centroid x and y of a silhouette, and the side of a square of its area; strokes may cover no pixel by half."""
    area = float(mask.sum(dtype=np.float64))
    along, down = (mask.sum(axis=axis, dtype=np.float64) for axis in (0, 1))
    x, y = (float(line @ (np.arange(len(line)) + 0.5)) / area for line in (along, down))
    return x, y, float(np.sqrt(area))


class _Similarity(NamedTuple):
    """Where a point p of the frame lies in the drawing: scale * R(angle) * p + (x, y)."""

    scale: float
    angle: float
    x: float
    y: float

    def lookup(self) -> tuple[float, ...]:
        """Coefficients as Pillow's affine transformation takes them."""
        c, s = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        return (c, -s, self.x, s, c, self.y)


def _warp(image: Image.Image, shape: tuple[int, ...], found: _Similarity) -> Image.Image:
    size = (shape[1], shape[0])
    return image.transform(size, Image.Transform.AFFINE, found.lookup(), Image.Resampling.BILINEAR)


def _overlap(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    return float(np.minimum(one, two).sum()) / max(float(np.maximum(one, two).sum()), 1e-9)


def _fit(source: NDArray[np.float32], target: NDArray[np.float32], degrees: float) -> tuple[float, _Similarity]:
    """The best overlap that a similarity of the source reaches from a turn, and the similarity."""
    (from_x, from_y, from_side), (x, y, side) = _moments(source), _moments(target)
    picture = Image.fromarray(source)

    def similarity(values: NDArray[np.float64]) -> _Similarity:
        scale, angle = from_side / side * float(np.exp(values[0])), float(np.deg2rad(degrees) + values[1])
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        move_x, move_y = values[2:] * from_side
        return _Similarity(scale, angle, from_x + move_x - c * x + s * y, from_y + move_y - s * x - c * y)

    def loss(values: NDArray[np.float64]) -> float:
        return -_overlap(np.asarray(_warp(picture, target.shape, similarity(values))), target)

    corners = np.vstack([np.zeros(4), 0.05 * np.eye(4)])
    values, least, *_ = scipy.optimize.fmin(
        loss, np.zeros(4), xtol=1e-4, ftol=1e-5, initial_simplex=corners, full_output=True, disp=False
    )
    return -float(least), similarity(values)


def _fits(figure: NDArray[np.uint8], mask: NDArray[np.uint8]) -> list[tuple[float, _Similarity]]:
    """The best overlap, and the similarity that reaches it, by each thickness of `LINES` of the figure's contour."""
    source, distance = _small(figure[..., 3]), scipy.ndimage.distance_transform_edt(mask < HALF_COVERED)
    # The drawing covers its contour and Zmask does not: how thick that is shows in how well it fits.
    grown = [
        _small(np.where(distance <= line * max(1.0, max(mask.shape) / 512), np.uint8(255), np.uint8(0)))
        for line in LINES
    ]
    _, turn = max((_fit(source, grown[len(grown) // 2], degrees)[0], degrees) for degrees in TURNS)
    return [_fit(source, target, turn) for target in grown]


def ground_doubts(drawing: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[str, ...]:
    """What is to be doubted of a drawing on an opaque background, a sentence each: it may have taken the contour along.

    Args:
        drawing, mask: see `place_drawing`, which has laid the one onto the other.
    """
    ground = _ground(drawing)
    if ground is None or ground.max() >= DARK:
        return ()
    overlaps = [overlap for overlap, _ in _fits(cut_out(drawing), mask)]
    if overlaps[0] < max(overlaps[1:]) - BARE_WITHIN:
        return ()
    return (
        "the drawing fits the frontal view as one without a contour: if it has one, that was as dark as the background "
        "and went with it, so that the model unlearns contours; make the background transparent, or white",
    )


def place_drawing(drawing: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Placed:
    """Lay a drawing onto a silhouette by the similarity with the best overlap.

    Args:
        drawing: (h, w, 4) uint8 with straight alpha, or opaque on a plain background; of any size.
        mask: (H, W) uint8, Zmask of the frontal view.

    Raises:
        SpecsiaError: if no place of it reaches an IoU of `LEAST_IOU`: it shows another pose or another character.
    """
    figure = cut_out(drawing)
    if not (mask >= HALF_COVERED).any():
        raise SpecsiaError("the frontal view is all background: there is nothing to lay the drawing onto")
    best, found = max(_fits(figure, mask), key=lambda fit: fit[0])
    if best < LEAST_IOU:
        why = "" if _ground(drawing) is None else ", or its background is not plain: make that transparent"
        if _is_hollow(figure):
            why = ", or is of lines alone, transparent between them: fill them with colours"
        raise SpecsiaError(
            f"the drawing does not fit the frontal view (IoU {best:.2f}, at least {LEAST_IOU} is needed): "
            f"it shows another pose or another character{why}"
        )
    return Placed(_placed(figure, mask.shape, found), best)


def _is_hollow(figure: NDArray[np.uint8]) -> bool:
    """Whether what a figure (H, W, 4) encloses is for the most part transparent."""
    drawn = figure[..., 3] >= HALF_COVERED
    return bool(2 * np.count_nonzero(drawn) < np.count_nonzero(scipy.ndimage.binary_fill_holes(drawn)))


def _apart(z: NDArray[np.uint8], placed: NDArray[np.uint8]) -> float | None:
    """Mean absolute difference of colours, 0…1, where both pictures are opaque; None where they nowhere are."""
    both = scipy.ndimage.binary_erosion((z[..., 3] == 255) & (placed[..., 3] == 255), iterations=INSIDE)
    if not both.any():
        return None
    return float(np.abs(z[both][:, :3].astype(np.int16) - placed[both][:, :3]).mean()) / 255


def _colourful(picture: NDArray[np.uint8]) -> float:
    """How far channels lie apart in the mean where a picture (H, W, 4) is opaque, in levels."""
    shown = picture[picture[..., 3] == 255][:, :3]
    return float(np.ptp(shown, axis=1).mean()) if len(shown) else 0.0


def front_doubts(pos: NDArray[np.uint8]) -> tuple[str, ...]:
    """What positions say against a frame that is taken for the frontal view, a sentence, or none.

    From the front R = x grows to the right, from behind it falls, and from the side B = -y does either; G = z falls
    downwards.

    Args:
        pos: (H, W, 4) uint8, Zpos, of whatever camera.
    """
    y, x = np.nonzero(pos[..., 3] == 255)
    codes = pos[y, x, :3].astype(np.float64)
    if len(x) < FEW or (codes.std(axis=0) == 0).any() or x.std() == 0 or y.std() == 0:
        return ()
    across, deep = (float(np.corrcoef(x, codes[:, channel])[0, 1]) for channel in (0, 2))
    down = float(np.corrcoef(y, codes[:, 1])[0, 1])
    says = "the positions of the frontal view say that "
    if abs(deep) > SURELY and abs(across) < UNLIKE:
        return (
            f"{says}it is seen from the side, or that their red and blue are exchanged: R = x, G = z, B = -y, see "
            "docs/frame.md; name the frontal frame with --frame",
        )
    if across < -UNLIKE:
        return (f"{says}it is seen from behind, or they are mirrored: name the frontal frame with --frame",)
    if down > UNLIKE:
        return (f"{says}it stands on its head: G = z grows upwards, see docs/frame.md",)
    return ()


def drawing_doubts(z: NDArray[np.uint8], placed: NDArray[np.uint8]) -> tuple[str, ...]:
    """What a drawing's colours say against it, a sentence each; silhouettes are alike in flipped ones and in backs.

    Args:
        z: (H, W, 4) uint8, Z of the frontal view, which shows what was reconstructed from the drawing.
        placed: (H, W, 4) uint8, the drawing laid onto it.
    """
    apart = _apart(z, placed)
    if apart is None:
        return ()
    if _colourful(placed) < GREY and _colourful(z) > COLOURED:
        return (
            "the drawing is grey and the frontal view coloured: the model learns to paint in grey; give one in colour",
        )
    if apart > FOREIGN:
        return (
            f"the drawing and the frontal view differ in colour by {apart:.2f} on average where both show the "
            "character, and less than 0.10 is usual: is it this character, in colour, upright and from the front?",
        )
    try:
        mirrored = _apart(z, place_drawing(np.ascontiguousarray(placed[:, ::-1]), z[..., 3]).image)
    except SpecsiaError:
        return ()
    if mirrored is None or apart < max(FLIPPED * mirrored, mirrored + FLIPPED_BY):
        return ()
    return (
        f"the drawing seems to be flipped: it differs from the frontal view in colour by {apart:.3f}, and by "
        f"{mirrored:.3f} when it is mirrored",
    )


def _placed(figure: NDArray[np.uint8], shape: tuple[int, ...], found: _Similarity) -> NDArray[np.uint8]:
    """The figure where the similarity of the small images puts it, at full size."""
    larger, smaller = max(figure.shape[:2]) / FIT_SIZE, FIT_SIZE / max(shape)
    scale = found.scale * larger * smaller
    # Averaged down first, as the lookup sees only neighbouring pixels; colours weigh as much as they cover.
    step = max(1, int(scale))
    image = Image.fromarray(figure).convert("RGBa").reduce(step)
    full = _Similarity(scale / step, found.angle, found.x * larger / step, found.y * larger / step)
    out = np.array(_warp(image, shape, full).convert("RGBA"))
    out[out[..., 3] == 0] = 0
    return out
