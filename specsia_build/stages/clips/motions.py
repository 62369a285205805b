"""Stage motions: which clips there are of a character, before any is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import WEIGHTS, Motion, poses
from specsia_build.animation.rig import Rig
from specsia_build.animation.tears import torn_in
from specsia_build.backends.base import Backend
from specsia_build.characters.character import safe_id
from specsia_build.characters.doubles import shape_of
from specsia_build.characters.motions import MOST_APART
from specsia_build.characters.read import READING
from specsia_build.config import OWN, BuildConfig, ClipSettings
from specsia_build.errors import some
from specsia_build.frame import view_yaws
from specsia_build.recipes.registry import layers_of
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.clips.actor import (
    TURNTABLE,
    Actor,
    actor_of,
    box_actor,
    clip_settings,
    motion_files,
    turn_frames,
)
from specsia_build.stages.clips.annotate import OF_REGIONS, stored_regions
from specsia_build.stages.clips.origins import origin_of
from specsia_build.stages.render import entry_settings
from specsia_build.stages.stage import (
    CharacterStage,
    Clip,
    DigestOf,
    Digests,
    Earlier,
    EarlierMeta,
    Job,
    Meta,
    Sources,
    Stopwatch,
    sources_of,
)

CHARACTER, MOTION = "character/", "motion/"
"""Before the names of inputs: files of the character, and files of motions."""

REGIONS_VERSION = 1
"""Grows whenever a character would have other regions."""

LONGEST_STILL, MOST_STILL = 1.0, 0.4
"""Seconds, and share of its time, that a motion may stand still at its beginning or end without a word."""

_LOOKED_AT, _UNSEEN = 33, 1e-3
"""Poses of a motion by which that is told, and by how much a node then turns, or goes in the skeleton's size."""

MOST_TORN = 0.03
"""Share of a character's triangles that a motion may tear without a word; in some motion 0.014 of sound ones are."""

_WATCHED = 12
"""Poses of a character's motions in which that is looked for, at least one of each and others in even steps."""

_MOST_NAME = 50
"""Bytes of a motion's name that its id keeps."""


def _chosen(config: BuildConfig, _: Backend | None = None) -> dict[str, Any]:
    settings = clip_settings(config)
    return {
        "motions": [origin_of(name) for name in settings.motions],
        "patterns": list(settings.patterns),
        "fps": settings.fps,
        "frames": settings.frames,
        "views": settings.views,
        "turntable": settings.turntable,
    }


def _settings(job: Job) -> dict[str, Any]:
    regions = {"regions": REGIONS_VERSION} if _has_regions(clip_settings(job.config)) else {}
    return {**_chosen(job.config), **regions, "entry": entry_settings(job.entry)}


def _has_regions(settings: ClipSettings) -> bool:
    """Whether a recipe asks for what needs a character's regions."""
    return not OF_REGIONS.isdisjoint(layers_of(settings.recipes))


def _inputs(job: Job, _: EarlierMeta, digest_of: DigestOf) -> Digests:
    return {f"{MOTION}{path.name}": digest_of(path, path.parent) for path in motion_files(job.config)}


def _sources(job: Job) -> Sources:
    return sources_of(job.entry, CHARACTER)


def source_files(meta: Meta) -> Digests:
    """Digests of all files that decide a character and its motions, from this stage's meta data."""
    found: Digests = meta["inputs"]
    return found


def clips_of(meta: Meta) -> list[Clip]:
    """The clips of a character, from this stage's meta data."""
    return [Clip(**found) for found in meta["clips"]]


def unheard_of(meta: Meta) -> set[str]:
    """Patterns of the settings that name no motion there is for a character, from this stage's meta data."""
    return set(meta.get("unheard", ()))


