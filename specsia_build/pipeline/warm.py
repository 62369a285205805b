"""Compiling everything once, side by side, before the first build would do it piece by piece."""

from __future__ import annotations

from specsia_build.config import BuildConfig
from specsia_build.jit import CACHE
from specsia_build.pipeline.executors import Needs, local_executor
from specsia_build.pipeline.progress import Progress
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage

_DONE = CACHE / "whole"
"""Says that the cache holds all that the stages compile."""


def _warm(stage: CharacterStage) -> None:
    stage.warm()


def compile_once(config: BuildConfig, progress: Progress) -> None:
    """Fill the cache of compiled code where it is empty; a stage that fails will say so when it is used."""
    if _DONE.exists():
        return
    progress.say("compiling, once: the next build starts at once")
    stages = character_stages()
    with progress.bar("compile", len(stages), "stage") as advance:
        for _ in local_executor(config)(_warm, stages, Needs(config.timeout)):
            advance(1)
    _DONE.touch()
