"""Stage 3, project: register the reconstruction once, then render it in the views of the ground truth."""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.scoring import Likeness, small
from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, MASK, POS
from specsia_build.errors import LowQualityError
from specsia_build.frame import POSITION_CHANNELS, Camera
from specsia_build.registration import REGISTRATION_VERSION, Registration, Similarity, iou, recall, register
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Look, load_renderer
from specsia_build.rendering.mesh import Mesh, extremes, turned
from specsia_build.rendering.positions import edge_image, position_image
from specsia_build.stages import reconstruct, render
from specsia_build.stages.reconstruct import beside_truth, mesh_from_files
from specsia_build.stages.stage import (
    Artefact,
    CharacterStage,
    DigestOf,
    Digests,
    Earlier,
    EarlierMeta,
    Job,
    Meta,
)
from specsia_build.stages.warnings import Comparison, warnings_about


def _settings(job: Job) -> dict[str, Any]:
    config = job.config
    outlined = {"frontal": config.frontal} if _outlined(config) else {}
    return {
        **outlined,
        **{name: getattr(config, name) for name in ("views", "size", "look", "pos_frame")},
        "renderer": [config.renderer, load_renderer(config.renderer).version],
        "registration": REGISTRATION_VERSION,
        **render.camera_settings(config, job.entry.id),
    }


def _of_views(layer: str, config: BuildConfig) -> list[str]:
    """Names of a layer's files, view by view."""
    return [view_file(layer, view) for view in range(config.views)]


def _ring_files(config: BuildConfig) -> list[str]:
    """Names of the silhouettes to register to, the frontal one first, and of the frontal Y*."""
    ring = render.ring_of(config)
    masks = [view_file(render.RING_MASK, k) for k in range(len(ring))] or _of_views(GT_MASK, config)
    return [*masks, render.RING_GT if ring else view_file(GT, 0)]


def _outlined(config: BuildConfig) -> bool:
    """Whether reconstructions, and the silhouettes they are registered to, have the contour, as published."""
    return config.frontal == "outlined"


def _inputs(job: Job, earlier: EarlierMeta, _: DigestOf) -> Digests:
    """Digests of the silhouettes, the front and the reconstruction by name, and whether its yaw is free."""
    rendered, reconstructed = earlier[render.RENDER], earlier[reconstruct.RECONSTRUCT]
    outlined = _of_views(GT, job.config) if _outlined(job.config) else []
    names = dict.fromkeys((*_of_views(GT_MASK, job.config), *_ring_files(job.config), *outlined))
    truth = {name: rendered["files"][name]["sha256"] for name in names}
    yaw = {"needs_yaw": "yes"} if reconstructed["needs_yaw"] else {}
    files = reconstructed["files"].items()
    return {**truth, **yaw, **{f"reconstruction/{name}": file["sha256"] for name, file in files}}


def _serves(meta: Meta, config: BuildConfig) -> bool:
    """Whether an artefact is good enough to be packed by the present settings."""
    return config.low_iou == "keep" or float(meta["mean_iou"]) >= config.min_iou


def registered(
    mesh: Mesh,
    masks: NDArray[np.uint8],
    cameras: Sequence[Camera],
    gt: NDArray[np.uint8],
    look: Look,
    *,
    any_yaw: bool,
) -> Registration:
    """Register a reconstruction; with `any_yaw`, choose the yaw whose frontal view is most like the picture.

    Silhouettes hardly tell front from back, but colours do. `gt` (S, S, 4) uint8 is the frontal Y*.
    """
    registration = register(mesh, masks, cameras, with_yaw=any_yaw)
    if not any_yaw:
        return registration
    yaw = registration.similarity.yaw_deg + 180
    around = register(Similarity(yaw_deg=yaw).apply_to(mesh), masks, cameras)
    goal = small(gt, masks[0])

    def likeness(candidate: Registration) -> Likeness:
        layers = next(FastRenderer().render(candidate.similarity.apply_to(mesh), cameras[:1], look))
        return Likeness.of(small(layers.color, layers.mask), goal)

    opposite = replace(registration, similarity=replace(around.similarity, yaw_deg=yaw))
    return max(registration, opposite, key=likeness)


