"""Stage carry: a registered reconstruction hung on the character's skeleton, by weights carried over from its mesh."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from specsia_build.animation.carry import carried
from specsia_build.animation.rig import Morph, Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.registration.similarity import Similarity
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import project, reconstruct
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.clips import motions
from specsia_build.stages.clips.actor import actor_of
from specsia_build.stages.mesh_files import array_file, dump_array, load_array, mesh_from_files
from specsia_build.stages.render import entry_settings
from specsia_build.stages.stage import CharacterStage, DigestOf, Digests, Earlier, EarlierMeta, Job, Meta
from specsia_build.stages.stopwatch import Stopwatch

VERSION = 2
"""Of the way in which weights are carried over."""

_ARRAYS = ("points", "slots", "weights", "nodes", "inverse_binds", "placement")


def registered(earlier: Earlier) -> Mesh:
    """The reconstruction where its registration puts it."""
    similarity = Similarity(**earlier[project.STAGE].meta["registration"])
    moved: Mesh = similarity.apply_to(mesh_from_files(earlier[reconstruct.STAGE].files))
    return moved


def _settings(job: Job) -> dict[str, Any]:
    return {
        "carry": VERSION,
        "entry": entry_settings(job.entry),
        "size": job.config.size,
        "views": job.config.views,
        "seed": job.config.seed,
    }


def _inputs(_: Job, earlier: EarlierMeta, __: DigestOf) -> Digests:
    found = {f"reconstruction/{name}": file["sha256"] for name, file in earlier[reconstruct.STAGE]["files"].items()}
    files = motions.source_files(earlier[motions.STAGE]).items()
    own = {name: digest for name, digest in files if not name.startswith(motions.MOTION)}
    return {**own, **found, "registration": registration_mark(earlier[project.STAGE])}


def registration_mark(meta: Meta) -> str:
    """What tells one registration from another."""
    return " ".join(f"{name}={value!r}" for name, value in sorted(meta["registration"].items()))


def carry(job: Job, earlier: Earlier, watch: Stopwatch) -> tuple[Artefact, tuple[Path, ...]]:
    """Carry the character's weights over to its reconstruction.

    Returns:
        An artefact with the arrays of the reconstruction's rig; no files.
    """
    with watch.part("read"):
        actor = actor_of(job)
        onto = registered(earlier)
    with watch.part("carry"):
        rig, told = carried(actor.mesh, actor.rig, onto, actor.stands)
    with watch.part("encode"):
        files = {array_file(name): dump_array(getattr(rig, name)) for name in _ARRAYS}
        for number, morph in enumerate(rig.morphs):
            files[array_file(f"morph_{number}_vertices")] = dump_array(morph.vertices)
            files[array_file(f"morph_{number}_offsets")] = dump_array(morph.offsets)
    facts = asdict(told)
    meta = {
        "id": job.entry.id,
        **facts,
        "warnings": list(facts.get("warnings", ())),
        "morphs": [[morph.node, morph.target] for morph in rig.morphs],
    }
    return Artefact(job.entry.id, files, meta), ()


def rig_of(artefact: Artefact, skeleton: Skeleton) -> Rig:
    """The rig that `carry` left, of the registered reconstruction on the character's skeleton."""
    arrays = {name: load_array(artefact.files[array_file(name)]) for name in _ARRAYS}
    morphs = tuple(
        Morph(
            node,
            target,
            load_array(artefact.files[array_file(f"morph_{number}_vertices")]),
            load_array(artefact.files[array_file(f"morph_{number}_offsets")]),
        )
        for number, (node, target) in enumerate(artefact.meta["morphs"])
    )
    return Rig(skeleton=skeleton, morphs=morphs, **arrays)


STAGE = CharacterStage(
    name="carry",
    version=1,
    earlier=(motions.STAGE, reconstruct.STAGE, project.STAGE),
    make=carry,
    settings=_settings,
    inputs=_inputs,
    per_backend=True,
)
