"""Settings of the model, of its training and of its adaptation, which are written with every run."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum
from typing import Any

import msgspec

from specsia_build.config import check_choice, check_number, check_whole
from specsia_build.errors import UsageError

ARCHITECTURES = ("tiny", "paper")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bf16")
SCHEDULES = ("constant", "cosine")
REFERENCES = ("drawing", "none")

DEFAULT_PRESET = "tiny"

ABLATIONS = ("adaptation", "drawing", "pos")
"""Choices of `specsia evaluate --without`."""

FIT_STEPS = 1500
"""Updates of the sample-wise baseline."""

HALF_COVERED = 128
"""Least coverage byte that counts as inside a silhouette, as in `rendering.layers`, which is not imported for it."""

PATCH = 32
"""Default of the pixels on a side of a patch."""

REACH = 3
"""Pixels around Zmask and Y* in which patches are centred too."""


def need_torch() -> None:
    """Import torch, whose threads then wait as `OMP_WAIT_POLICY` or `GOMP_SPINCOUNT` says.

    Raises:
        UsageError: if torch or safetensors cannot be imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        # A thread looks for work that often before it sleeps. The default of hundreds of thousands takes time from
        # other work on a busy machine, and gains nothing on a quiet one.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        importlib.import_module("torch")
        importlib.import_module("safetensors")
    except ImportError as error:
        raise UsageError(f"this needs torch and safetensors ({error}): pip install 'specsia[train]'") from error


class Augment(IntEnum):
    """Augmentation of a patch, the same in Z and Y*.

    COLOURS mirrors half of the patches, turns the hue of half of them and scales the value of all. HINT mirrors half of
    them and turns the positions of most about the vertical axis, as if another side of the character faced the camera.
    """

    NONE = 0
    COLOURS = 1
    HINT = 2


@dataclass(frozen=True)
class ModelConfig:
    """Architecture and inputs of a generator.

    Attributes:
        architecture: `tiny` or `paper`.
        with_pos: whether it sees Zpos.
        reference: `drawing` where it sees the frontal drawing by position and the style of its contour, or `none`.
    """

    architecture: str = "tiny"
    with_pos: bool = True
    reference: str = "none"

    def __post_init__(self) -> None:
        check_choice("architecture", self.architecture, ARCHITECTURES)
        check_choice("reference", self.reference, REFERENCES)
        if self.sees_drawing and not self.with_pos:
            raise UsageError("a model that does not see positions cannot see the drawing by position: reference none")

    @property
    def sees_drawing(self) -> bool:
        """Whether the drawing is among the inputs."""
        return self.reference == "drawing"


_INTEGERS = {"batch": (1, 65_536), "patch": (16, 512), "seed": (0, 2**63 - 1)}
_INTEGERS |= dict.fromkeys(("steps", "warm_up"), (1, 10**9))
_FLOATS = {"learning_rate": (1e-9, 1.0), "weight_decay": (0.0, 1.0), "clip": (1e-9, math.inf), "ema": (0.0, 0.999999)}
_FLOATS |= dict.fromkeys(("no_drawing", "no_contour", "redrawn"), (0.0, 1.0))
_FLOATS |= dict.fromkeys(("anchor", "l1", "gradient", "adversarial", "perceptual_weight"), (0.0, 1e9))
"""Least and most of the settings that are numbers."""


