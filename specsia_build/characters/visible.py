"""What of a mesh is visible, asked once for its picture, its box and its checks.

What a file says it hides (`hidden_nodes` of glTF and VRM) its reader leaves out.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from specsia_build.animation.joint_names import words_of
from specsia_build.arrays import Floats, Mask
from specsia_build.characters.character import RawMesh
from specsia_build.characters.checks.probe import surface_samples
from specsia_build.errors import some
from specsia_build.rendering.mesh import Mesh, Texture
from specsia_build.warning import Warning

FAINT = 0.02  # Opacity below which a blended surface changes a picture by at most 5 of 255 levels
SPECK = 1e-4  # Extent of a face that no picture shows, relative to that of the surface
_MARGIN = 0.02  # Extents around samples of the surface beyond which specks are looked for
_SAMPLES = 1000
_MOST_BLOCKS = 256  # Blocks along a side of an image in which transparent texels are looked for

_HELPER = re.compile(
    r"^(?:ucx|ubx|ucp|usp|mcdcx)[ _-]|[-_$](?:(?:conv)?colonly|navmesh|occonly|noimp)[\s\d._]*$",
    re.IGNORECASE,
)
"""Names of Unreal's and Godot's importers for meshes that they do not draw."""

_HELPER_WORDS = frozenset(
    (
        *("ucx", "ubx", "ucp", "usp", "mcdcx", "collider", "colliders", "collision", "collisions"),
        *("collisionmesh", "collisionshape", "hitbox", "hitboxes", "hurtbox", "hurtboxes", "boundingbox"),
        *("bbox", "convexhull", "physicshull", "physicsmesh", "physicsproxy", "triggerbox", "triggervolume"),
        *("navmesh", "occluder", "nodraw", "shadowcatcher", "shadowproxy"),
    )
)
"""Words, or two words, of such meshes and of their materials in other programs."""

_LEVEL = re.compile(r"(?:(?<![A-Za-z])lod|LOD|Lod)[ _.-]?(\d{1,2})(?!\d)")


def with_visible_faces(raw: RawMesh, name: str) -> RawMesh:
    """Leave out the faces of a mesh with an extent that nobody sees; a warning names parts hidden by name.

    Those are collision shapes and coarser levels of detail, faces without any opacity, and specks beyond all
    others, as parts that are hidden by their scale. The vertices stay. `name` is for warnings.
    """
    mesh = raw.mesh
    kept, warnings = np.ones(len(mesh.faces), np.bool_), list(raw.warnings)
    for hidden, names, why in _hidden_by_name(raw):
        rest = kept & ~hidden
        if names and mesh.doubled_areas[rest].any():
            kept = rest
            listed = some([f"'{own}'" for own in names], 5)
            sentence = f"{name}: {listed} was left out, as {why}, judging by its name: rename it to draw it"
            warnings.append(Warning("hidden-by-name", sentence, some(names, 50)))
    transparent = _transparent(mesh)
    if transparent[kept].all():
        mesh = replace(mesh, materials=tuple(replace(m, alpha_mode="opaque") for m in mesh.materials))
        sentence = f"{name} is completely transparent, so nothing would be seen: it was drawn opaque"
        warnings.append(Warning("made-visible", sentence, name))
    else:
        kept &= ~transparent
    kept &= ~_specks(mesh, kept)
    if kept.all():
        return replace(raw, mesh=mesh, warnings=tuple(warnings))
    part = None if raw.face_part is None else raw.face_part[kept]
    return replace(raw, mesh=mesh.of_faces(kept), face_part=part, warnings=tuple(warnings))


def _hidden_by_name(raw: RawMesh) -> Iterator[tuple[Mask, list[str], str]]:
    """Faces (F,) that names call helpers, then coarser levels of detail, with the names and the reasons."""
    of_face = np.zeros(len(raw.mesh.faces), np.int32) if raw.face_part is None else raw.face_part
    present = np.flatnonzero(np.bincount(of_face, minlength=len(raw.part_names))).tolist()
    levels: dict[str, int] = {}
    stated: dict[int, list[tuple[str, int]]] = {}
    helpers: list[int] = []
    for part in present:
        names = raw.part_names[part]
        # The nodes above a part are searched for names that nothing else has.
        if any(map(_HELPER.search, names)) or (
            any(map(_calls_helper, names[:2])) and _leaves_figure(raw.mesh, of_face == part)
        ):
            helpers.append(part)
            continue
        stated[part] = [level for level in map(_level_of, names) if level is not None]
        for base, level in stated[part] or [(_plain(name), 0) for name in names[:1]]:
            levels[base] = min(level, levels.get(base, level))
    hidden, listed = np.isin(of_face, helpers), [raw.part_names[part][0] for part in helpers]
    for slot, material in enumerate(raw.mesh.materials):
        painted = (raw.mesh.face_material == slot) & ~hidden
        if _calls_helper(material.name) and painted.any() and _leaves_figure(raw.mesh, painted):
            hidden |= painted
            listed.append(material.name)
    yield hidden, listed, "it is a collision shape or another helper"
    coarser = []
    for part, own in stated.items():
        if any(level > levels[base] for base, level in own):
            coarser.append(part)
    listed = [raw.part_names[part][0] for part in coarser]
    yield np.isin(of_face, coarser), listed, "it is a coarser level of detail of what is drawn"


def _calls_helper(name: str) -> bool:
    words = [word.rstrip("0123456789") for word in words_of(name)]
    return not _HELPER_WORDS.isdisjoint((*words, *map("".join, pairwise(words))))


def _leaves_figure(mesh: Mesh, own: Mask) -> bool:
    """Whether the faces besides `own` (F,) are as many, or at least half as large."""
    if own.all() or 2 * np.count_nonzero(own) <= len(own):
        return not own.all()
    sizes = [np.ptp(mesh.of_faces(faces).bounds(), axis=0).max() for faces in (own, ~own)]
    return bool(2 * sizes[1] >= sizes[0])


def _level_of(name: str) -> tuple[str, int] | None:
    """Split the name of a level of detail into that of its object, and the level."""
    level = _LEVEL.search(name)
    if level is None:
        return None
    return _plain(name[: level.start()] + name[level.end() :]), int(level[1])


def _plain(name: str) -> str:
    """A name in lower case, without punctuation and the number that Blender appends."""
    return re.sub(r"[\W_]", "", re.sub(r"\.\d{3}$", "", name)).casefold()


def _transparent(mesh: Mesh) -> Mask:
    """(F,) whether no point of a face is opaque enough to be seen."""
    clear = np.zeros(len(mesh.faces), np.bool_)
    for slot, material in enumerate(mesh.materials):
        of = np.flatnonzero(mesh.face_material == slot)
        if material.alpha_mode == "opaque" or not len(of):
            continue
        least = material.alpha_cutoff if material.alpha_mode == "mask" else FAINT
        opacity = np.full(len(of), material.base_color[3])
        if mesh.colors is not None:
            opacity *= mesh.colors[of, :, 3].max(axis=1)
        clear[of] = opacity < least
        if material.texture is not None and mesh.uv is not None and material.base_color[3] > 0:
            clear[of] |= _on_clear_texels(material.texture, least / material.base_color[3], mesh.uv[of])
    return clear


def _on_clear_texels(texture: Texture, least: float, uv: Floats) -> Mask:
    """(N,) whether faces with texture coordinates (N, 3, 2) show only texels less opaque than `least`."""
    solid = texture.pixels[..., 3] >= 255 * least
    if solid.all():
        return np.zeros(len(uv), np.bool_)
    for axis in (0, 1):
        step = -(-solid.shape[axis] // _MOST_BLOCKS)
        solid = np.logical_or.reduceat(solid, np.arange(0, solid.shape[axis], step), axis=axis)
    counts = np.pad(solid.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0)))
    ends = []
    for axis, wrap in enumerate(texture.wrap):
        blocks = solid.shape[1 - axis]
        texels = texture.pixels.shape[1 - axis]
        low, high = uv[..., axis].min(axis=1).astype(np.float64), uv[..., axis].max(axis=1).astype(np.float64)
        whole = np.floor(low) if wrap == "repeat" else np.zeros(len(low))
        # Texels are interpolated, and repeated beyond the border.
        first, last = (low - whole) * texels - 1, (high - whole) * texels + 1
        inside = (first >= 0) & (last <= texels)
        step = -(-texels // _MOST_BLOCKS)
        begin = np.where(inside, first // step, 0).astype(np.int64)
        ends.append((begin, np.where(inside, last // step + 1, blocks).astype(np.int64).clip(max=blocks)))
    (left, right), (top, bottom) = ends
    within = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
    return np.asarray(within == 0)


def _specks(mesh: Mesh, kept: Mask) -> Mask:
    """(F,) which of the kept faces are too small to be seen and lie outside the box of all others."""
    specks = np.zeros(len(kept), np.bool_)
    shown = mesh if kept.all() else mesh.of_faces(kept)
    points, _ = surface_samples(shown, _SAMPLES)
    if not len(points):
        return specks
    low, high = shown.bounds()
    extent = float(np.ptp(points, axis=0).max())
    beyond = np.maximum(points.min(axis=0) - low, high - points.max(axis=0))
    if beyond.max() <= _MARGIN * extent:
        return specks
    corners = shown.vertices[shown.faces].astype(np.float64)
    small = np.ptp(corners, axis=1).max(axis=1) < SPECK * extent
    if not small.all():
        low, high = corners[~small].min(axis=(0, 1)), corners[~small].max(axis=(0, 1))
        outside = (corners.min(axis=1) < low).any(axis=1) | (corners.max(axis=1) > high).any(axis=1)
        specks[kept] = small & outside
    return specks
