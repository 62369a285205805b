"""`specsia adapt`: find or assemble a character's frontal pair, and write a run that is fitted to it."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
import torch
from torch import nn

from specsia_build import __version__, terminal
from specsia_build.arrays import Mask
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.adapt.frontal import FrontalPair
from specsia_build.dravie.adapt.overlay import is_copy
from specsia_build.dravie.config import ADAPTATION, PATCH, TrainConfig, to_json
from specsia_build.dravie.data.frames import DrawnPair, Extent, FrameArrays, frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.drawing import MOST_WIDTH, Drawing, near
from specsia_build.dravie.model.checkpoint import load_generator, save_model
from specsia_build.dravie.model.devices import find_device
from specsia_build.dravie.model.networks import Generator, find_perceptual_loss
from specsia_build.dravie.runs import ADAPTED_FROM, RUN_FILE, read_seen, run_name, write_seen
from specsia_build.dravie.train.loop import Trainer
from specsia_build.dravie.train.train import validate
from specsia_build.files.writing import replacing_folder, write_bytes
from specsia_build.folders import require_vacant
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.warning import Warning

FRONTAL_PICTURE = "frontal.png"  # Z, the result and Y* of the frontal view

BLEND_SHARE = 0.25
"""Share of the last layer's change that is kept (Wortsman et al. 2022, *Robust fine-tuning of zero-shot
models*). With it 23 of 25 held-out characters gained on novel views by `fusion`, none lost over 0.0008 of L1;
with half 22 gained, one lost 0.002. A quarter of the change of all layers made 8 worse, by up to 0.005."""

EPOCH = replace(ADAPTATION, augment="none", learning_rate=4e-4, schedule="constant", anchor=0.0)
"""Settings of `adapt_epoch`: all weights are trained, at the learning rate of the published training."""

_SLACK = 2  # Largest distance in pixels between silhouettes that agree
LEAST_AGREED = 0.1  # Least share of the foreground where silhouettes agree; below, patches are drawn from all
WITHHELD = 9  # Number of withheld parts: three discs, halves and bands each
# Radius of a disc, and half the width of a band, as shares of the root of the figure's area
DISC, BAND = 0.25, 0.15


def adapt_generator(
    generator: Generator,
    front: DrawnPair,
    settings: TrainConfig,
    advance: Callable[[int], object] = lambda _: None,
) -> Generator:
    """Return a copy of a generator, fine-tuned on a character's frontal pair.

    Patches come from where both silhouettes agree (`agreed`). To keep what the model knows of other views,
    every step pulls the weights back to their start, normalisation keeps its statistics, and positions are
    turned. Of a model that sees the drawing only the last layer is trained, with parts of the drawing
    withheld (`withheld_frames`), and `BLEND_SHARE` of its change is kept, or none if that does not improve
    the frontal view. It stays as it is where that view shows no damage to learn (`is_copy`).

    Calls `advance` after each step. Raises `SpecsiaError` if the pair shows nothing or a loss is not finite.
    """
    network = generator.network
    informed = generator.config.sees_drawing and len(front.drawing.places) > 0
    unchanged = generator._replace(network=copy.deepcopy(network))
    if informed and is_copy(front.pair.z, front.pair.gt):
        return unchanged
    trainer = _continuing(generator, settings, head_alone=informed)
    if not informed:
        return _fitted(trainer, [frames_of([front.pair], front.drawing, agreed(front.pair))], advance)
    adapted = _fitted(trainer, withheld_frames(front, settings.seed), advance)
    with torch.no_grad():
        for weight, start in zip(adapted.network.parameters(), network.parameters(), strict=True):
            weight.lerp_(start, 1 - BLEND_SHARE)
    before, after = (validate(model, [front])[0] for model in (generator, adapted))
    return adapted if after < before else unchanged


def adapt_epoch(generator: Generator, front: DrawnPair, seed: int) -> Generator:
    """Return a copy of a generator after one epoch on a character's frontal pair, by the settings `EPOCH`.

    An epoch has a patch for each pixel of the foreground, drawn at random.
    """
    frames = frames_of([front.pair], front.drawing)
    patches = Extent(*frames.extents[0].tolist()).centres
    settings = replace(EPOCH, steps=-(-patches // EPOCH.batch), seed=seed)
    return _fitted(_continuing(generator, settings), [frames])


def _continuing(generator: Generator, settings: TrainConfig, head_alone: bool = False) -> Trainer:
    """Return a trainer of a copy of a generator, or of its last layer, whose normalisation stays as it is."""
    copied = copy.deepcopy(generator.network).requires_grad_(not head_alone).train()
    copied.head.requires_grad_(True)
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    settings = replace(settings, **asdict(generator.config))
    return Trainer(settings, find_perceptual_loss(settings.perceptual), generator.device, copied)


def fit_single(generator: Generator, front: DrawnPair, settings: TrainConfig) -> Generator:
    """Train a network like the generator's from scratch on the frontal pair; see `adapt_generator`."""
    settings = replace(settings, **asdict(generator.config))
    trainer = Trainer(settings, find_perceptual_loss(settings.perceptual), generator.device)
    return _fitted(trainer, [frames_of([front.pair], front.drawing)])


