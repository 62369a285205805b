"""Checkpoints of a training: whole or not there, and readable without running anything that they hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors import numpy as arrays
from safetensors.torch import load_file, save
from torch import Tensor, nn

from specsia_build import __version__
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.model.adam import Adam
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.recall import Memory
from specsia_build.dravie.runs import FOLDER, NAME, RUN_FILE, STATE, checkpoints
from specsia_build.errors import SpecsiaError, UsageError, brief, meant, spelled
from specsia_build.files.records import read_json
from specsia_build.files.writing import replacing

MODEL, TRAINING = "model.safetensors", "training.safetensors"
MEMORY = "memory.safetensors"

KEPT = 2
"""Checkpoints of a run that stay; older ones are deleted."""


def save_model(
    run: Path,
    step: int,
    config: ModelConfig,
    model: nn.Module,
    training: Mapping[str, Tensor],
    memory: Memory | None = None,
) -> Path:
    """Write a checkpoint and delete those that are too old.

    Args:
        run: folder of the run.
        step: updates made so far.
        config: of the model.
        model: whose weights enhance and evaluate use.
        training: what only training needs; with nothing in it the run cannot be resumed.
        memory: of the character that the model is adapted to.

    Raises:
        WriteError: if it cannot be written; those that are there stay.
    """
    path = run / FOLDER / f"{step:07d}"
    state = {"step": step, "model": asdict(config), "specsia": __version__, "torch": torch.__version__}
    if memory is not None:
        state |= {"memories": len(memory), "subject": memory.subject, "style": memory.style}
    contents = {MODEL: save(_plain(model.state_dict())), STATE: json.dumps(state, indent=1).encode()}
    if training:
        contents[TRAINING] = save(_plain(training))
    if memory is not None:
        contents[MEMORY] = arrays.save({"places": memory.places, "colours": memory.colours})
    with replacing(path, sum(map(len, contents.values()))) as making:
        making.mkdir()
        for name, data in contents.items():
            (making / name).write_bytes(data)
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old)
    return path


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def training_state(modules: Mapping[str, tuple[nn.Module, Adam]]) -> dict[str, Tensor]:
    """Everything that the next step depends on but the settings and its number, of networks and their optimisers."""
    found: dict[str, Tensor] = {}
    for name, (module, optimiser) in modules.items():
        found |= {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}
        found |= {f"{name}-optimiser.{key}": tensor for key, tensor in optimiser.state().items()}
    return found


def restore(modules: Mapping[str, tuple[nn.Module, Adam]], average: nn.Module | None, checkpoint: Path) -> int:
    """Put networks, optimisers and the running average back to where a checkpoint was written.

    Returns:
        The number of updates made until then.

    Raises:
        SpecsiaError: if it cannot be read, or is of other networks.
    """
    state, weights = read_state(checkpoint), read_tensors(checkpoint / MODEL)
    if not (checkpoint / TRAINING).is_file():
        raise UsageError(f"{checkpoint} holds a finished model and no state of a training: it cannot be resumed")
    training = read_tensors(checkpoint / TRAINING)
    if average is not None:
        load_weights(average, weights, checkpoint / MODEL)
    for name, (module, optimiser) in modules.items():
        load_weights(module, _under(training, name), checkpoint / TRAINING)
        try:
            optimiser.restore(_under(training, f"{name}-optimiser"))
        except ValueError as error:
            raise SpecsiaError(
                f"{checkpoint / TRAINING} does not hold what the optimiser of the {name} needs "
                f"({brief(str(error), 80)}): {_instead_of(checkpoint)}"
            ) from error
    return int(state["step"])


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _instead_of(checkpoint: Path) -> str:
    """What to do about a checkpoint that cannot be used."""
    run = checkpoint.parent.parent
    if len(checkpoints(run)) > 1:
        return f"delete its folder {checkpoint} to use the checkpoint before it"
    return f"it is the only one of {run}, so train or fetch that anew"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Raises:
        SpecsiaError: if it is missing, truncated or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise SpecsiaError(
            f"the checkpoint file {path} is missing, cut off or damaged: {_instead_of(path.parent)}"
        ) from error


def read_state(checkpoint: Path) -> dict[str, Any]:
    """State of a checkpoint.

    Raises:
        SpecsiaError: if it cannot be read.
    """
    path = checkpoint / STATE
    try:
        state = read_json(path)
        if type(state["step"]) is not int or state["step"] < 0 or not isinstance(state["model"], dict):
            raise ValueError("it lacks step and model")
    except (OSError, SpecsiaError, ValueError, KeyError, TypeError) as error:
        why = brief(str(error), 160)
        raise SpecsiaError(f"{path} cannot be read ({why}): {checkpoint} is no whole checkpoint") from error
    return dict(state)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
    """Put weights into a network.

    Raises:
        SpecsiaError: if they are of another one, or some are no numbers.
    """
    own = module.state_dict()
    odd = sorted(set(own) ^ set(weights)) or [name for name in own if own[name].shape != weights[name].shape]
    if odd:
        raise SpecsiaError(
            f"{where} is of another architecture than its run says ('{odd[0]}' does not fit): "
            "use the run folder that it was written to"
        )
    lost = next((name for name in own if not weights[name].isfinite().all()), None)
    if lost is not None:
        raise SpecsiaError(
            f"{where} holds weights that are no numbers ('{lost}'), so that it can paint nothing: it was damaged, or "
            "its training went astray; use another checkpoint, or another run"
        )
    module.load_state_dict(weights)


def _last(run: Path) -> Path:
    """The last checkpoint of a run, or the one that is named."""
    checkpoint = run if (run / STATE).is_file() else next(reversed(checkpoints(run)), None)
    if checkpoint is None:
        if not run.exists():
            raise UsageError(
                f"there is no folder {spelled(run)}: give that of a training, or `{NAME}`.{meant(str(run), [NAME])}"
            )
        hint = "it has no checkpoint yet" if (run / RUN_FILE).is_file() else "it is no folder of `specsia train`"
        raise UsageError(f"{spelled(run)} holds no model: {hint}")
    return checkpoint


def load_memory(run: Path) -> Memory | None:
    """What an adapted run remembers of its frontal pair; None where it was written without.

    Args:
        run: folder of a run, or of one of its checkpoints.

    Raises:
        UsageError: if it holds no model.
        SpecsiaError: if the memory is missing, truncated, damaged or another run's.
    """
    checkpoint = _last(run)
    state = read_state(checkpoint)
    count = state.get("memories")
    if count is None:
        return None
    try:
        style = msgspec.convert(state.get("style"), tuple[int, int] | None)
        memory = Memory(**arrays.load_file(checkpoint / MEMORY), subject=str(state.get("subject")), style=style)
        if len(memory) != count:
            raise ValueError(f"it holds {len(memory)} places instead of {count}")
    except (OSError, SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise SpecsiaError(
            f"{checkpoint / MEMORY} is missing, cut off, damaged or of another run: "
            f"make {run} anew with `specsia adapt`"
        ) from error
    return memory


def load_generator(run: Path) -> tuple[ModelConfig, nn.Module]:
    """The model of a run's last checkpoint, in evaluation mode on the CPU.

    Args:
        run: folder of a run, or of one of its checkpoints.

    Raises:
        UsageError: if there is none.
        SpecsiaError: if it is truncated, damaged or of an architecture that is not known.
    """
    checkpoint = _last(run)
    found = read_state(checkpoint)["model"]
    try:
        config = msgspec.convert(found, ModelConfig)
    except (ValueError, UsageError) as error:
        raise SpecsiaError(f"{checkpoint} is of a model that this version does not know: {error}") from error
    with torch.random.fork_rng(devices=[]):
        model = build_generator(config)
    load_weights(model, read_tensors(checkpoint / MODEL), checkpoint / MODEL)
    return config, model.eval()
