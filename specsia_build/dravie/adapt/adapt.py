"""Fit a model to one character's frontal pair: fine-tune a trained one, or train one from scratch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import HALF_COVERED, PATCH, Augment, TrainConfig
from specsia_build.dravie.data.drawings import DrawnPair
from specsia_build.dravie.data.frames import Frames, frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.drawing import Drawing
from specsia_build.dravie.metrics import WIDEST_LINE_PX, near
from specsia_build.dravie.model.losses import Features
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.train.loop import NotFinite, Trainer
from specsia_build.dravie.train.validation import validate
from specsia_build.errors import SpecsiaError

BLEND = 0.5
"""Share of the change of the weights that is kept (Wortsman et al. 2022, *Robust fine-tuning of zero-shot models*)."""

SLACK = 2  # Largest distance in pixels between silhouettes that agree
LEAST_AGREED = 0.1  # Least share of the foreground where silhouettes agree; below it, patches are drawn from all of it
WITHHELD = 9  # Number of withheld parts: three discs, halves and bands each
DISC, BAND = 0.25, 0.15  # Radius of a disc, and half the width of a band, as shares of the root of the figure's area


def agreed(pair: Pair) -> NDArray[np.bool_]:
    """Return the mask (H, W) of pixels whose patch contains no part that only one of Z and Y* shows.

    A part that the reconstruction lacks, such as a cape, cannot be painted from the rest. A model that is trained to do
    so on one view smears the part's colours around the character in all others.
    """
    z, gt = pair.z[..., 3] >= HALF_COVERED, pair.gt[..., 3] >= HALF_COVERED
    lost = gt & (scipy.ndimage.distance_transform_edt(~z) > WIDEST_LINE_PX + SLACK)
    added = z & (scipy.ndimage.distance_transform_edt(~gt) > SLACK)
    mask = ~near(lost | added, PATCH // 2)
    foreground = z | gt
    if (mask & foreground).sum() < LEAST_AGREED * foreground.sum():
        return np.ones_like(mask)
    return mask


def adapt_generator(
    generator: Generator, front: DrawnPair, settings: TrainConfig, advance: Callable[[int], object] = lambda _: None
) -> Generator:
    """Return a copy of a generator, fine-tuned on a character's frontal pair.

    Patches come from where both silhouettes agree (`agreed`). To keep what the model knows of other views, every step
    pulls the weights back to their start, normalisation keeps its statistics, and positions are turned
    (`Augment.HINT`). A model that sees the drawing is trained with parts of it withheld (`withheld_frames`), and only
    `BLEND` of the change of its weights is kept, or none if that does not improve the frontal view.

    Args:
        generator: to start from, which stays as it is.
        front: Z and Zpos of the frontal view, and Y* or a drawing laid onto it.
        settings: of the adaptation; those of the network are ignored.
        advance: called after each step.

    Raises:
        SpecsiaError: if the pair shows nothing, or a loss is not finite.
    """
    network, config, device = generator
    copied = copy.deepcopy(network).requires_grad_(True).train()
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    trainer = Trainer(settings.of_model(config), None, device, copied)
    guided = config.sees_drawing and len(front.drawing.places) > 0
    if guided:
        frames = withheld_frames(front, settings.seed)
    else:
        frames = [frames_of([front.pair], front.drawing, agreed(front.pair))]
    adapted = _fit(trainer, PatchSampler(frames, trainer.config, Augment.HINT), front.pair, advance)
    if guided:
        with torch.no_grad():
            for weight, start in zip(adapted.network.parameters(), network.parameters(), strict=True):
                weight.lerp_(start, 1 - BLEND)
        before, after = (validate(each, [front])[0] for each in (generator, adapted))
        if after >= before:
            return generator._replace(network=copy.deepcopy(network))
    return adapted


def withheld_frames(front: DrawnPair, seed: int) -> list[Frames]:
    """Repeat the frontal pair, each time with a part of the drawing withheld and patches centred in that part.

    A patch that sees its own part of the drawing teaches nothing. With a part withheld, the model learns to paint what
    the drawing does not show in this character's colours.
    """
    frontal, drawing = front
    agreeing = agreed(frontal)
    silhouette = frontal.gt[..., 3] if frontal.gt_mask is None else frontal.gt_mask
    shown = agreeing & (silhouette >= HALF_COVERED) & (frontal.z[..., 3] >= HALF_COVERED)
    if not shown.any():
        return [frames_of([frontal], drawing, agreeing)]
    frames = []
    for part in _parts(shown, seed):
        rest = Drawing.of(frontal.pos, frontal.gt, np.where(part, np.uint8(0), silhouette))
        frames.append(frames_of([frontal], replace(rest, style=drawing.style), agreeing & part))
    return frames


def _parts(shown: NDArray[np.bool_], seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield discs, halves and bands (H, W) about random pixels of a figure."""
    rng = np.random.default_rng(seed)
    (rows, columns), (y, x) = np.nonzero(shown), np.indices(shown.shape)
    side = np.sqrt(len(rows))
    for number in range(WITHHELD):
        centre, angle = rng.integers(len(rows)), rng.uniform(0, np.pi)
        down, right = y - rows[centre], x - columns[centre]
        across = down * np.sin(angle) + right * np.cos(angle)
        kinds = (np.hypot(down, right) <= DISC * side, across >= 0, np.abs(across) <= BAND * side)
        yield np.asarray(kinds[number % len(kinds)])


def fit_single(
    generator: Generator,
    front: DrawnPair,
    settings: TrainConfig,
    advance: Callable[[int], object],
    features: Features | None,
) -> Generator:
    """Return the sample-wise baseline: a network like the generator's, trained from nothing on the frontal pair alone.

    See `adapt_generator`; `features` is the network of the perceptual loss.
    """
    trainer = Trainer(settings.of_model(generator.config), features, generator.device)
    sampler = PatchSampler([frames_of([front.pair], front.drawing)], trainer.config)
    return _fit(trainer, sampler, front.pair, advance)


def _fit(trainer: Trainer, sampler: PatchSampler, frontal: Pair, advance: Callable[[int], object]) -> Generator:
    try:
        for _ in trainer.learn(sampler):
            advance(1)
    except NotFinite as error:
        raise SpecsiaError(f"fitting to '{frontal.character_id}' stopped: {error}") from error
    trainer.result.network.requires_grad_(False).eval()
    return trainer.result
