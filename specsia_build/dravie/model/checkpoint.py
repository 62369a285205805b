"""Checkpoints of a training, written atomically as safetensors and JSON.

torch is imported where networks are saved or loaded for training; `load_predictor` runs `tiny` without it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as arrays

from specsia_build import __version__
from specsia_build.config import checked
from specsia_build.dravie.config import Device, ModelConfig, need_torch
from specsia_build.dravie.drawing import Drawing
from specsia_build.dravie.model.predictor import NamedWeights, Predictor, tiny_predictor, tiny_shapes
from specsia_build.dravie.runs import CHECKPOINTS_FOLDER, NAME, STATE_FILE, checkpoints, damaged
from specsia_build.errors import SpecsiaError, UsageError, spelled
from specsia_build.files.records import read_json
from specsia_build.files.writing import replacing
from specsia_build.rendering.contour import WIDEST
from specsia_build.rendering.ink import Ink

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from specsia_build.dravie.model.networks import Generator

MODEL_FILE = "model.safetensors"
TRAINING = "training.safetensors"
DRAWING_FILE = "drawing.safetensors"
# One of them is there wherever a driver of CUDA or ROCm runs, on WSL too
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_KEPT = 2  # Number of checkpoints that a run keeps


class State(msgspec.Struct):
    """The JSON part of a checkpoint."""

    step: Annotated[int, msgspec.Meta(ge=0)]
    model: ModelConfig


def save_model(
    run: Path,
    step: int,
    generator: Generator,
    training: Mapping[str, Tensor] | None = None,
    drawing: Drawing | None = None,
) -> None:
    """Write a checkpoint after a number of steps and delete the oldest ones.

    `training` is what only training needs; a run without it cannot be resumed. `drawing` is that of the
    character that the model is adapted to.
    """
    import torch
    from safetensors.torch import save

    path = run / CHECKPOINTS_FOLDER / f"{step:07d}"
    versions = {"specsia": __version__, "torch": torch.__version__}
    state = {"step": step, "model": asdict(generator.config), **versions}
    contents = {MODEL_FILE: save(_plain(generator.network.state_dict()))}
    if training:
        contents[TRAINING] = save(_plain(training))
    if drawing is not None:
        ink = drawing.ink
        values = {"places": drawing.places, "colours": drawing.colours, "width": np.array([ink.width])}
        contents[DRAWING_FILE] = arrays.save({**values, "beside": ink.beside, "inks": ink.colours})
    contents[STATE_FILE] = json.dumps(state, indent=1).encode()
    with replacing(path) as temporary:
        temporary.mkdir()
        for name, data in contents.items():
            (temporary / name).write_bytes(data)
    for old in checkpoints(run)[:-_KEPT]:
        shutil.rmtree(old)


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


@contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Yield a file of a checkpoint, and convert errors about its content."""
    try:
        yield path
    except (OSError, SafetensorError, SpecsiaError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise SpecsiaError(
            f"{damaged(path, error)}: delete {path.parent} to use the checkpoint before it"
        ) from error


def read_state(checkpoint: Path) -> State:
    with reading(checkpoint / STATE_FILE) as path:
        return msgspec.convert(read_json(path), State)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load finite weights of the right names and shapes into a network."""
    module.load_state_dict(weights)
    if infinite := [name for name, weight in weights.items() if not weight.isfinite().all()]:
        raise ValueError(f"weights of '{infinite[0]}' are not finite")


def _last(run: Path) -> Path:
    """Return the last checkpoint of a run, or the checkpoint itself."""
    checkpoint = run if (run / STATE_FILE).is_file() else next(reversed(checkpoints(run)), None)
    if checkpoint is None:
        raise UsageError(
            f"{spelled(run)} holds no model: give a run that has written a checkpoint, or `{NAME}`"
        )
    return checkpoint


def load_drawing(run: Path) -> Drawing | None:
    """Load the drawing that the model of a run, or of a checkpoint, was adapted to; None if there is none."""
    path = _last(run) / DRAWING_FILE
    if not path.is_file():
        return None
    with reading(path):
        tensors: dict[str, NDArray[Any]] = arrays.load_file(path)
        width = tensors.pop("width")
        places, colours, beside, inks = (tensors[name] for name in ("places", "colours", "beside", "inks"))
        fits = places.shape == colours.shape == (len(places), 3)
        fits = fits and beside.shape == inks.shape == (len(beside), 3)
        if not fits or width.shape != (1,) or not len(beside) or not 0 <= width[0] <= WIDEST:
            raise ValueError("its arrays have other shapes or values")
        if any(array.dtype != np.uint8 for array in tensors.values()):
            raise ValueError("its arrays have other types")
        return Drawing(places, colours, Ink(float(width[0]), beside, inks))


def _read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> NamedWeights:
    """Read finite weights of the right names and shapes; raises `ValueError` for others.

    Weights that see a contour's grey, the last channel of the input, are turned into ones that see its
    colour: each of three channels has a third of the weight, so that a grey gives the same output.
    """
    weights = arrays.load_file(path)
    if other := sorted(weights.keys() ^ shapes.keys()):
        raise ValueError(f"weights of '{other[0]}' are missing or unknown")
    for name, shape in shapes.items():
        weight = weights[name]
        if weight.ndim == 4 and weight.shape[1] == shape[1] - 2:
            weight = weights[name] = np.concatenate([weight[:, :-1], *[weight[:, -1:] / 3] * 3], axis=1)
        if weight.shape != shape:
            raise ValueError(f"weights of '{name}' have the shape {weight.shape}, not {shape}")
        if not np.isfinite(weight).all():
            raise ValueError(f"weights of '{name}' are not finite")
    return weights


def load_generator(run: Path, device: torch.device | None = None) -> Generator:
    """Load the model of a checkpoint, or of a run's last one, onto a device, by default the CPU.

    Raises `UsageError` if there is none, `SpecsiaError` if it is damaged.
    """
    import torch

    from specsia_build.dravie.model.networks import CPU, Generator, build_generator

    checkpoint = _last(run)
    config = read_state(checkpoint).model
    with torch.random.fork_rng(devices=[]):
        model = build_generator(config)
    with reading(checkpoint / MODEL_FILE) as path:
        shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
        weights = _read_weights(path, shapes)
        model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    return Generator(model.eval().to(device or CPU), config, device or CPU)


def load_predictor(run: Path, device: str = "auto") -> Predictor:
    """Load the model of a checkpoint, or of a run's last one, to repair on `auto`, `cpu` or `cuda`.

    Raises `UsageError` if there is none, or it needs torch or a device that is missing, and `SpecsiaError` if
    it is damaged.
    """
    checkpoint = _last(run)
    config = read_state(checkpoint).model
    if config.architecture != "tiny" or _wants_gpu(device):
        need_torch()
        from specsia_build.dravie.model.devices import find_device, predictor_of

        return predictor_of(load_generator(checkpoint, find_device(device)))
    with reading(checkpoint / MODEL_FILE) as path:
        return tiny_predictor(config, _read_weights(path, tiny_shapes(config)))


def _wants_gpu(device: str) -> bool:
    """Whether a device is, or with `auto` may be, a GPU; torch takes seconds to import, and may be absent."""
    checked("device", device, Device)
    if device != "auto" or not any(map(os.path.exists, _DRIVERS)):
        return device == "cuda"
    return find_spec("torch") is not None
