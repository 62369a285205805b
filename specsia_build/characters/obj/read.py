"""Wavefront OBJ files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.attributes import full_scale, unit_normals, with_flat_gaps, without_repeated_colours
from specsia_build.characters.images import as_texture, load_texture
from specsia_build.characters.obj.materials import MaterialBuilder, ObjMaterial, read_libraries
from specsia_build.characters.obj.text import Ints, ObjText, parse_obj
from specsia_build.characters.polygons import triangulate
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, plural
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Mesh


def read_obj(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read an OBJ file with its material libraries and textures.

    Polygons are cut as `triangulate` does. Objects and groups are the parts. Kd, Ke and vertex colours
    (``v x y z r g b``) are taken as display colours, sRGB-encoded. A texture replaces Kd. Where a texture or the
    library is not there, an image named like the OBJ stands in.

    Args:
        path: the file.
        texture: base colour for materials without one.
        drop: names of parts to leave out.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in the file's coordinates, ``up`` +y, ``front`` -y.

    Raises:
        CharacterError: if the file or `texture` cannot be read, or no face is left.
    """
    files = SideFiles(path, root)
    text = parse_obj(files.read(path), path.name)
    library, warnings = read_libraries(files, [s.value for s in text.statements if s.keyword == "mtllib"])
    override = None if texture is None else as_texture(load_texture(texture, texture.name, files.root))
    own_image = len(text.uv) > 0 and text.point_colors is None
    builder = MaterialBuilder(files, library, warnings, override, own_image)
    raw = _assemble(text, drop, builder, path.name)
    mesh, repeated = without_repeated_colours(raw.mesh, path.name)
    return replace(
        raw,
        mesh=mesh,
        files=files.tried if texture is None else (*files.tried, texture),
        warnings=(*files.warnings(), *builder.warnings, *repeated),
    )


