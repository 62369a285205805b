"""Patches a second of a whole training step, next to the plain step in the same run.

Machines differ and are noisy: the two take turns, and the median of the turns' ratios is what compares.
"""

import statistics
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.loading import measure_loader, time_of
from benchmarks.plain_training import reference_steps
from specsia_build.dravie.config import PRESETS, TrainConfig
from specsia_build.dravie.data.frames import FrameArrays
from specsia_build.dravie.data.patches import PatchSampler, prefetched
from specsia_build.dravie.model.devices import computes_in_bf16, find_device
from specsia_build.dravie.model.networks import PerceptualLoss, VggFeatures, find_perceptual_loss
from specsia_build.dravie.train.loop import Trainer, to_device

TURNS = 5
TURN_SECONDS = 1.0  # Least time of a turn; a step that takes longer is a turn of its own

TRAINING, REFERENCE = "training", "reference"


def measure(frames: FrameArrays, preset: str, device: str) -> dict[str, Any]:
    """Train for a few steps in turns with the plain step, with random weights of VGG-19.

    Returns patches a second of the loader alone, of the training and of the plain step, and their ratio.
    """
    config, place = PRESETS[preset], find_device(device)
    if config.perceptual == "vgg19":
        perceptual: PerceptualLoss | None = VggFeatures().requires_grad_(False)
    else:
        perceptual = find_perceptual_loss(config.perceptual)
    loader = measure_loader(frames)
    steps = {TRAINING: _training_steps(frames, config, perceptual, place)}
    steps[REFERENCE] = reference_steps(frames, config, perceptual, place)

    def wait() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize()

    durations: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(-1, TURNS):
        for name, each in steps.items():
            duration = time_of(each, TURN_SECONDS, wait).clock
            # The first turn compiles and fills caches.
            if turn >= 0:
                durations[name].append(duration)
    report: dict[str, Any] = {
        "preset": preset,
        "device": place.type,
        "precision": "bf16" if computes_in_bf16(place) else "float32",
        "threads": torch.get_num_threads(),
        "batch": config.batch,
        "loader": loader,
    }
    for name, seconds in durations.items():
        median = statistics.median(seconds)
        rate = round(config.batch / median, 1)
        report[name] = {"patches_per_second": rate, "seconds_per_step": round(median, 4)}
    ratios = [plain / ours for ours, plain in zip(durations[TRAINING], durations[REFERENCE], strict=True)]
    return report | {"times_faster": round(statistics.median(ratios), 2)}


def _training_steps(
    frames: FrameArrays, config: TrainConfig, perceptual: PerceptualLoss | None, device: torch.device
) -> Iterator[None]:
    """The training's own steps; each item is one that is done."""
    trainer = Trainer(config, perceptual, device, compiled=True)
    sampler = PatchSampler([frames], config)
    for step, (inputs, targets) in enumerate(prefetched(sampler, 0, config.steps)):
        trainer.step(step, to_device(inputs, device), to_device(targets, device))
        yield