def find(job: Job, _: Earlier, watch: Stopwatch) -> tuple[Artefact, tuple[Path, ...]]:
    """List a character's clips.

    Returns:
        An artefact whose meta data hold the clips, and with the character's regions in a file and their palette where
        recipes ask for them; and the character's files.

    Raises:
        CharacterError: if the character cannot be read, or has nothing that could be a clip.
    """
    entry, settings = job.entry, clip_settings(job.config)
    with watch.part("read"):
        actor = actor_of(job)
    taken: set[str] = set()
    clips: list[Clip] = []

    if settings.turntable:
        clips.append(Clip(f"{_named(entry.id, TURNTABLE, taken)}-00", TURNTABLE, "", 0, turn_frames(settings), 0, 0.0))
    for (origin, index), motion in actor.motions.items():
        name = _named(entry.id, motion.name, taken)
        frames = len(motion.times(settings.fps, settings.frames))
        for view, yaw in enumerate(view_yaws(settings.views)):
            clips.append(Clip(f"{name}-{view:02d}", motion.name, origin, index, frames, view, yaw))
    warnings = list(actor.warnings)
    warnings += _odd(entry.id, actor, settings)
    warnings += _left_behind(entry.id, actor)
    with watch.part("tears"):
        warnings += _torn(entry.id, actor)
    if not actor.motions and settings.motions:
        warnings.append(_why_still(entry.id, settings, actor))
    files: dict[str, bytes] = {}
    meta: dict[str, Any] = {
        "id": entry.id,
        "clips": [asdict(clip) for clip in clips],
        "shape": shape_of(actor.mesh),
        "warnings": warnings,
    }
    if actor.unheard:
        meta["unheard"] = list(actor.unheard)
    if _has_regions(settings):
        with watch.part("regions"):
            files, meta["palette"] = stored_regions(actor)
    return Artefact(entry.id, files, meta), actor.files


def _odd(character_id: str, actor: Actor, settings: ClipSettings) -> list[str]:
    """What is odd about the motions that are taken."""
    lasting = [motion for motion in actor.motions.values() if motion.duration > 0]
    brief = [motion for motion in lasting if settings.frames != 1 and len(motion.times(settings.fps)) == 1]
    frozen = [motion for motion in lasting if not _moves(motion, actor.rig)]
    again = [motion for motion in _again(lasting) if _moves(motion, actor.rig)]
    others = "--clip takes others by their names"
    return [
        " ".join([_listed([motion.name for motion in found]), one if len(found) == 1 else several])
        for found, one, several in (
            (
                [motion for motion in actor.motions.values() if not motion.duration > 0],
                "has no length, so a clip of it is one frame",
                "have no length, so each clip of them is one frame",
            ),
            (
                brief,
                f"lasts no longer than a frame at --fps {settings.fps:g}, so a clip of it is one frame",
                f"last no longer than a frame at --fps {settings.fps:g}, so each clip of them is one frame",
            ),
            (
                [motion for motion in lasting if _stays(motion, actor.rig)],
                "stands still for much of its time before or after it moves, so that many frames of a clip are alike: "
                "cut it to what moves",
                "stand still for much of their time before or after they move, so that many frames of each of their "
                "clips are alike: cut them to what moves",
            ),
            (
                frozen,
                f"moves nothing of {character_id}, so that all frames of a clip of it are alike: {others}",
                f"move nothing of {character_id}, so that all frames of each of their clips are alike: {others}",
            ),
            (
                again,
                f"moves {character_id} just as a motion before it does, so that their clips are alike: {others}",
                f"move {character_id} just as motions before them do, so that their clips are alike: {others}",
            ),
        )
        if found
    ]


