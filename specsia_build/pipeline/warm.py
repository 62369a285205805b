"""Compiling what a build needs once, side by side, before each of its workers would do it piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, backend_name
from specsia_build.jit import cache_folder
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.progress import Progress
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.stage import CharacterStage
from specsia_build.stages.tiny import box_layers


def _compile_sample() -> None:
    from specsia_build.characters.samples.make import draw_front, make_sample

    draw_front(make_sample(0, 0))


def _call(part: tuple[str, Callable[[], object]]) -> None:
    part[1]()


def compile_once(
    config: BuildConfig, stages: Sequence[CharacterStage], entries: Sequence[Entry], progress: Progress
) -> None:
    """Fill the cache of compiled code where it lacks what some stages of a build need, and say so.

    What is compiled already costs a look at a file's name. What a worker was lost at is compiled where it is used, and
    tried again by the next build.

    Args:
        config: of the build.
        stages: to be run; without any, what reads and draws a character is compiled and nothing more.
        entries: the characters.
        progress: where that is said.

    Raises:
        WriteError: if the cache cannot be written.
    """
    if all(entry.problem is not None for entry in entries):
        return
    parts: dict[str, Callable[[], object]] = {
        f"renderer {config.look}": partial(box_layers, "lit" if config.look == "lit" else "unlit")
    }
    if any(entry.sample is not None for entry in entries):
        parts["sample"] = _compile_sample
    recipes = () if config.clips is None else config.clips.recipes
    code = sha256(canonical_json([config.look, *map(backend_name, config.backends), *recipes]).encode())[:16]
    parts |= {f"{stage.name} {code}": partial(stage.warm, config) for stage in stages if stage.warm is not None}
    _compile(config, parts, progress)


def _compile(config: BuildConfig, parts: Mapping[str, Callable[[], object]], progress: Progress) -> None:
    """Run what compiles parts that the cache lacks."""
    done = {name: cache_folder() / f"whole-{name.replace(' ', '-')}" for name in parts}
    lacking = [(name, part) for name, part in parts.items() if not done[name].exists()]
    if not lacking:
        return
    progress.say("compiling, once: the next command of this kind starts at once")
    run, needs = local_executor(config), Needs(math.inf)
    with progress.bar("compile", len(lacking), "part") as advance:
        # The first is what all others begin with; each would compile it anew.
        for some in (lacking[:1], lacking[1:]):
            for number, lost in run(_call, some, needs):
                advance(1)
                if not isinstance(lost, Lost):
                    done[some[number][0]].touch()
