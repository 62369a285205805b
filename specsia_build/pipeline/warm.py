"""Compile the code that a build needs once, instead of in each worker."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from specsia_build import terminal
from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, backend_name
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.jit import cache_folder
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.run import Run, RunPaths, backend_of
from specsia_build.pipeline.worker import WorkUnit, work
from specsia_build.stages import render
from specsia_build.stages.clips import motions
from specsia_build.stages.stage import CharacterStage

OWN_BACKEND = "relief"  # Backend used where no backend of a build compiles code, as later stages need a mesh


def compile_once(config: BuildConfig, stages: Sequence[CharacterStage], entries: Sequence[Entry]) -> None:
    """Fill the cache of compiled code if it lacks what some stages need, and say so.

    Without any stages, only what reads and draws a character is compiled.
    """
    if all(entry.problem is not None for entry in entries):
        return
    small = small_config(config, stages)
    names = [stage.name for stage in stages] or [render.RENDER.name]
    uses = [small.look, names, *map(backend_name, small.backends), *small.packed_layouts]
    marker = cache_folder() / f"whole-{sha256(canonical_json(uses).encode())[:16]}"
    if marker.exists():
        return
    terminal.say(terminal.COMPILING)
    with terminal.bar("compile", 1, "part") as advance:
        for _, result in local_executor(config)(build_small, [(small, names)], Needs(math.inf)):
            advance(1)
            if not isinstance(result, Lost):
                marker.touch()


def small_config(config: BuildConfig, stages: Sequence[CharacterStage]) -> BuildConfig:
    """Settings of a build that calls the same code for one small procedural character."""
    clips = config.clips
    if clips is not None:
        clips = replace(clips, motions=("walk",), patterns=(), views=1, frames=2, turntable=False)
    specs = config.backends if any(stage.per_backend for stage in stages) else ()
    backends = tuple(spec for spec in specs if backend_of(spec).compiles)
    stills = BuildConfig("sample:1", look=config.look, size=128, views=2)
    return replace(stills, backends=backends or (OWN_BACKEND,), low_iou="keep", clips=clips)


def build_small(job: tuple[BuildConfig, Sequence[str]]) -> list[str]:
    """Run stages of a build, and those they rest on, in a temporary folder; returns reasons of failures."""
    config, names = job
    with tempfile.TemporaryDirectory(prefix="specsia-") as folder:
        run = Run(config, RunPaths(Path(folder)))
        (entry,) = open_source(config.source, run.paths.source).entries
        requested = [step.stage for step in run.steps if step.stage.name in names]
        needed = {stage for last in requested for stage in (*last.rests_on, last)}
        steps = [step for step in run.steps if step.stage in needed]
        still = tuple(step for step in steps if not step.stage.per_clip)
        outcomes, _ = work(WorkUnit(run, entry, None, still))
        meta = run.meta(motions.MOTIONS, None, entry.id)
        moving = tuple(step for step in steps if step.stage.per_clip)
        if moving and meta is not None:
            outcomes = [*outcomes, *work(WorkUnit(run, entry, motions.clips_of(meta)[0], moving))[0]]
    return [outcome.reason for outcome in outcomes if outcome.reason is not None]
