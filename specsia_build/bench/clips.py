"""What a frame of a clip costs on one core, colour, mask and positions encoded and stored, next to stills' way.

And what it costs with lines, regions, segments and flow, as the recipe `animerun` asks for them.

Counted is processor time, which other work on the machine changes less than it does the time that passes.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_as
from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.config import FRAMES, BuildConfig, ClipSettings
from specsia_build.dataset.images import position_image
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.frame import Camera
from specsia_build.pipeline.executors import Needs, local_executor
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.planning import plan_stage
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.store import discard
from specsia_build.pipeline.tasks import Task, peak_mb, perform
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.stages.clips import draw, motions
from specsia_build.stages.clips.actor import actor_of, box_of, clip_settings
from specsia_build.stages.stage import CharacterStage, Job

SIZES = (256, 512)

PEER_FRAMES = 8

ANNOTATED = (FRAMES, "animerun")
"""Recipes that ask for colour, mask and positions, and for lines, regions, segments and flow besides."""

WORKERS = 2


def bench_clips(
    source: str, config: BuildConfig, settings: ClipSettings, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Measure the clips of a source's first character that has any.

    Args:
        source: of characters.
        config: of the run; its size counts where it is stated.
        settings: of its clips.
        folder: scratch space.
        progress: where bars go.

    Returns:
        A JSON-serialisable report: per size frames a second of one core, and of two processes from their start on,
        milliseconds of a frame by part of the work, what it costs with annotations, and the peer with its ratio.

    Raises:
        SpecsiaError: if no character moves, or a clip cannot be drawn.
    """
    opened = open_source(source, folder / "source")
    report: dict[str, Any] = {"source": opened.name, "sizes": {}}
    for size in SIZES:
        layout = RunLayout(folder / str(size))
        whole = replace(config, source=source, size=size, clips=settings)
        entry = _moving(opened.entries[: config.limit or len(opened.entries)], whole, layout)
        found = _measure(entry, whole, layout, progress)
        found["annotated"] = _annotated(entry, whole, RunLayout(folder / f"{size}-annotated"), found["ms_per_frame"])
        report |= {"character": entry.id, "triangles": found.pop("triangles"), "clips": found.pop("clips")}
        report["sizes"][str(size)] = found
    report["peak_mb"] = round(peak_mb())
    return report


def _moving(entries: Sequence[Entry], config: BuildConfig, layout: RunLayout) -> Entry:
    for entry in entries:
        if _perform_all(motions.STAGE, entry, config, layout) and _tasks(draw.STAGE, entry, config, layout):
            return entry
    raise UsageError("no character of the source has a motion: give another SOURCE")


def _tasks(stage: CharacterStage, entry: Entry, config: BuildConfig, layout: RunLayout) -> list[Task]:
    with open_index(layout, writes=False) as index:
        return plan_stage(stage, None, [entry], config, layout, index).tasks


def _perform_all(stage: CharacterStage, entry: Entry, config: BuildConfig, layout: RunLayout) -> dict[str, float]:
    """Do what there is of a stage; seconds by part of the work."""
    parts: dict[str, float] = {"all": 0.0}
    for task in _tasks(stage, entry, config, layout):
        outcome = perform(task)
        if outcome.reason is not None:
            raise SpecsiaError(outcome.reason)
        for name, seconds in outcome.parts.items():
            parts[name] = parts.get(name, 0.0) + seconds
    return parts


def _measure(entry: Entry, config: BuildConfig, layout: RunLayout, progress: Progress) -> dict[str, Any]:
    tasks = _tasks(draw.STAGE, entry, config, layout)
    frames = sum(task.clip.frames for task in tasks if task.clip is not None)
    with progress.bar(f"bench clips {config.size}", 3, "round") as advance:
        perform(tasks[0])
        discard(tasks[0].path)
        advance(1)
        begun = time.process_time()
        parts = _perform_all(draw.STAGE, entry, config, layout)
        seconds = time.process_time() - begun
        advance(1)
        for task in tasks:
            discard(task.path)
        begun, work = time.perf_counter(), _tasks(draw.STAGE, entry, config, layout)
        list(local_executor(replace(config, workers=WORKERS))(perform, work, Needs(config.timeout)))
        together = time.perf_counter() - begun
        advance(1)
    peer, triangles = _as_stills(Job(entry, config, clip=tasks[0].clip))
    return {
        "triangles": triangles,
        "clips": len(tasks),
        "frames": frames,
        "frames_per_core_second": round(frames / seconds, 1),
        "ms_per_frame": round(1000 * seconds / frames, 3),
        "ms_by_part": {name: round(1000 * taken / frames, 3) for name, taken in sorted(parts.items()) if taken},
        "frames_per_second_of_two_processes": round(frames / together, 1),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "peer": {
            "name": "each frame as a still of its own, encoded by Pillow",
            "ms_per_frame": round(1000 * peer, 3),
            "times_faster": round(peer * frames / seconds, 2),
        },
    }


def _annotated(entry: Entry, config: BuildConfig, layout: RunLayout, plain_ms: float) -> dict[str, Any]:
    """Milliseconds of a frame with annotations, and how many times those cost what the frame does without."""
    settings = clip_settings(config)
    more = replace(config, clips=replace(settings, recipes=ANNOTATED))
    _perform_all(motions.STAGE, entry, more, layout)
    tasks = _tasks(draw.STAGE, entry, more, layout)
    perform(tasks[0])
    discard(tasks[0].path)
    begun = time.process_time()
    _perform_all(draw.STAGE, entry, more, layout)
    ms = 1000 * (time.process_time() - begun) / sum(task.clip.frames for task in tasks if task.clip is not None)
    return {"ms_per_frame": round(ms, 3), "annotations_to_frame": round((ms - plain_ms) / plain_ms, 2)}


def _as_stills(job: Job) -> tuple[float, int]:
    """Seconds of a frame that is drawn without what the one before it left, and the mesh's triangles."""
    actor, clip = actor_of(job), draw.clip_of(job)
    motion = actor.motions[clip.origin, clip.index]
    times = motion.times(24.0, PEER_FRAMES)
    found = poses(actor.rig.skeleton, motion, times)
    low, high = box_of(actor.mesh)

    def frame(k: int) -> None:
        posed = posed_as(actor.mesh, actor.rig, found, k)
        layers = next(FastRenderer().render(posed, [Camera(0.0, job.config.size)]))
        for picture in (layers.color, layers.mask, position_image(layers.position, layers.mask, low, high)):
            Image.fromarray(picture).save(io.BytesIO(), "PNG")

    return _processor_time(frame, len(times)), len(actor.mesh.faces)


def _processor_time(function: Callable[[int], None], count: int) -> float:
    function(0)
    begun = time.process_time()
    for k in range(count):
        function(k)
    return (time.process_time() - begun) / count
