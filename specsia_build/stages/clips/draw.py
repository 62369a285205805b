"""Stage draw: render the clean frames of a clip, in the layers that the layouts need."""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.characters.checks.looks import has_colours, plain_colour
from specsia_build.config import RANDOM, BuildConfig
from specsia_build.dataset.layers import COLOR, GT, LAYERS, LINE, MASK, POS, SEG, UDP, frame_file
from specsia_build.errors import CharacterError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.jit import ready
from specsia_build.layouts.registry import layers_of
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.positions import position_image
from specsia_build.stages.clips import motions
from specsia_build.stages.clips.actor import Actor, Shot, actor_of, box_of, clip_settings, loops, shot_of
from specsia_build.stages.clips.annotate import ANNOTATIONS, REGIONS, AnnotatedSurface, annotated, surface_of
from specsia_build.stages.render import LEAST_COVERED, Outline, entry_settings, mean_grey, outline
from specsia_build.stages.stage import (
    Artefact,
    CharacterStage,
    Clip,
    DigestOf,
    Digests,
    Earlier,
    EarlierMeta,
    Job,
    character_of,
)
from specsia_build.warning import Warning, coded

ANNOTATIONS_VERSION = 3  # To be raised whenever the same frames would be annotated differently
IN_PLACE_VERSION = 2  # To be raised whenever a figure would be held in place differently
# Width of a clip's frame, in widths of the stills, above which a warning says that its actor is small
SMALL = 3.0


def clip_of(job: Job) -> Clip:
    assert job.clip is not None
    return job.clip


def shot_settings(job: Job) -> dict[str, Any]:
    """Everything but files that decides how a clip is framed and drawn."""
    config = job.config
    settings = clip_settings(config)
    return {
        **{name: getattr(config, name) for name in ("size", "views", "look", "seed")},
        **{name: getattr(settings, name) for name in ("fps", "frames")},
        **({} if config.outline == RANDOM else {"outline": config.outline}),
        "in_place": IN_PLACE_VERSION if settings.in_place else False,
        "renderer": [FastRenderer.name, FastRenderer.version],
        "entry": entry_settings(job.entry),
        "clip": asdict(clip_of(job)),
    }


def _settings(job: Job) -> dict[str, Any]:
    settings = clip_settings(job.config)
    layers = list(layers_of(settings))
    lined = {"line_px": settings.line_px} if {LINE, SEG} & set(layers) else {}
    versions = {"annotations": ANNOTATIONS_VERSION} if ANNOTATIONS & set(layers) else {}
    scaled = {"udp_scale": settings.udp_scale} if UDP in layers and settings.udp_scale != "box" else {}
    return {**shot_settings(job), "layers": layers, **lined, **scaled, **versions}


def source_inputs(job: Job, earlier: EarlierMeta) -> dict[str, str | None]:
    """Digests of the files that decide a clip: the character's files and its motion's file."""
    own = f"{motions.MOTION}{clip_of(job).origin}"
    files = earlier[motions.MOTIONS]["inputs"].items()
    return {name: digest for name, digest in files if not name.startswith(motions.MOTION) or name == own}


def _inputs(job: Job, earlier: EarlierMeta, _: DigestOf) -> Digests:
    regions = earlier[motions.MOTIONS]["files"].get(REGIONS)
    return {**source_inputs(job, earlier), **({} if regions is None else {REGIONS: regions["sha256"]})}


def render_shot(mesh: Mesh, rig: Rig, shot: Shot, look: Look, *, seen: bool = False) -> Iterator[Layers]:
    """Render every frame of a moving mesh, with positions at rest; see `FastRenderer.animate`."""
    count = len(shot.times)
    if len(shot.poses.worlds) == 1 and count > 1:
        yield from FastRenderer().render(mesh, shot.cameras, look, seen=seen)
        return
    still = _still(mesh, rig, shot.cameras[0].pixels_per_unit, look)

    def moved() -> Iterator[Mesh]:
        for k, pose in enumerate(posed_through(still.mesh, rig, shot.poses)):
            yield pose.with_vertices(pose.vertices + shot.shifts[k].astype(np.float32))

    yield from FastRenderer().animate(still, moved(), shot.cameras[:1], seen=seen)


@lru_cache(maxsize=1)
def _still(mesh: Mesh, rig: Rig, finest: float, look: Look) -> Still:
    """Prepare a mesh to be moved by its rig; the latest one is cached for the next clip."""
    # Rotating normals costs more than all other posing.
    return Still.of(replace(mesh, normals=None) if look == "unlit" else mesh, rig.bound, finest, look)