def positioned(
    layers: Layers, mesh: Mesh, camera: Camera, frame: str
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """Zpos (H, W, 4) uint8 of a registered mesh's layers, and the smallest and largest x, y, z of its box.

    With the `frame` ``view``, box and positions are in the camera's axes: right, away, up.
    """
    position = layers.position
    if frame == "view":
        position = (position @ camera.turn().T).astype(np.float32)
        low, high = turned_box(mesh, camera)
    else:
        low, high = (corner.astype(np.float64) for corner in extremes(mesh.vertices))
    return position_image(position, layers.mask, low, high, POSITION_CHANNELS[frame]), low, high


def turned_box(mesh: Mesh, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest right, away, up (3,) of all vertices, in units along the camera's axes."""
    low, high = extremes(turned(mesh.vertices, camera.turn()))
    return low.astype(np.float64), high.astype(np.float64)


def encoded(layers: Layers, pos: NDArray[np.uint8]) -> dict[str, bytes]:
    """PNGs of Z, Zmask, Zpos and its edges, by the name of the layer."""
    pictures = {COLOR: layers.color, MASK: layers.mask, POS: pos, EDGE: edge_image(pos)}
    return {layer: png.encode(picture) for layer, picture in pictures.items()}


def project(job: Job, earlier: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Register and reproject one reconstruction.

    Returns an artefact with ``color_KK.png`` (Z, RGBA), ``mask_KK.png`` (L), ``pos_KK.png`` (Zpos, RGBA) and
    ``edge_KK.png`` (L), whose meta data hold the registration and every view's IoU, recall, box and
    ``turned_boxes`` (all vertices in the camera's axes); and no files.
    Raises LowQualityError with pictures if the mean IoU is below `min_iou` and low quality is quarantined.
    """
    config = job.config
    rendered = earlier[render.RENDER]
    reconstructed = earlier[reconstruct.RECONSTRUCT]
    masks = [png.decode(rendered.files[name], 1) for name in _of_views(GT_MASK, config)]
    mesh = mesh_from_files(reconstructed.files)
    cameras, ring = render.cameras_of(config, rendered.key), render.ring_of(config)
    *ring_masks, front_name = _ring_files(config)
    gt, any_yaw = png.decode(rendered.files[front_name], 4), bool(reconstructed.meta["needs_yaw"])
    known = np.stack([png.decode(rendered.files[name], 1) for name in ring_masks] if ring else masks)
    goals = known
    if _outlined(config):
        goals = np.stack([png.decode(rendered.files[name], 4)[..., 3] for name in _of_views(GT, config)])
    registration = registered(mesh, goals, ring or cameras, gt, config.look, any_yaw=any_yaw)
    placed: Mesh = registration.similarity.apply_to(mesh)
    files: dict[str, bytes] = {}
    z_masks, ious = [], []
    boxes, turned_boxes = [], []
    around: list[NDArray[np.uint8]] = []
    views = load_renderer(config.renderer).render(placed, (*ring, *cameras), config.look)
    for view, (camera, layers) in enumerate(zip((*ring, *cameras), views, strict=True), -len(ring)):
        if len(around) < len(known):
            around.append(layers.color.copy())
        if view < 0:
            continue
        pos, low, high = positioned(layers, placed, camera, config.pos_frame)
        files |= {view_file(layer, view): data for layer, data in encoded(layers, pos).items()}
        z_masks.append(layers.mask)
        ious.append(iou(layers.mask, masks[view]))
        boxes.append([low.tolist(), high.tolist()])
        turned_boxes.append([corner.tolist() for corner in turned_box(placed, camera)])
    mean = float(np.mean(ious))
    behind = around[len(around) // 2] if len(around) % 2 == 0 else None
    silhouettes = np.stack([color[..., 3] for color in around])
    pair = Comparison(mesh, placed, around[0], behind, silhouettes, gt, known, config.look)
    warnings, reason = warnings_about(pair, reconstructed.meta)
    meta = {
        "id": rendered.key,
        "backend": reconstructed.meta["backend"],
        "registration": asdict(registration.similarity),
        "frontal_iou_before": registration.frontal_iou_before,
        "iou": ious,
        "mean_iou": mean,
        "recall": [recall(z, y) for z, y in zip(z_masks, masks, strict=True)],
        "warnings": warnings,
        "boxes": boxes,
        "turned_boxes": turned_boxes,
        "pos_frame": config.pos_frame,
    }
    if not _serves(meta, config):
        pictures = [beside_truth(files, view, rendered.files) for view in range(config.views)]
        advice = "look at its pictures, lower it with --min-iou, or keep such characters with --low-iou keep"
        raise LowQualityError(
            f"the reconstruction of {rendered.key} by {reconstructed.meta['backend']} meets the silhouettes "
            f"with a mean IoU of {mean:.3f}, below min_iou {config.min_iou:g}: {reason or advice}",
            dict(ChainMap(*pictures)),
            "low-iou",
        )
    return Artefact(rendered.key, files, meta), ()


PROJECT = CharacterStage(
    name="project",
    version=7,
    earlier=(render.RENDER, reconstruct.RECONSTRUCT),
    make=project,
    settings=_settings,
    inputs=_inputs,
    per_backend=True,
    serves=_serves,
    draws=True,
)
