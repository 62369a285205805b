"""Digests of formats and results that other files depend on, by name.

`python -m tests.formats` writes them down in formats.json as those of this version, when it is released.
"""

import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import torch

from specsia_build import __version__
from specsia_build.backends.registry import load_backend
from specsia_build.backends.upstream.pins import read_pins
from specsia_build.characters import samples
from specsia_build.dataset import schema
from specsia_build.dravie.config import Architecture, ModelConfig
from specsia_build.dravie.data import frames
from specsia_build.dravie.model import checkpoint
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.runs import STATE_FILE
from specsia_build.folders import shipped
from specsia_build.pipeline import folder
from specsia_build.registration import REGISTRATION_VERSION as REGISTRATION
from specsia_build.rendering.layers import RENDERERS
from specsia_build.stages.registry import all_stages

RECORD = Path(__file__).parent / "formats.json"

OWN = ("command:true {image} {mesh}", "fusion", "model-sheet", "relief", "mesh-dir:.")
"""Backends that need no other project's checkout."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _renderer_version(where: str) -> int:
    module, _, name = where.partition(":")
    return int(getattr(import_module(module), name).version)


def _checkpoint(architecture: Architecture) -> str:
    """Of the files of a checkpoint, and the names, shapes and kinds of a model's numbers."""
    with torch.device("meta"):
        weights = build_generator(ModelConfig(architecture)).state_dict()
    files = (checkpoint.MODEL_FILE, checkpoint.TRAINING, STATE_FILE, checkpoint.DRAWING_FILE)
    return _digest(
        repr((files, [(name, tuple(value.shape), value.dtype) for name, value in weights.items()]))
    )


def formats() -> dict[str, Any]:
    """The formats of this checkout, by name."""
    backends = {backend.name: backend.version for backend in map(load_backend, OWN)}
    backends |= {
        path.stem: read_pins(path.stem).version for path in (shipped("manifests") / "backends").glob("*.yaml")
    }
    return {
        "columns": _digest(str(schema.arrow_schema().remove_metadata())),
        "columns of clips": _digest(str(schema.arrow_schema(schema.MOVING_COLUMNS).remove_metadata())),
        "frames cache": frames.CACHE_VERSION,
        "registration": REGISTRATION,
        "run mark": folder.FORMAT,
        "samples": samples.SAMPLES_VERSION,
        "schema": schema.SCHEMA_VERSION,
        **{f"artefacts of {stage.name}": stage.version for stage in all_stages()},
        **{f"backend {name}": version for name, version in backends.items()},
        **{f"checkpoint, {name}": _checkpoint(name) for name in get_args(Architecture)},
        **{f"renderer {name}": _renderer_version(where) for name, where in RENDERERS.items()},
    }


def recorded() -> dict[str, dict[str, Any]]:
    """The formats of each released version."""
    found: dict[str, dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    RECORD.write_text(json.dumps(recorded() | {__version__: formats()}, indent=1, sort_keys=True) + "\n")
