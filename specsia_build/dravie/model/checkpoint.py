"""Checkpoints of a training, written atomically as safetensors and JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as arrays
from safetensors.torch import load_file, save
from torch import Tensor, nn

from specsia_build import __version__
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.model.adam import Adam
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.reference import Drawing
from specsia_build.dravie.runs import FOLDER, NAME, RUN_FILE, STATE, checkpoints
from specsia_build.errors import SpecsiaError, UsageError, brief, meant, spelled
from specsia_build.files.records import read_json
from specsia_build.files.writing import replacing

MODEL, TRAINING, DRAWING = "model.safetensors", "training.safetensors", "drawing.safetensors"

KEPT = 2
"""Number of checkpoints that a run keeps."""


def save_model(
    run: Path,
    step: int,
    config: ModelConfig,
    model: nn.Module,
    training: Mapping[str, Tensor],
    drawing: Drawing | None = None,
) -> Path:
    """Write a checkpoint and delete the oldest ones.

    Args:
        run: folder of the run.
        step: updates made so far.
        config: of the model.
        model: weights that enhance and evaluate use.
        training: state that only training needs; a run without it cannot be resumed.
        drawing: of the character that the model is adapted to.

    Raises:
        WriteError: if it cannot be written; earlier checkpoints stay.
    """
    path = run / FOLDER / f"{step:07d}"
    state = {"step": step, "model": asdict(config), "specsia": __version__, "torch": torch.__version__}
    contents = {MODEL: save(_plain(model.state_dict()))}
    if training:
        contents[TRAINING] = save(_plain(training))
    if drawing is not None:
        state["drawing_of"] = drawing.subject
        found = {"places": drawing.places, "colours": drawing.colours, "style": np.array(drawing.style, np.uint8)}
        contents[DRAWING] = arrays.save(found)
    contents[STATE] = json.dumps(state, indent=1).encode()
    with replacing(path) as making:
        making.mkdir()
        for name, data in contents.items():
            (making / name).write_bytes(data)
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old)
    return path


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def training_state(modules: Mapping[str, tuple[nn.Module, Adam]]) -> dict[str, Tensor]:
    """Return the tensors of networks and their optimisers, by name."""
    state: dict[str, Tensor] = {}
    for name, (module, optimiser) in modules.items():
        state |= {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}
        state |= {f"{name}-optimiser.{key}": tensor for key, tensor in optimiser.state().items()}
    return state


def restore(modules: Mapping[str, tuple[nn.Module, Adam]], average: nn.Module | None, checkpoint: Path) -> int:
    """Load networks, optimisers and the running average from a checkpoint.

    Returns:
        The number of updates made before it.

    Raises:
        SpecsiaError: if it cannot be read, or is of other networks.
    """
    if not (checkpoint / TRAINING).is_file():
        raise UsageError(f"{checkpoint} holds a finished model and no state of a training: it cannot be resumed")
    state, weights, training = read_state(checkpoint), _tensors(checkpoint / MODEL), _tensors(checkpoint / TRAINING)
    if average is not None:
        _load(average, weights, checkpoint / MODEL)
    for name, (module, optimiser) in modules.items():
        _load(module, _under(training, name), checkpoint / TRAINING)
        try:
            optimiser.restore(_under(training, f"{name}-optimiser"))
        except ValueError as error:
            raise _damaged(checkpoint / TRAINING, f"the optimiser of the {name}: {error}") from error
    return int(state["step"])


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _damaged(path: Path, why: str) -> SpecsiaError:
    """Return the error about a file of a checkpoint."""
    checkpoint, run = path.parent, path.parent.parent.parent
    instead = f"it is the only checkpoint of {run}, so train or fetch that anew"
    if len(checkpoints(run)) > 1:
        instead = f"delete {checkpoint} to use the checkpoint before it"
    return SpecsiaError(f"{path} is damaged or of another model ({brief(why, 120)}): {instead}")


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _damaged(path, str(error)) from error


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the JSON state of a checkpoint.

    Raises:
        SpecsiaError: if it cannot be read.
    """
    path = checkpoint / STATE
    try:
        state = read_json(path)
        if type(state["step"]) is not int or state["step"] < 0 or not isinstance(state["model"], dict):
            raise ValueError("it lacks step and model")
    except (OSError, SpecsiaError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    return dict(state)


def _load(module: nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
    """Load weights into a network after a check of names, shapes and finite values."""
    own = module.state_dict()
    odd = sorted(set(own) ^ set(weights)) or [name for name in own if own[name].shape != weights[name].shape]
    if odd:
        raise _damaged(where, f"'{odd[0]}' does not fit the architecture that {STATE} names")
    infinite = next((name for name in own if not weights[name].isfinite().all()), None)
    if infinite is not None:
        raise _damaged(where, f"weights of '{infinite}' are not finite")
    module.load_state_dict(weights)


def _last(run: Path) -> Path:
    """Return the last checkpoint of a run, or the checkpoint itself."""
    checkpoint = run if (run / STATE).is_file() else next(reversed(checkpoints(run)), None)
    if checkpoint is None:
        if not run.exists():
            raise UsageError(
                f"there is no folder {spelled(run)}: give that of a training, or `{NAME}`.{meant(str(run), [NAME])}"
            )
        hint = "it has no checkpoint yet" if (run / RUN_FILE).is_file() else "it is no folder of `specsia train`"
        raise UsageError(f"{spelled(run)} holds no model: {hint}")
    return checkpoint


def load_drawing(run: Path) -> Drawing | None:
    """Load the drawing that a model was adapted to; None if there is none.

    Args:
        run: folder of a run, or of one of its checkpoints.

    Raises:
        UsageError: if it holds no model.
        SpecsiaError: if the drawing is damaged.
    """
    checkpoint = _last(run)
    subject, path = read_state(checkpoint).get("drawing_of"), checkpoint / DRAWING
    if subject is None:
        return None
    try:
        found: dict[str, NDArray[Any]] = arrays.load_file(path)
        places, colours, style = found["places"], found["colours"], found["style"]
        if any(array.dtype != np.uint8 for array in found.values()) or style.shape != (2,):
            raise ValueError("it does not hold bytes")
        if not places.shape == colours.shape == (len(places), 3):
            raise ValueError("its shapes differ")
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    return Drawing(places, colours, (int(style[0]), int(style[1])), str(subject))


def load_generator(run: Path) -> tuple[ModelConfig, nn.Module]:
    """Load the model of a run's last checkpoint, in evaluation mode on the CPU.

    Args:
        run: folder of a run, or of one of its checkpoints.

    Raises:
        UsageError: if there is none.
        SpecsiaError: if it is damaged or of an unknown architecture.
    """
    checkpoint = _last(run)
    try:
        config = msgspec.convert(read_state(checkpoint)["model"], ModelConfig)
    except (ValueError, UsageError) as error:
        raise _damaged(checkpoint / STATE, str(error)) from error
    with torch.random.fork_rng(devices=[]):
        model = build_generator(config)
    _load(model, _tensors(checkpoint / MODEL), checkpoint / MODEL)
    return config, model.eval()
