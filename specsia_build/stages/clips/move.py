"""Stage move: a reconstruction that moves as its character does, in the frames of a clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build import png
from specsia_build.animation.motion import poses
from specsia_build.dataset.images import edge_image, position_image
from specsia_build.dataset.layers import frame_file
from specsia_build.dataset.schema import COLOR, EDGE, MASK, POS
from specsia_build.registration import iou
from specsia_build.rendering.mesh import extremes
from specsia_build.stages import project, reconstruct
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.clips import carry, draw, motions
from specsia_build.stages.clips.actor import actor_of, shot_again
from specsia_build.stages.stage import CharacterStage, DigestOf, Digests, Earlier, EarlierMeta, Job
from specsia_build.stages.stopwatch import Stopwatch


def _inputs(job: Job, earlier: EarlierMeta, _: DigestOf) -> Digests:
    own = {name: file["sha256"] for name, file in earlier[carry.STAGE]["files"].items()}
    masks = {name: file["sha256"] for name, file in earlier[draw.STAGE]["files"].items() if name.startswith(MASK)}
    found = {f"reconstruction/{name}": file["sha256"] for name, file in earlier[reconstruct.STAGE]["files"].items()}
    return {
        **draw.source_inputs(job, earlier),
        **{f"rig/{name}": digest for name, digest in own.items()},
        **masks,
        **found,
        **carry.made_of(earlier),
        "registration": carry.registration_mark(earlier[project.STAGE]),
    }


def move(job: Job, earlier: Earlier, watch: Stopwatch) -> tuple[Artefact, tuple[Path, ...]]:
    """Pose a reconstruction as its character and draw it in the character's frame.

    Returns:
        An artefact with ``color_KKKK.png`` (Z), ``mask_KKKK.png``, ``pos_KKKK.png`` and ``edge_KKKK.png``; no files.
    """
    clip, config, clean = draw.clip_of(job), job.config, earlier[draw.STAGE]
    with watch.part("read"):
        actor = actor_of(job)
        mesh = carry.registered(earlier)
        own = carry.own_of(job)
    with watch.part("frame"):
        shot = shot_again(clip, actor, config, clean.meta["width"], clean.meta["shift"])
        motion = carry.own_motion(own, clip.action) if clip.origin else None
        if own is None or motion is None:
            rig = carry.rig_of(earlier[carry.STAGE], actor.rig.skeleton)
        else:
            rig = carry.own_rig(own, earlier[project.STAGE].meta["registration"])
            times = motion.start + shot.times - shot.times[0]
            shot = replace(shot, poses=poses(rig.skeleton, motion, times))
    low, high = (bound.astype(np.float64) for bound in extremes(mesh.vertices))
    files: dict[str, bytes] = {}
    ious = []
    frames = draw.drawn(mesh, rig, shot, config.look)
    for k in range(len(shot.times)):
        with watch.part("draw"):
            layers = next(frames)
        with watch.part("encode"):
            pos = position_image(layers.position, layers.mask, low, high)
            files[frame_file(COLOR, k)] = png.encode(layers.color)
            files[frame_file(MASK, k)] = png.encode(layers.mask)
            files[frame_file(POS, k)] = png.encode(pos)
            files[frame_file(EDGE, k)] = png.encode(edge_image(pos))
        ious.append(iou(layers.mask, png.decode(clean.files[frame_file(MASK, k)], 1)))
    meta = {
        "id": clip.id,
        "backend": earlier[reconstruct.STAGE].meta["backend"],
        "iou": ious,
        "weights": "carried" if motion is None else "own",
        "mean_iou": float(np.mean(ious)),
        "box": [low.tolist(), high.tolist()],
    }
    return Artefact(clip.id, files, meta), ()


STAGE = CharacterStage(
    name="move",
    version=1,
    earlier=(motions.STAGE, draw.STAGE, reconstruct.STAGE, project.STAGE, carry.STAGE),
    make=move,
    settings=draw.shot_settings,
    inputs=_inputs,
    per_backend=True,
    per_clip=True,
)
