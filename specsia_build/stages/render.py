"""Stage 1, render: a character's clean views Y*, their silhouettes, and the backend's frontal picture."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.cameras.rigs import parse_rig
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.drawing import drawing_files, drawn_frontal
from specsia_build.characters.read import READING, read_character
from specsia_build.characters.survey import one_colour
from specsia_build.config import COLOURED, DARK, RANDOM, BuildConfig, colour_of
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import CAMERA_COLUMNS, GT, GT_MASK
from specsia_build.dataset.truth import encode_truth
from specsia_build.errors import CharacterError, LowQualityError
from specsia_build.frame import Camera, Normalisation, normalise, view_cameras
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.ink import contour_colour, darker_beside, luma
from specsia_build.rendering.layers import HALF_COVERED, Layers, load_renderer
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.rendering.surface import SurfaceView, surface_views
from specsia_build.stages.stage import Artefact, CharacterStage, Earlier, Job, Meta, Sources, sources_of
from specsia_build.warning import Warning, coded

FRONT = "front.png"
RING_MASK, RING_GT = "ring_mask", "ring_gt.png"
"""Silhouettes in the ring that a reconstruction is registered in, and its frontal Y*, for other cameras."""

_RING_VIEWS = 10
LEAST_COVERED = 0.002  # Share of each view that a character must cover; less is an empty or broken file
MOST_OUTLINE = 4
DARKEST = 64  # Number of greys, from black, of a dark contour, which is visible on white around any colour
LEAST_SHADE, MOST_SHADE = 0.3, 0.7  # Factors of the figure's levels in a contour that follows its colours
BLANK = 12  # Levels below white that one channel of a pixel must have to be visible on white paper


@dataclass(frozen=True)
class Outline:
    """The contour of a character's views."""

    thickness: int  # In pixels
    colour: tuple[int, int, int] | None  # sRGB levels; None for those of the figure beside it, times `shade`
    shade: float = 1.0

    def draw(self, layers: Layers) -> Pixels:
        """Y* (S, S, 4) uint8 of a rendered view."""
        ink: ArrayLike | None = self.colour
        if ink is None:
            ink = darker_beside(layers.color, layers.coverage, self.thickness + 1, self.shade)
        return draw_contour(layers.color, layers.coverage, self.thickness, ink)

    def colour_in(self, target: Pixels, mask: Pixels) -> list[int]:
        """Mean colour of the contour in Y* (S, S, 4) uint8 with the silhouette (S, S) uint8."""
        return list(self.colour) if self.colour is not None else contour_colour(target, mask)


def outline(seed: int, character_id: str, rule: str = RANDOM) -> Outline:
    """A character's contour, 1-4 px thick, from SHA-256(seed, character_id); see `BuildConfig.outline`."""
    digest = hashlib.sha256(f"{seed}:{character_id}".encode()).digest()
    thickness = 1 + digest[0] % MOST_OUTLINE
    if rule == COLOURED:
        return Outline(thickness, None, LEAST_SHADE + (MOST_SHADE - LEAST_SHADE) * digest[2] / 255)
    greys = {RANDOM: digest[1], DARK: digest[1] % DARKEST}
    return Outline(thickness, colour_of(str(greys.get(rule, rule))))


def mean_grey(colours: Sequence[Sequence[int]]) -> int:
    """Luma of the mean of the contour's colours in some pictures."""
    return luma([sum(levels) / len(levels) for levels in zip(*colours, strict=True)])


def is_blank(target: Pixels) -> bool:
    """Whether Y* (S, S, 4) shows (almost) nothing on white paper; every fourth row and column is tested."""
    sparse = target[::4, ::4]
    visible = (sparse[..., 3] >= HALF_COVERED) & (sparse[..., :3].min(axis=2) <= 255 - BLANK)
    return bool(np.count_nonzero(visible) < LEAST_COVERED * visible.size)


