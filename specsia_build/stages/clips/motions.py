"""Stage motions: list the clips of a character, before any is rendered."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

from specsia_build.animation.motion import WEIGHTS, Motion
from specsia_build.animation.rig import Rig
from specsia_build.characters.character import safe_id
from specsia_build.characters.read import READING
from specsia_build.config import OWN, ClipSettings
from specsia_build.dataset.schema import TURNTABLE
from specsia_build.errors import some
from specsia_build.frame import view_yaws
from specsia_build.layouts.registry import layers_of
from specsia_build.stages.clips.actor import Actor, actor_of, clip_settings, motion_files, origin_of
from specsia_build.stages.clips.annotate import OF_REGIONS, stored_regions
from specsia_build.stages.render import entry_settings
from specsia_build.stages.stage import (
    Artefact,
    CharacterStage,
    Clip,
    DigestOf,
    Digests,
    Earlier,
    EarlierMeta,
    Job,
    Meta,
    Sources,
    sources_of,
)
from specsia_build.warning import Warning, coded

# Prefixes of names of inputs: files of the character, and files of motions
CHARACTER, MOTION = "character/", "motion/"
TURN_SECONDS = 3.0  # Seconds that the camera takes around a figure at rest
REGIONS_VERSION = 1  # To be raised whenever a character would get other regions
_MOST_NAME = 50  # Largest number of bytes of a motion's name in its clips' ids


def _settings(job: Job) -> dict[str, Any]:
    settings = clip_settings(job.config)
    return {
        **{name: getattr(settings, name) for name in ("fps", "frames", "views", "turntable")},
        "motions": [origin_of(name) for name in settings.motions],
        "patterns": list(settings.patterns),
        **({"regions": REGIONS_VERSION} if _has_regions(settings) else {}),
        "entry": entry_settings(job.entry),
    }


def _has_regions(settings: ClipSettings) -> bool:
    """Whether a layout needs a character's regions."""
    return not OF_REGIONS.isdisjoint(layers_of(settings))


def _inputs(job: Job, _: EarlierMeta, digest_of: DigestOf) -> Digests:
    return {f"{MOTION}{path.name}": digest_of(path, path.parent) for path in motion_files(job.config)}


def _sources(job: Job) -> Sources:
    return sources_of(job.entry, CHARACTER)


def clips_of(meta: Meta) -> list[Clip]:
    """The clips of a character, from this stage's meta data."""
    return [Clip(**clip) for clip in meta["clips"]]


def find(job: Job, _: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """List a character's clips.

    Returns an artefact with the clips in its meta data and, if layouts need them, the character's regions in
    a file and their palette; and the character's files. Raises CharacterError if it cannot be read or has no
    possible clip.
    """
    entry, settings = job.entry, clip_settings(job.config)
    actor = actor_of(job)
    used_names: set[str] = set()
    clips: list[Clip] = []
    if settings.turntable:
        frames = settings.frames or max(1, ceil(TURN_SECONDS * settings.fps - 1e-6))
        clips.append(Clip(f"{_named(entry.id, TURNTABLE, used_names)}-00", TURNTABLE, "", 0, frames, 0, 0.0))
    for (origin, index), motion in actor.motions.items():
        name = _named(entry.id, motion.name, used_names)
        frames = len(motion.times(settings.fps, settings.frames))
        for view, yaw in enumerate(view_yaws(settings.views)):
            clips.append(Clip(f"{name}-{view:02d}", motion.name, origin, index, frames, view, yaw))
    warnings = [*actor.warnings, *_motionless(entry.id, actor, settings)]
    if not actor.motions and settings.motions:
        warnings.append(Warning("no-motion", _why_still(entry.id, settings, actor), entry.id))
    files: dict[str, bytes] = {}
    meta: dict[str, Any] = {"id": entry.id, "clips": [*map(asdict, clips)], "warnings": coded(warnings)}
    if _has_regions(settings):
        files, meta["palette"] = stored_regions(actor)
    return Artefact(entry.id, files, meta), actor.files


def _motionless(character_id: str, actor: Actor, settings: ClipSettings) -> Iterator[Warning]:
    """Warnings about motions whose clips are one frame, or repeat one frame."""
    motions = list(actor.motions.values())
    short = [motion for motion in motions if settings.frames != 1 and len(motion.times(settings.fps)) == 1]
    still = [motion for motion in motions if motion not in short and not moves(motion, actor.rig)]
    one = f"that are shorter than a frame at --fps {settings.fps:g} give clips of one frame"
    alike = f"that move nothing of {character_id} give clips of equal frames (--clip selects others)"
    kinds = ((one, [motion.name for motion in short]), (alike, [motion.name for motion in still]))
    for kind, names in kinds:
        if names:
            yield Warning("motion-still", f"motions {kind}: {_listed(names)}", some(names, 50))


def _listed(names: Sequence[str], most: int = 5) -> str:
    return some([name or "a motion without a name" for name in names], most)


def _named(character_id: str, action: str, used_names: set[str]) -> str:
    """Return an id for a character's motion that is not among `used_names`, and add it to them.

    It has no ``-`` after the character's id, so that no other character's motion can have the same id.
    """
    base = safe_id(action or "motion").replace("-", "_").encode()[:_MOST_NAME].decode(errors="ignore")
    name, number = base, 1
    while name.casefold() in used_names:
        number += 1
        name = f"{base}_{number}"
    used_names.add(name.casefold())
    return f"{character_id}-{name}"


def moves(motion: Motion, rig: Rig) -> bool:
    """Whether a motion of a rig's skeleton moves any vertex."""
    varied = [track for track in motion.tracks if track.varies]
    moved = rig.skeleton.below([track.node for track in varied if track.path != WEIGHTS])
    shaped = {track.node for track in varied if track.path == WEIGHTS}
    return bool(moved[rig.holding].any()) or any(morph.node in shaped for morph in rig.morphs)


def _why_still(character_id: str, settings: ClipSettings, actor: Actor) -> str:
    offered = dict.fromkeys(chain.from_iterable(actor.offered.values()))
    if settings.patterns and offered:
        names = _listed(list(offered), 12)
        return f"no motion that --clip names can be played on {character_id}: there are {names}"
    if OWN not in settings.motions:
        names = some([origin_of(name) for name in settings.motions])
        return f"no motion of {names} could be played on {character_id}"
    problem = f"{character_id} has no motion of its own, so no clip of it moves"
    return f"{problem}: --motion FILE or NAME gives it one"


MOTIONS = CharacterStage(
    "motions", READING + 30, make=find, settings=_settings, inputs=_inputs, sources=_sources
)