def _fitted(
    trainer: Trainer, frames: list[FrameArrays], advance: Callable[[int], object] = lambda _: None
) -> Generator:
    """Train on a character's frames; return the result in evaluation mode."""
    for _ in trainer.learn(PatchSampler(frames, trainer.config)):
        advance(1)
    trainer.result.network.requires_grad_(False).eval()
    return trainer.result


def agreed(pair: Pair) -> Mask:
    """Return the mask (H, W) of pixels whose patch contains no part that only one of Z and Y* shows.

    A part that the reconstruction lacks, such as a cape, cannot be painted from the rest. A model that is
    trained to do so on one view smears the part's colours around the character in all others.
    """
    z, gt = pair.z[..., 3] >= HALF_COVERED, pair.gt[..., 3] >= HALF_COVERED
    missing = gt & (scipy.ndimage.distance_transform_edt(~z) > MOST_WIDTH + _SLACK)
    added = z & (scipy.ndimage.distance_transform_edt(~gt) > _SLACK)
    mask = ~near(missing | added, PATCH // 2)
    foreground = z | gt
    if (mask & foreground).sum() < LEAST_AGREED * foreground.sum():
        return np.ones_like(mask)
    return mask


def withheld_frames(front: DrawnPair, seed: int) -> list[FrameArrays]:
    """Repeat the frontal pair, each time with a part of the drawing withheld and patches centred there.

    A patch that sees its own part of the drawing teaches nothing. With a part withheld, the model learns to
    paint what the drawing does not show in this character's colours.
    """
    frontal, drawing = front
    agreeing = agreed(frontal)
    silhouette = frontal.gt[..., 3] if frontal.gt_mask is None else frontal.gt_mask
    visible = agreeing & (silhouette >= HALF_COVERED) & (frontal.z[..., 3] >= HALF_COVERED)
    if not visible.any():
        return [frames_of([frontal], drawing, agreeing)]
    rng, frames = np.random.default_rng(seed), []
    (rows, columns), (y, x) = np.nonzero(visible), np.indices(visible.shape)
    side = np.sqrt(len(rows))
    for number in range(WITHHELD):
        centre, angle = rng.integers(len(rows)), rng.uniform(0, np.pi)
        down, right = y - rows[centre], x - columns[centre]
        across = down * np.sin(angle) + right * np.cos(angle)
        parts = (np.hypot(down, right) <= DISC * side, across >= 0, np.abs(across) <= BAND * side)
        part = parts[number % len(parts)]
        rest = Drawing.of(replace(frontal, gt_mask=np.where(part, np.uint8(0), silhouette)))
        frames.append(frames_of([frontal], replace(rest, ink=drawing.ink), agreeing & part))
    return frames


class Adapted(NamedTuple):
    """Result of an adaptation; the mean absolute error of view `frontal` fell from `l1_before` to `l1`."""

    run: Path
    frontal: str
    seconds: float
    l1_before: float
    l1: float
    iou: float | None = None
    warnings: tuple[Warning, ...] = ()

    @property
    def helped(self) -> bool:
        """Whether the error fell."""
        return self.l1 < self.l1_before


def adapt_run(run: Path, out: Path, settings: TrainConfig, device: str, frontal: FrontalPair) -> Adapted:
    """Fit the model of a run to a frontal pair, and write a run with the result and the drawing atomically.

    Raises `UsageError` if the folder is not empty, and `SpecsiaError` if the model cannot be used, or the
    pair shows nothing.
    """
    generator = load_generator(run, find_device(device))
    require_vacant(out)
    pair, drawing = front = frontal.drawn()
    seen = read_seen(run)
    before, _, _ = validate(generator, [front])
    began = time.perf_counter()
    with terminal.bar("adapt", settings.steps, "step") as bar:
        adapted = adapt_generator(generator, front, settings, bar)
    seconds = time.perf_counter() - began
    after, _, picture = validate(adapted, [front])
    source = {ADAPTED_FROM: run_name(run), "character": pair.character_id, "frontal": pair.uid}
    record = {**source, "specsia": __version__, "adapt": to_json(settings), "l1_before": before, "l1": after}
    with replacing_folder(out, lambda folder: any(folder.iterdir())) as temporary:
        write_seen(temporary, seen.adapted_to(pair))
        write_bytes(temporary / FRONTAL_PICTURE, picture)
        save_model(temporary, settings.steps, adapted, None, drawing if adapted.config.sees_drawing else None)
        write_bytes(temporary / RUN_FILE, json.dumps(record, indent=1, ensure_ascii=False).encode())
    sentence = (
        f"the adaptation did not improve the frontal view (L1 {before:.4f}, then {after:.4f}; from a copy of "
        f"the drawing nothing can be learnt): use {run_name(run)}"
    )
    warnings = frontal.warnings
    if after >= before:
        warnings += (Warning("no-gain", sentence, pair.character_id),)
    return Adapted(out, pair.uid, seconds, before, after, frontal.iou, warnings)
