"""Find the joints of a figure in its frontal picture, by a small network without torch.

Compiled convolutions see the inner features of `relief`'s network, whose weights stay as they are. For each
joint they give a heat map at 64 px of a crop of 128 px and, at 32 px, how far through the body it lies and
how sure it is; and for each kind of figure a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.backends.relief import net
from specsia_build.backends.relief.net import kept_on_white
from specsia_build.backends.relief.sheets import SIZE, crop_of
from specsia_build.errors import CharacterError
from specsia_build.networks import unet
from specsia_build.networks.convolution import convolved
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rigging.joints import JOINTS, OTHER_SIDE, FigureKind, Joints

JOINT_WEIGHTS = Path(__file__).parent / "weights" / "weights.safetensors"

KINDS: tuple[FigureKind, ...] = ("person", "four-legged", "other")
DEPTH, UPS = 4, 3  # Levels of `relief`'s network below the first, and steps back that are taken
INNER_CHANNELS = 128 + 128 + 96  # Channels of its features at 4, 8 and 16 px
OUTER_CHANNELS = 64 + 64  # Channels of its features at 32 px, on the way back and on the way down
WIDTHS = (96, 64)  # Channels of the own network at 16 px and at 32 px
FOLD, SUBCELLS = 4, 2  # Pixels of a crop along a side of one of the result, and of heat maps in one
HEATS = SUBCELLS**2 * len(JOINTS)  # Channels of its result that are heat maps
_AROUND = 10  # Pixels of a heat map around its peak whose mean place is that of a joint
MAPS = HEATS + 2 * len(JOINTS) + len(KINDS)


@dataclass(frozen=True)
class Sight:
    """A crop as the networks see it; their features have a border of one pixel.

    Attributes:
        shown: where a crop (SIZE, SIZE) of the figure shows it.
        inner: features of `relief`'s network at 16 px, (18, 18, `INNER_CHANNELS`) float32.
        middle: features of the own network at 32 px, (34, 34, `WIDTHS[1]`) float32.
        outer: features of `relief`'s network at 32 px, (34, 34, `OUTER_CHANNELS`) float32.
    """

    shown: Mask
    inner: Floats
    middle: Floats
    outer: Floats


def find_joints(picture: Pixels) -> Joints:
    """Joints of the figure in a picture (S, S, 4) uint8 with straight alpha, the mean over its mirror image.

    Raises:
        CharacterError: if the picture is not square, or shows nothing.
    """
    if picture.ndim != 3 or picture.shape[0] != picture.shape[1] or picture.shape[2] != 4:
        raise CharacterError(f"joints are found in square pictures with alpha, not of shape {picture.shape}")
    border = 5 * len(picture) // 8  # A crop reaches so far beyond the picture, and is white there.
    wide = kept_on_white(np.pad(picture, ((border, border), (border, border), (0, 0))))
    covered = wide[..., 3] >= HALF_COVERED
    if not covered.any():
        raise CharacterError("the picture shows nothing to find joints in")
    crop = crop_of(covered)
    small = crop.resized(wide)
    views = (sight_of(small), sight_of(small[:, ::-1]))
    heat, inside, sure, kinds = (_mean(*pair) for pair in zip(*map(maps_of, views), strict=True))
    chances = _chances(heat)
    coarse = chances.reshape(len(inside), SUBCELLS, len(inside), SUBCELLS, len(JOINTS)).sum(axis=(1, 3))
    likely = _likely(views[0].shown, kinds)
    best = int(likely.argmax())
    return Joints(
        pixels=_places(chances) * crop.side / SIZE + (crop.left - border, crop.top - border),
        inside=np.clip((coarse * inside).sum(axis=(0, 1), dtype=np.float64), 0, 1),
        confidence=1 / (1 + np.exp(-(coarse * sure).sum(axis=(0, 1), dtype=np.float64))),
        kind=KINDS[best],
        certainty=float(likely[best]),
    )


def sight_of(small: Pixels) -> Sight:
    """How the networks see a crop (SIZE, SIZE, 4) uint8 of a figure on white, its alpha kept."""
    crop, layers = net.folded(net.inputs(small, 0.0)), net.layers_of(JOINT_WEIGHTS)
    down, back = unet.features(crop, net.layers_of(net.WEIGHTS_FILE), DEPTH, UPS)
    inner = unet.joined(unet.joined(back[0], back[1]), back[2])
    low = unet.twice(inner, layers, "low")
    outer = np.concatenate([back[3], down[1]], axis=-1)
    middle = unet.twice(unet.joined(low, outer), layers, "middle")
    return Sight(small[..., 3] >= HALF_COVERED, inner, middle, outer)


def kind_chances(views: Sequence[Sight]) -> Doubles:
    """Probability of each of `KINDS` (3,) for a crop and its mirror image."""
    straight, mirrored = (maps_of(view)[-1] for view in views)
    return _likely(views[0].shown, _mean(straight, mirrored))


def _likely(shown: Mask, kinds: Floats) -> Doubles:
    """Probability (3,) of kinds whose scores (H, W, 3) are averaged over what a crop shows of a figure."""
    shown = shown[FOLD // 2 :: FOLD, FOLD // 2 :: FOLD]
    scores = kinds[shown if shown.any() else np.ones_like(shown)].mean(axis=0)
    likely = np.exp(scores - scores.max())
    return np.asarray(likely / likely.sum(), np.float64)


def maps_of(view: Sight) -> tuple[Floats, ...]:
    """Heat maps, shares of the way through the body, logits of confidence (H, W, 22), and kinds' scores."""
    layers, count = net.layers_of(JOINT_WEIGHTS), len(JOINTS)
    out = convolved(view.middle, layers["head"], leak=1.0)[1:-1, 1:-1]
    size = len(out)
    folded = out[..., :HEATS].reshape(size, size, count, SUBCELLS, SUBCELLS).transpose(0, 3, 1, 4, 2)
    rest = np.split(out[..., HEATS:], [count, 2 * count], axis=-1)
    return folded.reshape(size * SUBCELLS, size * SUBCELLS, count), *rest


def _mean(straight: Floats, mirrored: Floats) -> Floats:
    """The mean of maps (H, W, C) of a crop and of its mirror image."""
    back = mirrored[:, ::-1]
    if back.shape[2] == len(JOINTS):
        back = back[..., list(OTHER_SIDE)]
    return (straight + back) / np.float32(2)


def _chances(heat: Floats) -> Floats:
    """Heat maps (H, W, J) as chances whose sum over a map is 1."""
    raised = np.exp(heat - heat.max(axis=(0, 1)))
    return np.asarray(raised / raised.sum(axis=(0, 1)))


def _places(chances: Floats) -> Doubles:
    """The mean place (J, 2) around the peak of each map of chances (H, W, J): column and row of the crop."""
    steps = np.arange(len(chances))
    rows, columns = np.divmod(chances.reshape(-1, chances.shape[2]).argmax(axis=0), len(chances))
    near = (steps[:, None, None] - rows) ** 2 + (steps[:, None] - columns) ** 2 <= _AROUND**2
    kept = np.where(near, chances, 0)
    middles = (steps + 0.5) * SIZE / len(chances)
    across, down = kept.sum(axis=0, dtype=np.float64), kept.sum(axis=1, dtype=np.float64)
    return np.asarray(np.stack([middles @ across, middles @ down], axis=1) / across.sum(axis=0)[:, None])
