"""A stage that is not the project's own: pictures of a character that turns, from its source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specsia_build import png
from specsia_build.characters.read import read_character
from specsia_build.dataset.layers import view_file
from specsia_build.errors import CharacterError
from specsia_build.frame import view_cameras
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import render
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.stage import CharacterStage, Earlier, Job, Stopwatch

FRAMES = 12
FRAME = "frame"
SHY = "shy"
"""Id of a character that does not turn."""


def settings(job: Job) -> Mapping[str, Any]:
    return {"size": job.config.size, "frames": FRAMES}


def frames(job: Job, _: Earlier, watch: Stopwatch) -> tuple[Artefact, tuple[Path, ...]]:
    if job.entry.id == SHY:
        raise CharacterError(f"{SHY} does not turn")
    character = read_character(job.entry)
    mesh, _normalisation = render.in_frame(character, job.config)
    cameras = view_cameras(FRAMES, job.config.size)
    with watch.part("draw"):
        drawn = load_renderer(job.config.renderer).render(mesh, cameras)
        files = {view_file(FRAME, number): png.encode(layers.color) for number, layers in enumerate(drawn)}
    return Artefact(job.entry.id, files, {"id": job.entry.id, "frames": FRAMES}), character.files


STAGE = CharacterStage(name="frames", version=1, make=frames, settings=settings, sources=render.sources, draws=True)
