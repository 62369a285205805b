"""Settings of the model, of its training and of its adaptation, which are written with every run."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec

from specsia_build.config import check_types, types_of
from specsia_build.errors import UsageError, no_such
from specsia_build.extras import how_to_add

Architecture = Literal["tiny", "paper"]
Device = Literal["auto", "cpu", "cuda"]
Reference = Literal["drawing", "none"]
Perceptual = Literal["ssim", "vgg19", "none"]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Weight = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
_Steps = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
DEFAULT_PRESET = "tiny"
PATCH = 32  # Default side of a patch in pixels
REACH = 3  # Pixels around Zmask and Y* in which patches may still be centred


def need_torch() -> None:
    """Import torch; raises `UsageError` if it is not installed."""
    if "OMP_WAIT_POLICY" not in os.environ:
        # Spins of a thread that waits for work before it sleeps. The default of hundreds of thousands slows
        # down other work on a busy machine, and gains nothing on a quiet one.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise UsageError(f"this needs torch ({error}): {how_to_add('train')}") from error


@dataclass(frozen=True)
class ModelConfig:
    """Architecture and inputs of a generator.

    With the `reference` `drawing`, the frontal drawing and the style of its contour are inputs. Without
    `positions` neither Zpos is, nor what is looked up by it.
    """

    architecture: Architecture = "tiny"
    reference: Reference = "none"
    positions: bool = True

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def sees_drawing(self) -> bool:
        return self.reference == "drawing"


@dataclass(frozen=True)
class TrainConfig:
    """All settings that decide the weights of a training.

    Attributes:
        configs: configurations of the dataset to train on; empty for its first.
        positions: whether the model sees Zpos, and what is looked up by it.
        batch, patch: patches a step, and pixels on a side of a patch, a multiple of 8.
        augment: `colours` changes hue, value and contrast in Z and Y* alike, `turn` turns the positions of
            most patches about the vertical axis, as if another side faced the camera; both mirror half.
        no_drawing, no_contour: shares of patches without the drawing, or without a contour in drawing and Y*.
        redrawn: share of patches whose drawing is shifted, scaled and changed in colour a little.
        other_back: share of patches that have other colours where the drawing does not show a place.
        learning_rate, weight_decay: of Adam.
        schedule, warm_up: `constant` or `cosine`, and the first steps of a cosine, in which the rate rises.
        clip: largest norm of the generator's gradient; 0 for any.
        anchor: strength of the pull back to the first weights, times the learning rate.
        ema: decay of the running average of the weights; 0 to use the last weights.
        l1, gradient, adversarial, perceptual_weight: weights of the losses.
        precision: `bf16`, `float32`, or `auto` for bf16 where the device has it.
    """

    preset: str = "tiny"
    configs: tuple[str, ...] = ()
    architecture: Architecture = "tiny"
    reference: Reference = "drawing"
    positions: bool = True
    steps: _Steps = 5_000
    batch: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 8
    patch: Annotated[int, msgspec.Meta(ge=16, le=512)] = 64
    augment: Literal["none", "colours", "turn"] = "colours"
    no_drawing: _Share = 0.1
    no_contour: _Share = 0.1
    redrawn: _Share = 0.25
    other_back: _Share = 0.15
    learning_rate: Annotated[float, msgspec.Meta(ge=1e-9, le=1)] = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warm_up: _Steps = 100
    weight_decay: _Share = 0.0
    clip: _Weight = 1.0
    anchor: _Weight = 0.0
    ema: Annotated[float, msgspec.Meta(ge=0, le=0.999999)] = 0.998
    l1: _Weight = 1.0
    gradient: _Weight = 0.5
    adversarial: _Weight = 0.0
    perceptual_weight: _Weight = 0.5
    perceptual: Perceptual = "ssim"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.patch % 8:
            raise UsageError(f"patch cannot be {self.patch}: it is a multiple of 8")

    @property
    def model(self) -> ModelConfig:
        return ModelConfig(self.architecture, self.reference, self.positions)


PRESETS: Mapping[str, TrainConfig] = {
    "tiny": TrainConfig(),
    "paper": TrainConfig(
        preset="paper",
        architecture="paper",
        steps=100_000,
        batch=40,
        patch=PATCH,
        learning_rate=4e-4,
        schedule="constant",
        weight_decay=1e-5,
        clip=0.0,
        ema=0.0,
        l1=4.0,
        gradient=0.0,
        adversarial=0.5,
        perceptual_weight=6.0,
        perceptual="vgg19",
    ),
}


ADAPTATION = TrainConfig(
    preset="",
    steps=200,
    batch=16,
    patch=PATCH,
    augment="turn",
    no_drawing=0.0,
    no_contour=0.0,
    redrawn=0.0,
    other_back=0.0,
    learning_rate=2e-3,
    warm_up=1,
    anchor=1.0,
    ema=0.0,
)
"""Settings for fitting a model to one character; the architecture is that of the model."""


def train_config(preset: str, changes: Mapping[str, Any]) -> TrainConfig:
    """Return a preset with some settings changed; raises `UsageError` for unknown names and values."""
    if preset not in PRESETS:
        raise UsageError(no_such("preset", preset, tuple(PRESETS)))
    names = set(types_of(TrainConfig)) - {"preset"}
    if unknown := [name for name in changes if name not in names]:
        raise UsageError(no_such("setting", unknown[0], sorted(names)))
    return replace(PRESETS[preset], **changes)


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return settings as plain values."""
    values: dict[str, Any] = msgspec.to_builtins(config)
    return values


def train_from_json(values: Mapping[str, Any]) -> TrainConfig:
    """Parse the result of `to_json`; raises `ValueError` or `UsageError` if it is not one.

    Runs of earlier versions state neither `positions`, which their models see, nor `other_back`.
    """
    values = {"positions": True, "other_back": 0.0} | msgspec.convert(values, dict[str, Any])
    if other := values.keys() ^ types_of(TrainConfig).keys():
        raise UsageError(f"settings are missing or unknown: {', '.join(sorted(other))}")
    return msgspec.convert(values, TrainConfig)


def differences(first: TrainConfig, second: TrainConfig) -> list[str]:
    """Return the names of the settings that differ."""
    return [name for name in types_of(TrainConfig) if getattr(first, name) != getattr(second, name)]