def _torn(character_id: str, actor: Actor) -> list[str]:
    """A sentence on the motions that tear a character."""
    motions = list(actor.motions.values())
    if not motions:
        return []
    count = max(1, _WATCHED // len(motions))
    shares = (np.arange(count) + 0.5) / count
    watched = [poses(actor.rig.skeleton, one, one.start + one.duration * shares).worlds for one in motions]
    found = torn_in(actor.rig, actor.mesh.faces, np.concatenate(watched)).reshape(-1, count).max(axis=1)
    torn = [motion.name for motion, share in zip(motions, found, strict=True) if share > MOST_TORN]
    if not torn:
        return []
    return [
        f"{character_id} is torn in {_listed(torn)}, up to {found.max():.0%} of its triangles, as vertices "
        "beside each other hang on joints that part: look at the clip, and at which joints its weights name"
    ]


def _listed(names: Sequence[str], most: int = 5) -> str:
    return some([name or "a motion without a name" for name in names], most)


def _left_behind(character_id: str, actor: Actor) -> list[str]:
    """A sentence on a skeleton apart, such as a face's or a hat's, that no motion of the character's own moves."""
    skeleton = actor.rig.skeleton
    own = [one for (origin, _), one in actor.motions.items() if origin == OWN and _moves(one, actor.rig)]
    parents = skeleton.parents.tolist()
    moved = [track.node for motion in own for track in motion.tracks if track.path != WEIGHTS and track.varies]
    above, carried = skeleton.holding(np.array(moved, np.int64)), skeleton.below(moved)
    apart = np.zeros(len(parents), np.bool_)
    for node, parent in enumerate(parents):
        # A limb that rests hangs on the joints of others that move; what hangs on none has a skeleton of its own.
        alone = parent < 0 or (above[parent] and parent not in skeleton.joints)
        apart[node] = not above[node] and not carried[node] and (alone or apart[parent])
    apart &= np.isin(np.arange(len(parents)), list(skeleton.joints)) & ~_joined(actor.rig, apart, carried)
    share, names = actor.rig.held_by(apart)
    if not moved or share <= MOST_APART:
        return []
    return [
        f"{share:.0%} of {character_id} hangs on a skeleton apart that none of its motions moves "
        f"({some(names, 3)}), so that it stays behind: hang that on the other's joints, or 'drop' what it holds"
    ]


def _joined(rig: Rig, apart: NDArray[np.bool_], moved: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which nodes (J,) of those apart are limbs that rest: some vertex hangs on such a limb and on what moves."""
    tops = np.arange(len(apart))
    for node, parent in enumerate(rig.skeleton.parents.tolist()):
        if parent >= 0 and apart[node] and apart[parent]:
            tops[node] = tops[parent]
    holders, held = rig.nodes[rig.slots], rig.weights > 0
    both = held & (held & moved[holders]).any(axis=1, keepdims=True)
    return apart & np.isin(tops, tops[holders[both & apart[holders]]])


def _named(character_id: str, action: str, taken: set[str]) -> str:
    """An id of its own for a character's motion, however strangers named it, which is then among those taken.

    What follows the character's id holds no ``-``, so that no other character's motion has the same id.
    """
    base = safe_id(action or "motion").replace("-", "_").encode()[:_MOST_NAME].decode(errors="ignore")
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name.casefold())
    return f"{character_id}-{name}"


def _moves(motion: Motion, rig: Rig) -> bool:
    """Whether a motion moves any vertex of a rig."""
    varied = [track for track in motion.tracks if track.varies]
    moved = rig.skeleton.below([track.node for track in varied if track.path != WEIGHTS])
    morphed = {morph.node for morph in rig.morphs}
    return bool(moved[rig.holding].any()) or any(track.path == WEIGHTS and track.node in morphed for track in varied)


def _stays(motion: Motion, rig: Rig) -> bool:
    """Whether a motion that moves a rig begins or ends with much standing still."""
    if motion.duration <= LONGEST_STILL or any(track.path == WEIGHTS and track.varies for track in motion.tracks):
        return False
    times = np.linspace(motion.start, motion.end, _LOOKED_AT)
    nodes, rest = np.unique(rig.nodes), rig.skeleton.rest_worlds
    worlds = poses(rig.skeleton, motion, times).worlds[:, nodes, :3]
    near = np.append(np.full(3, np.abs(rest[nodes, :3, :3]).max()), np.ptp(rest[:, :3, 3], axis=0).max())
    moving = np.flatnonzero((np.abs(np.diff(worlds, axis=0)) > _UNSEEN * near).any(axis=(1, 2, 3)))
    still = max(moving[0], len(times) - 2 - moving[-1]) * (times[1] - times[0]) if len(moving) else 0.0
    return bool(still > max(LONGEST_STILL, MOST_STILL * motion.duration))


def _again(motions: Iterable[Motion]) -> Iterator[Motion]:
    """Those motions that are the same as an earlier one but for the name."""
    seen: set[bytes] = set()
    for motion in motions:
        digest = hashlib.sha256()
        for track in sorted(motion.tracks, key=lambda track: (track.node, track.path)):
            digest.update(f"{track.node} {track.path} {track.interpolation} {track.values.shape}".encode())
            digest.update(track.times.tobytes() + track.values.tobytes())
        if digest.digest() in seen:
            yield motion
        seen.add(digest.digest())


def _why_still(character_id: str, settings: ClipSettings, actor: Actor) -> str:
    """Why a character has no clip that moves."""
    own, offered = actor.offered.get(OWN, ()), dict.fromkeys(chain.from_iterable(actor.offered.values()))
    if settings.patterns and offered and len(actor.unheard) == len(set(settings.patterns)):
        return f"{character_id} has no motion that --clip names: there are {_listed(list(offered), 12)}"
    if OWN not in settings.motions:
        return f"no motion of {some([origin_of(name) for name in settings.motions])} could be played on {character_id}"
    if own:
        return f"{character_id} has no motion of its own that --clip names: there are {_listed(own, 12)}"
    return f"{character_id} has no motion of its own, so no clip of it moves: --motion FILE or NAME gives it one"


def _compile() -> None:
    stored_regions(box_actor())


def _warm(config: BuildConfig) -> dict[str, Callable[[], None]]:
    return {"regions": _compile} if _has_regions(clip_settings(config)) else {}


STAGE = CharacterStage(
    name="motions",
    version=READING + 27,
    make=find,
    settings=_settings,
    chosen=_chosen,
    inputs=_inputs,
    sources=_sources,
    warm=_warm,
)
