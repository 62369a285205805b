"""Stage 4, pack: what it reads, and the record of a build that it writes."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePath
from typing import Any

from specsia_build import __version__
from specsia_build.config import PAIRS, BuildConfig, backend_name, result_settings
from specsia_build.dataset import places
from specsia_build.stages import project, render
from specsia_build.stages.stage import CharacterStage, Stage

PACK = Stage("pack", 5, earlier=(render.RENDER, project.PROJECT))

_COMPILED = ("isal", "llvmlite", "numba", "numpy")
BYTES_PACKAGES = (*_COMPILED, "pillow", "pyarrow", "datasets", "scipy", "scikit-image")
"""Packages whose versions may change a dataset's bytes."""


def public_settings(config: BuildConfig, source: str, layout: str) -> dict[str, Any]:
    """Settings that decide a layout's content, without paths of this machine; `source` is its name."""
    settings = {
        **result_settings(replace(config, layouts=(PAIRS,))),
        "source": source,
        "backends": [backend_name(b) for b in config.backends],
    }
    if (like := settings.pop("like")) is not None:
        settings["like"] = places.public_name(like)
    if config.clips is not None:
        settings["clips"]["motions"] = [PurePath(origin).name for origin in config.clips.motions]
        # Other layouts have no influence on this one.
        settings["clips"]["layouts"] = [layout]
    elif layout != PAIRS:
        settings["layouts"] = [layout]
    return settings


def build_record(
    config: BuildConfig, source: str, layout: str, reads: Sequence[CharacterStage]
) -> dict[str, Any]:
    """Settings, and all versions that decide what a layout holds; `reads` are the stages that it reads."""
    stages: dict[Stage, None] = dict.fromkeys(s for stage in reads for s in (*stage.rests_on, stage))
    if layout == PAIRS:
        stages[PACK] = None
    return {
        "specsia": __version__,
        "config": public_settings(config, source, layout),
        "stages": {stage.name: stage.version for stage in stages},
        "packages": {name: version(name) for name in BYTES_PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
