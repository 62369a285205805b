"""Pairs and models for tests: a random texture, a figure of known geometry, and runs with fresh weights."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import ModelConfig, TrainConfig, to_json
from specsia_build.dravie.data.frames import FrameArrays
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.model.checkpoint import save_model
from specsia_build.dravie.model.networks import Generator, build_generator
from specsia_build.dravie.runs import RUN_FILE
from specsia_build.rendering.contour import draw_contour

SIZE = 96


def make_pair(seed: int, size: int = 40, grown: int = 2) -> Pair:
    """A random texture in an ellipse that touches the frame's left border, and Y* a little larger than it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    distance = np.hypot((y - size / 2) / 0.3, (x - 0.15 * size) / 0.2) - size
    z, pos, gt = rng.integers(1, 256, (3, size, size, 4), dtype=np.uint8)
    z[distance > 0] = 0
    gt[distance > grown * 5] = 0
    pos[..., 3] = z[..., 3]
    pos[distance > 0] = 0
    return Pair(f"c{seed}_00", f"c{seed}", 0, z, pos, gt)


def sampler(frames: Sequence[FrameArrays], batch: int, size: int = 32, **settings: Any) -> PatchSampler:
    """Patches of a model that sees no drawing, unless `settings` say so."""
    config = replace(TrainConfig(reference="none"), batch=batch, patch=size, **settings)
    return PatchSampler(frames, config)


def disc(centre: float = 48.0, radius: float = 24.0, size: int = SIZE) -> NDArray[np.uint8]:
    """Coverage (size, size) of a disc with soft edges."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.asarray(np.clip(radius + 0.5 - np.hypot(y - size / 2, x - centre), 0, 1) * 255 + 0.5, np.uint8)


def coloured(coverage: NDArray[np.uint8], colour: tuple[int, int, int] = (230, 120, 90)) -> NDArray[np.uint8]:
    """A figure of one colour."""
    return np.dstack([np.where(coverage[..., None] > 0, np.array(colour, np.uint8), np.uint8(0)), coverage])


def drawn_pair(
    shift: float = 0.0,
    thickness: int = 2,
    grey: int = 20,
    colour: tuple[int, int, int] = (230, 120, 90),
    character: str = "disc",
    size: int = SIZE,
) -> Pair:
    """Y* is a disc with a contour; Z is the disc alone, shifted right, every eighth row too blue."""
    mask = disc(size / 2, size / 4, size)
    z = coloured(disc(size / 2 + shift, size / 4, size), colour)
    z[::8, :, 2] = np.where(z[::8, :, 3] > 0, 255, 0)
    pos = z.copy()
    pos[..., 0] = np.where(z[..., 3] > 0, np.arange(size) * 255 // size, 0)
    gt = draw_contour(coloured(mask, colour), mask, thickness, grey)
    return Pair(
        f"{character}_00", character, 0, z, pos, gt, mask, 0.9, "relief", thickness, grey, (grey,) * 3
    )


def model_of(config: ModelConfig, seed: int = 0) -> Generator:
    """A model with fresh weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Generator(build_generator(config).eval(), config)


def write_run(run: Path, seed: int = 0, reference: str = "none", **settings: Any) -> Path:
    """A run with fresh weights and the settings that it would have been trained with."""
    train = TrainConfig(**{"configs": ("fat",), "steps": 1, "seed": seed, "reference": reference, **settings})
    save_model(run, 1, model_of(train.model, seed))
    (run / RUN_FILE).write_text(json.dumps({"train": to_json(train)}))
    return run