def _settings(job: Job) -> dict[str, Any]:
    config = job.config
    return {
        **{name: getattr(config, name) for name in ("views", "size", "look", "seed", "frontal")},
        **({} if config.outline == RANDOM else {"outline": config.outline}),
        **view_settings(config, job.entry.id),
        "renderer": [config.renderer, load_renderer(config.renderer).version],
        "entry": entry_settings(job.entry),
    }


def entry_settings(entry: Entry) -> dict[str, Any]:
    """The part of an entry that decides how its character is read, and what is recorded of it."""
    names = ("id", "format", "up", "front", "sides", "pose", "license", "source")
    return {"drop": list(entry.drop), **{name: getattr(entry, name) for name in names}}


def cameras_of(config: BuildConfig, character_id: str) -> tuple[Camera, ...]:
    """The cameras of a character's views; that which is nearest to the front comes first."""
    if config.cameras is None:
        return view_cameras(config.views, config.size)
    cameras = parse_rig(config.cameras).cameras(config.size, character_id, config.seed)
    first = max(cameras, key=lambda camera: camera.basis()[2][1])
    return (first, *(camera for camera in cameras if camera is not first))


def ring_of(config: BuildConfig) -> tuple[Camera, ...]:
    """The ring that shows the front and registers a reconstruction, if the views are no ring themselves."""
    return () if config.cameras is None else view_cameras(_RING_VIEWS, config.size)


def camera_settings(config: BuildConfig, character_id: str) -> dict[str, Any]:
    """Each camera of a rig by the columns of rows, under `cameras`; nothing for a ring."""
    if config.cameras is None:
        return {}
    cameras = map(asdict, cameras_of(config, character_id))
    columns = itemgetter("yaw_deg", *CAMERA_COLUMNS)
    return {"cameras": [dict(zip(("yaw_deg", *CAMERA_COLUMNS), columns(c), strict=True)) for c in cameras]}


def view_settings(config: BuildConfig, character_id: str) -> dict[str, Any]:
    """What a run states of its views beside a plain ring: cameras, and the names of layers."""
    layers = {"layers": list(config.layers)} if config.layers else {}
    return {**camera_settings(config, character_id), **layers}


def front_mask(files: Mapping[str, bytes]) -> str:
    """Name of the silhouette of the picture that the backend sees, among the files of an artefact."""
    of_ring = view_file(RING_MASK, 0)
    return of_ring if of_ring in files else view_file(GT_MASK, 0)


def in_frame(character: Character, config: BuildConfig) -> tuple[Mesh, Normalisation]:
    """The character's mesh in the frame, without unused vertices, and its normalisation."""
    mesh = compacted(character.mesh)
    contour = outline(config.seed, character.entry.id, config.outline)
    cameras = (*cameras_of(config, character.entry.id), *ring_of(config))
    placed = normalise(mesh.vertices, cameras, contour.thickness + 1)
    return mesh.with_vertices(placed.apply(mesh.vertices)), placed


_kept: list[tuple[bytes, Mesh]] = []  # Frontal picture and mesh of the character that was rendered last


def mesh_of(entry: Entry, config: BuildConfig, front: bytes) -> Mesh:
    """The mesh in the frame of a character by its frontal picture, kept from `render` or read again."""
    for picture, mesh in _kept:
        if picture is front:
            return mesh
    return in_frame(read_character(entry), config)[0]


def sources(job: Job) -> Sources:
    """Source files of a job's character, and of its drawing if that is the frontal picture."""
    drawing = job.entry.drawing if job.config.frontal == "drawing" else None
    return sources_of(job.entry, more=() if drawing is None else drawing_files(drawing))


def _serves(meta: Meta, config: BuildConfig) -> bool:
    """Whether an artefact has the pictures that later stages need."""
    return (meta.get("views"), meta.get("size")) == (config.views, config.size)


