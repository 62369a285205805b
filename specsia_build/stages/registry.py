"""The stages of a build, in their order."""

from collections.abc import Sequence

from specsia_build.config import BuildConfig
from specsia_build.errors import UsageError
from specsia_build.stages import pack, project, reconstruct, render
from specsia_build.stages.clips import carry, draw, motions, move
from specsia_build.stages.stage import CharacterStage, Stage

_PAIRING = (render.RENDER, reconstruct.RECONSTRUCT, project.PROJECT)
STAGES: tuple[Stage, ...] = (*_PAIRING, pack.PACK)  # Stages of stills
CLIP_STAGES: tuple[Stage, ...] = (motions.MOTIONS, draw.DRAW)  # Stages of characters in motion

PAIR_STAGES: tuple[Stage, ...] = (*CLIP_STAGES, *_PAIRING, carry.CARRY, move.MOVE)
"""Stages of characters in motion, with reconstructions that move as they do."""


def stages_for(config: BuildConfig) -> tuple[Stage, ...]:
    """The stages of a run, in their order."""
    if config.clips is None:
        return STAGES
    return PAIR_STAGES if config.clips.pairs else CLIP_STAGES


def refuse_unused_stages(names: Sequence[str], config: BuildConfig) -> None:
    """Raise UsageError if a stage needs reconstructions and the run has none."""
    own = {stage.name for stage in character_stages(config)}
    others = [stage.name for stage in character_stages() if stage.name not in own]
    if unused := [name for name in others if name in names]:
        problem = f"the stage {unused[0]} needs reconstructions, and this run has none"
        raise UsageError(f"{problem}: --layout pairs or --backend NAME moves them too")


def all_stages() -> tuple[Stage, ...]:
    """The stages of every kind of run."""
    return tuple(dict.fromkeys((*STAGES, *PAIR_STAGES)))


def character_stages(config: BuildConfig | None = None) -> tuple[CharacterStage, ...]:
    """Stages of a run, or of all kinds of run, that make an artefact of each character, in their order."""
    stages = all_stages() if config is None else stages_for(config)
    return tuple(stage for stage in stages if isinstance(stage, CharacterStage))
