"""Stage carry: bind a registered reconstruction to the character's skeleton with skin weights of its mesh."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build.animation.carry import carried
from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Morph, Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.errors import some
from specsia_build.registration.descent import Similarity
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import project, reconstruct
from specsia_build.stages.clips import motions
from specsia_build.stages.clips.actor import actor_of
from specsia_build.stages.reconstruct import array_file, dump_array, load_array, mesh_from_files
from specsia_build.stages.render import entry_settings
from specsia_build.stages.stage import Artefact, CharacterStage, DigestOf, Digests, Earlier, EarlierMeta, Job
from specsia_build.warning import Warning, coded

_VERSION = 4  # Version of the method that transfers weights

_ARRAYS = ("points", "slots", "weights", "nodes", "inverse_binds", "placement")


def registered(earlier: Earlier) -> Mesh:
    """The reconstruction's mesh after registration."""
    similarity = Similarity(**earlier[project.PROJECT].meta["registration"])
    mesh: Mesh = similarity.apply_to(mesh_from_files(earlier[reconstruct.RECONSTRUCT].files))
    return mesh


def own_of(job: Job) -> AnimatedCharacter | None:
    """The reconstruction with its own rig and motions, or None if it has no motions."""
    own = None if job.backend is None else job.backend.animated(job.entry.id)
    return own if own is not None and own.motions else None


def own_clip(job: Job, earlier: Earlier, action: str) -> tuple[Rig, Motion] | None:
    """The reconstruction's own rig after registration and its own motion with a name, or None."""
    own = own_of(job)
    motion = None if own is None else next((motion for motion in own.motions if motion.name == action), None)
    if own is None or motion is None:
        return None
    similarity, place = Similarity(**earlier[project.PROJECT].meta["registration"]), np.eye(4)
    place[:3, :3], place[:3, 3] = similarity.scale * similarity.rotation(), similarity.translation
    return own.rig.of_vertices(own.character.mesh.used).placed(place), motion


def _settings(job: Job) -> dict[str, Any]:
    of_run = {name: getattr(job.config, name) for name in ("size", "views", "seed")}
    return {"carry": _VERSION, "entry": entry_settings(job.entry), **of_run}


def _inputs(_: Job, earlier: EarlierMeta, __: DigestOf) -> Digests:
    files = earlier[motions.MOTIONS]["inputs"].items()
    own = {name: digest for name, digest in files if not name.startswith(motions.MOTION)}
    return {**own, **reconstruction_digests(earlier)}


def reconstruction_digests(earlier: EarlierMeta) -> dict[str, str | None]:
    """The registered reconstruction, and the files that it was read from, as they may hold motions too."""
    artefact, registration = earlier[reconstruct.RECONSTRUCT], earlier[project.PROJECT]["registration"]
    return {
        **{f"reconstruction/{name}": file["sha256"] for name, file in artefact["files"].items()},
        **{f"made/{name}": digest for name, digest in artefact["inputs"].items()},
        "registration": " ".join(f"{name}={value!r}" for name, value in sorted(registration.items())),
    }


def carry(job: Job, earlier: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Transfer the character's skin weights to its reconstruction; the artefact has the arrays of its rig."""
    actor = actor_of(job)
    mesh = registered(earlier)
    rig, report = carried(actor.mesh, actor.rig, mesh, actor.pose)
    files = {array_file(name): dump_array(getattr(rig, name)) for name in _ARRAYS}
    for number, morph in enumerate(rig.morphs):
        files[array_file(f"morph_{number}_vertices")] = dump_array(morph.vertices)
        files[array_file(f"morph_{number}_offsets")] = dump_array(morph.offsets)
    warnings, own = coded(report.warnings), own_of(job)
    if own is not None:
        own_names = [motion.name for motion in own.motions]
        if not any(clip.action in own_names for clip in motions.clips_of(earlier[motions.MOTIONS].meta)):
            clips = (
                f"motions of its own ({some(own_names, 8)}), but none has the name of a character's motion"
            )
            effect = "they are not played; to use them, give them the names of the character's motions"
            sentence = f"the reconstruction of {job.entry.id} has {clips}: {effect}"
            warnings.append(Warning("own-clips", sentence, job.entry.id).record())
    meta = {"id": job.entry.id, **asdict(report), "warnings": warnings}
    meta["morphs"] = [[morph.node, morph.target] for morph in rig.morphs]
    return Artefact(job.entry.id, files, meta), ()


def rig_of(artefact: Artefact, skeleton: Skeleton) -> Rig:
    """Load the rig of the registered reconstruction that `carry` wrote, on the character's skeleton."""
    arrays = {name: load_array(artefact.files[array_file(name)]) for name in _ARRAYS}
    morphs = []
    for number, (node, target) in enumerate(artefact.meta["morphs"]):
        vertices = load_array(artefact.files[array_file(f"morph_{number}_vertices")])
        offsets = load_array(artefact.files[array_file(f"morph_{number}_offsets")])
        morphs.append(Morph(node, target, vertices, offsets))
    return Rig(skeleton=skeleton, morphs=tuple(morphs), **arrays)


CARRY = CharacterStage(
    name="carry",
    version=5,
    earlier=(motions.MOTIONS, reconstruct.RECONSTRUCT, project.PROJECT),
    make=carry,
    settings=_settings,
    inputs=_inputs,
    per_backend=True,
)
