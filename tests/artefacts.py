"""Where a run keeps an artefact."""

from __future__ import annotations

from pathlib import Path

from specsia_build.pipeline.layout import RunLayout
from specsia_build.stages.registry import character_stages


def artefact(run: Path, stage: str, key: str, backend: str | None = None) -> Path:
    """The tar of a stage by its name, of a character or clip."""
    (found,) = [one for one in character_stages() if one.name == stage]
    return RunLayout(run).artefact(found, backend, key)
