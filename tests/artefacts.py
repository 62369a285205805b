"""Where a run that has no --work keeps an artefact."""

from __future__ import annotations

from pathlib import Path

from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.stages.registry import character_stages


def artefact(run: Path, stage: str, key: str, backend: str | None = None) -> Path:
    """The tar of a stage by its name, of a character or clip."""
    (found,) = [one for one in character_stages() if one.name == stage]
    return file_of(RunLayout(run).artefact(found, backend, key))


def file_of(place: Place) -> Path:
    """A place that is a file's."""
    assert isinstance(place, Path)
    return place
