"""The stages of a build, in their order: the one place that lists them."""

from __future__ import annotations

from specsia_build.stages import pack, project, reconstruct, render
from specsia_build.stages.stage import CharacterStage, Stage

STAGES: tuple[Stage, ...] = (render.STAGE, reconstruct.STAGE, project.STAGE, pack.STAGE)


def stage_names() -> tuple[str, ...]:
    """Of all stages, in their order."""
    return tuple(stage.name for stage in STAGES)


def character_stages() -> tuple[CharacterStage, ...]:
    """The stages that make something of each character, in their order."""
    return tuple(stage for stage in STAGES if isinstance(stage, CharacterStage))