@dataclass(frozen=True)
class TrainConfig:
    """All settings that decide the weights of a training.

    Attributes:
        preset: name of the preset that the defaults come from.
        configs: configurations of the dataset to train on; empty for its first.
        architecture, with_pos, reference: of the model.
        steps: updates of the generator.
        batch: patches of a step.
        patch: pixels on a side of a patch, a multiple of 8.
        augment: whether patches are mirrored and change hue and value.
        no_drawing: share of patches without the drawing.
        no_contour: share of patches whose drawing and Y* have no contour.
        redrawn: share of patches whose drawing is shifted, scaled and changed in colour a little.
        learning_rate: of Adam, for both networks.
        warm_up: steps in which the rate of a cosine schedule rises.
        schedule: `constant`, or `cosine` down to zero.
        weight_decay: of Adam (added to the gradient).
        clip: norm that the generator's gradient is cut down to.
        anchor: how strongly a step of rate 1 pulls the weights back to where they started.
        ema: decay of the running average of the weights that is used afterwards; 0 for the last weights.
        l1, gradient, adversarial, perceptual_weight: weights of the losses.
        perceptual: network of the perceptual loss: `vgg19`, a path to its weights, `random` or `none`.
        precision: `bf16` or `float32` arithmetic of the networks; `auto` for bf16 where the device has it.
        seed: of weights and patches.
    """

    preset: str = "tiny"
    configs: tuple[str, ...] = ()
    architecture: str = "tiny"
    with_pos: bool = True
    reference: str = "drawing"
    steps: int = 5_000
    batch: int = 8
    patch: int = 64
    augment: bool = True
    no_drawing: float = 0.1
    no_contour: float = 0.1
    redrawn: float = 0.25
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warm_up: int = 100
    weight_decay: float = 0.0
    clip: float = 1.0
    anchor: float = 0.0
    ema: float = 0.998
    l1: float = 1.0
    gradient: float = 0.5
    adversarial: float = 0.0
    perceptual_weight: float = 0.5
    perceptual: str = "none"
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, PRECISIONS)
        for name, (low, high) in _INTEGERS.items():
            check_whole(name, getattr(self, name), low, high)
        for name, limits in _FLOATS.items():
            check_number(name, getattr(self, name), *limits)
        for name in ("with_pos", "augment"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} cannot be {getattr(self, name)!r}: it is True or False")
        if isinstance(self.configs, str) or not all(isinstance(name, str) for name in self.configs):
            raise UsageError(f"configs cannot be {self.configs!r}: it is a tuple of names, such as ('relief',)")
        if self.patch % 8:
            raise UsageError(f"patch cannot be {self.patch}: it is a multiple of 8")
        _ = self.model  # checked when it is created

    @property
    def augmentation(self) -> Augment:
        """Augmentation of the patches."""
        return Augment.COLOURS if self.augment else Augment.NONE

    @property
    def model(self) -> ModelConfig:
        """Architecture and inputs of the generator."""
        return ModelConfig(self.architecture, self.with_pos, self.reference)


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
        clip=math.inf,
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
    no_drawing=0.0,
    no_contour=0.0,
    redrawn=0.0,
    learning_rate=2e-3,
    warm_up=1,
    anchor=1.0,
    ema=0.0,
    perceptual_weight=0.0,
)
"""Settings for fitting a model to one character's frontal pair; the network is that of the model."""


def train_config(preset: str, changes: Mapping[str, Any]) -> TrainConfig:
    """Return a preset with some settings changed.

    Raises:
        UsageError: if there is no such preset or setting, or a value cannot be used.
    """
    check_choice("preset", preset, tuple(PRESETS))
    names = [field.name for field in fields(TrainConfig) if field.name != "preset"]
    for name in changes:
        check_choice("the name of a setting", name, names)
    if changes.get("with_pos") is False:
        changes = {"reference": "none", **changes}
    return replace(PRESETS[preset], **changes)


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return settings as plain values; an infinite `clip` becomes None."""
    return asdict(config) | {"configs": list(config.configs), "clip": None if config.clip == math.inf else config.clip}


def train_from_json(values: Mapping[str, Any]) -> TrainConfig:
    """Parse what `to_json` returned.

    Raises:
        ValueError: if it is of another form.
        UsageError: if settings are missing, unknown or cannot be used.
    """
    values = msgspec.convert(values, dict[str, Any])
    names = {field.name for field in fields(TrainConfig)}
    if set(values) != names:
        raise UsageError(f"settings are missing or unknown: {', '.join(sorted(set(values) ^ names))}")
    clip = math.inf if values["clip"] is None else values["clip"]
    return msgspec.convert({**values, "clip": clip}, TrainConfig)


def differences(one: TrainConfig, two: TrainConfig) -> list[str]:
    """Return the names of the settings in which two differ."""
    return [field.name for field in fields(one) if getattr(one, field.name) != getattr(two, field.name)]