def read_obj_with_image(
    path: Path, image: Path | None, *, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read an OBJ file as one material with the given image (or none), whatever its libraries say.

    Raises:
        CharacterError: as `read_obj`.
    """
    files = SideFiles(path, root)
    text = parse_obj(files.read(path), path.name)
    plain = replace(text, statements=tuple(s for s in text.statements if s.keyword in ("o", "g")))
    texture = None if image is None else as_texture(load_texture(image, image.name, files.root))
    builder = MaterialBuilder(files, {}, {}, texture, own_image=False)
    raw = _assemble(plain, drop, builder, path.name)
    return replace(raw, files=(path,) if image is None else (path, image), warnings=tuple(builder.warnings))


@dataclass(frozen=True)
class _Labels:
    """What each face belongs to.

    Attributes:
        part: (F,) into `part_names`, the names of group and object in force.
        material: (F,) into `material_names`.
        names: every object and group name in file order.
    """

    part: Ints
    part_names: tuple[tuple[str, ...], ...]
    material: Ints
    material_names: tuple[str | None, ...]
    names: tuple[str, ...]


def _label_faces(text: ObjText) -> _Labels:
    parts: dict[tuple[str, ...], int] = {(): 0}
    materials: dict[str | None, int] = {None: 0}
    in_force: Mapping[str, tuple[list[int], list[int]]] = {"part": ([-1], [0]), "material": ([-1], [0])}
    named = {"o": "", "g": ""}
    for statement in text.statements:
        kind = "material" if statement.keyword == "usemtl" else "part"
        if kind == "material":
            label = materials.setdefault(statement.value, len(materials))
        elif statement.keyword in named:
            named = {"o": statement.value, "g": ""} if statement.keyword == "o" else {**named, "g": statement.value}
            label = parts.setdefault(tuple(dict.fromkeys(filter(None, (named["g"], named["o"])))), len(parts))
        else:
            continue
        in_force[kind][0].append(statement.line)
        in_force[kind][1].append(label)
    part, material = (
        np.array(labels)[np.searchsorted(np.array(lines), text.face_line) - 1] for lines, labels in in_force.values()
    )
    names = dict.fromkeys(s.value for s in text.statements if s.keyword in named and s.value)
    return _Labels(part, tuple(parts), material, tuple(materials), tuple(names))


def _assemble(text: ObjText, drop: Collection[str], builder: MaterialBuilder, name: str) -> RawMesh:
    """The mesh of the faces that lie in none of the named parts."""
    if len(text.face_line) == 0:
        reason = ", but curved surfaces (surf): export it as polygons" if text.curved else ""
        raise CharacterError(f"{name} has no faces{reason}")
    labels = _label_faces(text)
    dropped = [k for k, names in enumerate(labels.part_names) if set(names) & set(drop)]
    keep = ~np.isin(labels.part, dropped)
    if not keep.any():
        raise CharacterError(f"every part of {name} is dropped: no face is left")
    triangles, face = triangulate(text.points, text.corners[:, 0], text.first, keep)
    if len(triangles) == 0:
        raise CharacterError(f"{name} has no faces with three corners or more")
    point, uv_at, normal_at = (text.corners[:, k][triangles] for k in range(3))
    used, first, slots = np.unique(labels.material[face], return_index=True, return_inverse=True)
    order = np.argsort(first)
    face_material = np.argsort(order)[slots].astype(np.int32)
    built = builder.build_all([labels.material_names[k] for k in used[order]])
    textured = np.array([b.material.texture is not None or b.material.emissive_texture is not None for b in built])
    bare = int(((uv_at < 0).any(axis=1) & textured[face_material]).sum())
    if bare:
        share = f"{bare:,} of {plural(len(face), 'triangle')} of {name}"
        builder.warnings[
            f"{share} have a texture and no texture coordinates for it: they show the colour of its corner"
        ] = None
    if text.lost > 0:
        corners = plural(text.lost, "face corner")
        builder.warnings[f"{corners} of {name} with a texture coordinate or normal that is not there"] = None
    if text.curved > 0:
        surfaces = plural(text.curved, "curved surface")
        builder.warnings[f"{surfaces} (surf) of {name} left out: export it as polygons"] = None
    with np.errstate(over="ignore"):
        vertices = text.points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=tuple(b.material for b in built),
        face_material=face_material,
        uv=_uv(text, uv_at, face_material, built),
        colors=_colors(text, point),
    )
    if len(text.normals) and (normal_at >= 0).any():
        normals = np.where((normal_at >= 0)[..., None], unit_normals(text.normals)[normal_at], 0.0)
        mesh = with_flat_gaps(replace(mesh, normals=normals.astype(np.float32)))
    return RawMesh(
        mesh=mesh,
        parts=labels.names,
        part_names=labels.part_names,
        face_part=labels.part[face].astype(np.int32),
    )


def _uv(
    text: ObjText, at: Ints, face_material: NDArray[np.int32], built: tuple[ObjMaterial, ...]
) -> NDArray[np.float32] | None:
    if len(text.uv) == 0 or not (at >= 0).any():
        return None
    uv = np.where((at >= 0)[..., None], text.uv[at], 0.0)
    placements = [b.placement for b in built]
    if any(p.scale != (1.0, 1.0) or p.offset != (0.0, 0.0) for p in placements):
        scale, offset = np.array([p.scale for p in placements]), np.array([p.offset for p in placements])
        uv = uv * scale[face_material][:, None] + offset[face_material][:, None]
    with np.errstate(over="ignore"):
        return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float32)


def _colors(text: ObjText, point: Ints) -> NDArray[np.float32] | None:
    if text.point_colors is None:
        return None
    encoded = text.point_colors / full_scale(text.point_colors)
    linear = np.ones((len(encoded), 4), np.float32)
    linear[:, :3] = srgb_to_linear(np.nan_to_num(encoded, nan=1.0))
    return linear[point]