def draw(job: Job, earlier: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Pose a character and draw it, frame by frame.

    Returns an artefact with the layers that layouts need, such as ``color_KKKK.png``, and no files. Raises
    CharacterError if no frame shows anything.
    """
    entry, config = job.entry, job.config
    clip, settings = clip_of(job), clip_settings(config)
    actor = actor_of(job)
    contour = outline(config.seed, entry.id, config.outline)
    shot = shot_of(clip, actor, config, contour.thickness + 1)
    low, high = box_of(actor.mesh)
    layers = layers_of(settings)
    motion = earlier[motions.MOTIONS]
    surface = None
    if ANNOTATIONS & set(layers):
        surface = surface_of(actor, motion.files.get(REGIONS), settings.udp_scale)
    files, colours, empty, plain = _frames(actor, shot, surface, contour, config)
    if empty == len(shot.times):
        raise CharacterError(f"no frame of '{clip.action}' shows anything of {entry.id}", "empty-view")
    meta = {
        "id": clip.id,
        "character": entry.id,
        "clip": asdict(clip),
        "fps": settings.fps,
        "times": [float(time - shot.times[0]) for time in shot.times],
        "loops": loops(actor.rig, shot),
        "yaws": [camera.yaw_deg for camera in shot.cameras],
        "size": config.size,
        "width": shot.cameras[0].width,
        "shift": shot.shifts[0].tolist(),
        "box": [low.tolist(), high.tolist()],
        "outline_px": contour.thickness,
        "outline_grey": mean_grey(colours),
        "outline_rgb": colours,
        **({"palette": motion.meta["palette"]} if "palette" in motion.meta else {}),
        "license": entry.license,
        "source": entry.source,
        "warnings": coded(_warnings(clip, shot, empty, plain, surface, config)),
    }
    return Artefact(clip.id, files, meta), ()


def _frames(
    actor: Actor, shot: Shot, surface: AnnotatedSurface | None, contour: Outline, config: BuildConfig
) -> tuple[dict[str, bytes], list[list[int]], int, str | None]:
    """Draw the layers of a shot that the layouts need, with a contour.

    Returns the layers' files, the contour's (mean) colour in each frame, the number of empty frames, and the
    colour of a plain first frame or None.
    """
    (low, high), settings = box_of(actor.mesh), clip_settings(config)
    wanted_layers = layers_of(settings)
    files, colours = dict[str, bytes](), list[list[int]]()
    empty, plain = 0, None
    annotations = ANNOTATIONS & set(wanted_layers)
    waiting: deque[Layers] = deque()
    annotator = None
    if surface is not None:
        annotator = annotated(iter(waiting.popleft, None), surface, annotations, settings.line_px)
    frames = render_shot(actor.mesh, actor.rig, shot, config.look, seen=bool(annotations))
    for k, layers in enumerate(frames):
        if k == 0 and not has_colours(actor.mesh):
            plain = plain_colour(ready(layers.color), ready(layers.coverage))
        if annotator is not None:
            waiting.append(layers)
            for (name, frame), value in next(annotator).items():
                files[frame_file(name, frame)] = LAYERS[name].encode(value)
        mask = ready(layers.mask)
        empty += int(np.count_nonzero(mask) < LEAST_COVERED * mask.size)
        if COLOR in wanted_layers:
            files[frame_file(COLOR, k)] = png.encode(layers.color)
        if MASK in wanted_layers:
            files[frame_file(MASK, k)] = png.encode(mask)
        if POS in wanted_layers:
            files[frame_file(POS, k)] = png.encode(position_image(layers.position, mask, low, high))
        target = contour.draw(layers) if GT in wanted_layers else layers.color
        colours.append(contour.colour_in(target, mask))
        if GT in wanted_layers:
            files[frame_file(GT, k)] = png.encode(target)
    return files, colours, empty, plain


def _warnings(
    clip: Clip,
    shot: Shot,
    empty: int,
    plain: str | None,
    surface: AnnotatedSurface | None,
    config: BuildConfig,
) -> Iterator[Warning]:
    settings, character = clip_settings(config), character_of(clip.id)
    width = shot.cameras[0].width / ORTHO_WIDTH
    if width > SMALL:
        advice = "shorten it with --frames N, or 'drop' parts that stay behind"
        advice = advice if settings.in_place else "--in-place keeps it at one place"
        frame = f"'{clip.action}' needs a frame {width:.1f} times as wide as that of stills"
        yield Warning("small-actor", f"{frame}, so the character looks small: {advice}", clip.action)
    if empty:
        frames = f"{empty} of {len(shot.times)} frames of '{clip.action}'"
        yield Warning("empty-frames", f"{frames} in view {clip.view} show (almost) nothing", clip.action)
    if surface is not None and UDP in layers_of(settings) and surface.landmarks.warning is not None:
        yield surface.landmarks.warning
    # The still stages warn about their first view only, too.
    if plain is not None and clip.view == 0:
        sentence = f"{character} shows nothing but a plain {plain}: look at it, and check its textures"
        yield Warning("one-colour", sentence, character)


DRAW = CharacterStage(
    "draw", 23, (motions.MOTIONS,), make=draw, settings=_settings, inputs=_inputs, per_clip=True
)
