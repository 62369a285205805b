"""A character of a source, or a reconstruction in a run, as `writers` take it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.characters.sources import only_entry
from specsia_build.characters.survey import checked_colours
from specsia_build.config import backend_name
from specsia_build.errors import UsageError, argument, no_such, some
from specsia_build.pipeline.run import existing_run, paths_of
from specsia_build.pipeline.store import read_artefact
from specsia_build.rendering.mesh import compacted
from specsia_build.stages.clips.actor import unplayed
from specsia_build.stages.clips.carry import registered
from specsia_build.stages.project import PROJECT
from specsia_build.stages.reconstruct import RECONSTRUCT
from specsia_build.warning import Warning
from specsia_build.writers.exported import ExportedCharacter


def character_at(where: str, backend: str | None = None) -> tuple[ExportedCharacter, tuple[Warning, ...]]:
    """The only character of a source with its rig and motions, or a run's reconstruction, RUN/ID; warnings.

    Raises `UsageError` if there is none, there are several, or the run has several backends and none is
    named, and `CharacterError` if the file cannot be read.
    """
    run, slash, character_id = where.rstrip("/").rpartition("/")
    if slash and "://" not in where and not Path(where).exists() and paths_of(run).config.is_file():
        return _reconstruction(run, character_id, backend), ()
    if "://" not in where and paths_of(where).config.is_file():
        raise UsageError(f"{where} is a run: name one of its characters, as {where.rstrip('/')}/ID")
    if backend is not None:
        raise UsageError(f"--backend is for a run's reconstructions, as RUN/ID, and {where} is none")
    with TemporaryDirectory(prefix="specsia-") as scratch:
        return _of_file(read_animated(only_entry(where, Path(scratch))))


def _of_file(own: AnimatedCharacter) -> tuple[ExportedCharacter, tuple[Warning, ...]]:
    """A character that was read, with a rig if it can move; one in a pose keeps that, and has no rig."""
    character, entry = own.character, own.character.entry
    warnings = (*character.warnings, *own.warnings, *unplayed(own.spoilt), *checked_colours(character))
    exported = ExportedCharacter(compacted(character.mesh), entry.id, humanoid=own.humanoid)
    exported = replace(exported, license=entry.license or "", credit=entry.source or "")
    if entry.pose != "rest":
        sentence = f"{entry.path.name} is in the pose '{entry.pose}', so it was written without its rig"
        return exported, (*warnings, Warning("not-written", sentence, entry.path.name))
    if len(own.rig.nodes) > 1 or own.motions:
        rig = own.rig.of_vertices(character.mesh.used)
        exported = replace(exported, rig=rig, motions=own.motions)
    return exported, warnings


def _reconstruction(run: str, character_id: str, backend: str | None) -> ExportedCharacter:
    """The reconstruction of a run's character by a backend, where the character stands."""
    config, paths = existing_run(run)
    names = [backend_name(spec) for spec in config.backends]
    if backend is not None and backend not in names:
        raise UsageError(no_such(f"backend in {run}", backend, names))
    if backend is None and len(names) > 1:
        raise UsageError(f"{run} has reconstructions by {', '.join(names)}: name one by --backend")
    name = backend or names[0]
    artefacts = {stage: paths.artefact(stage, name, character_id) for stage in (RECONSTRUCT, PROJECT)}
    if missing := [stage.name for stage, path in artefacts.items() if not path.is_file()]:
        folder = artefacts[RECONSTRUCT].parents[1]
        built = sorted(path.stem for path in folder.glob("*/*.tar"))
        held = f"it has {some(built)}" if built else "it has none"
        problem = f"{run} holds no {missing[0]} of '{character_id}' by {name}: {held}"
        raise UsageError(f"{problem}; `specsia status {argument(run)}` shows all")
    earlier = {stage: read_artefact(path, character_id) for stage, path in artefacts.items()}
    return ExportedCharacter(compacted(registered(earlier)), character_id)
