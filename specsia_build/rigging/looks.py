"""Changes to pictures that joints are learnt from: other proportions, colours, shading, lines and cuts.

Needs torch. All of a batch are changed at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from specsia_build.arrays import Doubles
from specsia_build.backends.relief.net import inputs
from specsia_build.backends.relief.sheets import FILLED, SIZE
from specsia_build.rigging.examples import JointPicture
from specsia_build.rigging.joints import JOINTS, OTHER_SIDE

_ROOM = 160  # Pixels of a square that holds a picture, whose longest side is `FILLED`
# Standard deviation of the logarithm of stretching, and its values from top to bottom
_PROPORTION, _KNOTS = 0.16, 5


class JointBatch(NamedTuple):
    """Crops and targets.

    Attributes:
        x: (N, 8, S, S) the input of `relief`'s network.
        joints: (N, 22, 3) columns, rows, and shares of the way through the body; NaN where unknown.
        absent: (N, 22) bool, whether the picture's border has cut a joint off.
        kinds: (N,) int64.
    """

    x: Tensor
    joints: Tensor
    absent: Tensor
    kinds: Tensor


class Looks:
    """Weighted pictures, and batches of them in other looks."""

    def __init__(self, drawn: Sequence[tuple[JointPicture, float]]) -> None:
        self._weights = np.array([weight for _, weight in drawn]) / sum(weight for _, weight in drawn)
        self._pixels = np.zeros((len(drawn), _ROOM, _ROOM, 4), np.uint8)
        self._joints = np.full((len(drawn), len(JOINTS), 3), np.nan, np.float32)
        self._kinds = np.array([picture.kind for picture, _ in drawn], np.int64)
        for number, (picture, _) in enumerate(drawn):
            self._place(number, picture)

    def _place(self, number: int, picture: JointPicture) -> None:
        """Put a picture, with colours times alpha, into the middle of its square."""
        height, width = picture.color.shape[:2]
        scale = FILLED / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(Image.fromarray(picture.color).convert("RGBa").resize(size, Image.Resampling.BOX))
        left, top = (_ROOM - size[0]) // 2, (_ROOM - size[1]) // 2
        self._pixels[number, top : top + size[1], left : left + size[0]] = small
        places = picture.joints.copy()
        places[:, 0] = places[:, 0] * (size[0] / width) + left
        places[:, 1] = places[:, 1] * (size[1] / height) + top
        self._joints[number] = places

    def batch(self, rng: np.random.Generator, count: int) -> JointBatch:
        """`count` pictures, each in another look."""
        chosen = rng.choice(len(self._weights), count, p=self._weights)
        pixels = torch.from_numpy(self._pixels[chosen]).permute(0, 3, 1, 2).float() / 255
        moved = [_Shape(rng) for _ in range(count)]
        rough = functional.grid_sample(pixels, _stack(shape.grid(64) for shape in moved), align_corners=False)
        joints = np.full((count, len(JOINTS), 3), np.nan, np.float32)
        absent = np.zeros((count, len(JOINTS)), np.bool_)
        grids = []
        for k, (number, shape) in enumerate(zip(chosen.tolist(), moved, strict=True)):
            shape.frame(rough[k, 3].numpy() > 0.5, rng)
            joints[k], absent[k] = shape.joints(self._joints[number])
            grids.append(shape.grid(SIZE))
        shaped = functional.grid_sample(pixels, _stack(grids), align_corners=False)
        for k, shape in enumerate(moved):
            shaped[k, :, shape.kept :] = 0
        painted = _painted(shaped, rng)
        mirror = rng.random(count) < 0.5
        painted[mirror] = painted[mirror].flip(-1)
        joints[mirror] = joints[mirror][:, OTHER_SIDE]
        joints[mirror, :, 0] = SIZE - joints[mirror, :, 0]
        absent[mirror] = absent[mirror][:, OTHER_SIDE]
        crops = (painted * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
        x = torch.from_numpy(np.stack([inputs(crop, 0.0) for crop in crops])).permute(0, 3, 1, 2)
        kinds = torch.from_numpy(self._kinds[chosen])
        return JointBatch(x, torch.from_numpy(joints), torch.from_numpy(absent), kinds)


def _stack(grids: object) -> Tensor:
    return torch.from_numpy(np.stack(list(grids)).astype(np.float32))  # type: ignore[call-overload]


_TONES = torch.tensor([0.5, 0.8, -0.4])[:, None, None]  # Shares of red, green and blue in a tone


class _Shape:
    """A map from a crop, -1 to 1, to a picture's square: stretched row by row, then turned."""

    def __init__(self, rng: np.random.Generator) -> None:
        uneven = rng.random() < 0.7
        spread = _PROPORTION * uneven
        self._rows = np.linspace(-1.6, 1.6, 129)
        knots = np.linspace(-1, 1, _KNOTS)
        factors = np.exp(np.interp(self._rows, knots, rng.normal(0, spread, _KNOTS)))
        lengths = np.cumsum(factors) * (self._rows[1] - self._rows[0])
        self._down = lengths - np.interp(0.0, self._rows, lengths)
        self._wide = np.exp(rng.normal(0, 0.12) + np.interp(self._rows, knots, rng.normal(0, spread, _KNOTS)))
        angle = np.deg2rad(rng.normal(0, 6) if rng.random() < 0.9 else rng.normal(0, 15))
        cosine, sine = np.cos(angle), np.sin(angle)
        lean = np.array([[1, rng.normal(0, 0.05)], [0, 1]])
        self._turn = np.array([[cosine, -sine], [sine, cosine]]) @ lean
        self._box = (0.0, 0.0, 1.5)  # Middle and half width of the crop, in units of the unframed crop
        self.kept = SIZE  # Rows of the crop above the border of the picture

    def grid(self, size: int) -> NDArray[np.float64]:
        """Places (size, size, 2) of the crop's pixels in the square, -1 to 1."""
        x, y, half = self._box
        steps = ((np.arange(size) + 0.5) * 2 / size - 1) * half
        down = np.interp(steps + y, self._rows, self._down)
        wide = np.interp(steps + y, self._rows, self._wide)
        across = (steps + x) * wide[:, None]
        places = np.stack([across, np.broadcast_to(down[:, None], across.shape)], axis=-1)
        return np.asarray(places @ self._turn.T)

    def frame(self, covered: NDArray[np.bool_], rng: np.random.Generator) -> None:
        """Set the crop around a silhouette in the unframed crop, sometimes cut by the picture's border."""
        if not covered.any():
            return
        size, (_, _, half) = len(covered), self._box
        rows, columns = np.nonzero(covered.any(1))[0], np.nonzero(covered.any(0))[0]
        top, bottom = rows[0], rows[-1] + 1
        cut = rng.random() < 0.15
        if cut:
            bottom = top + max(2.0, (bottom - top) * rng.uniform(0.3, 0.9))
            columns = np.nonzero(covered[: int(bottom)].any(0))[0]
        left, right = columns[0], columns[-1] + 1
        longest = max(bottom - top, right - left) * 2 * half / size
        middle = [(first + last) * half / size - half for first, last in ((left, right), (top, bottom))]
        reach = longest * SIZE / FILLED / 2 * float(np.exp(rng.normal(0, 0.03)))
        x, y = (float(at + rng.normal(0, 0.01) * longest) for at in middle)
        self._box = (x, y, reach)
        if cut:
            edge = bottom * 2 * half / size - half
            self.kept = int(np.clip(round(((edge - y) / reach + 1) * SIZE / 2), 1, SIZE))

    def joints(self, places: NDArray[np.float32]) -> tuple[Doubles, NDArray[np.bool_]]:
        """Joints (22, 3) in pixels of the crop, NaN for those that are cut off; and which are (22,)."""
        square = (places[:, :2].astype(np.float64) * 2 / _ROOM - 1) @ np.linalg.inv(self._turn).T
        y = np.interp(square[:, 1], self._down, self._rows)
        x = square[:, 0] / np.interp(y, self._rows, self._wide)
        middle_x, middle_y, half = self._box
        out = np.array(places, np.float64)
        out[:, 0] = ((x - middle_x) / half + 1) * SIZE / 2
        out[:, 1] = ((y - middle_y) / half + 1) * SIZE / 2
        absent = (out[:, 1] > self.kept) | (out[:, :2] < 0).any(1) | (out[:, :2] > SIZE).any(1)
        out[absent | np.isnan(places[:, 0])] = np.nan
        return out, absent