def _drawn(
    mesh: Mesh, cameras: Sequence[Camera], config: BuildConfig
) -> Iterator[tuple[Layers, SurfaceView | None]]:
    """Each camera's view, and its surface if layers need that."""
    if config.layers:
        yield from ((view.layers, view) for view in surface_views(mesh, cameras, config.look))
    else:
        views = load_renderer(config.renderer).render(mesh, cameras, config.look)
        yield from ((view, None) for view in views)


def render(job: Job, _: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Read a character and render it.

    Returns an artefact with ``gt_KK.png`` (Y*, RGBA), ``gt_mask_KK.png`` (its silhouette without the contour,
    L) and ``front.png`` (what the backend sees, see `BuildConfig.frontal`, RGBA), with a rig also
    `RING_MASK` and `RING_GT`; and every file that was read or looked for in vain. Raises LowQualityError with
    the picture if a view is blank on white paper.
    """
    entry, config = job.entry, job.config
    _kept.clear()
    character = read_character(entry)
    mesh, placed = in_frame(character, config)
    cameras, ring = cameras_of(config, entry.id), ring_of(config)
    contour = outline(config.seed, entry.id, config.outline)
    colours: list[list[int]] = []
    files: dict[str, bytes] = {}
    front: Pixels | None = None
    warnings = list(character.warnings)
    light = int.from_bytes(hashlib.sha256(f"light:{config.seed}:{entry.id}".encode()).digest()[:4], "big")
    for view, (layers, surface) in enumerate(_drawn(mesh, (*ring, *cameras), config), -len(ring)):
        if front is None:
            front = layers.color
            warnings += one_colour(character, layers.color, layers.coverage)
        if np.count_nonzero(layers.mask) < LEAST_COVERED * layers.mask.size:
            cause = "it is flat, transparent, very small, or shows only the backs of single-sided faces"
            cure = '"sides": "both" in its manifest line draws backs'
            problem = f"view {view} of {entry.id} shows (almost) nothing: {cause} ({cure})"
            raise CharacterError(problem, "empty-view")
        if view < 0:
            files[view_file(RING_MASK, view + len(ring))] = png.encode(layers.mask)
            if RING_GT not in files:
                files[RING_GT] = png.encode(contour.draw(layers))
            continue
        target = contour.draw(layers)
        colours.append(contour.colour_in(target, layers.mask))
        if is_blank(target):
            cause = f"its colours are white, and so is its contour (grey {luma(colours[-1])})"
            advice = "add its texture, or draw a visible contour with --outline dark"
            sentence = f"view {view} of {entry.id} cannot be seen on white: {cause}; {advice}"
            raise LowQualityError(sentence, {view_file(GT, view): png.encode(target)}, "one-colour")
        files[view_file(GT, view)] = png.encode(target)
        files[view_file(GT_MASK, view)] = png.encode(layers.mask)
        for name in config.layers:
            assert surface is not None
            files[view_file(f"gt_{name}", view)] = encode_truth(name, surface, light)
    assert front is not None
    if config.frontal == "outlined":
        files[FRONT] = files[view_file(GT, 0)]
    else:
        files[FRONT] = png.encode(front if config.frontal == "render" else drawn_frontal(entry, front))
    _kept.append((files[FRONT], mesh))
    if placed.fit < 1:
        sentence = f"it was scaled to {placed.fit:.3f} of the usual size so that no view cuts it"
        warnings.append(Warning("scaled-down", sentence, entry.id))
    meta = {
        "id": entry.id,
        "views": config.views,
        "size": config.size,
        "outline_px": contour.thickness,
        "outline_grey": mean_grey(colours),
        "outline_rgb": colours,
        "normalisation": asdict(placed),
        "fit": placed.fit,
        "license": entry.license,
        "source": entry.source,
        "triangles": len(mesh.faces),
        "warnings": coded(warnings),
        **view_settings(config, entry.id),
    }
    return Artefact(entry.id, files, meta), character.files


RENDER = CharacterStage(
    "render", READING + 28, make=render, settings=_settings, sources=sources, serves=_serves, draws=True
)
