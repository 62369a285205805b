"""Compiling what a build needs once, side by side, before each of its workers would do it piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from specsia_build.characters.character import Entry, safe_id
from specsia_build.config import BuildConfig
from specsia_build.jit import cache_folder
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.progress import Progress
from specsia_build.stages.stage import CharacterStage
from specsia_build.stages.tiny import box_layers


def _compile_sample() -> None:
    from specsia_build.characters.samples.drawing import draw_front
    from specsia_build.characters.samples.make import make_sample
    from specsia_build.characters.samples.write import layers

    draw_front(layers(make_sample(0, 0)))


def _call(part: tuple[str, Callable[[], object]]) -> None:
    part[1]()


def _done(name: str) -> Path:
    """The file that says that the cache holds what compiles under a name."""
    return cache_folder() / f"whole-{safe_id(name)}"


def compile_once(
    config: BuildConfig, stages: Sequence[CharacterStage], entries: Sequence[Entry], progress: Progress
) -> None:
    """Fill the cache of compiled code where it lacks what some stages of a build need, and say so.

    What is compiled already costs a look at a file's name. What a worker was lost at is compiled where it is used, and
    tried again by the next build.

    Args:
        config: of the build.
        stages: to be run.
        entries: the characters.
        progress: where that is said.

    Raises:
        WriteError: if the cache cannot be written.
    """
    parts = _pictures(config, entries) if stages else {}
    if parts:
        for stage in stages:
            parts |= stage.warm(config)
    _compile(config, parts, "build", progress)


def compile_pictures(config: BuildConfig, entries: Sequence[Entry], progress: Progress) -> None:
    """Fill it where it lacks what draws characters and nothing more; see `compile_once`."""
    _compile(config, _pictures(config, entries), "command", progress)


def _pictures(config: BuildConfig, entries: Sequence[Entry]) -> dict[str, Callable[[], object]]:
    """What compiles what reads and draws characters, by name; nothing where none of them can be built at all."""
    parts: dict[str, Callable[[], object]] = {}
    if all(entry.problem is not None for entry in entries):
        return parts
    parts[f"renderer {config.look}"] = partial(box_layers, "lit" if config.look == "lit" else "unlit")
    if any(entry.sample is not None for entry in entries):
        parts["sample"] = _compile_sample
    return parts


def _compile(config: BuildConfig, parts: Mapping[str, Callable[[], object]], kind: str, progress: Progress) -> None:
    """Run what compiles parts that the cache lacks; `kind` is what the next of starts at once."""
    lacking = [(name, part) for name, part in parts.items() if not _done(name).exists()]
    if not lacking:
        return
    progress.say(f"compiling, once: the next {kind} of this kind starts at once")
    run, needs = local_executor(config), Needs(math.inf)
    with progress.bar("compile", len(lacking), "part") as advance:
        # The first is what all others begin with; each would compile it anew.
        for some in (lacking[:1], lacking[1:]):
            for number, lost in run(_call, some, needs):
                advance(1)
                if not isinstance(lost, Lost):
                    _done(some[number][0]).touch()