def _painted(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures (N, 4, S, S), colours times alpha, in other colours and lines, laid on white, alpha kept."""
    count, alpha = len(crops), crops[:, 3:]
    color = (crops[:, :3] / alpha.clamp(min=0.02)).clamp(0, 1)
    flat = color
    color = _recoloured(color, rng)
    color = _where(rng, 0.45, count, color * _shading(count, rng), color)
    tone = (flat * _TONES).sum(1, keepdim=True)
    edges = _edges(torch.cat([tone, alpha], 1))
    strength = torch.from_numpy(rng.uniform(0.5, 1.5, (count, 1, 1, 1)).astype(np.float32))
    ink = torch.from_numpy((rng.random((count, 3, 1, 1)) ** 2 * 0.6).astype(np.float32))
    lined = (edges * strength * 3).clamp(0, 1)
    paper = torch.from_numpy(rng.uniform(0.8, 1.0, (count, 3, 1, 1)).astype(np.float32)).expand_as(color)
    drawn = _where(rng, 0.16, count, paper, color)
    only = (drawn == paper).flatten(1).all(1)
    with_lines = torch.from_numpy(rng.random(count) < 0.35) | only
    drawn = torch.where(with_lines[:, None, None, None], drawn * (1 - lined) + ink * lined, drawn)
    width = torch.from_numpy((rng.uniform(0.1, 2.0, count) * (rng.random(count) < 0.55)).astype(np.float32))
    width = torch.where(only, width.clamp(min=0.6), width)[:, None, None, None]
    once = functional.max_pool2d(alpha, 3, 1, 1)
    twice = functional.max_pool2d(once, 3, 1, 1)
    outer = alpha + (once - alpha) * width.clamp(0, 1) + (twice - once) * (width - 1).clamp(0, 1)
    over = drawn * alpha + ink * (outer - alpha).clamp(min=0)
    noise = torch.from_numpy(rng.normal(0, 0.04, tuple(over.shape)).astype(np.float32)) * outer
    over = _where(rng, 0.25, count, over + noise, over)
    result = torch.cat([(over + 1 - outer).clamp(0, 1), outer], 1)
    coarse = functional.interpolate(functional.avg_pool2d(result, 2), scale_factor=2)
    return _where(rng, 0.08, count, coarse, result)


def _where(rng: np.random.Generator, share: float, count: int, changed: Tensor, kept: Tensor) -> Tensor:
    """Some of a batch changed, the others kept."""
    return torch.where(torch.from_numpy(rng.random(count) < share)[:, None, None, None], changed, kept)


def _recoloured(color: Tensor, rng: np.random.Generator) -> Tensor:
    """Colours (N, 3, S, S), 0 to 1, with channels exchanged and mixed and another gamma; some are grey."""
    count = len(color)
    mixes = []
    for _ in range(count):
        mix = np.eye(3)[rng.permutation(3)] + rng.normal(0, 0.15, (3, 3))
        style = rng.random()
        if style < 0.25:
            mix = np.eye(3)
        elif style < 0.33:
            mix = np.ones((3, 3))
        mixes.append(mix / mix.sum(1, keepdims=True))
    gamma = torch.from_numpy(np.exp(rng.normal(0, 0.35, (count, 3, 1, 1))).astype(np.float32))
    mixed = torch.einsum("nij,njhw->nihw", _stack(mixes), color.clamp(min=1e-3) ** gamma)
    offset = torch.from_numpy(rng.normal(0, 0.06, (count, 3, 1, 1)).astype(np.float32))
    return (mixed + offset).clamp(0, 1)


def _shading(count: int, rng: np.random.Generator) -> Tensor:
    """Smooth light and shade (N, 1, S, S), about 0.5 to 1.3."""
    coarse = int(rng.integers(2, 9))
    rough = torch.from_numpy(rng.uniform(0.55, 1.3, (count, 1, coarse, coarse)).astype(np.float32))
    return functional.interpolate(rough, size=(SIZE, SIZE), mode="bilinear", align_corners=False)


def _edges(picture: Tensor) -> Tensor:
    """How much a picture (N, 2, S, S) changes around each pixel (N, 1, S, S), 0 to 1."""
    high, low = functional.max_pool2d(picture, 3, 1, 1), -functional.max_pool2d(-picture, 3, 1, 1)
    return (high - low).amax(1, keepdim=True)
