"""Stage move: render a reconstruction that moves as its character does, in the frames of a clip."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.animation.motion import poses
from specsia_build.dataset.layers import frame_file
from specsia_build.dataset.schema import MASK
from specsia_build.registration import iou
from specsia_build.rendering.positions import position_image
from specsia_build.stages import project, reconstruct
from specsia_build.stages.clips import carry, draw, motions
from specsia_build.stages.clips.actor import actor_of, box_of, shot_again
from specsia_build.stages.stage import Artefact, CharacterStage, DigestOf, Digests, Earlier, EarlierMeta, Job
from specsia_build.warning import Warning


def _settings(job: Job) -> dict[str, Any]:
    return {**draw.shot_settings(job), "min_iou": job.config.min_iou}


def _inputs(job: Job, earlier: EarlierMeta, _: DigestOf) -> Digests:
    rig = {f"rig/{name}": file["sha256"] for name, file in earlier[carry.CARRY]["files"].items()}
    drawn = earlier[draw.DRAW]["files"].items()
    masks = {name: file["sha256"] for name, file in drawn if name.startswith(MASK)}
    return {**draw.source_inputs(job, earlier), **rig, **masks, **carry.reconstruction_digests(earlier)}


def move(job: Job, earlier: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Pose a reconstruction like its character and render it in the character's frame.

    Returns an artefact with ``color_KKKK.png`` (Z), ``mask_KKKK.png``, ``pos_KKKK.png`` and
    ``edge_KKKK.png``; no files.
    """
    clip, config = draw.clip_of(job), job.config
    clean, actor = earlier[draw.DRAW], actor_of(job)
    mesh = carry.registered(earlier)
    own = carry.own_clip(job, earlier, clip.action) if clip.origin else None
    shot = shot_again(clip, actor, config, clean.meta["width"], clean.meta["shift"])
    if own is None:
        rig = carry.rig_of(earlier[carry.CARRY], actor.rig.skeleton)
    else:
        rig, motion = own
        times = motion.start + shot.times - shot.times[0]
        shot = replace(shot, poses=poses(rig.skeleton, motion, times))
    low, high = box_of(mesh)
    files: dict[str, bytes] = {}
    ious = []
    for k, layers in enumerate(draw.render_shot(mesh, rig, shot, config.look)):
        pos = position_image(layers.position, layers.mask, low, high)
        files |= {frame_file(layer, k): data for layer, data in project.encoded(layers, pos).items()}
        ious.append(iou(layers.mask, png.decode(clean.files[frame_file(MASK, k)], 1)))
    mean, backend = float(np.mean(ious)), earlier[reconstruct.RECONSTRUCT].meta["backend"]
    warnings = []
    if mean < config.min_iou:
        where = f"the silhouettes of '{clip.action}' in view {clip.view}"
        problem = f"matches {where} with a mean IoU of {mean:.3f}, below min_iou {config.min_iou:g}"
        cure = "look at it in `specsia report`; --clip selects other motions"
        sentence = f"the reconstruction by {backend} {problem}: {cure}"
        warnings.append(Warning("low-iou", sentence, clip.action).record())
    meta = {
        "id": clip.id,
        "backend": backend,
        "iou": ious,
        "weights": "carried" if own is None else "own",
        "mean_iou": mean,
        "warnings": warnings,
        "box": [low.tolist(), high.tolist()],
    }
    return Artefact(clip.id, files, meta), ()


MOVE = CharacterStage(
    name="move",
    version=10,
    earlier=(motions.MOTIONS, draw.DRAW, reconstruct.RECONSTRUCT, project.PROJECT, carry.CARRY),
    make=move,
    settings=_settings,
    inputs=_inputs,
    per_backend=True,
    per_clip=True,
)
