"""Find the joints of a figure in its frontal picture, by a small network without torch.

A U-net of compiled convolutions sees a crop at 128 px. For each joint it gives a heat map at 64 px and, at
32 px, how far through the body it lies and how sure it is; and for each kind of figure a score.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.backends.relief.net import on_white
from specsia_build.backends.relief.sheets import SIZE, crop_of
from specsia_build.errors import CharacterError
from specsia_build.networks import unet
from specsia_build.networks.unet import Kernels
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rigging.joints import JOINTS, MIRRORED, FigureKind, Joints

WEIGHTS_FILE = Path(__file__).parent / "weights" / "weights.safetensors"

KINDS: tuple[FigureKind, ...] = ("person", "four-legged", "other")
CHANNELS = 6  # Of the network's input: red, green, blue, alpha, x, y
FOLD, FINER = 4, 2  # Pixels of a crop along a side of one of the network, and of heat maps in one
WIDTHS = (32, 64, 80, 96)  # Channels of each level of the network
HEATS = FINER**2 * len(JOINTS)  # Channels of its result that are heat maps
OUTPUTS = HEATS + 2 * len(JOINTS) + len(KINDS)


def find_joints(picture: Pixels) -> Joints:
    """Joints of the figure in a picture (S, S, 4) uint8 with straight alpha, the mean over its mirror image.

    Raises:
        CharacterError: if the picture is not square, or shows nothing.
    """
    if picture.ndim != 3 or picture.shape[0] != picture.shape[1] or picture.shape[2] != 4:
        raise CharacterError(f"joints are found in square pictures with alpha, not of shape {picture.shape}")
    covered = picture[..., 3] >= HALF_COVERED
    if not covered.any():
        raise CharacterError("the picture shows nothing to find joints in")
    crop = crop_of(covered)
    small = crop.resized(on_white(picture))
    views = (_run(small), _run(small[:, ::-1]))
    heat, inside, sure, kinds = (_mean(*pair) for pair in zip(*views, strict=True))
    chances = _chances(heat)
    coarse = chances.reshape(len(inside), FINER, len(inside), FINER, len(JOINTS)).sum(axis=(1, 3))
    shown = small[FOLD // 2 :: FOLD, FOLD // 2 :: FOLD, 3] >= HALF_COVERED
    scores = kinds[shown if shown.any() else np.ones_like(shown)].mean(axis=0)
    likely = np.exp(scores - scores.max())
    best = int(likely.argmax())
    return Joints(
        pixels=_means(chances) * crop.side / SIZE + (crop.left, crop.top),
        inside=np.clip((coarse * inside).sum(axis=(0, 1), dtype=np.float64), 0, 1),
        confidence=1 / (1 + np.exp(-(coarse * sure).sum(axis=(0, 1), dtype=np.float64))),
        kind=KINDS[best],
        certainty=float(likely[best] / likely.sum()),
    )


def _run(small: NDArray[np.uint8]) -> tuple[Floats, ...]:
    """Heat maps, shares of the way through the body, logits of confidence (H, W, 22), and kinds' scores."""
    out, count = unet.run(_input(small), _layers(WEIGHTS_FILE)), len(JOINTS)
    size = len(out)
    folded = out[..., :HEATS].reshape(size, size, count, FINER, FINER).transpose(0, 3, 1, 4, 2)
    rest = np.split(out[..., HEATS:], [count, 2 * count], axis=-1)
    return folded.reshape(size * FINER, size * FINER, count), *rest


def _mean(straight: Floats, mirrored: Floats) -> Floats:
    """The mean of maps (H, W, C) of a crop and of its mirror image."""
    back = mirrored[:, ::-1]
    return (straight + (back[..., list(MIRRORED)] if back.shape[2] == len(JOINTS) else back)) / np.float32(2)


@cache
def _layers(path: Path) -> Kernels:
    return unet.layers_of(unet.read_tensors(path))


def _input(small: NDArray[np.uint8]) -> Floats:
    """The network's input (S / 4, S / 4, 16 * `CHANNELS`) of a crop (S, S, 4) on white."""
    channels = np.empty((SIZE, SIZE, CHANNELS), np.float32)
    channels[..., :4] = small.astype(np.float32) / 127.5 - 1
    steps = (np.arange(SIZE, dtype=np.float32) + 0.5) * 2 / SIZE - 1
    channels[..., 4] = steps[None]
    channels[..., 5] = steps[:, None]
    size = SIZE // FOLD
    folded = channels.reshape(size, FOLD, size, FOLD, CHANNELS).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(folded.reshape(size, size, FOLD**2 * CHANNELS))


def _chances(heat: Floats) -> Floats:
    """Heat maps (H, W, J) as chances whose sum over a map is 1."""
    raised = np.exp(heat - heat.max(axis=(0, 1)))
    return np.asarray(raised / raised.sum(axis=(0, 1)))


def _means(chances: Floats) -> Doubles:
    """The mean place (J, 2) of each map of chances (H, W, J), column and row in pixels of the crop."""
    steps = (np.arange(len(chances)) + 0.5) * SIZE / len(chances)
    across, down = chances.sum(axis=0, dtype=np.float64), chances.sum(axis=1, dtype=np.float64)
    return np.stack([steps @ across, steps @ down], axis=1)
